//! Prompt tuning at other places: before the decoder's start token, or before both inputs.
//!
//! The paper's prompt (Lester et al. 2021, arXiv 2104.08691) precedes the encoder's input; its reference code,
//! google-research/prompt-tuning, also has prompts for the decoder and for both (`prompt_tuning/train/models.py`). The
//! decoder's prompt takes positions before the start token, and nothing is predicted there. If there are two, both
//! start from the same vectors.

use super::{About, Delta, Family};
use crate::network::{Config, Kind};
use crate::tuning::draw::Draw;
use crate::tuning::tuned::Tuned;
use promptshift_numbers::recipe::{PromptPlaces, Recipe};

impl Delta for PromptPlaces {
    fn about(&self) -> About {
        About {
            family: Family::Prompts,
            what: match self {
                PromptPlaces::Decoder => "a soft prompt before the decoder's input",
                PromptPlaces::Both => "soft prompts before the encoder's input and the decoder's",
            },
            paper: "Lester et al. 2021, arXiv 2104.08691 (code)",
            code: Some("google-research/prompt-tuning"),
        }
    }

    fn attach(&self, mut tuned: Tuned, _: &Config, _: &mut Draw) -> Tuned {
        let prompt = tuned.prompt.take();
        tuned.decoder_prompt = prompt.as_ref().map(|prompt| prompt.copy());
        tuned.prompt = match self {
            PromptPlaces::Decoder => None,
            PromptPlaces::Both => prompt,
        };
        tuned
    }

    fn supports(&self, kind: Kind) -> Result<(), &'static str> {
        match kind {
            Kind::T5 => Ok(()),
            Kind::DecoderOnly => Err("it has one input, and method prompt puts a prompt before it"),
            Kind::Bert => Err("it has no decoder"),
        }
    }

    fn is_trainable(&self, path: &str, _: &Config) -> bool {
        path.starts_with("prompt.") || path.starts_with("decoder_prompt.")
    }

    fn trainable(&self, recipe: &Recipe, config: &Config) -> usize {
        let prompts = match self {
            PromptPlaces::Decoder => 1,
            PromptPlaces::Both => 2,
        };
        prompts * recipe.prompt_length() * config.width()
    }
}
