//! WARP (Hambardzumyan, Khachatrian & May 2021, "WARP: Word-level Adversarial ReProgramming", arXiv 2101.00121): a soft
//! prompt in the input of a frozen model, and an output vector for each class instead of the head, so that the model
//! chooses only among the classes.
//!
//! Reference code: YerevaNN/WARP. As there, prompt and output vectors start from words of the vocabulary, the latter
//! from those of the labels, and the softmax is over the output vectors. Deviations, since the paper's model is masked
//! and this one a T5: the decoder's states replace the state at `[MASK]`; a label is written in its tokens, so there is
//! a vector for each of these and for the end of sequence (one for each class if labels are distinct single tokens);
//! the prompt precedes the input as one piece, while the paper's may surround its segments; Adafactor rather than
//! AdamW, with one learning rate for both. The source must have labels.

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
                Err("not implemented for it (the tuned output vectors are a T5's)")
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
