//! Methods that change the linear layers of the blocks: LoRA's low-rank updates, DoRA's magnitudes, VeRA's and (IA)³'s
//! scales.

use super::delta::{About, Delta, Family};
use crate::layers::{self, LowRank, Magnitude, Map};
use crate::network::{Config, Network};
use crate::tuning::draw::Draw;
use crate::tuning::projections::Projections;
use crate::tuning::tuned::Tuned;
use promptshift_numbers::recipe::{LoraForm, LoraRecipe, Recipe, VeraRecipe};

/// LoRA (Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models", arXiv 2106.09685): a low-rank
/// update `α/r · x A B` of a frozen linear layer `x W`.
///
/// Reference code: microsoft/LoRA, `loralib/layers.py`. As there, `A` starts Kaiming uniform with `a = √5`,
/// which is U[-1/√in, 1/√in], and `B` starts at 0, so that the tuned model starts equal to the frozen one. As
/// in the paper, the query and value layers of every attention are tuned (PEFT's default for T5 too), with
/// rank 8. Deviations: no dropout before `A`; Adafactor instead of AdamW. With
/// [`LoraScaling::Rslora`](promptshift_numbers::recipe::LoraScaling) the update is rsLoRA's, `α/√r · x A B`
/// (Kalajdzievski 2023, "A Rank Stabilization Scaling Factor for Fine-Tuning with LoRA", arXiv 2312.03732).
///
/// DoRA (Liu et al. 2024, "DoRA: Weight-Decomposed Low-Rank Adaptation", arXiv 2402.09353): the same update of the
/// directions of `W`'s columns, and their magnitudes `m` `[out]`: `x (W + ΔW) ⊙ m / ‖W + ΔW‖`, with the norms of
/// columns and a bias that is not scaled.
///
/// Reference code: huggingface/peft, `tuners/lora/dora.py`. As there, `m` starts at `‖W‖`, so that the tuned model
/// starts equal to the frozen one up to rounding, and gradients take the norm for a constant (§4.3 of the paper).
/// Deviations: LoRA's; queries and values alone, so that it differs from LoRA in the magnitudes only; the norm is
/// computed without forming `W + ΔW`.
impl Delta for LoraRecipe {
    fn about(&self) -> About {
        let family = Family::Reparameterised;
        match self.form {
            LoraForm::Lora => About {
                name: "LoRA",
                family,
                what: "low-rank updates of the query and value layers",
                paper: "Hu et al. 2021, arXiv 2106.09685",
                code: Some("microsoft/LoRA"),
            },
            LoraForm::Dora => About {
                name: "DoRA",
                family,
                what: "LoRA's updates, and the magnitudes of the weights' columns",
                paper: "Liu et al. 2024, arXiv 2402.09353",
                code: Some("huggingface/peft"),
            },
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
                    magnitude: match self.form {
                        LoraForm::Lora => None,
                        LoraForm::Dora => Some(Magnitude::new(linear.column_norms(), linear)),
                    },
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
        maps.map(
            |(place, (map, [input, output]))| match (self.rank_at(place, map), self.form) {
                (0, _) => 0,
                (rank, LoraForm::Lora) => rank * (input + output),
                (rank, LoraForm::Dora) => rank * (input + output) + output,
            },
        )
        .sum()
    }
}

/// VeRA (Kopiczko et al. 2023, "VeRA: Vector-based Random Matrix Adaptation", arXiv 2310.11454): an update
/// `λ_b ⊙ ((λ_d ⊙ x A) B)` of a frozen linear layer, where `A` and `B` are random, frozen and shared by all layers, and
/// the scales `λ_d` `[r]` and `λ_b` `[out]` are trained.
///
/// Reference code: huggingface/peft, `tuners/vera`. As there, `A` and `B` are Kaiming uniform and drawn from a key, 0
/// by default, that training's seed does not change; layers of several sizes read the first rows and columns of one
/// pair; `λ_d` starts at 0.1, `λ_b` at 0, so that the tuned model starts equal to the frozen one. Rank 256 is PEFT's
/// default and the paper's on large models. Deviations: no dropout before `A`; one learning rate for the scales and a
/// classifier.
impl Delta for VeraRecipe {
    fn about(&self) -> About {
        About {
            name: "VeRA",
            family: Family::Reparameterised,
            what: "scales of shared random low-rank updates of the query and value layers",
            paper: "Kopiczko et al. 2023, arXiv 2310.11454",
            code: Some("huggingface/peft"),
        }
    }

    fn sizes(&self) -> Vec<(&'static str, usize)> {
        vec![("a rank of", self.rank)]
    }

    fn attach(&self, mut tuned: Tuned, config: &Config, draw: &mut Draw) -> Tuned {
        let Some(widest) = widest(self, config) else {
            return tuned;
        };
        let projections = Projections::drawn(self.key, self.rank, widest, &draw.device());
        let maps = tuned.backbone.maps_mut().into_iter().zip(config.maps());
        for ((map, linear), (_, shape)) in maps {
            if self.maps.contains(&map) {
                let scales = [draw.filled([self.rank], 0.1), draw.filled([shape[1]], 0.0)];
                linear.delta = Some(layers::Delta {
                    vera: Some(projections.update(shape, scales)),
                    ..layers::Delta::default()
                });
            }
        }
        tuned.projections = Some(projections);
        tuned
    }

    fn is_trainable(&self, path: &str, _: &Config) -> bool {
        path.contains(".delta.vera.")
    }

    fn trainable(&self, _: &Recipe, config: &Config) -> usize {
        let of_map = |(_, [_, output]): &(Map, [usize; 2])| self.rank + output;
        maps_of(self, config).iter().map(of_map).sum()
    }

    fn added_parameters(&self, recipe: &Recipe, config: &Config) -> usize {
        let widths = widest(self, config).map_or(0, |[input, output]| input + output);
        self.trainable(recipe, config) + self.rank * widths
    }
}

/// The linear layers that VeRA changes.
fn maps_of(recipe: &VeraRecipe, config: &Config) -> Vec<(Map, [usize; 2])> {
    let mut maps = config.maps();
    maps.retain(|(map, _)| recipe.maps.contains(map));
    maps
}

/// The largest numbers of inputs and of outputs of these layers; `None` if the network has none of them.
fn widest(recipe: &VeraRecipe, config: &Config) -> Option<[usize; 2]> {
    let shapes = maps_of(recipe, config).into_iter().map(|(_, shape)| shape);
    shapes.reduce(|[input, output], other| [input.max(other[0]), output.max(other[1])])
}

/// The backbone with the updates of LoRA, DoRA or VeRA merged into its weights: the same answers up to rounding, at the
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
