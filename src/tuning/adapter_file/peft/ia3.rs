//! PEFT's (IA)³: `ia3_l` `[out, 1]`, by which a map's output is multiplied, and `[1, in]`, by which the
//! input of those among `feedforward_modules` is. Its T5 has them at every `k`, `v` and `wo`, as the
//! paper; others are refused.

use burn::module::Param;
use burn::tensor::{Tensor, TensorData};

use super::{Left, Placed, ROOT, Written};
use crate::backbone::Backbone;
use crate::recipe::DeltaRecipe;
use crate::t5::{self, Map, T5Config, Weights};
use crate::tuning::Tuned;
use crate::tuning::peft_folder::Config;
use crate::tuning::prompt_file::PromptFileError;

pub(super) const TYPE: &str = "IA3";

fn name(map: &str) -> String {
    format!("{ROOT}.{map}.ia3_l")
}

pub(super) fn read(
    config: &Config,
    left: &mut Left,
    backbone: &Backbone,
) -> Result<Placed, PromptFileError> {
    config.switched_off(
        &["fan_in_fan_out", "modules_to_save"],
        &[],
        "(IA)³ is scales here",
    )?;
    let mut tuned = Tuned::untuned(backbone.model.clone());
    let device = backbone.model.device();
    let places = tuned.backbone.maps_mut().into_iter();
    let shapes = backbone
        .config
        .map_names()
        .into_iter()
        .zip(backbone.config.maps());
    for ((map, linear), (map_name, (_, [input, output]))) in places.zip(shapes) {
        let (shape, width) = match map {
            Map::K | Map::V => ([output, 1], output),
            Map::Wo => ([1, input], input),
            Map::Q | Map::O | Map::Wi0 | Map::Wi1 => continue,
        };
        let name = name(&map_name);
        let Some(values) = left.take(&name, shape)? else {
            let wanted = format!("'{name}', as every k, v and wo has one");
            return Err(left.wrong(wanted, "none".to_string()));
        };
        let data = TensorData::new(values, [width]);
        let scale = Some(Param::from_tensor(Tensor::from_data(data, &device)));
        linear.delta = Some(match map {
            Map::Wo => t5::Delta {
                input_scale: scale,
                ..t5::Delta::default()
            },
            _ => t5::Delta {
                output_scale: scale,
                ..t5::Delta::default()
            },
        });
    }
    Ok(Placed {
        delta: DeltaRecipe::Scales,
        tuned,
    })
}

pub(super) fn write(mut tuned: Tuned, config: &T5Config) -> Written {
    let mut tensors = Weights::empty("");
    let places = tuned.backbone.maps_mut().into_iter();
    for ((_, linear), map_name) in places.zip(config.map_names()) {
        let Some(delta) = &linear.delta else {
            continue;
        };
        for (scale, of_input) in [(&delta.output_scale, false), (&delta.input_scale, true)] {
            let Some(scale) = scale else {
                continue;
            };
            let values: Vec<f32> = (scale.val().into_data().try_to_vec()).expect("f32");
            let shape = match of_input {
                true => vec![1, values.len()],
                false => vec![values.len(), 1],
            };
            tensors.put(&name(&map_name), shape, values);
        }
    }
    Written {
        keys: vec![
            ("feedforward_modules", vec!["wo"].into()),
            ("target_modules", vec!["k", "v", "wo"].into()),
        ],
        tensors,
    }
}
