//! `config.json` of decoder-only checkpoints in Hugging Face's layout.

use serde::Deserialize;
use serde_json::Value;

use super::config::{Caps, DecoderConfig, LayerKind, Local, Positions, Shape};
use crate::checkpoint::CheckpointError;
use crate::checkpoint::config_keys::{self, Family};
use crate::layers::rotary::Scaling;

/// The `config.json` of a Llama, Mistral, Qwen2, Qwen3 or SmolLM3. Absent keys have Transformers' defaults.
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
    tie_word_embeddings: Option<bool>,
    #[serde(flatten)]
    rotary: RotaryKeys,
    #[serde(default)]
    attention_bias: bool,
    #[serde(default)]
    mlp_bias: bool,
    #[serde(default = "longest_llama")]
    max_position_embeddings: usize,
    /// The kind of attention of each layer, in Qwen and SmolLM3.
    layer_types: Option<Vec<String>>,
    /// In Mistral and, if used, in Qwen.
    sliding_window: Option<usize>,
    #[serde(default)]
    use_sliding_window: bool,
    /// In Qwen: the first layer with a window, if used.
    #[serde(default = "max_window_layers")]
    max_window_layers: usize,
    /// In SmolLM3: 1 for each layer with rotary positions.
    no_rope_layers: Option<Vec<u8>>,
    #[serde(default = "no_rope_layer_interval")]
    no_rope_layer_interval: usize,
}

/// The `config.json` of a Gemma 2 or 3.
#[derive(Deserialize)]
struct GemmaFile {
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: usize,
    head_dim: usize,
    #[serde(default = "gelu_tanh")]
    hidden_activation: String,
    rms_norm_eps: f64,
    #[serde(default = "yes")]
    tie_word_embeddings: bool,
    #[serde(flatten)]
    rotary: RotaryKeys,
    rope_local_base_freq: Option<f64>,
    max_position_embeddings: usize,
    query_pre_attn_scalar: f64,
    sliding_window: Option<usize>,
    layer_types: Option<Vec<String>>,
    /// In older files of Gemma 3: every so many layers one is global.
    sliding_window_pattern: Option<usize>,
    attn_logit_softcapping: Option<f64>,
    final_logit_softcapping: Option<f64>,
}

/// The keys of rotary positions.
#[derive(Deserialize)]
struct RotaryKeys {
    rope_theta: Option<f64>,
    rope_scaling: Option<Value>,
    /// Newer files hold both here.
    rope_parameters: Option<Value>,
}

impl RotaryKeys {
    /// The base and the scaling of rotary positions. Transformers 4.x uses `rope_theta` and `rope_scaling`,
    /// 5.x `rope_parameters`; in a file with both they must agree, since each version reads its own. Without
    /// a base it is `default`.
    fn read(&self, default: f64) -> Result<(f64, Scaling), String> {
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
            (theta, within) => theta.or(within).unwrap_or(default),
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

/// The kind of layer with a sliding window.
const SLIDING: &str = "sliding_attention";

impl LlamaFile {
    /// The kind of each layer, and the window of local ones.
    fn kinds(&self, family: Family) -> Result<(Vec<LayerKind>, Option<usize>), String> {
        let window = match family {
            Family::Mistral => self.sliding_window,
            Family::Qwen2 | Family::Qwen3 if self.use_sliding_window => self.sliding_window,
            _ => None,
        };
        let kinds = match (&self.layer_types, family) {
            (_, Family::SmolLm3) => {
                if let Some(kind) = self.layer_types.iter().flatten().find(|kind| *kind != FULL) {
                    return Err(format!("{kind} among layer_types"));
                }
                let interval = self.no_rope_layer_interval;
                if self.no_rope_layers.is_none() && interval == 0 {
                    return Err("no_rope_layer_interval 0".to_string());
                }
                DecoderConfig::kinds_of(self.num_hidden_layers, |index| {
                    let rotates = match &self.no_rope_layers {
                        Some(layers) => layers.get(index) != Some(&0),
                        None => (index + 1) % interval != 0,
                    };
                    match rotates {
                        true => LayerKind::Global,
                        false => LayerKind::Unrotated,
                    }
                })
            }
            (Some(names), Family::Qwen2 | Family::Qwen3) => kinds_named(names)?,
            (Some(names), _) => match names.iter().find(|kind| *kind != FULL) {
                Some(kind) => return Err(format!("{kind} among layer_types")),
                None => DecoderConfig::kinds_of(self.num_hidden_layers, |_| LayerKind::Global),
            },
            (None, _) => {
                let first = match family {
                    Family::Mistral => 0,
                    _ => self.max_window_layers,
                };
                DecoderConfig::kinds_of(self.num_hidden_layers, |index| match window {
                    Some(_) if index >= first => LayerKind::Local,
                    _ => LayerKind::Global,
                })
            }
        };
        Ok((kinds, window))
    }
}

/// The kinds that `layer_types` names.
fn kinds_named(names: &[String]) -> Result<Vec<LayerKind>, String> {
    let kind = |name: &String| match name.as_str() {
        FULL => Ok(LayerKind::Global),
        SLIDING => Ok(LayerKind::Local),
        other => Err(format!("{other} among layer_types")),
    };
    names.iter().map(kind).collect()
}

/// Transformers' `rope_theta` if a file has none, and Gemma 3's in local layers.
const DEFAULT_THETA: f64 = 10_000.0;

/// The same of a SmolLM3.
const SMOLLM3_THETA: f64 = 2_000_000.0;

/// The same of a Gemma 3's global layers.
const GEMMA3_THETA: f64 = 1_000_000.0;

impl GemmaFile {
    /// The base and scaling of rotary positions in global and in local layers.
    fn rotary(&self, family: Family) -> Result<[(f64, Scaling); 2], String> {
        if family == Family::Gemma2 {
            let both = self.rotary.read(DEFAULT_THETA)?;
            return Ok([both, both]);
        }
        let nested = self.rotary.rope_parameters.as_ref();
        let nested = nested.filter(|value| !value.is_null());
        let of = |kind: &str| nested.and_then(|nested| nested.get(kind)).cloned();
        let keys = nested.and_then(Value::as_object).into_iter().flatten();
        if let Some((key, _)) = keys
            .into_iter()
            .find(|(key, _)| *key != FULL && *key != SLIDING)
        {
            return Err(format!(
                "{key} in rope_parameters, which are one for each kind of layer"
            ));
        }
        let global = RotaryKeys {
            rope_parameters: of(FULL),
            rope_theta: self.rotary.rope_theta,
            rope_scaling: self.rotary.rope_scaling.clone(),
        };
        let local = RotaryKeys {
            rope_parameters: of(SLIDING),
            rope_theta: self.rope_local_base_freq,
            rope_scaling: None,
        };
        Ok([global.read(GEMMA3_THETA)?, local.read(DEFAULT_THETA)?])
    }

    fn kinds(&self, family: Family) -> Result<Vec<LayerKind>, String> {
        if let Some(names) = &self.layer_types {
            return kinds_named(names);
        }
        let pattern = match family {
            Family::Gemma2 => 2,
            _ => self.sliding_window_pattern.unwrap_or(6),
        };
        if pattern == 0 {
            return Err("sliding_window_pattern 0".to_string());
        }
        let kind = |index: usize| match (index + 1).is_multiple_of(pattern) {
            true => LayerKind::Global,
            false => LayerKind::Local,
        };
        Ok(DecoderConfig::kinds_of(self.num_hidden_layers, kind))
    }
}

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

fn max_window_layers() -> usize {
    28
}

fn no_rope_layer_interval() -> usize {
    4
}

fn gelu_tanh() -> String {
    GELU_TANH.to_string()
}

/// GELU's approximation by tanh.
const GELU_TANH: &str = "gelu_pytorch_tanh";

fn epsilon() -> f64 {
    1e-5
}

fn gelu_new() -> String {
    "gelu_new".to_string()
}

fn yes() -> bool {
    true
}

/// Transformers' values of absent keys that mean something else when they are null.
fn defaults(family: Family) -> &'static [(&'static str, usize)] {
    match family {
        Family::Gemma2 => &[
            ("sliding_window", 4096),
            ("attn_logit_softcapping", 50),
            ("final_logit_softcapping", 30),
        ],
        Family::Gemma3 | Family::Mistral | Family::Qwen2 | Family::Qwen3 => {
            &[("sliding_window", 4096)]
        }
        _ => &[],
    }
}

impl DecoderConfig {
    /// The "wanted" part of errors.
    pub(crate) const WANTED: &str = "the config.json of a Llama (model_type llama; hidden_act silu, no biases), a Mistral (mistral), a Qwen2 (qwen2), a Qwen3 (qwen3), a SmolLM3 (smollm3), the text part of a Gemma (gemma2 or gemma3_text; hidden_activation gelu_pytorch_tanh) or a GPT-2 (gpt2; activation_function gelu_new)";

    /// Whether this `model_type` is supported.
    pub fn knows(model_type: &str) -> bool {
        Family::decoder_only(model_type).is_some()
    }

    /// Reads the values of a `config.json`; errors refer to it as `name`.
    ///
    /// # Errors
    /// It is not a supported configuration.
    pub fn of_json(mut json: Value, name: &str) -> Result<Self, CheckpointError> {
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
        for (key, default) in defaults(family) {
            if let Some(keys) = json.as_object_mut() {
                keys.entry(*key).or_insert((*default).into());
            }
        }
        let of = |error| format!("a {}'s, but {error}", family.title());
        let config = match family {
            Family::Gpt2 => serde_json::from_value(json)
                .map_err(of)
                .and_then(DecoderConfig::gpt2),
            Family::Gemma2 | Family::Gemma3 => serde_json::from_value(json)
                .map_err(of)
                .and_then(|file| DecoderConfig::gemma(family, file)),
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
        let (kinds, window) = file.kinds(family)?;
        let (theta, scaling) = file.rotary.read(match family {
            Family::SmolLm3 => SMOLLM3_THETA,
            _ => DEFAULT_THETA,
        })?;
        let window = window.filter(|_| kinds.contains(&LayerKind::Local));
        let local = window.map(|window| Local {
            window,
            theta,
            scaling,
        });
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
            tied: (file.tie_word_embeddings).unwrap_or(family == Family::SmolLm3),
            qkv_bias: family == Family::Qwen2,
            qk_norm: family == Family::Qwen3,
            positions: Positions::Rotary { theta, scaling },
            kinds,
            local,
            query_scalar: head_width as f64,
            caps: Caps::NONE,
            longest: file.max_position_embeddings,
        })
    }

    fn gemma(family: Family, file: GemmaFile) -> Result<Self, String> {
        if file.hidden_activation != GELU_TANH {
            return Err(format!("hidden_activation '{}'", file.hidden_activation));
        }
        let [(theta, scaling), (local_theta, local_scaling)] = file.rotary(family)?;
        let kinds = file.kinds(family)?;
        let window = (file.sliding_window).filter(|_| kinds.contains(&LayerKind::Local));
        Ok(DecoderConfig {
            shape: Shape::Gemma,
            kinds,
            vocabulary: file.vocab_size,
            width: file.hidden_size,
            layers: file.num_hidden_layers,
            heads: file.num_attention_heads,
            key_heads: file.num_key_value_heads,
            head_width: file.head_dim,
            feed_forward: file.intermediate_size,
            epsilon: file.rms_norm_eps,
            tied: file.tie_word_embeddings,
            qkv_bias: false,
            qk_norm: family == Family::Gemma3,
            positions: Positions::Rotary { theta, scaling },
            local: window.map(|window| Local {
                window,
                theta: local_theta,
                scaling: local_scaling,
            }),
            query_scalar: file.query_pre_attn_scalar,
            caps: Caps {
                scores: file.attn_logit_softcapping,
                logits: file.final_logit_softcapping,
            },
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
        let head_width = file.n_embd / file.n_head.max(1);
        Ok(DecoderConfig {
            shape: Shape::Gpt2,
            vocabulary: file.vocab_size,
            width: file.n_embd,
            layers: file.n_layer,
            kinds: DecoderConfig::kinds_of(file.n_layer, |_| LayerKind::Global),
            local: None,
            query_scalar: head_width as f64,
            caps: Caps::NONE,
            heads: file.n_head,
            key_heads: file.n_head,
            head_width,
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

    fn gemma2() -> Value {
        json!({
            "model_type": "gemma2", "vocab_size": 256_000, "hidden_size": 2304, "intermediate_size": 9216,
            "num_hidden_layers": 26, "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256,
            "hidden_act": "gelu_pytorch_tanh", "hidden_activation": "gelu_pytorch_tanh", "rms_norm_eps": 1e-6,
            "query_pre_attn_scalar": 256, "attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0,
            "sliding_window": 4096, "rope_theta": 10000.0, "max_position_embeddings": 8192,
            "cache_implementation": "hybrid"
        })
    }

    fn gemma3() -> Value {
        json!({
            "model_type": "gemma3_text", "vocab_size": 262_144, "hidden_size": 1152, "intermediate_size": 6912,
            "num_hidden_layers": 26, "num_attention_heads": 4, "num_key_value_heads": 1, "head_dim": 256,
            "hidden_activation": "gelu_pytorch_tanh", "rms_norm_eps": 1e-6, "query_pre_attn_scalar": 256,
            "attn_logit_softcapping": null, "final_logit_softcapping": null, "sliding_window": 512,
            "sliding_window_pattern": 6, "rope_theta": 1_000_000, "rope_local_base_freq": 10_000,
            "rope_scaling": null, "max_position_embeddings": 32768
        })
    }

    fn smollm3() -> Value {
        json!({
            "model_type": "smollm3", "vocab_size": 128_256, "hidden_size": 2048, "intermediate_size": 11008,
            "num_hidden_layers": 36, "num_attention_heads": 16, "num_key_value_heads": 4, "hidden_act": "silu",
            "rms_norm_eps": 1e-6, "rope_theta": 5_000_000.0, "use_sliding_window": false
        })
    }

    fn read(file: Value) -> DecoderConfig {
        DecoderConfig::of_json(file, "config.json").expect("a known kind")
    }

    #[test]
    fn gemmas_and_smollm3_have_their_published_parameter_counts_and_kinds_of_layers() {
        let [two, three, smol] = [gemma2(), gemma3(), smollm3()].map(read);
        assert_eq!(two.parameters(), 2_614_341_888);
        assert_eq!(three.parameters(), 999_885_952);
        assert_eq!(smol.parameters(), 3_075_098_624);
        let of = |config: &DecoderConfig, kind| {
            let at = (config.kinds.iter().enumerate()).filter(|(_, own)| **own == kind);
            at.map(|(index, _)| index).collect::<Vec<_>>()
        };
        assert_eq!(
            of(&two, LayerKind::Global),
            (1..26).step_by(2).collect::<Vec<_>>()
        );
        assert_eq!(of(&three, LayerKind::Global), [5, 11, 17, 23]);
        assert_eq!(
            of(&smol, LayerKind::Unrotated),
            (3..36).step_by(4).collect::<Vec<_>>()
        );
        assert_eq!(smol.local, None);
        assert_eq!(
            three.local.map(|local| (local.window, local.theta)),
            Some((512, 1e4))
        );
        assert_eq!(
            two.caps,
            Caps {
                scores: Some(50.0),
                logits: Some(30.0)
            }
        );
        assert_eq!(three.caps, Caps::NONE);
    }

    /// What an absent key means differs from what null means.
    #[test]
    fn absent_keys_have_transformers_values() {
        let mut file = gemma2();
        let keys = file.as_object_mut().expect("an object");
        for key in [
            "attn_logit_softcapping",
            "final_logit_softcapping",
            "sliding_window",
        ] {
            keys.remove(key);
        }
        assert_eq!(read(file.clone()), read(gemma2()));
        file["final_logit_softcapping"] = Value::Null;
        assert_eq!(read(file).caps.logits, None);
        let mut mistral = llama();
        mistral["model_type"] = json!("mistral");
        let window = |file: &Value| read(file.clone()).local.map(|local| local.window);
        assert_eq!(window(&mistral), Some(4096));
        mistral["sliding_window"] = Value::Null;
        assert_eq!(window(&mistral), None);
    }

    #[test]
    fn a_qwens_windows_are_those_of_its_later_layers() {
        let mut file = llama();
        file["model_type"] = json!("qwen2");
        file["sliding_window"] = json!(100);
        file["max_window_layers"] = json!(28);
        assert_eq!(read(file.clone()).local, None);
        file["use_sliding_window"] = json!(true);
        let by_number = read(file.clone());
        let locals = by_number
            .kinds
            .iter()
            .rposition(|kind| *kind == LayerKind::Global);
        assert_eq!(locals, Some(27));
        let types = (0..30).map(|index| if index < 28 { FULL } else { SLIDING });
        file["layer_types"] = types.collect::<Vec<_>>().into();
        assert_eq!(read(file), by_number);
    }

    #[test]
    fn a_gemma_3s_rotary_positions_are_read_in_both_ways() {
        let mut old = gemma3();
        old["rope_scaling"] = json!({"rope_type": "linear", "factor": 8.0});
        let mut new = gemma3();
        let keys = new.as_object_mut().expect("an object");
        for key in ["rope_theta", "rope_local_base_freq", "rope_scaling"] {
            keys.remove(key);
        }
        new["rope_parameters"] = json!({
            "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1_000_000.0},
            "sliding_attention": {"rope_type": "default", "rope_theta": 10_000.0}
        });
        let old = read(old);
        let scaled = Positions::Rotary {
            theta: 1e6,
            scaling: Scaling::Linear(8.0),
        };
        assert_eq!(old.positions, scaled);
        assert_eq!(old.local.map(|local| local.scaling), Some(Scaling::None));
        assert_eq!(old, read(new));
    }

    #[test]
    fn other_gemmas_and_settings_are_refused_by_name() {
        for (mut file, key, value, wanted) in [
            (
                gemma2(),
                "hidden_activation",
                json!("gelu"),
                "hidden_activation 'gelu'",
            ),
            (gemma2(), "hidden_act", json!("gelu"), "hidden_act \"gelu\""),
            (
                gemma2(),
                "sliding_window",
                Value::Null,
                "a sliding window of no size",
            ),
            (
                gemma2(),
                "sliding_window",
                json!(0),
                "a sliding window of 0",
            ),
            (
                gemma2(),
                "attn_logit_softcapping",
                json!(-1.0),
                "-1 for soft-capping",
            ),
            (
                gemma2(),
                "use_bidirectional_attention",
                json!(true),
                "use_bidirectional_attention",
            ),
            (
                gemma2(),
                "layer_types",
                json!([FULL]),
                "kinds of 1 layers for 26",
            ),
            (
                gemma3(),
                "layer_types",
                json!(["chunked_attention"]),
                "chunked_attention",
            ),
            (
                gemma3(),
                "attn_logit_softcapping",
                json!(50.0),
                "attn_logit_softcapping 50",
            ),
            (
                gemma3(),
                "rope_parameters",
                json!({"rope_theta": 1e6}),
                "rope_theta in rope_parameters",
            ),
            (
                gemma3(),
                "sliding_window_pattern",
                json!(0),
                "sliding_window_pattern 0",
            ),
            (
                gemma3(),
                "num_hidden_layers",
                json!(u64::MAX),
                "for its layers",
            ),
            (gemma3(), "model_type", json!("gemma3"), "gemma3"),
            (
                smollm3(),
                "use_sliding_window",
                json!(true),
                "use_sliding_window",
            ),
            (
                smollm3(),
                "no_rope_layer_interval",
                json!(0),
                "no_rope_layer_interval 0",
            ),
        ] {
            file[key] = value;
            let error = DecoderConfig::of_json(file, "config.json").expect_err(wanted);
            assert!(error.to_string().contains(wanted), "{error}");
        }
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
