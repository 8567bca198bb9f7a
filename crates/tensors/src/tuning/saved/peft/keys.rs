//! The effect of each key of `adapter_config.json` on an adapter's output: every field of PEFT's
//! `LoraConfig`, `VeraConfig`, `IA3Config`, `PromptTuningConfig`, `PromptEncoderConfig` and `PrefixTuningConfig`, 0.17 to
//! 0.21.

use serde_json::{Map, Value};

/// A key and how it is handled.
struct Key {
    name: &'static str,
    /// The methods whose configuration has the key; empty for all.
    of: &'static [&'static str],
    meaning: Meaning,
}

/// How a key affects what the saved tensors compute.
enum Meaning {
    /// The method's reader uses it, or the tensors' names and shapes imply it.
    Read,
    /// None: it concerns initialisation, training, or the model in memory.
    Nothing,
    /// It affects the output in an unsupported way, unless its value is one of these; with a description of
    /// the effect.
    Changes(&'static [&'static str], &'static str),
}

use Meaning::{Changes, Nothing, Read};

const ALL: &[&str] = &[];
const LORA: &[&str] = &["LORA"];
const IA3: &[&str] = &["IA3"];
const VERA: &[&str] = &["VERA"];
const UPDATES: &[&str] = &["LORA", "VERA"];
const MODULES: &[&str] = &["LORA", "VERA", "IA3"];
const VECTORS: &[&str] = &["PROMPT_TUNING", "P_TUNING", "PREFIX_TUNING"];
const PROMPT: &[&str] = &["PROMPT_TUNING"];
const P_TUNING: &[&str] = &["P_TUNING"];
const PREFIX: &[&str] = &["PREFIX_TUNING"];

const fn key(name: &'static str, of: &'static [&'static str], meaning: Meaning) -> Key {
    Key { name, of, meaning }
}

/// All known keys. Initialisations that are not listed subtract their product from the backbone's weights, as
/// PiSSA, OLoRA, CorDA, LoRA-GA and LoftQ do: with the published weights the adapter would compute something
/// else.
const KEYS: [Key; 67] = [
    key("auto_mapping", ALL, Nothing),
    key("base_model_name_or_path", ALL, Read),
    key("inference_mode", ALL, Nothing),
    key("modules_to_save", ALL, Read),
    key("peft_type", ALL, Read),
    key("peft_version", ALL, Nothing),
    key("revision", ALL, Nothing),
    key("task_type", ALL, Read),
    // Linear layers.
    key("exclude_modules", MODULES, Read),
    // The memory layout of the frozen weight, which does not affect the adapter.
    key("fan_in_fan_out", MODULES, Nothing),
    key("target_modules", MODULES, Read),
    // LoRA.
    key(
        "alora_invocation_tokens",
        LORA,
        Changes(&[], "it applies only after certain tokens"),
    ),
    key("alpha_pattern", LORA, Read),
    key(
        "arrow_config",
        LORA,
        Changes(&[], "it is mixed with other adapters"),
    ),
    key(
        "bias",
        UPDATES,
        Changes(&["none"], "the backbone's biases were trained too"),
    ),
    key("corda_config", LORA, Nothing),
    key("ensure_weight_tying", LORA, Nothing),
    key("eva_config", LORA, Nothing),
    key(
        "init_lora_weights",
        LORA,
        Changes(
            &["true", "gaussian", "orthogonal", "eva", "mica"],
            "it changes the backbone's own weights",
        ),
    ),
    key(
        "kasa_config",
        LORA,
        Changes(
            &[],
            "there is a diagonal between the factors, and weights are truncated",
        ),
    ),
    key(
        "layer_replication",
        LORA,
        Changes(&[], "blocks are repeated"),
    ),
    key("layers_pattern", UPDATES, Read),
    key("layers_to_transform", UPDATES, Read),
    key("loftq_config", LORA, Nothing),
    key("lora_alpha", LORA, Read),
    key(
        "lora_bias",
        LORA,
        Changes(&[], "the second product has a bias"),
    ),
    key("lora_dropout", LORA, Nothing),
    key("lora_ga_config", LORA, Nothing),
    key("megatron_config", LORA, Nothing),
    key("megatron_core", LORA, Nothing),
    key(
        "monteclora_config",
        LORA,
        Changes(&[], "weights are sampled in every pass"),
    ),
    key("qalora_group_size", LORA, Nothing),
    key("r", LORA, Read),
    key("rank_pattern", LORA, Read),
    key("runtime_config", LORA, Nothing),
    key(
        "target_parameters",
        LORA,
        Changes(&[], "parameters outside linear maps are changed"),
    ),
    key(
        "trainable_token_indices",
        LORA,
        Changes(&[], "tokens' embeddings were trained too"),
    ),
    key(
        "use_bdlora",
        LORA,
        Changes(&[], "the factors are block-diagonal"),
    ),
    key("use_dora", LORA, Read),
    key(
        "use_qalora",
        LORA,
        Changes(&[], "inputs are averaged in groups"),
    ),
    key("use_rslora", LORA, Read),
    // A backward pass that uses less memory.
    key("velora_config", LORA, Nothing),
    // VeRA.
    key("d_initial", VERA, Nothing),
    key("init_weights", VERA, Nothing),
    key("projection_prng_key", VERA, Read),
    key("r", VERA, Read),
    key("save_projection", VERA, Read),
    key("vera_dropout", VERA, Nothing),
    // (IA)³.
    key("feedforward_modules", IA3, Read),
    key("init_ia3_weights", IA3, Nothing),
    // Prompts and prefixes.
    key("num_attention_heads", VECTORS, Read),
    key("num_layers", VECTORS, Read),
    key("num_transformer_submodules", VECTORS, Read),
    key("num_virtual_tokens", VECTORS, Read),
    key("token_dim", VECTORS, Read),
    key("prompt_tuning_init", PROMPT, Nothing),
    key("prompt_tuning_init_text", PROMPT, Nothing),
    key("tokenizer_kwargs", PROMPT, Nothing),
    key("tokenizer_name_or_path", PROMPT, Nothing),
    // Settings of a network that PEFT does not save.
    key("encoder_dropout", P_TUNING, Nothing),
    key("encoder_hidden_size", P_TUNING, Nothing),
    key("encoder_num_layers", P_TUNING, Nothing),
    key("encoder_reparameterization_type", P_TUNING, Read),
    key("encoder_hidden_size", PREFIX, Nothing),
    key("init_weights", PREFIX, Nothing),
    key("prefix_projection", PREFIX, Nothing),
    // From PEFT before 0.3, whose checkpoints are still used.
    key("merge_weights", LORA, Nothing),
];

/// A key that is set, changes the adapter's output, and is not supported.
#[derive(Debug, PartialEq)]
pub(super) struct Changed {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) what: &'static str,
}

/// Checks the keys of a method's configuration and returns the unknown ones that are set, each as
/// `name value`.
///
/// # Errors
/// A key that changes the output is set.
pub(super) fn unknown(json: &Map<String, Value>, peft_type: &str) -> Result<Vec<String>, Changed> {
    let mut unknown = Vec::new();
    for (name, value) in json.iter().filter(|(_, value)| is_on(value)) {
        let known = KEYS
            .iter()
            .find(|key| key.name == name && (key.of.is_empty() || key.of.contains(&peft_type)));
        let shown = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        match known.map(|key| &key.meaning) {
            Some(Read | Nothing) => {}
            Some(Changes(off, _)) if off.contains(&shown.as_str()) => {}
            Some(&Changes(_, what)) => {
                return Err(Changed {
                    name: name.clone(),
                    value: shown,
                    what,
                });
            }
            None => unknown.push(format!("{name} {shown}")),
        }
    }
    Ok(unknown)
}

/// Whether a value enables something: null, `false` and empty values do not, for any of PEFT's keys.
fn is_on(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Array(values) => !values.is_empty(),
        Value::Object(values) => !values.is_empty(),
        Value::String(text) => !text.is_empty(),
        Value::Bool(true) | Value::Number(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(peft_type: &str, json: Value) -> Result<Vec<String>, Changed> {
        let Value::Object(json) = json else {
            panic!("an object")
        };
        unknown(&json, peft_type)
    }

    #[test]
    fn disabled_or_harmless_keys_are_not_reported() {
        let found = of(
            "LORA",
            json!({
                "r": 4, "lora_dropout": 0.1, "bias": "none", "init_lora_weights": true, "use_dora": false,
                "kasa_config": null, "rank_pattern": {"q": 2}, "layers_to_transform": [0], "fan_in_fan_out": true,
                "use_tomorrows_lora": false, "tomorrows_config": null, "tomorrows_list": []
            }),
        );
        assert_eq!(found, Ok(vec![]));
    }

    #[test]
    fn unknown_keys_are_reported_and_keys_that_change_the_result_refused() {
        let found = of("LORA", json!({"use_tomorrows_lora": true, "depth": 2}));
        let names = vec!["depth 2".to_string(), "use_tomorrows_lora true".to_string()];
        let mut found = found.expect("not known to change anything");
        found.sort();
        assert_eq!(found, names);
        // A key of another method.
        let found = of("IA3", json!({"use_dora": true}));
        assert_eq!(found, Ok(vec!["use_dora true".to_string()]));
        for (name, value, shown) in [
            ("use_bdlora", json!(true), "true"),
            ("bias", json!("lora_only"), "lora_only"),
            ("init_lora_weights", json!("pissa_niter_4"), "pissa_niter_4"),
            ("init_lora_weights", json!("lora_ga"), "lora_ga"),
            ("layer_replication", json!([[0, 2]]), "[[0,2]]"),
            (
                "monteclora_config",
                json!({"num_samples": 8}),
                "{\"num_samples\":8}",
            ),
        ] {
            let changed = of("LORA", json!({name: value})).expect_err(name);
            assert_eq!(
                (changed.name.as_str(), changed.value.as_str()),
                (name, shown)
            );
        }
    }

    #[test]
    fn no_key_is_listed_twice_for_one_method() {
        for (at, key) in KEYS.iter().enumerate() {
            let again = KEYS[at + 1..].iter().find(|other| {
                let all = key.of.is_empty() || other.of.is_empty();
                key.name == other.name && (all || key.of.iter().any(|of| other.of.contains(of)))
            });
            assert!(again.is_none(), "{}", key.name);
        }
    }
}
