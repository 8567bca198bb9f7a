//! Model tuning from random weights: the control that says what pre-training was worth. Everything is
//! as in model tuning but for the start, which is T5's published initialisation from the cell's seed.

use super::Tuned;
use super::draw::Draw;
use super::method::{About, Delta, Family};
use crate::recipe::Recipe;
use crate::t5::{Initialisation, T5, T5Config, initialise};

pub(super) const ABOUT: About = About {
    family: Family::All,
    what: "every parameter, from random weights (a control)",
    paper: "Raffel et al. 2020, arXiv 1910.10683 (initialisation)",
    code: None,
};

pub(super) struct RandomWeights;

impl Delta for RandomWeights {
    fn place(&self, tuned: Tuned, config: &T5Config, draw: &mut Draw) -> Tuned {
        let weights = initialise(config, Initialisation::Published, draw.seed());
        let device = tuned.backbone.device();
        let backbone =
            T5::load(config, weights, &device).expect("weights of its own configuration");
        Tuned { backbone, ..tuned }
    }

    fn trains(&self, path: &str, _: &T5Config) -> bool {
        path.starts_with("backbone.")
    }

    fn trainable(&self, _: &Recipe, config: &T5Config) -> usize {
        config.parameters()
    }
}
