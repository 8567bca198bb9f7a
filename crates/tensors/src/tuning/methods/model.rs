//! Model tuning: trains every parameter, from the checkpoint or, as a control, from random weights.

use burn::module::Module;

use super::delta::{About, Delta, Family, Leaves};
use crate::network::{Config, Kind, Network};
use crate::t5::{Initialisation, T5, initialise};
use crate::tuning::draw::Draw;
use crate::tuning::tuned::Tuned;
use promptshift_numbers::recipe::Recipe;

/// Model tuning, the prompt-tuning paper's term for full fine-tuning (Raffel et al. 2020, arXiv 1910.10683):
/// trains every parameter.
pub(super) struct Model;

impl Delta for Model {
    fn about(&self) -> About {
        About {
            name: "model tuning",
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

    fn leaves(&self) -> Leaves {
        Leaves::Model
    }
}

/// The backbone with all parameters requiring gradients.
pub fn model_tuning(backbone: Network) -> Tuned {
    Tuned::untuned(backbone.train())
}

/// Model tuning from random weights: a control for the effect of pre-training. It differs from model tuning
/// only in the initial weights, which are T5's published initialisation from the cell's seed.
pub(super) struct RandomWeights;

impl Delta for RandomWeights {
    fn about(&self) -> About {
        About {
            name: "training from random weights",
            family: Family::All,
            what: "every parameter, from random weights (a control)",
            paper: "Raffel et al. 2020, arXiv 1910.10683 (initialisation)",
            code: None,
        }
    }

    fn supports(&self, kind: Kind) -> Result<(), &'static str> {
        match kind {
            Kind::T5 => Ok(()),
            Kind::DecoderOnly | Kind::Bert => {
                Err("not implemented for it (the random initialisation is T5's)")
            }
        }
    }

    fn attach(&self, tuned: Tuned, config: &Config, draw: &mut Draw) -> Tuned {
        let config = config.t5().expect("other kinds do not fit");
        let weights = initialise(config, Initialisation::Published, draw.seed());
        let device = tuned.backbone.device();
        let backbone =
            T5::load(config, weights, &device).expect("weights of its own configuration");
        Tuned {
            backbone: backbone.into(),
            ..tuned
        }
    }

    fn is_trainable(&self, path: &str, _: &Config) -> bool {
        path.starts_with("backbone.")
    }

    fn trainable(&self, _: &Recipe, config: &Config) -> usize {
        config.parameters()
    }

    fn added_parameters(&self, _: &Recipe, _: &Config) -> usize {
        0
    }

    fn leaves(&self) -> Leaves {
        Leaves::Model
    }
}
