//! PEFT's LoRA: `lora_A.weight` `[r, in]` and `lora_B.weight` `[out, r]` for a linear layer `weight`
//! `[out, in]`; their product is scaled by `lora_alpha / r`, or `lora_alpha / √r` with `use_rslora`. With `use_dora`
//! every such layer has a `lora_magnitude_vector` `[out]` too.
//!
//! The tensors show which layers have such a pair: all layers of a kind or some, with one rank or several.
//! Here all products share one scale; if PEFT has several (`rank_pattern`, `alpha_pattern`), the others are
//! multiplied into `B`. A pair for GPT-2's `c_attn` becomes one each for queries, keys and values, with the
//! same `A`. Pairs of one module that were trained here with different `A`s are exported as one whose rank is
//! the sum, with a block-structured `B`, which is equivalent. The magnitudes of a layer without a pair, in a module
//! that has one, are the norms of its weight, which change nothing.

use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};
use fancy_regex::Regex;
use serde_json::{Map as Json, Value, json};

use super::folder::Config;
use super::modules::{Left, Placed, Written, is_target, modules, none, targets};
use crate::backbone::Backbone;
use crate::checkpoint::{Weights, transposed};
use crate::layers::{self, Linear, LowRank, Magnitude, Map};
use crate::network::{Config as NetworkConfig, Network};
use crate::tuning::saved::error::SavedError;
use crate::tuning::tuned::Tuned;
use promptshift_numbers::recipe::{DeltaRecipe, LoraForm, LoraRecipe, LoraScaling};

pub(super) const TYPE: &str = "LORA";

const PARTS: [&str; 2] = ["lora_A.weight", "lora_B.weight"];

const MAGNITUDE: &str = "lora_magnitude_vector";

/// A product's rank and `α`.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Sizes {
    rank: usize,
    alpha: f64,
}

/// Whether a key is set to true.
fn is_true(config: &Config, key: &str) -> bool {
    config.get(key) == Some(&Value::Bool(true))
}

/// What an adapter of this configuration trains.
pub(super) fn form(config: &Config) -> LoraForm {
    match is_true(config, "use_dora") {
        true => LoraForm::Dora,
        false => LoraForm::Lora,
    }
}

/// The value of the only pattern that matches a module, as in PEFT's `get_pattern_key`; `None` if no pattern
/// matches.
///
/// # Errors
/// A pattern is invalid, or several match with different values: PEFT takes the first, but JSON does not
/// preserve the order.
fn by_pattern<'a>(
    config: &'a Config,
    key: &str,
    module: &str,
) -> Result<Option<&'a Value>, SavedError> {
    let Some(patterns) = config.get(key).and_then(Value::as_object) else {
        return Ok(None);
    };
    let mut found: Option<&Value> = None;
    for (pattern, value) in patterns {
        let matches = Regex::new(&format!(r"^(?:(.*\.)?({pattern})$)"))
            .and_then(|pattern| pattern.is_match(module))
            .map_err(|error| {
                config.wrong(
                    format!("regular expressions in {key}"),
                    format!("'{pattern}': {error}"),
                )
            })?;
        match found.filter(|_| matches) {
            Some(other) if other != value => {
                let wanted = format!("one value for '{module}' in {key}");
                return Err(config.wrong(wanted, format!("{other} and {value}")));
            }
            _ if matches => found = Some(value),
            _ => {}
        }
    }
    Ok(found)
}

/// A module's rank and `α`.
fn sizes(config: &Config, module: &str) -> Result<Sizes, SavedError> {
    let rank = match by_pattern(config, "rank_pattern", module)? {
        None => config.positive("r")?,
        Some(value) => (value.as_u64().and_then(|rank| usize::try_from(rank).ok()))
            .filter(|&rank| rank > 0)
            .ok_or_else(|| {
                let wanted = format!("a rank of at least 1 for '{module}' in rank_pattern");
                config.wrong(wanted, value.to_string())
            })?,
    };
    let (key, alpha) = match by_pattern(config, "alpha_pattern", module)? {
        None => ("lora_alpha", config.get("lora_alpha")),
        Some(value) => ("alpha_pattern", Some(value)),
    };
    let alpha = match alpha.and_then(Value::as_f64) {
        Some(alpha) if alpha.is_finite() => alpha,
        _ => {
            let found = alpha.map_or("none".to_string(), |found| match found {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            });
            return Err(config.wrong(format!("{key}, a number"), found));
        }
    };
    Ok(Sizes { rank, alpha })
}

/// A recipe of products with a scale of 1 and one rank, at the linear layers of the blocks with a rank above 0.
pub(super) fn uniform(rank: usize, maps: &[(Map, [usize; 2])], ranks: Vec<usize>) -> LoraRecipe {
    let has = |map: &Map| {
        maps.iter()
            .zip(&ranks)
            .any(|((m, _), &rank)| m == map && rank > 0)
    };
    let mut recipe = LoraRecipe {
        rank,
        alpha: rank as f64,
        maps: Map::ALL.into_iter().filter(has).collect(),
        ranks: Vec::new(),
        scaling: LoraScaling::Lora,
        form: LoraForm::Lora,
    };
    let of_all = (maps.iter().enumerate()).map(|(place, (map, _))| recipe.rank_at(place, *map));
    if !of_all.eq(ranks.iter().copied()) {
        recipe.ranks = ranks;
    }
    recipe
}

pub(super) fn read(
    config: &Config,
    left: &mut Left,
    backbone: &Backbone,
    model: Network,
) -> Result<Placed, SavedError> {
    let device = model.device();
    let maps = backbone.config.maps();
    let form = form(config);
    let scaling = match is_true(config, "use_rslora") {
        true => LoraScaling::Rslora,
        false => LoraScaling::Lora,
    };
    let scale = |sizes: Sizes| scaling.scale(sizes.alpha, sizes.rank);
    let mut tuned = Tuned::untuned(model);
    let mut linears = tuned.backbone.maps_mut();
    let mut ranks = vec![0; maps.len()];
    // The sizes of the first pair; the others are converted to its scale.
    let mut first: Option<Sizes> = None;
    for module in modules(&backbone.config) {
        let sizes = sizes(config, &module.name)?;
        let (rank, [a, b]) = (sizes.rank, PARTS.map(|part| module.tensor(part)));
        let (shape_of_a, shape_of_b) = ([rank, module.input], [module.output(), rank]);
        let (of_a, of_b) = match (left.take(&a, shape_of_a)?, left.take(&b, shape_of_b)?) {
            (Some(of_a), Some(of_b)) => (of_a, of_b),
            (Some(_), None) => return Err(left.wrong(format!("'{b}' beside '{a}'"), none())),
            (None, Some(_)) => return Err(left.wrong(format!("'{a}' beside '{b}'"), none())),
            (None, None) if is_target(config, &module.name) => {
                return Err(left.wrong(format!("'{a}', as target_modules says"), none()));
            }
            (None, None) => continue,
        };
        let base = *first.get_or_insert(match sizes.alpha == 0.0 {
            // An alpha of 0 can't be the common scale, since others are divided by it: the 0 is multiplied
            // into `B`.
            true => Sizes {
                alpha: scaling.alpha(1.0, rank),
                ..sizes
            },
            false => sizes,
        });
        let factor = match sizes == base {
            true => 1.0,
            false => (scale(sizes) / scale(base)) as f32,
        };
        let of_a = transposed(&of_a, shape_of_a);
        let mut magnitudes = match form {
            LoraForm::Lora => Vec::new(),
            LoraForm::Dora => {
                let name = module.tensor(MAGNITUDE);
                (left.take(&name, [module.output()])?)
                    .ok_or_else(|| left.wrong(format!("'{name}' beside '{a}'"), none()))?
            }
        };
        let mut rows = of_b.chunks(rank);
        for (place, &output) in module.places.clone().zip(&module.outputs) {
            let own: Vec<f32> = (rows.by_ref().take(output).flatten())
                .map(|value| value * factor)
                .collect();
            let linear = &mut *linears[place].1;
            let magnitude = match form {
                LoraForm::Lora => None,
                LoraForm::Dora => {
                    let others = magnitudes.split_off(output);
                    let own = TensorData::new(std::mem::replace(&mut magnitudes, others), [output]);
                    Some(Magnitude::new(Tensor::from_data(own, &device), linear))
                }
            };
            linear.delta = Some(layers::Delta {
                low_rank: Some(LowRank {
                    a: param(of_a.clone(), [module.input, rank], &device),
                    b: param(transposed(&own, [output, rank]), [rank, output], &device),
                    scale: scale(base),
                    magnitude,
                }),
                ..layers::Delta::default()
            });
            ranks[place] = rank;
        }
    }
    let Some(Sizes { rank, alpha }) = first else {
        let wanted = "pairs of lora_A and lora_B for linear layers of the blocks".to_string();
        return Err(left.wrong(wanted, left.first()));
    };
    Ok(Placed {
        delta: DeltaRecipe::Lora(LoraRecipe {
            alpha,
            scaling,
            form,
            ..uniform(rank, &maps, ranks)
        }),
        head: None,
        tuned,
    })
}

pub(super) fn param(values: Vec<f32>, shape: [usize; 2], device: &Device) -> Param<Tensor<2>> {
    Param::from_tensor(Tensor::from_data(TensorData::new(values, shape), device))
}

/// A module's pair in PEFT's form: `A` `[r, in]` and `B` `[out, r]`.
struct Pair {
    rank: usize,
    a: Vec<f32>,
    b: Vec<f32>,
}

impl Pair {
    /// The pair for a module's layers, each with or without an update; updates with the same `A` share its
    /// rows.
    fn of(products: &[Option<&LowRank>], outputs: &[usize]) -> Option<Self> {
        let values = |factor: &Param<Tensor<2>>| {
            let [rows, columns] = factor.val().dims();
            let values: Vec<f32> = (factor.val().into_data().try_to_vec()).expect("f32");
            (columns, transposed(&values, [rows, columns]))
        };
        // Each distinct `A`, and the index of its first row.
        let mut factors: Vec<(usize, Vec<f32>)> = Vec::new();
        let mut rank = 0;
        let mut blocks = Vec::new();
        for product in products {
            blocks.push(product.map(|product| {
                let (own_rank, a) = values(&product.a);
                let known = factors.iter().find(|(_, known)| *known == a);
                let begin = known.map_or(rank, |(begin, _)| *begin);
                if known.is_none() {
                    factors.push((rank, a));
                    rank += own_rank;
                }
                (begin, own_rank, values(&product.b).1)
            }));
        }
        if rank == 0 {
            return None;
        }
        let mut b = Vec::new();
        for (block, &output) in blocks.iter().zip(outputs) {
            for row in 0..output {
                let mut all = vec![0.0; rank];
                if let Some((begin, own_rank, values)) = block {
                    all[*begin..begin + own_rank]
                        .copy_from_slice(&values[row * own_rank..][..*own_rank]);
                }
                b.extend(all);
            }
        }
        Some(Pair {
            rank,
            a: factors.into_iter().flat_map(|(_, a)| a).collect(),
            b,
        })
    }
}

/// PEFT writes whole numbers as integers.
fn number(value: f64) -> Value {
    match value.fract() == 0.0 {
        true => json!(value as i64),
        false => json!(value),
    }
}

/// A linear layer's product.
fn product(linear: &Linear) -> Option<&LowRank> {
    linear.delta.as_ref()?.low_rank.as_ref()
}

pub(super) fn write(recipe: &LoraRecipe, tuned: &mut Tuned, config: &NetworkConfig) -> Written {
    let mut tensors = Weights::empty("");
    let all = modules(config);
    let linears = tuned.backbone.maps_mut();
    let mut ranks: Vec<(&str, usize)> = Vec::new();
    for module in &all {
        let own = &linears[module.places.clone()];
        let products: Vec<Option<&LowRank>> =
            own.iter().map(|(_, linear)| product(linear)).collect();
        let Some(Pair { rank, a, b }) = Pair::of(&products, &module.outputs) else {
            continue;
        };
        let [name_of_a, name_of_b] = PARTS.map(|part| module.tensor(part));
        tensors.put(&name_of_a, vec![rank, module.input], a);
        tensors.put(&name_of_b, vec![module.output(), rank], b);
        if recipe.form == LoraForm::Dora {
            let magnitudes = own.iter().flat_map(|(_, linear)| {
                let values = match product(linear).and_then(|product| product.magnitude.as_ref()) {
                    Some(magnitude) => magnitude.values.val(),
                    None => linear.column_norms(),
                };
                values.into_data().try_to_vec::<f32>().expect("f32")
            });
            let values = magnitudes.collect();
            tensors.put(&module.tensor(MAGNITUDE), vec![module.output()], values);
        }
        ranks.push((&module.name, rank));
    }
    let is_there = |wanted: usize| ranks.iter().any(|(_, rank)| *rank == wanted);
    let base = match is_there(recipe.rank) {
        true => recipe.rank,
        false => ranks.first().map_or(recipe.rank, |(_, rank)| *rank),
    };
    // The scale is the same for all.
    let alpha = |rank: usize| match rank == recipe.rank {
        true => number(recipe.alpha),
        false => number(recipe.scaling.alpha(recipe.scale(), rank)),
    };
    let mut patterns = [Json::new(), Json::new()];
    let mut others: Vec<usize> = (ranks.iter().map(|(_, rank)| *rank))
        .filter(|&rank| rank != base)
        .collect();
    others.sort_unstable();
    others.dedup();
    for rank in others {
        let of_rank = ranks.iter().filter(|(_, other)| *other == rank);
        let names: Vec<&str> = of_rank.map(|(name, _)| *name).collect();
        for end in targets(&names, config) {
            patterns[0].insert(end.clone(), rank.into());
            patterns[1].insert(end, alpha(rank));
        }
    }
    let names: Vec<&str> = ranks.iter().map(|(name, _)| *name).collect();
    let mut keys: Vec<(&'static str, Value)> = vec![
        ("bias", "none".into()),
        ("lora_alpha", alpha(base)),
        ("lora_dropout", 0.0.into()),
        ("r", base.into()),
        ("target_modules", targets(&names, config).into()),
    ];
    let options = [
        ("use_dora", recipe.form == LoraForm::Dora),
        ("use_rslora", recipe.scaling == LoraScaling::Rslora),
    ];
    let set = options.into_iter().filter(|(_, is_set)| *is_set);
    keys.extend(set.map(|(key, _)| (key, true.into())));
    for (key, pattern) in ["rank_pattern", "alpha_pattern"].into_iter().zip(patterns) {
        if !pattern.is_empty() {
            keys.push((key, pattern.into()));
        }
    }
    keys.extend(super::modules::transposed_weights(config));
    Written { keys, tensors }
}
