//! `config.json` of decoder-only checkpoints in Hugging Face's layout.

use serde::Deserialize;
use serde_json::Value;

use super::config::{DecoderConfig, Positions, Shape};
use crate::checkpoint::CheckpointError;
use crate::checkpoint::config_keys::{self, Family};
use crate::layers::rotary::Scaling;

/// The `config.json` of a Llama, Mistral, Qwen2 or Qwen3. Absent keys have Transformers' defaults.
#[derive(Deserialize)]
struct LlamaFile {
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    #[serde(default = "silu")]
    hidden_act: String,
    rms_norm_eps: f64,
    #[serde(default)]
    tie_word_embeddings: bool,
    rope_theta: Option<f64>,
    rope_scaling: Option<Value>,
    /// Newer files hold both here.
    rope_parameters: Option<Value>,
    #[serde(default)]
    attention_bias: bool,
    #[serde(default)]
    mlp_bias: bool,
    #[serde(default = "longest_llama")]
    max_position_embeddings: usize,
    /// Only in Qwen: the kind of attention of each layer.
    layer_types: Option<Vec<String>>,
}

impl LlamaFile {
    /// The base and the scaling of rotary positions. Transformers 4.x uses `rope_theta` and `rope_scaling`,
    /// 5.x `rope_parameters`; in a file with both they must agree, since each version reads its own.
    fn rotary(&self) -> Result<(f64, Scaling), String> {
        let whole = |value: &Option<Value>| value.clone().filter(|value| !value.is_null());
        let parameters = whole(&self.rope_parameters);
        let within = (parameters.as_ref()).and_then(|json| json.get("rope_theta"));
        let within = within.and_then(Value::as_f64);
        let theta = match (self.rope_theta, within) {
            (Some(theta), Some(within)) if theta != within => {
                return Err(format!(
                    "rope_theta {theta} with rope_parameters of {within}"
                ));
            }
            (theta, within) => theta.or(within).unwrap_or(DEFAULT_THETA),
        };
        let scaling = match (whole(&self.rope_scaling), &parameters) {
            (Some(scaling), Some(parameters)) => {
                let (of_scaling, of_parameters) = (
                    Scaling::of_json(Some(&scaling))?,
                    Scaling::of_json(Some(parameters))?,
                );
                if of_scaling != of_parameters {
                    return Err(format!(
                        "rope_scaling {scaling} with other rope_parameters {parameters}"
                    ));
                }
                of_scaling
            }
            (scaling, parameters) => Scaling::of_json(scaling.as_ref().or(parameters.as_ref()))?,
        };
        Ok((theta, scaling))
    }
}

/// The kind of layer with full causal attention.
const FULL: &str = "full_attention";

/// Transformers' `rope_theta` if a file has none.
const DEFAULT_THETA: f64 = 10_000.0;

/// The `config.json` of a GPT-2.
#[derive(Deserialize)]
struct Gpt2File {
    vocab_size: usize,
    n_embd: usize,
    n_layer: usize,
    n_head: usize,
    n_inner: Option<usize>,
    n_positions: usize,
    #[serde(default = "epsilon")]
    layer_norm_epsilon: f64,
    #[serde(default = "gelu_new")]
    activation_function: String,
    #[serde(default = "yes")]
    tie_word_embeddings: bool,
    #[serde(default = "yes")]
    scale_attn_weights: bool,
    #[serde(default)]
    scale_attn_by_inverse_layer_idx: bool,
}

fn silu() -> String {
    "silu".to_string()
}

fn longest_llama() -> usize {
    2048
}

fn epsilon() -> f64 {
    1e-5
}

fn gelu_new() -> String {
    "gelu_new".to_string()
}

fn yes() -> bool {
    true
}

impl DecoderConfig {
    /// The "wanted" part of errors.
    pub(crate) const WANTED: &str = "the config.json of a Llama (model_type llama; hidden_act silu, no biases), a Mistral (mistral, without a sliding window), a Qwen2 (qwen2), a Qwen3 (qwen3) or a GPT-2 (gpt2; activation_function gelu_new)";

    /// Whether this `model_type` is supported.
    pub fn knows(model_type: &str) -> bool {
        Family::decoder_only(model_type).is_some()
    }

    /// Reads the values of a `config.json`; errors refer to it as `name`.
    ///
    /// # Errors
    /// It is not a supported configuration.
    pub fn of_json(json: Value, name: &str) -> Result<Self, CheckpointError> {
        let wrong = |found: String| CheckpointError::Config {
            path: name.to_string(),
            wanted: DecoderConfig::WANTED,
            found,
        };
        let model_type = json.get("model_type").and_then(Value::as_str);
        let Some(family) = model_type.and_then(Family::decoder_only) else {
            return Err(wrong(format!("model_type {model_type:?}")));
        };
        config_keys::check(family, &json).map_err(wrong)?;
        let of = |error| format!("a {}'s, but {error}", family.title());
        let config = match family {
            Family::Gpt2 => serde_json::from_value(json)
                .map_err(of)
                .and_then(DecoderConfig::gpt2),
            _ => serde_json::from_value(json)
                .map_err(of)
                .and_then(|file| DecoderConfig::llama(family, file)),
        };
        config.and_then(DecoderConfig::checked).map_err(wrong)
    }

    fn llama(family: Family, file: LlamaFile) -> Result<Self, String> {
        if file.hidden_act != "silu" {
            return Err(format!("hidden_act '{}'", file.hidden_act));
        }
        if file.attention_bias || file.mlp_bias {
            return Err("attention_bias or mlp_bias".to_string());
        }
        if let Some(kind) = (file.layer_types.iter().flatten()).find(|kind| *kind != FULL) {
            return Err(format!("{kind} among layer_types"));
        }
        let (theta, scaling) = file.rotary()?;
        let heads = file.num_attention_heads;
        let key_heads = match (file.num_key_value_heads, family) {
            (Some(count), _) => count,
            (None, Family::Llama) => heads,
            // Transformers' defaults fit only one published size.
            (None, _) => return Err("no num_key_value_heads".to_string()),
        };
        let head_width = match (file.head_dim, family) {
            (Some(width), _) => width,
            (None, Family::Qwen3) => return Err("no head_dim".to_string()),
            (None, _) => file.hidden_size / heads.max(1),
        };
        Ok(DecoderConfig {
            shape: Shape::Llama,
            vocabulary: file.vocab_size,
            width: file.hidden_size,
            layers: file.num_hidden_layers,
            heads,
            key_heads,
            head_width,
            feed_forward: file.intermediate_size,
            epsilon: file.rms_norm_eps,
            tied: file.tie_word_embeddings,
            qkv_bias: family == Family::Qwen2,
            qk_norm: family == Family::Qwen3,
            positions: Positions::Rotary { theta, scaling },
            longest: file.max_position_embeddings,
        })
    }

    fn gpt2(file: Gpt2File) -> Result<Self, String> {
        if file.activation_function != "gelu_new" {
            return Err(format!(
                "activation_function '{}'",
                file.activation_function
            ));
        }
        if !file.scale_attn_weights || file.scale_attn_by_inverse_layer_idx {
            return Err("another scale of attention than 1/sqrt(K)".to_string());
        }
        Ok(DecoderConfig {
            shape: Shape::Gpt2,
            vocabulary: file.vocab_size,
            width: file.n_embd,
            layers: file.n_layer,
            heads: file.n_head,
            key_heads: file.n_head,
            head_width: file.n_embd / file.n_head.max(1),
            feed_forward: file.n_inner.unwrap_or(4 * file.n_embd),
            epsilon: file.layer_norm_epsilon,
            tied: file.tie_word_embeddings,
            qkv_bias: true,
            qk_norm: false,
            positions: Positions::Learned(file.n_positions),
            longest: file.n_positions,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn llama() -> Value {
        json!({
            "model_type": "llama", "vocab_size": 49152, "hidden_size": 576,
            "intermediate_size": 1536, "num_hidden_layers": 30, "num_attention_heads": 9,
            "num_key_value_heads": 3, "hidden_act": "silu", "rms_norm_eps": 1e-5,
            "rope_theta": 100000, "rope_scaling": null, "tie_word_embeddings": true,
            "max_position_embeddings": 8192
        })
    }

    #[test]
    fn published_sizes_have_their_parameter_counts() {
        let smollm2 = DecoderConfig::of_json(llama(), "config.json").expect("SmolLM2-135M");
        assert_eq!(smollm2.parameters(), 134_515_008);
        let gpt2 = json!({
            "model_type": "gpt2", "vocab_size": 50257, "n_embd": 768, "n_layer": 12, "n_head": 12,
            "n_positions": 1024, "layer_norm_epsilon": 1e-5, "activation_function": "gelu_new"
        });
        let gpt2 = DecoderConfig::of_json(gpt2, "config.json").expect("GPT-2");
        assert_eq!(gpt2.parameters(), 124_439_808);
        let qwen2 = json!({
            "model_type": "qwen2", "vocab_size": 151936, "hidden_size": 896, "intermediate_size": 4864,
            "num_hidden_layers": 24, "num_attention_heads": 14, "num_key_value_heads": 2, "hidden_act": "silu",
            "rms_norm_eps": 1e-6, "rope_theta": 1000000.0, "tie_word_embeddings": true,
            "max_position_embeddings": 32768, "sliding_window": 32768, "use_sliding_window": false,
            "max_window_layers": 21
        });
        let qwen2 = DecoderConfig::of_json(qwen2, "config.json").expect("Qwen2.5-0.5B");
        assert_eq!(qwen2.parameters(), 494_032_768);
        let qwen3 = json!({
            "model_type": "qwen3", "vocab_size": 151936, "hidden_size": 1024, "intermediate_size": 3072,
            "num_hidden_layers": 28, "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128,
            "hidden_act": "silu", "rms_norm_eps": 1e-6, "rope_theta": 1000000, "tie_word_embeddings": true,
            "max_position_embeddings": 40960, "sliding_window": null, "use_sliding_window": false
        });
        let qwen3 = DecoderConfig::of_json(qwen3, "config.json").expect("Qwen3-0.6B");
        assert_eq!(qwen3.parameters(), 596_049_920);
    }

    #[test]
    fn unsupported_settings_are_refused_by_name() {
        for (key, value, wanted) in [
            ("hidden_act", json!("gelu"), "hidden_act 'gelu'"),
            ("attention_bias", json!(true), "attention_bias"),
            ("num_attention_heads", json!(0), "0 for its heads"),
            ("num_key_value_heads", json!(2), "9 query heads for 2"),
            (
                "rope_scaling",
                json!({"rope_type": "yarn", "factor": 4.0}),
                "rope_type 'yarn'",
            ),
            ("rope_scaling", json!({"rope_type": "linear"}), "factor"),
            (
                "rope_scaling",
                json!({"factor": 2.0}),
                "without a rope_type",
            ),
            (
                "rope_scaling",
                json!({"rope_type": "default", "partial_rotary_factor": 0.5}),
                "partial_rotary_factor 0.5",
            ),
            (
                "rope_parameters",
                json!({"full_attention": {"rope_theta": 1e6}}),
                "full_attention",
            ),
            (
                "rope_parameters",
                json!({"rope_theta": 5e5, "rope_type": "default"}),
                "rope_theta 100000 with rope_parameters of 500000",
            ),
            (
                "quantization_config",
                json!({"bits": 4}),
                "quantization_config",
            ),
            ("is_causal", json!(false), "is_causal false"),
        ] {
            let mut file = llama();
            file[key] = value;
            let error = DecoderConfig::of_json(file, "config.json").expect_err(wanted);
            assert!(error.to_string().contains(wanted), "{error}");
        }
    }

    #[test]
    fn rotary_positions_are_read_in_both_ways() {
        let stretched = json!({
            "rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192
        });
        let read = |file: Value| {
            let config = DecoderConfig::of_json(file, "config.json").expect("a Llama");
            config.positions
        };
        let mut old = llama();
        old["rope_scaling"] = stretched.clone();
        let mut new = llama();
        let keys = new.as_object_mut().expect("an object");
        keys.remove("rope_theta");
        keys.remove("rope_scaling");
        new["rope_parameters"] = stretched.clone();
        new["rope_parameters"]["rope_theta"] = json!(100_000.0);
        let mut both = new.clone();
        both["rope_theta"] = json!(100_000);
        both["rope_scaling"] = stretched;
        let Positions::Rotary { theta, .. } = read(old.clone()) else {
            panic!("a Llama's are rotary");
        };
        assert_eq!(theta, 100_000.0);
        assert_eq!(read(old.clone()), read(new));
        assert_eq!(read(old), read(both));
    }
}
