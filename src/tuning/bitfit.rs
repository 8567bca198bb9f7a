//! BitFit (Ben Zaken, Ravfogel & Goldberg 2021, "BitFit: Simple Parameter-efficient Fine-tuning for
//! Transformer-based Masked Language-models", arXiv 2106.10199): only biases are tuned.
//!
//! Reference code: benzakenelad/BitFit. T5 has no biases, so each linear map of the blocks is given
//! one that starts at 0; the norms, which have biases in the paper's BERT, are left without, as is
//! the output head. Deviation: Adafactor rather than AdamW.

use super::Tuned;
use super::draw::Draw;
use super::method::{About, Delta, Family};
use crate::recipe::Recipe;
use crate::t5::{self, T5Config};

pub(super) const ABOUT: About = About {
    family: Family::Specified,
    what: "a bias for every linear map of the blocks (T5 has none: added)",
    paper: "Ben Zaken et al. 2021, arXiv 2106.10199",
    code: Some("benzakenelad/BitFit"),
};

pub(super) struct AddedBiases;

impl Delta for AddedBiases {
    fn place(&self, mut tuned: Tuned, config: &T5Config, draw: &mut Draw) -> Tuned {
        for ((_, linear), (_, [_, output])) in
            tuned.backbone.maps_mut().into_iter().zip(config.maps())
        {
            linear.delta = Some(t5::Delta {
                bias: Some(draw.filled([output], 0.0)),
                ..t5::Delta::default()
            });
        }
        tuned
    }

    fn trains(&self, path: &str, _: &T5Config) -> bool {
        path.ends_with(".delta.bias")
    }

    fn trainable(&self, _: &Recipe, config: &T5Config) -> usize {
        config.maps().iter().map(|(_, [_, output])| output).sum()
    }
}
