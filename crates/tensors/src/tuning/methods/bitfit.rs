//! BitFit (Ben Zaken, Ravfogel & Goldberg 2021, "BitFit: Simple Parameter-efficient Fine-tuning for Transformer-based
//! Masked Language-models", arXiv 2106.10199): tunes only biases.
//!
//! Reference code: benzakenelad/BitFit. If the model has biases, they are tuned, the norms' included. T5 and Llama have
//! none, so each linear map of the blocks gets a bias that starts at 0; the norms, which have biases in the paper's
//! BERT, and the output head get none. Deviation: Adafactor rather than AdamW.

use super::{About, Delta, Family};
use crate::layers;
use crate::network::Config;
use crate::tuning::draw::Draw;
use crate::tuning::tuned::Tuned;
use promptshift_numbers::recipe::Recipe;

pub(super) struct AddedBiases;

impl Delta for AddedBiases {
    fn about(&self) -> About {
        About {
            family: Family::Specified,
            what: "the biases; if the model has none, a bias added to every linear map of the blocks",
            paper: "Ben Zaken et al. 2021, arXiv 2106.10199",
            code: Some("benzakenelad/BitFit"),
        }
    }

    fn attach(&self, mut tuned: Tuned, config: &Config, draw: &mut Draw) -> Tuned {
        if config.biases().is_some() {
            return tuned;
        }
        for ((_, linear), (_, [_, output])) in
            tuned.backbone.maps_mut().into_iter().zip(config.maps())
        {
            linear.delta = Some(layers::Delta {
                bias: Some(draw.filled([output], 0.0)),
                ..layers::Delta::default()
            });
        }
        tuned
    }

    fn is_trainable(&self, path: &str, config: &Config) -> bool {
        match config.biases() {
            Some(_) => path.starts_with("backbone.") && path.ends_with(".bias"),
            None => path.ends_with(".delta.bias"),
        }
    }

    fn trainable(&self, recipe: &Recipe, config: &Config) -> usize {
        (config.biases()).unwrap_or_else(|| self.added_parameters(recipe, config))
    }

    fn added_parameters(&self, _: &Recipe, config: &Config) -> usize {
        let added = || config.maps().iter().map(|(_, [_, output])| output).sum();
        config.biases().map_or_else(added, |_| 0)
    }
}
