//! Norm gains only: LN-tuning (Qi, Ruan, Zuo & Li 2022, "Parameter-Efficient Tuning on Layer
//! Normalization for Pre-trained Language Models", arXiv 2211.08682), in a T5, whose norms have a
//! gain and no bias. Both stacks' final norms are among them.
//!
//! Gains start where pre-training left them. Deviation: Adafactor rather than AdamW.

use super::Tuned;
use super::draw::Draw;
use super::method::{About, Delta, Family};
use crate::recipe::Recipe;
use crate::t5::T5Config;

pub(super) const ABOUT: About = About {
    family: Family::Specified,
    what: "the gains of the norms",
    paper: "Qi et al. 2022, arXiv 2211.08682",
    code: None,
};

pub(super) struct NormGains;

impl Delta for NormGains {
    fn place(&self, tuned: Tuned, _: &T5Config, _: &mut Draw) -> Tuned {
        tuned
    }

    fn trains(&self, path: &str, _: &T5Config) -> bool {
        path.ends_with(".gain")
    }

    fn trainable(&self, _: &Recipe, config: &T5Config) -> usize {
        let norms = 2 * config.num_layers + 3 * config.decoder_layers() + 2;
        norms * config.d_model
    }
}
