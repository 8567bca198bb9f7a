//! PEFT's (IA)³: `ia3_l` `[out, 1]`, by which a map's output is multiplied, and `[1, in]`, by which the
//! input of those among `feedforward_modules` is. Its T5 has them at every `k`, `v` and `wo`, as the
//! paper; others are refused.

use burn::module::Param;
use burn::tensor::{Tensor, TensorData};

use super::{Left, Placed, ROOT, Written};
use crate::checkpoint::Weights;
use crate::network::Network;
use crate::parts::{self, Map};
use crate::t5::T5Config;
use crate::tuning::Tuned;
use crate::tuning::peft_folder::Config;
use crate::tuning::prompt_file::PromptFileError;
use promptshift_numbers::recipe::DeltaRecipe;

pub(super) const TYPE: &str = "IA3";

fn name(map: &str) -> String {
    format!("{ROOT}.{map}.ia3_l")
}

pub(super) fn read(
    config: &Config,
    left: &mut Left,
    t5: &T5Config,
    model: Network,
) -> Result<Placed, PromptFileError> {
    config.switched_off(
        &["fan_in_fan_out", "modules_to_save"],
        &[],
        "(IA)³ is scales here",
    )?;
    let device = model.device();
    let mut tuned = Tuned::untuned(model);
    let places = tuned.backbone.maps_mut().into_iter();
    let shapes = t5.map_names().into_iter().zip(t5.maps());
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
            Map::Wo => parts::Delta {
                input_scale: scale,
                ..parts::Delta::default()
            },
            _ => parts::Delta {
                output_scale: scale,
                ..parts::Delta::default()
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
