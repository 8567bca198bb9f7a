//! `config.json` of a BERT checkpoint in Hugging Face's layout.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::checkpoint::CheckpointError;
use crate::checkpoint::config_keys::{self, Family};

/// What errors say was wanted.
pub(super) const WANTED: &str = "the config.json of a BERT (model_type bert, hidden_act gelu, absolute \
     positions; DistilBERT, RoBERTa and other variants are not supported)";

/// The shape of a BERT backbone. Field names are `config.json`'s.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BertConfig {
    /// Always `bert`.
    pub model_type: String,
    /// `V` (30,522 for the uncased checkpoints).
    pub vocab_size: usize,
    /// `D`.
    pub hidden_size: usize,
    /// `L`.
    pub num_hidden_layers: usize,
    /// `H`; `D` is a multiple of it.
    pub num_attention_heads: usize,
    /// `F`, the width between the feed-forward's two maps.
    pub intermediate_size: usize,
    /// Always `gelu`, the exact one.
    pub hidden_act: String,
    /// The number of position embeddings (512).
    pub max_position_embeddings: usize,
    /// The number of segment types (2).
    pub type_vocab_size: usize,
    /// ε of the norms (1e-12).
    #[serde(default = "published_epsilon")]
    pub layer_norm_eps: f64,
    /// Padding (0).
    #[serde(default)]
    pub pad_token_id: u32,
    /// Always `absolute`.
    #[serde(default = "absolute")]
    pub position_embedding_type: String,
    /// Standard deviation of initial weights, also of a new head (0.02).
    #[serde(default = "published_range")]
    pub initializer_range: f64,
    /// Whether the masked-word head uses the embedding if the weights have no matrix for it.
    #[serde(default = "tied")]
    pub tie_word_embeddings: bool,
}

/// Transformers' default.
fn published_epsilon() -> f64 {
    1e-12
}

/// Transformers' default; old files do not have the key.
fn absolute() -> String {
    "absolute".to_string()
}

/// Transformers' default.
fn published_range() -> f64 {
    0.02
}

/// Transformers' default.
fn tied() -> bool {
    true
}

impl BertConfig {
    /// Reads and checks `config.json`.
    ///
    /// # Errors
    /// The file cannot be read, or is not the configuration of a BERT.
    pub fn read(path: &Path) -> Result<Self, CheckpointError> {
        let bytes = std::fs::read(path).map_err(|source| CheckpointError::Io {
            path: path.display().to_string(),
            source,
        })?;
        Self::parse(&bytes, &path.display().to_string())
    }

    /// Parses and checks the text of a `config.json`; errors call it `name`.
    ///
    /// # Errors
    /// As [`BertConfig::read`].
    pub fn parse(bytes: &[u8], name: &str) -> Result<Self, CheckpointError> {
        let wrong = |found: String| CheckpointError::Config {
            path: name.to_string(),
            wanted: WANTED,
            found,
        };
        let json: serde_json::Value =
            serde_json::from_slice(bytes).map_err(|e| wrong(format!("not JSON: {e}")))?;
        match json.get("model_type").and_then(|v| v.as_str()) {
            Some("bert") => {}
            Some(other) => return Err(wrong(format!("model_type '{other}'"))),
            None => return Err(wrong("no model_type".to_string())),
        }
        config_keys::check(Family::Bert, &json).map_err(wrong)?;
        let config: BertConfig =
            serde_json::from_value(json).map_err(|e| wrong(format!("a BERT config, but {e}")))?;
        for (key, found, wanted) in [
            ("hidden_act", &config.hidden_act, "gelu"),
            (
                "position_embedding_type",
                &config.position_embedding_type,
                "absolute",
            ),
        ] {
            if found != wanted {
                return Err(wrong(format!("{key} '{found}'")));
            }
        }
        for (key, value) in [
            ("vocab_size", config.vocab_size),
            ("hidden_size", config.hidden_size),
            ("num_hidden_layers", config.num_hidden_layers),
            ("num_attention_heads", config.num_attention_heads),
            ("intermediate_size", config.intermediate_size),
            ("max_position_embeddings", config.max_position_embeddings),
        ] {
            if value == 0 {
                return Err(wrong(format!("{key} 0")));
            }
        }
        if !config
            .hidden_size
            .is_multiple_of(config.num_attention_heads)
        {
            return Err(wrong(format!(
                "hidden_size {} with num_attention_heads {}",
                config.hidden_size, config.num_attention_heads
            )));
        }
        if config.type_vocab_size < 2 {
            return Err(wrong(format!(
                "type_vocab_size {}, but pairs of texts need two",
                config.type_vocab_size
            )));
        }
        Ok(config)
    }

    /// `K`, the width of one head.
    pub fn head_width(&self) -> usize {
        self.hidden_size / self.num_attention_heads
    }

    /// The number of all parameters in closed form, with the pooler and without heads.
    pub fn parameters(&self) -> usize {
        let d = self.hidden_size;
        let rows = self.vocab_size + self.max_position_embeddings + self.type_vocab_size;
        rows * d + 2 * d + self.num_hidden_layers * self.block_parameters() + d * d + d
    }

    /// The parameters of one block.
    pub(crate) fn block_parameters(&self) -> usize {
        let (d, ff) = (self.hidden_size, self.intermediate_size);
        4 * (d * d + d) + (d * ff + ff) + (ff * d + d) + 4 * d
    }

    /// The size of all biases of linear maps and norms, the pooler's included.
    pub(crate) fn biases(&self) -> usize {
        let (d, ff) = (self.hidden_size, self.intermediate_size);
        self.num_hidden_layers * (7 * d + ff) + 2 * d
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minilm() -> serde_json::Value {
        serde_json::json!({
            "model_type": "bert", "vocab_size": 30522, "hidden_size": 384,
            "num_hidden_layers": 6, "num_attention_heads": 12, "intermediate_size": 1536,
            "hidden_act": "gelu", "max_position_embeddings": 512, "type_vocab_size": 2,
            "layer_norm_eps": 1e-12, "pad_token_id": 0,
        })
    }

    #[test]
    fn minilm_has_its_published_size() {
        let config =
            BertConfig::parse(minilm().to_string().as_bytes(), "config.json").expect("a BERT");
        assert_eq!(config.parameters(), 22_713_216);
        assert_eq!(config.head_width(), 32);
    }

    #[test]
    fn other_variants_are_refused_by_name() {
        for (key, value, part) in [
            (
                "model_type",
                serde_json::json!("distilbert"),
                "model_type 'distilbert'",
            ),
            (
                "model_type",
                serde_json::json!("roberta"),
                "model_type 'roberta'",
            ),
            ("hidden_act", serde_json::json!("relu"), "hidden_act 'relu'"),
            (
                "hidden_act",
                serde_json::json!("gelu_new"),
                "hidden_act 'gelu_new'",
            ),
            (
                "position_embedding_type",
                serde_json::json!("relative_key"),
                "position_embedding_type 'relative_key'",
            ),
            ("is_decoder", serde_json::json!(true), "is_decoder true"),
            ("type_vocab_size", serde_json::json!(1), "type_vocab_size 1"),
            (
                "num_attention_heads",
                serde_json::json!(7),
                "num_attention_heads 7",
            ),
            ("hidden_size", serde_json::json!(0), "hidden_size 0"),
        ] {
            let mut json = minilm();
            json[key] = value;
            let found = BertConfig::parse(json.to_string().as_bytes(), "config.json")
                .expect_err("must be refused")
                .to_string();
            assert!(found.contains(part), "{found}");
        }
    }
}
