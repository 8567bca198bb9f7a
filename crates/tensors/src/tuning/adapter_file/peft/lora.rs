//! PEFT's LoRA: `lora_A.weight` `[r, in]` and `lora_B.weight` `[out, r]` beside the map `weight`
//! `[out, in]`, their product times `lora_alpha / r`, or `lora_alpha / √r` with `use_rslora`.
//!
//! What has such a pair is told from the tensors; here it is every map of a kind or none. Other ranks for
//! some maps, DoRA, trained biases and other additions are refused.

use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};
use serde_json::{Value, json};

use super::{Left, Placed, ROOT, Written, transposed};
use crate::checkpoint::Weights;
use crate::network::Network;
use crate::parts::{self, LowRank, Map};
use crate::t5::T5Config;
use crate::tuning::Tuned;
use crate::tuning::peft_folder::Config;
use crate::tuning::prompt_file::PromptFileError;
use promptshift_numbers::recipe::{DeltaRecipe, LoraRecipe};

pub(super) const TYPE: &str = "LORA";

/// What changes more than the products of a map.
const ADDITIONS: [&str; 14] = [
    "use_dora",
    "use_qalora",
    "use_bdlora",
    "lora_bias",
    "fan_in_fan_out",
    "modules_to_save",
    "trainable_token_indices",
    "target_parameters",
    "layer_replication",
    "layers_to_transform",
    "alora_invocation_tokens",
    "arrow_config",
    "monteclora_config",
    "kasa_config",
];

fn names(map: &str) -> [String; 2] {
    ["lora_A", "lora_B"].map(|factor| format!("{ROOT}.{map}.{factor}.weight"))
}

pub(super) fn read(
    config: &Config,
    left: &mut Left,
    t5: &T5Config,
    model: Network,
) -> Result<Placed, PromptFileError> {
    config.switched_off(&ADDITIONS, &[], "LoRA is two thin products here")?;
    config.switched_off(
        &["rank_pattern", "alpha_pattern"],
        &[],
        "one rank and one alpha for all maps",
    )?;
    config.switched_off(&["bias"], &["none"], "T5 has no biases")?;
    // Some starts take their product out of the backbone's weights: on the published ones the pair then
    // means something else.
    let harmless = ["gaussian", "orthogonal", "eva"];
    let why = "it changes the backbone's own weights";
    if config.get("init_lora_weights") != Some(&Value::Bool(true)) {
        config.switched_off(&["init_lora_weights"], &harmless, why)?;
    }
    let rank = config.positive("r")?;
    let alpha = match config.get("lora_alpha").and_then(Value::as_f64) {
        Some(alpha) if alpha.is_finite() => alpha,
        _ => {
            let found = config.word("lora_alpha").unwrap_or("none".to_string());
            return Err(config.wrong("lora_alpha, a number", found));
        }
    };
    let rank_stabilised = config.get("use_rslora") == Some(&Value::Bool(true));
    let alpha = match rank_stabilised {
        true => alpha * (rank as f64).sqrt(),
        false => alpha,
    };
    let device = model.device();
    let mut tuned = Tuned::untuned(model);
    let places = tuned.backbone.maps_mut().into_iter();
    let shapes = t5.map_names().into_iter().zip(t5.maps());
    let mut found = Vec::new();
    let mut without = Vec::new();
    for ((map, linear), (name, (_, [input, output]))) in places.zip(shapes) {
        let [a, b] = names(&name);
        let shapes = [[rank, input], [output, rank]];
        match (left.take(&a, shapes[0])?, left.take(&b, shapes[1])?) {
            (Some(of_a), Some(of_b)) => {
                linear.delta = Some(parts::Delta {
                    low_rank: Some(LowRank {
                        a: param(transposed(&of_a, shapes[0]), [input, rank], &device),
                        b: param(transposed(&of_b, shapes[1]), [rank, output], &device),
                        scale: alpha / rank as f64,
                    }),
                    ..parts::Delta::default()
                });
                found.push(map);
            }
            (None, None) => without.push((map, a)),
            (Some(_), None) => return Err(left.wrong(format!("'{b}' beside '{a}'"), none())),
            (None, Some(_)) => return Err(left.wrong(format!("'{a}' beside '{b}'"), none())),
        }
    }
    if let Some((_, name)) = without.iter().find(|(map, _)| found.contains(map)) {
        let wanted = format!("'{name}', as other maps of its name have one");
        return Err(left.wrong(wanted, none()));
    }
    let maps: Vec<Map> = (Map::ALL.into_iter())
        .filter(|map| found.contains(map))
        .collect();
    if maps.is_empty() {
        let wanted = "pairs of lora_A and lora_B beside a T5's maps".to_string();
        return Err(left.wrong(wanted, none()));
    }
    Ok(Placed {
        delta: DeltaRecipe::Lora(LoraRecipe { rank, alpha, maps }),
        tuned,
    })
}

fn none() -> String {
    "none".to_string()
}

fn param(values: Vec<f32>, shape: [usize; 2], device: &Device) -> Param<Tensor<2>> {
    Param::from_tensor(Tensor::from_data(TensorData::new(values, shape), device))
}

pub(super) fn write(recipe: &LoraRecipe, mut tuned: Tuned, config: &T5Config) -> Written {
    let mut tensors = Weights::empty("");
    let mut modules: Vec<String> = Vec::new();
    let places = tuned.backbone.maps_mut().into_iter();
    for ((_, linear), name) in places.zip(config.map_names()) {
        let low_rank = linear
            .delta
            .as_ref()
            .and_then(|delta| delta.low_rank.as_ref());
        let Some(LowRank { a, b, .. }) = low_rank else {
            continue;
        };
        for (name, factor) in names(&name).iter().zip([a, b]) {
            let [rows, columns] = factor.val().dims();
            let values: Vec<f32> = (factor.val().into_data().try_to_vec()).expect("f32");
            let values = transposed(&values, [rows, columns]);
            tensors.put(name, vec![columns, rows], values);
        }
        let module = name.rsplit('.').next().unwrap_or(&name).to_string();
        if !modules.contains(&module) {
            modules.push(module);
        }
    }
    // PEFT's own is a whole number.
    let alpha = match recipe.alpha.fract() == 0.0 {
        true => json!(recipe.alpha as i64),
        false => json!(recipe.alpha),
    };
    Written {
        keys: vec![
            ("bias", "none".into()),
            ("lora_alpha", alpha),
            ("lora_dropout", 0.0.into()),
            ("r", recipe.rank.into()),
            ("target_modules", modules.into()),
        ],
        tensors,
    }
}
