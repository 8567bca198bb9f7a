//! PEFT's VeRA: `vera_lambda_d` `[r]` and `vera_lambda_b` `[out]` for every linear layer, and `vera_A` `[r, in]` and
//! `vera_B` `[out, r]` for all of them, of which each layer reads as many columns and rows as it has inputs and outputs.
//! With `save_projection false` the two are drawn from `projection_prng_key`.
//!
//! An adapter is read as VeRA if the recipe can represent it: it is on all layers of a kind, each of which is a module
//! of its own, and its projections are those that the key draws. Any other one is read as the LoRA that is equal to it,
//! with the scales multiplied into the projections: on some blocks, on GPT-2's `c_attn`, with projections rounded to
//! bf16.

use burn::module::Param;
use burn::tensor::{Tensor, TensorData};
use serde_json::Value;

use super::folder::Config;
use super::lora;
use super::modules::{Left, Module, Placed, Written, is_target, modules, none, targets};
use crate::backbone::Backbone;
use crate::checkpoint::{Weights, transposed};
use crate::layers::{self, LowRank};
use crate::network::{Config as NetworkConfig, Network};
use crate::tuning::projections::Projections;
use crate::tuning::saved::error::SavedError;
use crate::tuning::tuned::Tuned;
use promptshift_numbers::recipe::{DeltaRecipe, VeraRecipe};

pub(super) const TYPE: &str = "VERA";

const PARTS: [&str; 2] = ["vera_lambda_d", "vera_lambda_b"];

/// The names of the projections.
const SHARED: [&str; 2] = ["base_model.vera_A", "base_model.vera_B"];

/// Projections that differ by less, relative to the largest value, differ by rounding.
const ROUNDING: f32 = 1e-6;

/// The largest projections that are drawn, in values: those of a rank of 4,096 on layers of 64 Ki inputs and outputs.
const MOST_DRAWN: usize = 1 << 29;

/// A module's scales.
struct Scales {
    module: Module,
    lambda_d: Vec<f32>,
    lambda_b: Vec<f32>,
}

impl Scales {
    /// Removes the scales of every module from `left`.
    fn take(
        config: &Config,
        left: &mut Left,
        network: &NetworkConfig,
        rank: usize,
    ) -> Result<Vec<Self>, SavedError> {
        let mut all = Vec::new();
        for module in modules(network) {
            let [d, b] = PARTS.map(|part| module.tensor(part));
            match (left.take(&d, [rank])?, left.take(&b, [module.output()])?) {
                (Some(lambda_d), Some(lambda_b)) => all.push(Scales {
                    module,
                    lambda_d,
                    lambda_b,
                }),
                (Some(_), None) => return Err(left.wrong(format!("'{b}' beside '{d}'"), none())),
                (None, Some(_)) => return Err(left.wrong(format!("'{d}' beside '{b}'"), none())),
                (None, None) if is_target(config, &module.name) => {
                    return Err(left.wrong(format!("'{d}', as target_modules says"), none()));
                }
                (None, None) => {}
            }
        }
        match all.is_empty() {
            false => Ok(all),
            true => {
                let wanted = format!("{} of linear layers of the blocks", PARTS.join(" and "));
                Err(left.wrong(wanted, left.first()))
            }
        }
    }
}

/// The key that PEFT draws projections from.
fn key(config: &Config) -> Result<u64, SavedError> {
    match config.get("projection_prng_key") {
        None => Ok(0),
        Some(key) => key.as_u64().ok_or_else(|| {
            let wanted = "projection_prng_key, an integer of at least 0";
            config.wrong(wanted, key.to_string())
        }),
    }
}

/// `A` `[in, r]` and `Bᵀ` `[out, r]`, row by row, and whether the key draws them.
fn projections(
    config: &Config,
    left: &mut Left,
    rank: usize,
    [input, output]: [usize; 2],
    drawn: impl FnOnce() -> [Vec<f32>; 2],
) -> Result<([Vec<f32>; 2], bool), SavedError> {
    let [of_a, of_b] = SHARED;
    let taken = (
        left.take(of_a, [rank, input])?,
        left.take(of_b, [output, rank])?,
    );
    let is_saved = config.get("save_projection") != Some(&Value::Bool(false));
    match taken {
        (Some(a), Some(b)) => {
            let saved = [transposed(&a, [rank, input]), b];
            let is_close = |(saved, drawn): (&Vec<f32>, &Vec<f32>)| {
                let bound = ROUNDING * drawn.iter().copied().fold(0.0, f32::max);
                (saved.iter().zip(drawn)).all(|(saved, drawn)| (saved - drawn).abs() <= bound)
            };
            let are_drawn = saved.iter().zip(&drawn()).all(is_close);
            Ok((saved, are_drawn))
        }
        (None, None) if is_saved => {
            let wanted = format!("'{of_a}' and '{of_b}', as save_projection says");
            Err(left.wrong(wanted, none()))
        }
        (None, None) if rank.saturating_mul(input + output) > MOST_DRAWN => {
            let wanted = format!("projections of at most {MOST_DRAWN} values");
            Err(config.wrong(
                wanted,
                format!("r {rank} of {input} inputs, {output} outputs"),
            ))
        }
        (None, None) => Ok((drawn(), true)),
        (a, _) => {
            let [there, missing] = if a.is_some() {
                [of_a, of_b]
            } else {
                [of_b, of_a]
            };
            Err(left.wrong(format!("'{missing}' beside '{there}'"), none()))
        }
    }
}

pub(super) fn read(
    config: &Config,
    left: &mut Left,
    backbone: &Backbone,
    model: Network,
) -> Result<Placed, SavedError> {
    let (rank, key) = (config.positive("r")?, key(config)?);
    let scales = Scales::take(config, left, &backbone.config, rank)?;
    let widest = scales.iter().fold([0, 0], |[input, output], scales| {
        let module = &scales.module;
        [input.max(module.input), output.max(module.output())]
    });
    let device = model.device();
    let draw = || Projections::drawn(key, rank, widest, &device);
    let ([a, b], are_drawn) = projections(config, left, rank, widest, || draw().values())?;

    let maps = backbone.config.maps();
    let mut ranks = vec![0; maps.len()];
    for place in scales
        .iter()
        .flat_map(|scales| scales.module.places.clone())
    {
        ranks[place] = rank;
    }
    let recipe = lora::uniform(rank, &maps, ranks);
    let is_representable = are_drawn
        && recipe.ranks.is_empty()
        && scales.iter().all(|scales| scales.module.places.len() == 1);
    let param = |values: Vec<f32>| {
        let shape = [values.len()];
        Param::from_tensor(Tensor::from_data(TensorData::new(values, shape), &device))
    };
    let mut tuned = Tuned::untuned(model);
    let mut linears = tuned.backbone.maps_mut();
    if is_representable {
        let projections = draw();
        for Scales {
            module,
            lambda_d,
            lambda_b,
        } in scales
        {
            let shape = [module.input, module.output()];
            linears[module.places.start].1.delta = Some(layers::Delta {
                vera: Some(projections.update(shape, [lambda_d, lambda_b].map(param))),
                ..layers::Delta::default()
            });
        }
        tuned.projections = Some(projections);
        return Ok(Placed {
            delta: DeltaRecipe::Vera(VeraRecipe {
                rank,
                maps: recipe.maps,
                key,
            }),
            head: None,
            tuned,
        });
    }
    for Scales {
        module,
        lambda_d,
        lambda_b,
    } in scales
    {
        let scaled = |rows: &[f32], by: &dyn Fn(usize, usize) -> f32| -> Vec<f32> {
            let values = rows.iter().enumerate();
            values
                .map(|(at, value)| value * by(at / rank, at % rank))
                .collect()
        };
        let a = scaled(&a[..module.input * rank], &|_, column| lambda_d[column]);
        let b = scaled(&b[..module.output() * rank], &|row, _| lambda_b[row]);
        let mut rows = b.chunks(rank);
        for (place, &output) in module.places.clone().zip(&module.outputs) {
            let own: Vec<f32> = rows.by_ref().take(output).flatten().copied().collect();
            linears[place].1.delta = Some(layers::Delta {
                low_rank: Some(LowRank {
                    a: lora::param(a.clone(), [module.input, rank], &device),
                    b: lora::param(transposed(&own, [output, rank]), [rank, output], &device),
                    scale: recipe.scale(),
                    magnitude: None,
                }),
                ..layers::Delta::default()
            });
        }
    }
    Ok(Placed {
        delta: DeltaRecipe::Lora(recipe),
        head: None,
        tuned,
    })
}

/// The configuration keys and tensors, or the reason that PEFT can't represent it.
pub(super) fn write(
    recipe: &VeraRecipe,
    tuned: &mut Tuned,
    config: &NetworkConfig,
) -> Result<Written, String> {
    let mut tensors = Weights::empty("");
    let shared = tuned.projections.as_ref().map(Projections::values);
    let linears = tuned.backbone.maps_mut();
    let all = modules(config);
    let mut names: Vec<&str> = Vec::new();
    for module in &all {
        let updates: Vec<_> = (linears[module.places.clone()].iter())
            .filter_map(|(_, linear)| linear.delta.as_ref()?.vera.as_ref())
            .collect();
        let Some(update) = updates.first() else {
            continue;
        };
        if module.places.len() > 1 {
            // PEFT has one λ_d for the module and other rows of B for each map.
            return Err(format!(
                "VeRA of single maps of '{}', which PEFT has as one",
                module.name
            ));
        }
        for (part, scales) in PARTS.iter().zip([&update.lambda_d, &update.lambda_b]) {
            let values: Vec<f32> = (scales.val().into_data().try_to_vec()).expect("f32");
            tensors.put(&module.tensor(part), vec![values.len()], values);
        }
        names.push(&module.name);
    }
    if let Some([a, b]) = shared {
        let widths = [a.len(), b.len()].map(|values| values / recipe.rank);
        let [of_a, of_b] = SHARED;
        let a = transposed(&a, [widths[0], recipe.rank]);
        tensors.put(of_a, vec![recipe.rank, widths[0]], a);
        tensors.put(of_b, vec![widths[1], recipe.rank], b);
    }
    let mut keys: Vec<(&'static str, Value)> = vec![
        ("bias", "none".into()),
        ("projection_prng_key", recipe.key.into()),
        ("r", recipe.rank.into()),
        ("save_projection", true.into()),
        ("target_modules", targets(&names, config).into()),
        ("vera_dropout", 0.0.into()),
    ];
    keys.extend(super::modules::transposed_weights(config));
    Ok(Written { keys, tensors })
}
