//! PEFT's (IA)³: `ia3_l` of shape `[out, 1]` multiplies the output of a linear layer; `[1, in]`, for the
//! layers in `feedforward_modules`, multiplies the input.
//!
//! Here keys, values and the feed-forward's inner activations have scales, as in the paper and in PEFT's T5
//! and Llama. PEFT's GPT-2 also scales queries, since they share a module with keys and values. PEFT's BERT
//! also scales the input of attention's output layer, since that module's name ends in `output.dense`. Both
//! are equivalent to other scales of keys and of values: `(s ⊙ q) · k = q · (s ⊙ k)` if there is no rotation
//! in between, and `Σ a (v ⊙ s) = (Σ a v) ⊙ s`. A ModernBERT's rotary positions are such a rotation: for its
//! `Wqkv`, only scales that leave queries unchanged are accepted. Missing scales are 1.

use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};
use serde_json::Value;

use super::folder::Config;
use super::modules::{Left, Module, Placed, Written, is_target, modules, none, targets};
use crate::backbone::Backbone;
use crate::bert;
use crate::checkpoint::Weights;
use crate::decoder_only::Positions;
use crate::layers::{self, Map};
use crate::network::{Config as NetworkConfig, Network};
use crate::tuning::saved::error::SavedError;
use crate::tuning::tuned::Tuned;
use promptshift_numbers::recipe::DeltaRecipe;

pub(super) const TYPE: &str = "IA3";

const PART: &str = "ia3_l";

/// The scales of the inputs and outputs of linear layers, by layer index.
struct Scales {
    input: Vec<Option<Vec<f32>>>,
    output: Vec<Option<Vec<f32>>>,
}

/// Multiplies an optional scale by another.
fn scale(known: &mut Option<Vec<f32>>, by: &[f32]) {
    match known {
        Some(known) => known.iter_mut().zip(by).for_each(|(k, b)| *k *= b),
        None => *known = Some(by.to_vec()),
    }
}

impl Scales {
    /// Removes the tensors of every module from `left`.
    fn take(
        config: &Config,
        left: &mut Left,
        all: &[Module],
        places: usize,
    ) -> Result<Self, SavedError> {
        let mut scales = Scales {
            input: vec![None; places],
            output: vec![None; places],
        };
        let mut found = false;
        for module in all {
            let name = module.tensor(PART);
            let values = match left.shape(&name) {
                Some([1, _]) => left.take(&name, [1, module.input])?.inspect(|values| {
                    for place in module.places.clone() {
                        scales.input[place] = Some(values.clone());
                    }
                }),
                _ => left.take(&name, [module.output(), 1])?.inspect(|values| {
                    let mut rest = values.as_slice();
                    for (place, &width) in module.places.clone().zip(&module.outputs) {
                        let (own, others) = rest.split_at(width);
                        scales.output[place] = Some(own.to_vec());
                        rest = others;
                    }
                }),
            };
            found |= values.is_some();
            if values.is_none() && is_target(config, &module.name) {
                return Err(left.wrong(format!("'{name}', as target_modules says"), none()));
            }
        }
        match found {
            true => Ok(scales),
            false => {
                let wanted = format!("'{PART}' of a linear layer of the blocks");
                Err(left.wrong(wanted, left.first()))
            }
        }
    }
}

/// Whether there is no rotation between queries and keys, so that scaling one is equivalent to scaling the
/// other.
fn is_unrotated(config: &NetworkConfig) -> bool {
    match config {
        NetworkConfig::DecoderOnly(decoder) => {
            matches!(decoder.positions, Positions::Learned(_))
        }
        NetworkConfig::Bert(bert) => matches!(bert.positions, bert::Positions::Learned { .. }),
        NetworkConfig::T5(_) => true,
    }
}

pub(super) fn read(
    config: &Config,
    left: &mut Left,
    backbone: &Backbone,
    model: Network,
) -> Result<Placed, SavedError> {
    let maps = backbone.config.maps();
    let all = modules(&backbone.config);
    let mut scales = Scales::take(config, left, &all, maps.len())?;
    for module in &all {
        for (place, map) in module.places.clone().zip(&module.maps) {
            let wrong = |side: &str| {
                left.wrong(
                    "scales of keys, of values and of the feed-forward's hidden units".to_string(),
                    format!(
                        "'{}', of what {side} '{}'",
                        module.tensor(PART),
                        module.name
                    ),
                )
            };
            // A block's layers start with queries, keys, values and attention's output, in this order.
            if let Some(values) = scales.output[place].take() {
                match map {
                    Map::K | Map::V => scales.output[place] = Some(values),
                    // Queries share a module with keys and values, but are not scaled.
                    Map::Q if values.iter().all(|&scale| scale == 1.0) => {}
                    Map::Q
                        if is_unrotated(&backbone.config)
                            && maps[place + 1].1[1] == values.len() =>
                    {
                        scale(&mut scales.output[place + 1], &values);
                    }
                    _ => return Err(wrong("leaves")),
                }
            }
            if let Some(values) = scales.input[place].take() {
                match map {
                    Map::Wo => scales.input[place] = Some(values),
                    Map::O if maps[place - 1].1[1] == values.len() => {
                        scale(&mut scales.output[place - 1], &values);
                    }
                    _ => return Err(wrong("enters")),
                }
            }
        }
    }
    let device = model.device();
    let mut tuned = Tuned::untuned(model);
    let linears = tuned.backbone.maps_mut().into_iter().zip(maps).enumerate();
    for (place, ((map, linear), (_, [input, output]))) in linears {
        let delta = layers::Delta::default();
        linear.delta = match map {
            Map::K | Map::V => Some(layers::Delta {
                output_scale: Some(param(scales.output[place].take(), output, &device)),
                ..delta
            }),
            Map::Wo => Some(layers::Delta {
                input_scale: Some(param(scales.input[place].take(), input, &device)),
                ..delta
            }),
            Map::Q | Map::O | Map::Wi0 | Map::Wi1 => None,
        };
    }
    Ok(Placed {
        delta: DeltaRecipe::Scales,
        head: None,
        tuned,
    })
}

fn param(values: Option<Vec<f32>>, width: usize, device: &Device) -> Param<Tensor<1>> {
    let values = values.unwrap_or_else(|| vec![1.0; width]);
    Param::from_tensor(Tensor::from_data(TensorData::new(values, [width]), device))
}

pub(super) fn write(tuned: &mut Tuned, config: &NetworkConfig) -> Written {
    let mut tensors = Weights::empty("");
    let all = modules(config);
    let linears = tuned.backbone.maps_mut();
    let values = |scale: &Param<Tensor<1>>| -> Vec<f32> {
        (scale.val().into_data().try_to_vec()).expect("parameters are f32")
    };
    let (mut attention, mut feed_forward) = (Vec::new(), Vec::new());
    for module in &all {
        let deltas = &linears[module.places.clone()];
        let inputs = (deltas.iter()).find_map(|(_, map)| map.delta.as_ref()?.input_scale.as_ref());
        let outputs: Vec<_> = (deltas.iter())
            .map(|(_, map)| map.delta.as_ref()?.output_scale.as_ref())
            .collect();
        let name = module.tensor(PART);
        if let Some(scale) = inputs {
            tensors.put(&name, vec![1, module.input], values(scale));
            feed_forward.push(module.name.as_str());
        } else if outputs.iter().any(Option::is_some) {
            let scales = (outputs.into_iter().zip(&module.outputs))
                .flat_map(|(scale, &width)| scale.map_or_else(|| vec![1.0; width], values));
            tensors.put(&name, vec![module.output(), 1], scales.collect());
            attention.push(module.name.as_str());
        }
    }
    // PEFT requires the second list to be a subset of the first, name by name.
    let feed_forward = targets(&feed_forward, config);
    let every = [targets(&attention, config), feed_forward.clone()].concat();
    let mut keys: Vec<(&'static str, Value)> = vec![
        ("feedforward_modules", feed_forward.into()),
        ("target_modules", every.into()),
    ];
    keys.extend(super::modules::transposed_weights(config));
    Written { keys, tensors }
}
