//! Methods that change the linear layers of the blocks: LoRA's low-rank updates, (IA)³'s scales.

use super::delta::{About, Delta, Family};
use crate::layers::{self, LowRank, Map};
use crate::network::{Config, Network};
use crate::tuning::draw::Draw;
use crate::tuning::tuned::Tuned;
use promptshift_numbers::recipe::{LoraRecipe, Recipe};

/// LoRA (Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models", arXiv 2106.09685): a low-rank
/// update `α/r · x A B` of a frozen linear layer `x W`.
///
/// Reference code: microsoft/LoRA, `loralib/layers.py`. As there, `A` starts Kaiming uniform with `a = √5`,
/// which is U[-1/√in, 1/√in], and `B` starts at 0, so that the tuned model starts equal to the frozen one. As
/// in the paper, the query and value layers of every attention are tuned (PEFT's default for T5 too), with
/// rank 8. Deviations: no dropout before `A`; Adafactor instead of AdamW.
impl Delta for LoraRecipe {
    fn about(&self) -> About {
        About {
            name: "LoRA",
            family: Family::Reparameterised,
            what: "low-rank updates of the query and value layers",
            paper: "Hu et al. 2021, arXiv 2106.09685",
            code: Some("microsoft/LoRA"),
        }
    }

    fn sizes(&self) -> Vec<(&'static str, usize)> {
        // 0 for a layer without an update.
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

/// The backbone with the low-rank updates merged into its weights: the same answers up to rounding, at the
/// cost of the frozen model.
pub fn merged(tuned: &Tuned) -> Network {
    let mut backbone = tuned.backbone.clone();
    for (_, linear) in backbone.maps_mut() {
        linear.merge();
        linear.delta = None;
    }
    backbone
}

/// (IA)³ (Liu et al. 2022, "Few-Shot Parameter-Efficient Fine-Tuning is Better and Cheaper than In-Context
/// Learning", arXiv 2205.05638): vectors that scale keys, values and the inner activations of the
/// feed-forward.
///
/// Reference code: r-three/t-few, `src/models/lora.py` with `configs/ia3.json`. Every attention has a scale
/// for its keys and one for its values (both attention layers of the decoder), and every feed-forward has one
/// for the input of its last layer; all start at 1. Deviations: only the budget and the loss, which is the
/// suite's likelihood alone, without T-Few's unlikelihood and length normalisation.
pub(super) struct Scales;

impl Delta for Scales {
    fn about(&self) -> About {
        About {
            name: "(IA)³",
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
