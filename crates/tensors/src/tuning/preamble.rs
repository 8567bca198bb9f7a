//! Prompts of words, which nothing is trained for: a hand-written instruction (Raffel et al. 2020,
//! arXiv 1910.10683, name each task by one; "prompt design" in Lester et al. 2021) and examples of the
//! source before the input, "in context" (Brown et al. 2020, arXiv 2005.14165).
//!
//! Words enter where soft prompts do, as the embeddings of their tokens, so that what is saved is a
//! prompt like any other. Examples are drawn from the source's training rows by the cell's seed and
//! written `INPUT answer: TARGET`. There is nothing to train: a recipe of these has no steps.

use super::Tuned;
use super::draw::Draw;
use super::method::{About, Delta, Family};
use crate::network::{Config, Kind};
use promptshift_numbers::recipe::{PreambleRecipe, Recipe};

pub(super) const INSTRUCTION: About = About {
    family: Family::None,
    what: "nothing: a hand-written instruction before the input",
    paper: "Raffel et al. 2020, arXiv 1910.10683",
    code: None,
};

pub(super) const FEW_SHOT: About = About {
    family: Family::None,
    what: "nothing: examples of the source before the input",
    paper: "Brown et al. 2020, arXiv 2005.14165",
    code: None,
};

impl Delta for PreambleRecipe {
    fn supports(&self, kind: Kind) -> Result<(), &'static str> {
        match kind {
            Kind::T5 | Kind::DecoderOnly => Ok(()),
            Kind::Bert => {
                Err("nothing is trained, and a head that was never trained follows no words")
            }
        }
    }

    /// The words are already there: [`MethodInputs::preamble`](super::MethodInputs::preamble).
    fn attach(&self, tuned: Tuned, _: &Config, _: &mut Draw) -> Tuned {
        tuned
    }

    fn is_trainable(&self, _: &str, _: &Config) -> bool {
        false
    }

    fn trainable(&self, _: &Recipe, _: &Config) -> usize {
        0
    }

    fn leaves_adapter(&self) -> bool {
        false
    }
}
