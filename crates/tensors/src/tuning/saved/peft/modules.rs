//! Shared by the methods' converters: the modules of Transformers' networks that can have an adapter, under
//! PEFT's names; tensors read from a folder and not yet used; and what is written.

use std::ops::Range;
use std::path::Path;

use serde_json::Value;

use super::folder::Config;
use crate::checkpoint::Weights;
use crate::decoder_only::Shape;
use crate::layers::Map;
use crate::network::Config as NetworkConfig;
use crate::tuning::saved::error::SavedError;
use crate::tuning::saved::tensors::Tensors;
use crate::tuning::tuned::Tuned;
use promptshift_numbers::recipe::{DeltaRecipe, HeadForm};

/// An adapter applied to a backbone; nothing requires gradients.
pub(in crate::tuning::saved) struct Placed {
    pub(in crate::tuning::saved) delta: DeltaRecipe,
    /// The head that was saved with it, if the network has none.
    pub(in crate::tuning::saved) head: Option<HeadForm>,
    pub(in crate::tuning::saved) tuned: Tuned,
}

/// Configuration keys and tensors.
pub(super) struct Written {
    pub(super) keys: Vec<(&'static str, Value)>,
    pub(super) tensors: Weights,
}

/// The key for GPT-2, whose weights are stored as `[in, out]`; PEFT would detect this itself, with a warning.
pub(super) fn transposed_weights(config: &NetworkConfig) -> Option<(&'static str, Value)> {
    match config {
        NetworkConfig::DecoderOnly(decoder) if decoder.shape == Shape::Gpt2 => {
            Some(("fan_in_fan_out", true.into()))
        }
        _ => None,
    }
}

/// The unused tensors of a folder.
pub(super) struct Left<'a> {
    pub(super) tensors: Tensors,
    pub(super) path: &'a Path,
}

impl Left<'_> {
    /// Removes a tensor and returns its values; if it exists, it must have this shape.
    pub(super) fn take<const N: usize>(
        &mut self,
        name: &str,
        wanted: [usize; N],
    ) -> Result<Option<Vec<f32>>, SavedError> {
        let Some((shape, values)) = self.tensors.remove(name) else {
            return Ok(None);
        };
        match shape == wanted {
            true => Ok(Some(values)),
            false => Err(self.wrong(format!("'{name}' {wanted:?}"), format!("{shape:?}"))),
        }
    }

    /// A tensor's shape, if it exists.
    pub(super) fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(|(shape, _)| shape.as_slice())
    }

    /// The name of the first unused tensor, for messages.
    pub(super) fn first(&self) -> String {
        (self.tensors.keys().next()).map_or_else(none, |name| format!("'{name}'"))
    }

    pub(super) fn wrong(&self, wanted: String, found: String) -> SavedError {
        SavedError::wrong(self.path, wanted, found)
    }
}

pub(super) fn none() -> String {
    "none".to_string()
}

/// The prefix of module names in tensor names.
pub(super) const ROOT: &str = "base_model.model";

/// Linear layers outside the blocks, which no target may match.
const ELSEWHERE: [&str; 9] = [
    "lm_head",
    "score",
    "classifier",
    "classifier.dense",
    "classifier.out_proj",
    "pre_classifier",
    "qa_outputs",
    "bert.pooler.dense",
    "head.dense",
];

/// A linear layer of Transformers' network.
pub(super) struct Module {
    /// `model.layers.0.self_attn.q_proj`.
    pub(super) name: String,
    /// Its indices among the network's linear layers: one, or several for GPT-2's `c_attn` or a ModernBERT's
    /// `Wqkv`.
    pub(super) places: Range<usize>,
    /// The kinds of these layers.
    pub(super) maps: Vec<Map>,
    /// The input width.
    pub(super) input: usize,
    /// The output width of each of these layers.
    pub(super) outputs: Vec<usize>,
}

impl Module {
    /// The total output width.
    pub(super) fn output(&self) -> usize {
        self.outputs.iter().sum()
    }

    /// The name of one of its tensors.
    pub(super) fn tensor(&self, part: &str) -> String {
        format!("{ROOT}.{}.{part}", self.name)
    }
}

/// The modules of the blocks, in the order of the network's linear layers.
pub(super) fn modules(config: &NetworkConfig) -> Vec<Module> {
    let mut modules: Vec<Module> = Vec::new();
    let maps = config.map_names().into_iter().zip(config.maps());
    for (place, (name, (map, [input, output]))) in maps.enumerate() {
        match modules.last_mut().filter(|module| module.name == name) {
            Some(module) => {
                module.places.end += 1;
                module.maps.push(map);
                module.outputs.push(output);
            }
            None => modules.push(Module {
                name,
                places: place..place + 1,
                maps: vec![map],
                input,
                outputs: vec![output],
            }),
        }
    }
    modules
}

/// Whether a target in PEFT's list matches this module: it must equal the full name or end it.
fn matches(target: &str, name: &str) -> bool {
    name == target || (name.strip_suffix(target)).is_some_and(|before| before.ends_with('.'))
}

/// Whether the configuration lists this module as a target, if it has a plain list. If it selects blocks,
/// excludes modules or uses a regular expression, only the tensors show which modules have an adapter.
pub(super) fn is_target(config: &Config, name: &str) -> bool {
    let choice = ["layers_to_transform", "layers_pattern", "exclude_modules"];
    if choice.iter().any(|key| config.get(key).is_some()) {
        return false;
    }
    match config.get("target_modules") {
        Some(Value::String(all)) => all.eq_ignore_ascii_case("all-linear"),
        _ => (config.names("target_modules"))
            .is_some_and(|targets| targets.iter().any(|target| matches(target, name))),
    }
}

/// The shortest suffixes of these names that match no other linear layer of the network: PEFT's targets and
/// patterns.
pub(super) fn targets(wanted: &[&str], config: &NetworkConfig) -> Vec<String> {
    let blocks = modules(config);
    let others: Vec<&str> = (blocks.iter().map(|module| module.name.as_str()))
        .chain(ELSEWHERE)
        .filter(|name| !wanted.contains(name))
        .collect();
    let mut targets: Vec<String> = Vec::new();
    for name in wanted {
        let ends = name.rmatch_indices('.').map(|(dot, _)| &name[dot + 1..]);
        let end = ends
            .chain([*name])
            .find(|end| !others.iter().any(|other| matches(end, other)))
            .unwrap_or(name);
        if !targets.iter().any(|known| known == end) {
            targets.push(end.to_string());
        }
    }
    targets
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config(json: serde_json::Value) -> NetworkConfig {
        NetworkConfig::parse(json.to_string().as_bytes(), "config.json").expect("a network")
    }

    fn gpt2() -> NetworkConfig {
        config(json!({
            "model_type": "gpt2", "vocab_size": 11, "n_embd": 6, "n_layer": 2, "n_head": 3, "n_positions": 8
        }))
    }

    fn bert() -> NetworkConfig {
        config(json!({
            "model_type": "bert", "vocab_size": 11, "hidden_size": 6, "num_hidden_layers": 2,
            "num_attention_heads": 3, "intermediate_size": 10, "hidden_act": "gelu",
            "max_position_embeddings": 8, "type_vocab_size": 2
        }))
    }

    #[test]
    fn three_maps_side_by_side_are_one_module() {
        let found = modules(&gpt2());
        let first = &found[0];
        assert_eq!(first.name, "transformer.h.0.attn.c_attn");
        assert_eq!(
            (first.places.clone(), first.input, first.output()),
            (0..3, 6, 18)
        );
        assert_eq!(first.maps, [Map::Q, Map::K, Map::V]);
        assert_eq!(
            (found.len(), found[7].name.as_str()),
            (8, "transformer.h.1.mlp.c_proj")
        );
        assert_eq!(found[7].places, 11..12);
    }

    #[test]
    fn a_target_is_the_shortest_unique_suffix() {
        let targets_of = |config: &NetworkConfig, which: &dyn Fn(&str) -> bool| {
            let all = modules(config);
            let wanted: Vec<&str> = (all.iter().map(|module| module.name.as_str()))
                .filter(|name| which(name))
                .collect();
            targets(&wanted, config)
        };
        let found = targets_of(&gpt2(), &|name| name.ends_with("c_attn"));
        assert_eq!(found, ["c_attn"]);
        let found = targets_of(&gpt2(), &|name| name.ends_with("mlp.c_proj"));
        assert_eq!(found, ["mlp.c_proj"]);
        let found = targets_of(&gpt2(), &|name| {
            name.contains(".1.") && name.ends_with("c_proj")
        });
        assert_eq!(found, ["1.attn.c_proj", "1.mlp.c_proj"]);
        // 'dense' would also match the pooler, and 'output.dense' attention's output layer.
        let found = targets_of(&bert(), &|name| {
            name.ends_with("output.dense") && !name.contains("attention")
        });
        assert_eq!(found, ["0.output.dense", "1.output.dense"]);
        let found = targets_of(&bert(), &|name| name.ends_with("dense"));
        assert_eq!(found, ["output.dense", "intermediate.dense"]);
    }
}
