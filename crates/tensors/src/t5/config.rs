//! `config.json` of a T5 checkpoint in Hugging Face's layout.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::checkpoint::config_keys::{self, Family};
use crate::checkpoint::{CheckpointError, Weights};

/// The configuration of a T5, v1.0 or v1.1. Fields are named as in `config.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct T5Config {
    /// Always `t5`.
    pub model_type: String,
    /// `V`, the number of rows of the embedding and of the head (32,128 in the published checkpoints, more
    /// than the tokenizer's 32,100 ids).
    pub vocab_size: usize,
    /// `D`.
    pub d_model: usize,
    /// `K`, the width of one head; `H·K` need not be `D`.
    pub d_kv: usize,
    /// `H`.
    pub num_heads: usize,
    /// `F`, the inner width of the feed-forward layers.
    pub d_ff: usize,
    /// The number of encoder blocks.
    pub num_layers: usize,
    /// The number of decoder blocks; defaults to that of the encoder.
    #[serde(default)]
    pub num_decoder_layers: Option<usize>,
    /// The number of relative-position buckets (32).
    pub relative_attention_num_buckets: usize,
    /// The distance from which on all positions share a bucket (128).
    #[serde(default = "published_max_distance")]
    pub relative_attention_max_distance: usize,
    /// ε of the norms (1e-6).
    pub layer_norm_epsilon: f64,
    /// `gated-gelu` in v1.1; `relu` in v1.0, whose files may omit it. See [`T5Config::activation`].
    #[serde(default = "relu_when_absent")]
    pub feed_forward_proj: String,
    /// `false` in v1.1: the output head is a separate matrix. `true` in v1.0: the head is tied to the
    /// embedding. For a loaded checkpoint, the weights determine it.
    #[serde(default = "tied_when_absent")]
    pub tie_word_embeddings: bool,
    /// Whether states are scaled by `1/√D` before the head; see [`T5Config::scales_output`]. Files of
    /// Transformers 5 have this key, and `true` for `tie_word_embeddings` regardless of the head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale_decoder_outputs: Option<bool>,
    /// The token that starts every output (0, the padding token: T5 has no start token); defaults to padding,
    /// as files of Transformers 5 may omit it.
    #[serde(default)]
    pub decoder_start_token_id: u32,
    /// The id of the padding token (0).
    pub pad_token_id: u32,
    /// The id of the end-of-sequence token (1).
    pub eos_token_id: u32,
}

/// The names of the embedding and of the output head.
pub(super) const EMBEDDING: &str = "shared.weight";
pub(super) const HEAD: &str = "lm_head.weight";

/// The activation of the feed-forward layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// v1.0: `relu(x W)`.
    Relu,
    /// v1.1: `gelu_tanh(x W₀) ⊙ (x W₁)`.
    GatedGelu,
}

/// Transformers' default; old files lack the key.
fn published_max_distance() -> usize {
    128
}

/// Transformers' default; v1.1 files have `gated-gelu`.
fn relu_when_absent() -> String {
    "relu".to_string()
}

/// Transformers' default; v1.1 files have `false`.
fn tied_when_absent() -> bool {
    true
}

/// Checks that `dense_act_fn` and `is_gated_act` agree with `feed_forward_proj`, from which Transformers
/// derives them. If a file has them, they override it.
fn check_activation(json: &Value) -> Result<(), String> {
    let projection = json.get("feed_forward_proj").and_then(Value::as_str);
    let wanted: (&[&str], bool) = match projection {
        Some("gated-gelu") => (&["gelu_new", "gelu_pytorch_tanh"], true),
        _ => (&["relu"], false),
    };
    let of = |found: &str| {
        let projection = projection.unwrap_or("relu");
        Err(format!("feed_forward_proj '{projection}' with {found}"))
    };
    match (json.get("dense_act_fn"), json.get("is_gated_act")) {
        (Some(Value::String(name)), _) if !wanted.0.contains(&name.as_str()) => {
            of(&format!("dense_act_fn '{name}'"))
        }
        (_, Some(Value::Bool(gated))) if *gated != wanted.1 => of(&format!("is_gated_act {gated}")),
        _ => Ok(()),
    }
}

impl T5Config {
    /// The "wanted" part of errors.
    pub(crate) const WANTED: &str = "the config.json of a T5 (model_type t5; feed_forward_proj relu, as in v1.0, or gated-gelu, as in v1.1)";

    /// Reads and checks `config.json`.
    ///
    /// # Errors
    /// The file can't be read, or is not a T5's configuration.
    pub fn read(path: &Path) -> Result<Self, CheckpointError> {
        let bytes = std::fs::read(path).map_err(|source| CheckpointError::Io {
            path: path.display().to_string(),
            source,
        })?;
        Self::parse(&bytes, &path.display().to_string())
    }

    /// Parses and checks the text of a `config.json`; errors refer to it as `name`.
    ///
    /// # Errors
    /// As [`T5Config::read`].
    pub fn parse(bytes: &[u8], name: &str) -> Result<Self, CheckpointError> {
        let wrong = |found: String| CheckpointError::Config {
            path: name.to_string(),
            wanted: T5Config::WANTED,
            found,
        };
        let mut json: Value =
            serde_json::from_slice(bytes).map_err(|e| wrong(format!("not JSON: {e}")))?;
        match json.get("model_type").and_then(|v| v.as_str()) {
            Some("t5") => {}
            Some(other) => return Err(wrong(format!("model_type '{other}'"))),
            None => return Err(wrong("no model_type".to_string())),
        }
        config_keys::check(Family::T5, &json).map_err(wrong)?;
        check_activation(&json).map_err(wrong)?;
        if let Some(padding) = json.get("pad_token_id").cloned()
            && json
                .get("decoder_start_token_id")
                .is_none_or(Value::is_null)
        {
            json["decoder_start_token_id"] = padding;
        }
        let mut config: T5Config =
            serde_json::from_value(json).map_err(|e| wrong(format!("a T5 config, but {e}")))?;
        // A v1.1 saved by Transformers 5, as far as known without the weights.
        config.tie_word_embeddings &= config.scale_decoder_outputs != Some(false);
        if !matches!(config.feed_forward_proj.as_str(), "relu" | "gated-gelu") {
            return Err(wrong(format!(
                "feed_forward_proj '{}'",
                config.feed_forward_proj
            )));
        }
        for (key, value) in [
            ("vocab_size", config.vocab_size),
            ("d_model", config.d_model),
            ("d_kv", config.d_kv),
            ("num_heads", config.num_heads),
            ("d_ff", config.d_ff),
            ("num_layers", config.num_layers),
            ("num_decoder_layers", config.decoder_layers()),
        ] {
            if value == 0 {
                return Err(wrong(format!("{key} 0")));
            }
        }
        if config.relative_attention_num_buckets < 4
            || config.relative_attention_max_distance <= config.relative_attention_num_buckets
        {
            return Err(wrong(format!(
                "relative_attention_num_buckets {} with relative_attention_max_distance {}",
                config.relative_attention_num_buckets, config.relative_attention_max_distance
            )));
        }
        if config.decoder_start_token_id as usize >= config.vocab_size {
            return Err(wrong(format!(
                "decoder_start_token_id {} with vocab_size {}",
                config.decoder_start_token_id, config.vocab_size
            )));
        }
        Ok(config)
    }

    /// See [`T5Config::feed_forward_proj`].
    pub fn activation(&self) -> Activation {
        match self.feed_forward_proj.as_str() {
            "relu" => Activation::Relu,
            _ => Activation::GatedGelu,
        }
    }

    /// Whether states are scaled by `1/√D` before the head: `scale_decoder_outputs` or, in files from before
    /// Transformers 5, whether the head is tied to the embedding.
    pub fn scales_output(&self) -> bool {
        self.scale_decoder_outputs
            .unwrap_or(self.tie_word_embeddings)
    }

    /// The configuration for a checkpoint with these weights, under Hugging Face's names. A head that differs
    /// from the embedding is used regardless of `tie_word_embeddings`, as in Transformers 5. With a file of
    /// Transformers 5, the head is always separate from the embedding.
    pub(super) fn of_weights(&self, weights: &Weights) -> Self {
        let is_own = weights.contains(HEAD) && !weights.are_equal(HEAD, EMBEDDING);
        // In files of 4.x, `tie_word_embeddings: false` is reliable, so the separate head must exist.
        let is_said = !self.tie_word_embeddings && self.scale_decoder_outputs.is_none();
        let scales = self.scales_output();
        let tied = !(is_own || is_said);
        T5Config {
            tie_word_embeddings: tied,
            scale_decoder_outputs: (scales != tied).then_some(scales),
            ..self.clone()
        }
    }

    /// The number of decoder blocks.
    pub fn decoder_layers(&self) -> usize {
        self.num_decoder_layers.unwrap_or(self.num_layers)
    }

    /// `H·K`, the width inside attention.
    pub fn inner(&self) -> usize {
        // An overflow is detected later by comparing the shapes of tensors.
        self.num_heads.saturating_mul(self.d_kv)
    }

    /// The names of [`T5Config::published`].
    pub const PUBLISHED: [&str; 5] = ["small", "base", "large", "xl", "xxl"];

    /// The published v1.1 sizes (google-research/prompt-tuning, `configs/models/sizes`).
    pub fn published(size: &str) -> Option<Self> {
        let (d_model, layers, heads, d_ff) = match size {
            "small" => (512, 8, 6, 1024),
            "base" => (768, 12, 12, 2048),
            "large" => (1024, 24, 16, 2816),
            "xl" => (2048, 24, 32, 5120),
            "xxl" => (4096, 24, 64, 10240),
            _ => return None,
        };
        Some(T5Config {
            model_type: "t5".to_string(),
            vocab_size: 32_128,
            d_model,
            d_kv: 64,
            num_heads: heads,
            d_ff,
            num_layers: layers,
            num_decoder_layers: Some(layers),
            relative_attention_num_buckets: 32,
            relative_attention_max_distance: 128,
            layer_norm_epsilon: 1e-6,
            feed_forward_proj: "gated-gelu".to_string(),
            tie_word_embeddings: false,
            scale_decoder_outputs: None,
            decoder_start_token_id: 0,
            pad_token_id: 0,
            eos_token_id: 1,
        })
    }

    fn feed_forward_parameters(&self) -> usize {
        match self.activation() {
            Activation::Relu => 2 * self.d_model * self.d_ff,
            Activation::GatedGelu => 3 * self.d_model * self.d_ff,
        }
    }

    /// The number of parameters of one decoder block: two attention layers, the feed-forward, three norms.
    pub fn decoder_block_parameters(&self) -> usize {
        8 * self.d_model * self.inner() + self.feed_forward_parameters() + 3 * self.d_model
    }

    /// The number of weights that an input token is multiplied by (the encoder, and the keys and values of
    /// cross-attention) and an output token (the rest of the decoder and the head).
    pub fn weights_per_token(&self) -> [usize; 2] {
        let (d, inner, ff) = (self.d_model, self.inner(), self.feed_forward_parameters());
        let encoder = self.num_layers * (4 * d * inner + ff);
        let decoder = self.decoder_layers() * (6 * d * inner + ff);
        let cross = self.decoder_layers() * 2 * d * inner;
        [encoder + cross, decoder + self.vocab_size * d]
    }

    /// The encoder's operations per token of an input of `length`: two for each weight, and two for each
    /// position and inner dimension in each of attention's two products (queries with keys, weights with
    /// values).
    pub fn encoder_operations_per_token(&self, length: usize) -> usize {
        let weights = 4 * self.d_model * self.inner() + self.feed_forward_parameters();
        self.num_layers * (2 * weights + 4 * length * self.inner())
    }

    /// The total number of parameters in closed form.
    pub fn parameters(&self) -> usize {
        let (d, inner) = (self.d_model, self.inner());
        let encoder =
            self.num_layers * (4 * d * inner + self.feed_forward_parameters() + 2 * d) + d;
        let decoder = self.decoder_layers() * self.decoder_block_parameters() + d;
        let bias_tables = 2 * self.relative_attention_num_buckets * self.num_heads;
        let matrices = if self.tie_word_embeddings { 1 } else { 2 };
        matrices * self.vocab_size * d + encoder + decoder + bias_tables
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_sizes_have_the_papers_parameter_counts() {
        for (size, parameters) in [
            ("small", 76_961_152),
            ("base", 247_577_856),
            ("large", 783_150_080),
            ("xl", 2_849_757_184),
            ("xxl", 11_135_332_352),
        ] {
            let config = T5Config::published(size).expect("a published size");
            assert_eq!(config.parameters(), parameters, "{size}");
        }
    }

    #[test]
    fn v1_0_is_recognised_from_its_files() {
        // The relevant keys of t5-small's config.json, which omits feed_forward_proj and tie_word_embeddings.
        let json = r#"{"model_type": "t5", "vocab_size": 32128, "d_model": 512, "d_kv": 64,
            "num_heads": 8, "d_ff": 2048, "num_layers": 6, "relative_attention_num_buckets": 32,
            "layer_norm_epsilon": 1e-6, "decoder_start_token_id": 0, "pad_token_id": 0,
            "eos_token_id": 1}"#;
        let config = T5Config::parse(json.as_bytes(), "config.json").expect("v1.0");
        assert_eq!(config.activation(), Activation::Relu);
        assert!(config.tie_word_embeddings);
        assert_eq!(config.parameters(), 60_506_624);
    }

    /// `tie_word_embeddings` and `scale_decoder_outputs` as in files of 4.x and 5.x, combined with weights
    /// whose head is absent, equal to the embedding, or different.
    #[test]
    fn the_weights_determine_the_head_and_the_file_the_scaling() {
        let (no, yes) = (Some(false), Some(true));
        for (tie, scale, head, tied, scales) in [
            // 4.x: v1.1 and v1.0.
            (no, None, Some(2.0), false, false),
            (no, None, Some(1.0), false, false),
            (yes, None, None, true, true),
            (None, None, Some(1.0), true, true),
            (yes, None, Some(2.0), false, true),
            // 5.x: v1.1, v1.0, and a v1.1 whose head 5.x has tied.
            (yes, no, Some(2.0), false, false),
            (yes, yes, None, true, true),
            (yes, no, None, true, false),
            (yes, yes, Some(2.0), false, true),
        ] {
            let mut json = serde_json::to_value(T5Config::published("small")).expect("plain data");
            json["tie_word_embeddings"] = tie.into();
            json["scale_decoder_outputs"] = scale.into();
            if tie.is_none() {
                json.as_object_mut()
                    .expect("an object")
                    .remove("tie_word_embeddings");
            }
            let config = T5Config::parse(json.to_string().as_bytes(), "config.json").expect("a T5");
            let mut weights = Weights::empty("");
            weights.put(EMBEDDING, vec![1], vec![1.0]);
            if let Some(head) = head {
                weights.put(HEAD, vec![1], vec![head]);
            }
            let loaded = config.of_weights(&weights);
            let found = (loaded.tie_word_embeddings, loaded.scales_output());
            assert_eq!(found, (tied, scales), "{tie:?} {scale:?} {head:?}");
            // Correcting the corrected configuration again keeps the scaling.
            assert_eq!(loaded.of_weights(&weights).scales_output(), scales);
        }
    }

    #[test]
    fn outputs_start_with_padding_by_default() {
        let mut json = serde_json::to_value(T5Config::published("small")).expect("plain data");
        json["pad_token_id"] = 3.into();
        json.as_object_mut()
            .expect("an object")
            .remove("decoder_start_token_id");
        let config = T5Config::parse(json.to_string().as_bytes(), "config.json").expect("a T5");
        assert_eq!(config.decoder_start_token_id, 3);
    }

    #[test]
    fn other_models_than_t5_are_refused_by_name() {
        let mut json = serde_json::to_value(T5Config::published("small")).expect("plain data");
        let refused = |json: &serde_json::Value| {
            T5Config::parse(json.to_string().as_bytes(), "config.json")
                .expect_err("must be refused")
                .to_string()
        };
        for (key, value, found) in [
            (
                "dense_act_fn",
                Value::from("relu"),
                "feed_forward_proj 'gated-gelu' with dense_act_fn 'relu'",
            ),
            (
                "is_gated_act",
                false.into(),
                "feed_forward_proj 'gated-gelu' with is_gated_act false",
            ),
            (
                "tie_encoder_decoder",
                true.into(),
                "tie_encoder_decoder true",
            ),
        ] {
            let mut json = json.clone();
            json[key] = value;
            assert!(refused(&json).contains(found), "{}", refused(&json));
        }
        json["feed_forward_proj"] = "gated-silu".into();
        assert!(refused(&json).contains("feed_forward_proj 'gated-silu'"));
        for other in ["bert", "mt5", "umt5"] {
            json["model_type"] = other.into();
            assert!(refused(&json).contains(&format!("model_type '{other}'")));
        }
        assert!(
            T5Config::parse(b"{", "config.json")
                .expect_err("must be refused")
                .to_string()
                .contains("not JSON")
        );
    }
}
