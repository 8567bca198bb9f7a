//! The output head only: a linear probe that generates. In v1.1 the head is a matrix of its own; in
//! v1.0 it is the embedding, which then moves as input as well.
//!
//! A control rather than a published method for T5: "tuning the head" is the feature-based baseline of
//! Peters, Ruder & Smith 2019 ("To Tune or Not to Tune?", arXiv 1903.05987).

use super::Tuned;
use super::draw::Draw;
use super::method::{About, Delta, Family};
use crate::recipe::Recipe;
use crate::t5::T5Config;

pub(super) const ABOUT: About = About {
    family: Family::Specified,
    what: "the output head",
    paper: "Peters et al. 2019, arXiv 1903.05987 (as a probe)",
    code: None,
};

pub(super) struct OutputHead;

impl Delta for OutputHead {
    fn place(&self, tuned: Tuned, _: &T5Config, _: &mut Draw) -> Tuned {
        tuned
    }

    fn trains(&self, path: &str, config: &T5Config) -> bool {
        match config.tie_word_embeddings {
            true => path == "backbone.embedding",
            false => path == "backbone.head.weight",
        }
    }

    fn trainable(&self, _: &Recipe, config: &T5Config) -> usize {
        config.vocab_size * config.d_model
    }
}
