//! Model tuning, the paper's term for full fine-tuning (Raffel et al. 2020, arXiv 1910.10683): every parameter is
//! trained.

use burn::module::Module;

use super::{About, Delta, Family};
use crate::network::{Config, Network};
use crate::tuning::tuned::Tuned;
use promptshift_numbers::recipe::Recipe;

pub(super) struct Model;

impl Delta for Model {
    fn about(&self) -> About {
        About {
            family: Family::All,
            what: "every parameter (full fine-tuning)",
            paper: "Raffel et al. 2020, arXiv 1910.10683",
            code: Some("google-research/t5x"),
        }
    }

    fn is_trainable(&self, _: &str, _: &Config) -> bool {
        true
    }

    fn trainable(&self, _: &Recipe, config: &Config) -> usize {
        config.parameters()
    }

    fn added_parameters(&self, _: &Recipe, _: &Config) -> usize {
        0
    }

    fn leaves_adapter(&self) -> bool {
        false
    }
}

/// Makes the whole backbone require gradients.
pub fn model_tuning(backbone: Network) -> Tuned {
    Tuned::untuned(backbone.train())
}
