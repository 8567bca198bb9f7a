//! LoRA (Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models", arXiv 2106.09685): a low-rank product
//! `α/r · x A B` beside a frozen map `x W`.
//!
//! Reference code: microsoft/LoRA, `loralib/layers.py`. As there, `A` starts Kaiming uniform with `a = √5`, which is
//! U[-1/√in, 1/√in], and `B` starts at 0, so that the tuned model starts as the frozen one. As in the paper, queries
//! and values of every attention are tuned (PEFT's default for T5 too), with rank 8. Deviations: no dropout before `A`;
//! Adafactor rather than AdamW.

use super::{About, Delta, Family};
use crate::layers::{self, LowRank};
use crate::network::{Config, Network};
use crate::tuning::draw::Draw;
use crate::tuning::tuned::Tuned;
use promptshift_numbers::recipe::{LoraRecipe, Recipe};

impl Delta for LoraRecipe {
    fn about(&self) -> About {
        About {
            family: Family::Reparameterised,
            what: "low-rank products beside the maps of queries and values",
            paper: "Hu et al. 2021, arXiv 2106.09685",
            code: Some("microsoft/LoRA"),
        }
    }

    fn sizes(&self) -> Vec<(&'static str, usize)> {
        // 0 for a map without a product.
        let ranks = self.ranks.iter().copied().filter(|rank| *rank > 0);
        ranks
            .chain([self.rank])
            .map(|rank| ("a rank of", rank))
            .collect()
    }

    fn attach(&self, mut tuned: Tuned, config: &Config, draw: &mut Draw) -> Tuned {
        let places = tuned.backbone.maps_mut().into_iter().enumerate();
        for ((place, (map, linear)), (_, [input, output])) in places.zip(config.maps()) {
            let rank = self.rank_at(place, map);
            if rank == 0 {
                continue;
            }
            linear.delta = Some(layers::Delta {
                low_rank: Some(LowRank {
                    a: draw.uniform([input, rank], (input as f32).sqrt().recip()),
                    b: draw.filled([rank, output], 0.0),
                    scale: self.scale(),
                }),
                ..layers::Delta::default()
            });
        }
        tuned
    }

    fn is_trainable(&self, path: &str, _: &Config) -> bool {
        path.contains(".delta.low_rank.")
    }

    fn trainable(&self, _: &Recipe, config: &Config) -> usize {
        let maps = config.maps().into_iter().enumerate();
        maps.map(|(place, (map, [input, output]))| self.rank_at(place, map) * (input + output))
            .sum()
    }
}

/// The backbone with the low-rank products merged into its weights: same answers up to rounding, at the frozen model's
/// cost.
pub fn merged(tuned: &Tuned) -> Network {
    let mut backbone = tuned.backbone.clone();
    for (_, linear) in backbone.maps_mut() {
        linear.merge();
        linear.delta = None;
    }
    backbone
}
