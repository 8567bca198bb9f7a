//! WARP (Hambardzumyan, Khachatrian & May 2021, "WARP: Word-level Adversarial ReProgramming",
//! arXiv 2101.00121): a soft prompt in the input of a frozen model, and an output vector for each class in
//! the place of the head's, so that the model chooses among the classes alone.
//!
//! Reference code: YerevaNN/WARP. As there, prompt and output vectors start from words of the vocabulary,
//! the latter from those of the labels, and the softmax is over the output vectors. Deviations, since the
//! paper's model is a masked one and this a T5: the decoder's states take the place of the state at
//! `[MASK]`; a label is written with its tokens, so that there is a vector for each of these and for the end
//! of sequence, which is one a class where labels are single tokens that differ; the prompt stands before
//! the input as one piece, where the paper's may stand around its segments; Adafactor rather than AdamW, at
//! one learning rate for both. A source without labels can't be tuned on so.

use super::{About, Delta, Family};
use crate::network::{Config, Kind};
use promptshift_numbers::recipe::Recipe;

pub(super) struct PromptAndLabels;

impl Delta for PromptAndLabels {
    fn about(&self) -> About {
        About {
            family: Family::Prompts,
            what: "a soft prompt, and output vectors of the labels' tokens (not counted here)",
            paper: "Hambardzumyan et al. 2021, arXiv 2101.00121",
            code: Some("YerevaNN/WARP"),
        }
    }

    fn supports(&self, kind: Kind) -> Result<(), &'static str> {
        match kind {
            Kind::T5 => Ok(()),
            Kind::DecoderOnly | Kind::Bert => {
                Err("not written for it (the output vectors that are tuned here are a T5's)")
            }
        }
    }

    fn wants_labels(&self) -> bool {
        true
    }

    fn is_trainable(&self, path: &str, _: &Config) -> bool {
        path.starts_with("prompt.") || path.starts_with("label_vectors.")
    }

    fn trainable(&self, recipe: &Recipe, config: &Config) -> usize {
        (recipe.prompt_length() + recipe.label_ids.len()) * config.width()
    }
}
