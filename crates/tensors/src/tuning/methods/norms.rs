//! Norm gains only: LN-tuning (Qi, Ruan, Zuo & Li 2022, "Parameter-Efficient Tuning on Layer Normalization for
//! Pre-trained Language Models", arXiv 2211.08682) without its biases, which the norms of T5 and Llama do not have. The
//! final norm of every stack is included.
//!
//! Gains start from their pre-trained values. Deviation: Adafactor rather than AdamW.

use super::{About, Delta, Family};
use crate::network::Config;
use promptshift_numbers::recipe::Recipe;

pub(super) struct NormGains;

impl Delta for NormGains {
    fn about(&self) -> About {
        About {
            family: Family::Specified,
            what: "the gains of the norms",
            paper: "Qi et al. 2022, arXiv 2211.08682",
            code: None,
        }
    }

    fn is_trainable(&self, path: &str, _: &Config) -> bool {
        path.ends_with(".gain")
    }

    fn trainable(&self, _: &Recipe, config: &Config) -> usize {
        config.norm_gains()
    }

    fn added_parameters(&self, _: &Recipe, _: &Config) -> usize {
        0
    }
}
