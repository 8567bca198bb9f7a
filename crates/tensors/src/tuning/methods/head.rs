//! Only the output head: a linear probe that generates. If the head is the embedding (T5 v1.0, small Llamas, GPT-2),
//! the input embedding changes with it.
//!
//! A control rather than a published method for T5: "tuning the head" is the feature-based baseline of
//! Peters, Ruder & Smith 2019 ("To Tune or Not to Tune?", arXiv 1903.05987).

use super::{About, Delta, Family};
use crate::network::{Config, Writes};
use promptshift_numbers::recipe::Recipe;

pub(super) struct OutputHead;

impl Delta for OutputHead {
    fn about(&self) -> About {
        About {
            family: Family::Specified,
            what: "the output head",
            paper: "Peters et al. 2019, arXiv 1903.05987 (as a probe)",
            code: None,
        }
    }

    fn is_trainable(&self, path: &str, config: &Config) -> bool {
        match config.is_tied() {
            // That head is trained with every method.
            _ if config.writes() != Writes::Tokens => false,
            true => path == "backbone.embedding",
            false => path == "backbone.head.weight",
        }
    }

    fn trainable(&self, _: &Recipe, config: &Config) -> usize {
        match config.writes() {
            Writes::Tokens => config.vocabulary() * config.width(),
            Writes::Nothing { .. } => 0,
        }
    }

    fn added_parameters(&self, _: &Recipe, _: &Config) -> usize {
        0
    }
}
