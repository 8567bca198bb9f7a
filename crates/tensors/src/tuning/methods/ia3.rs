//! (IA)³ (Liu et al. 2022, "Few-Shot Parameter-Efficient Fine-Tuning is Better and Cheaper than In-Context Learning",
//! arXiv 2205.05638): vectors that scale keys, values and the hidden units of the feed-forward.
//!
//! Reference code: r-three/t-few, `src/models/lora.py` with `configs/ia3.json`. Every attention has a scale for its
//! keys and one for its values (both attentions of the decoder), and every feed-forward has one for the input of its
//! last map; all start at 1. Deviations: only the budget and the loss, which is the suite's likelihood alone, without
//! T-Few's unlikelihood and length normalisation.

use super::{About, Delta, Family};
use crate::layers::{self, Map};
use crate::network::Config;
use crate::tuning::draw::Draw;
use crate::tuning::tuned::Tuned;
use promptshift_numbers::recipe::Recipe;

pub(super) struct Scales;

impl Delta for Scales {
    fn about(&self) -> About {
        About {
            family: Family::Reparameterised,
            what: "scales of keys, values and the feed-forward's hidden units",
            paper: "Liu et al. 2022, arXiv 2205.05638",
            code: Some("r-three/t-few"),
        }
    }

    fn attach(&self, mut tuned: Tuned, config: &Config, draw: &mut Draw) -> Tuned {
        for ((map, linear), (_, [input, output])) in
            tuned.backbone.maps_mut().into_iter().zip(config.maps())
        {
            linear.delta = match map {
                Map::K | Map::V => Some(layers::Delta {
                    output_scale: Some(draw.filled([output], 1.0)),
                    ..layers::Delta::default()
                }),
                Map::Wo => Some(layers::Delta {
                    input_scale: Some(draw.filled([input], 1.0)),
                    ..layers::Delta::default()
                }),
                Map::Q | Map::O | Map::Wi0 | Map::Wi1 => None,
            };
        }
        tuned
    }

    fn is_trainable(&self, path: &str, _: &Config) -> bool {
        path.ends_with(".delta.output_scale") || path.ends_with(".delta.input_scale")
    }

    fn trainable(&self, _: &Recipe, config: &Config) -> usize {
        let scale = |(map, [input, output]): (Map, [usize; 2])| match map {
            Map::K | Map::V => output,
            Map::Wo => input,
            Map::Q | Map::O | Map::Wi0 | Map::Wi1 => 0,
        };
        config.maps().into_iter().map(scale).sum()
    }
}
