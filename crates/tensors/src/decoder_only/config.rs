//! `config.json` of decoder-only checkpoints in Hugging Face's layout.

use serde::Deserialize;
use serde_json::Value;

use super::rotary::Scaling;
use crate::checkpoint::config_keys::{self, Family};
use crate::checkpoint::{CheckpointError, Weights};

/// The family whose layout and names a checkpoint has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `model_type` llama.
    Llama,
    /// `model_type` gpt2.
    Gpt2,
}

/// The kind of position encoding.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Positions {
    /// Queries and keys are rotated.
    Rotary {
        /// The base of the wavelengths.
        theta: f64,
        /// The scaling for longer inputs.
        scaling: Scaling,
    },
    /// Learned embeddings for this many positions.
    Learned(usize),
}

/// The sizes of a decoder-only network.
#[derive(Debug, Clone, PartialEq)]
pub struct DecoderConfig {
    /// The family.
    pub shape: Shape,
    /// `V`.
    pub vocabulary: usize,
    /// `D`.
    pub width: usize,
    /// `L`.
    pub layers: usize,
    /// `H`.
    pub heads: usize,
    /// Key-value heads; each is shared by `H` over this many query heads.
    pub key_heads: usize,
    /// `K`; must be even for rotary positions.
    pub head_width: usize,
    /// `F`.
    pub feed_forward: usize,
    /// ε of the norms.
    pub epsilon: f64,
    /// Whether the output head is the embedding.
    pub tied: bool,
    /// The kind of position encoding.
    pub positions: Positions,
    /// The maximum sequence length in training.
    pub longest: usize,
}

/// The name of the output head.
pub(super) const HEAD: &str = "lm_head.weight";

/// Llama's file. Absent keys have Transformers' defaults.
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
    /// Newer files have both in here.
    rope_parameters: Option<Value>,
    #[serde(default)]
    attention_bias: bool,
    #[serde(default)]
    mlp_bias: bool,
    #[serde(default = "longest_llama")]
    max_position_embeddings: usize,
}

impl LlamaFile {
    /// The base and the scaling of rotary positions. Transformers 4.x has them in `rope_theta` and `rope_scaling`, 5.x
    /// in `rope_parameters`. A file with both must agree, since each version reads its own.
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

/// Transformers' default `rope_theta`.
const DEFAULT_THETA: f64 = 10_000.0;

/// GPT-2's file.
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
    /// What errors say was wanted.
    pub(crate) const WANTED: &str = "the config.json of a Llama (model_type llama; hidden_act silu, no biases) or a GPT-2 (model_type gpt2; activation_function gelu_new)";

    /// Whether a `model_type` is one of these.
    pub fn knows(model_type: &str) -> bool {
        matches!(model_type, "llama" | "gpt2")
    }

    /// Reads the values of a `config.json`; errors call it `name`.
    ///
    /// # Errors
    /// It is not a supported configuration.
    pub fn of_json(json: Value, name: &str) -> Result<Self, CheckpointError> {
        let wrong = |found: String| CheckpointError::Config {
            path: name.to_string(),
            wanted: DecoderConfig::WANTED,
            found,
        };
        let is_gpt2 = json.get("model_type").and_then(Value::as_str) == Some("gpt2");
        let family = if is_gpt2 { Family::Gpt2 } else { Family::Llama };
        config_keys::check(family, &json).map_err(wrong)?;
        let config = match family {
            Family::Gpt2 => serde_json::from_value(json)
                .map_err(|error| format!("a GPT-2's, but {error}"))
                .and_then(DecoderConfig::gpt2),
            _ => serde_json::from_value(json)
                .map_err(|error| format!("a Llama's, but {error}"))
                .and_then(DecoderConfig::llama),
        };
        config.and_then(DecoderConfig::checked).map_err(wrong)
    }

    fn llama(file: LlamaFile) -> Result<Self, String> {
        if file.hidden_act != "silu" {
            return Err(format!("hidden_act '{}'", file.hidden_act));
        }
        if file.attention_bias || file.mlp_bias {
            return Err("attention_bias or mlp_bias".to_string());
        }
        let (theta, scaling) = file.rotary()?;
        let heads = file.num_attention_heads;
        Ok(DecoderConfig {
            shape: Shape::Llama,
            vocabulary: file.vocab_size,
            width: file.hidden_size,
            layers: file.num_hidden_layers,
            heads,
            key_heads: file.num_key_value_heads.unwrap_or(heads),
            head_width: file.head_dim.unwrap_or(file.hidden_size / heads.max(1)),
            feed_forward: file.intermediate_size,
            epsilon: file.rms_norm_eps,
            tied: file.tie_word_embeddings,
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
            positions: Positions::Learned(file.n_positions),
            longest: file.n_positions,
        })
    }

    /// Rejects impossible sizes.
    pub(crate) fn checked(self) -> Result<Self, String> {
        for (name, value) in [
            ("vocabulary", self.vocabulary),
            ("width", self.width),
            ("layers", self.layers),
            ("heads", self.heads),
            ("key heads", self.key_heads),
            ("head width", self.head_width),
            ("feed-forward width", self.feed_forward),
            ("longest sequence", self.longest),
        ] {
            if value == 0 || value > 1 << 24 {
                return Err(format!("{value} for its {name}"));
            }
        }
        if !self.heads.is_multiple_of(self.key_heads) {
            return Err(format!(
                "{} query heads for {} key-value heads",
                self.heads, self.key_heads
            ));
        }
        if self.shape == Shape::Gpt2 && self.heads * self.head_width != self.width {
            return Err(format!("width {} with {} heads", self.width, self.heads));
        }
        if let Positions::Rotary { theta, .. } = self.positions {
            if !self.head_width.is_multiple_of(2) {
                return Err(format!("rotary heads of width {}", self.head_width));
            }
            if !(theta.is_finite() && theta > 1.0) {
                return Err(format!("rope_theta {theta}"));
            }
        }
        Ok(self)
    }

    /// The configuration for a checkpoint with these weights, under Hugging Face's names. A head in them that differs
    /// from the embedding is used, whatever `tie_word_embeddings` says, as in Transformers 5 (4.x ignores it).
    pub(super) fn of_weights(&self, weights: &Weights) -> Self {
        let is_own = weights.contains(HEAD) && !weights.are_equal(HEAD, self.embedding_name());
        DecoderConfig {
            tied: self.tied && !is_own,
            ..self.clone()
        }
    }

    /// `H·K`, the width of queries.
    pub fn inner(&self) -> usize {
        self.heads * self.head_width
    }

    /// The width of keys and values.
    pub fn key_width(&self) -> usize {
        self.key_heads * self.head_width
    }

    /// The size of all biases of maps and norms; `None` for Llama, which has none.
    pub fn biases(&self) -> Option<usize> {
        (self.shape == Shape::Gpt2).then(|| {
            let block: usize = self.block_maps().iter().map(|(_, [_, out])| out).sum();
            self.layers * (block + 2 * self.width) + self.width
        })
    }

    /// Parameters of the final norm.
    pub fn norm_parameters(&self) -> usize {
        match self.shape {
            Shape::Llama => self.width,
            Shape::Gpt2 => 2 * self.width,
        }
    }

    /// Parameters of one block.
    pub fn block_parameters(&self) -> usize {
        let maps = self.block_maps();
        let weights: usize = maps.iter().map(|(_, [input, output])| input * output).sum();
        let biases: usize = match self.shape {
            Shape::Llama => 0,
            Shape::Gpt2 => maps.iter().map(|(_, [_, output])| output).sum(),
        };
        weights + biases + 2 * self.norm_parameters()
    }

    /// The number of all parameters in closed form.
    pub fn parameters(&self) -> usize {
        let positions = match self.positions {
            Positions::Learned(count) => count * self.width,
            Positions::Rotary { .. } => 0,
        };
        let matrices = if self.tied { 1 } else { 2 };
        matrices * self.vocabulary * self.width
            + positions
            + self.layers * self.block_parameters()
            + self.norm_parameters()
    }

    /// The number of weights that multiply an input token and an output token; the head only applies to output.
    pub fn weights_per_token(&self) -> [usize; 2] {
        let block: usize = (self.block_maps().iter())
            .map(|(_, [input, output])| input * output)
            .sum();
        let blocks = self.layers * block;
        [blocks, blocks + self.vocabulary * self.width]
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
    }

    #[test]
    fn unsupported_settings_are_refused_by_name() {
        for (key, value, wanted) in [
            ("hidden_act", json!("gelu"), "hidden_act 'gelu'"),
            ("attention_bias", json!(true), "attention_bias"),
            ("num_attention_heads", json!(0), "0 for its heads"),
            ("num_key_value_heads", json!(2), "9 heads of queries for 2"),
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
