//! `config.json` of a BERT and its relatives in Hugging Face's layout.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::config::{BertConfig, Global, Pooling, Positions, Shape};
use crate::checkpoint::CheckpointError;
use crate::checkpoint::config_keys::{self, Family};

/// The `config.json` of a BERT, a RoBERTa or an XLM-R. Absent keys have Transformers' defaults.
#[derive(Deserialize)]
struct BertFile {
    vocab_size: usize,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    hidden_act: String,
    max_position_embeddings: usize,
    type_vocab_size: usize,
    #[serde(default = "epsilon")]
    layer_norm_eps: f64,
    pad_token_id: Option<u32>,
    /// Old files lack the key.
    #[serde(default = "absolute")]
    position_embedding_type: String,
    #[serde(default = "deviation")]
    initializer_range: f64,
    #[serde(default = "yes")]
    tie_word_embeddings: bool,
}

/// The `config.json` of a DistilBERT.
#[derive(Deserialize)]
struct DistilBertFile {
    vocab_size: usize,
    dim: usize,
    n_layers: usize,
    n_heads: usize,
    hidden_dim: usize,
    #[serde(default = "gelu")]
    activation: String,
    max_position_embeddings: usize,
    pad_token_id: Option<u32>,
    #[serde(default = "deviation")]
    initializer_range: f64,
    #[serde(default = "yes")]
    tie_word_embeddings: bool,
}

/// The `config.json` of a ModernBERT.
#[derive(Deserialize)]
struct ModernBertFile {
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    #[serde(default = "gelu")]
    hidden_activation: String,
    #[serde(default = "gelu")]
    classifier_activation: String,
    #[serde(default = "first_token")]
    classifier_pooling: String,
    #[serde(default = "modern_epsilon")]
    norm_eps: f64,
    pad_token_id: u32,
    #[serde(default = "window")]
    local_attention: usize,
    global_attn_every_n_layers: Option<usize>,
    /// Newer files list the kind of each block instead.
    layer_types: Option<Vec<String>>,
    global_rope_theta: Option<f64>,
    #[serde(default, deserialize_with = "present")]
    local_rope_theta: Option<Option<f64>>,
    /// Newer files hold both bases here.
    rope_parameters: Option<Value>,
    #[serde(default = "yes")]
    tie_word_embeddings: bool,
}

/// Distinguishes a key that is null from an absent one.
fn present<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<Option<f64>>, D::Error> {
    Option::deserialize(value).map(Some)
}

/// The kinds of attention in `layer_types` and `rope_parameters`.
const GLOBAL: &str = "full_attention";
const LOCAL: &str = "sliding_attention";

impl ModernBertFile {
    /// The base of rotary positions in one kind of block. Transformers 4.x has a key for each, 5.x uses
    /// `rope_parameters`; in a file with both they must agree, since each version reads its own.
    fn theta(&self, kind: &str, own: Option<f64>, default: f64) -> Result<f64, String> {
        let parameters = self.rope_parameters.as_ref().and_then(|all| all.get(kind));
        for (key, value) in parameters.and_then(Value::as_object).into_iter().flatten() {
            let is_known = match key.as_str() {
                "rope_theta" => true,
                "rope_type" => value.as_str() == Some("default"),
                _ => value.is_null(),
            };
            if !is_known {
                return Err(format!("{key} {value} of rotary positions"));
            }
        }
        let within = parameters
            .and_then(|all| all.get("rope_theta"))
            .and_then(Value::as_f64);
        match (own, within) {
            (Some(own), Some(within)) if own != within => Err(format!(
                "a base of {own} for rotary positions with rope_parameters of {within}"
            )),
            (own, within) => Ok(own.or(within).unwrap_or(default)),
        }
    }

    fn positions(&self) -> Result<Positions, String> {
        let global_theta = self.theta(GLOBAL, self.global_rope_theta, 160_000.0)?;
        let local_theta = match self.local_rope_theta {
            // In 4.x, null means the global base.
            Some(None) if self.rope_parameters.is_none() => global_theta,
            own => self.theta(LOCAL, own.flatten(), 10_000.0)?,
        };
        let global = match (&self.layer_types, self.global_attn_every_n_layers) {
            (None, every) => Global::EveryNth(every.unwrap_or(3)),
            (Some(kinds), every) => {
                let listed = (kinds.iter()).map(|kind| match kind.as_str() {
                    GLOBAL => Ok(true),
                    LOCAL => Ok(false),
                    other => Err(format!("{other} among layer_types")),
                });
                let listed = listed.collect::<Result<Vec<bool>, String>>()?;
                if listed.len() != self.num_hidden_layers {
                    let (kinds, layers) = (listed.len(), self.num_hidden_layers);
                    return Err(format!("{kinds} layer_types of {layers} layers"));
                }
                let is_nth = |every: usize| {
                    let mut blocks = listed.iter().enumerate();
                    every > 0
                        && blocks.all(|(block, global)| block.is_multiple_of(every) == *global)
                };
                match every {
                    Some(every) if !is_nth(every) => {
                        return Err(format!(
                            "global_attn_every_n_layers {every} with other layer_types"
                        ));
                    }
                    _ => Global::Listed(listed),
                }
            }
        };
        Ok(Positions::Rotary {
            global_theta,
            local_theta,
            radius: self.local_attention / 2,
            global,
        })
    }
}

fn epsilon() -> f64 {
    1e-12
}

fn modern_epsilon() -> f64 {
    1e-5
}

fn first_token() -> String {
    "cls".to_string()
}

fn window() -> usize {
    128
}

fn absolute() -> String {
    "absolute".to_string()
}

fn gelu() -> String {
    "gelu".to_string()
}

fn deviation() -> f64 {
    0.02
}

fn yes() -> bool {
    true
}

impl BertConfig {
    /// The "wanted" part of errors.
    pub(super) const WANTED: &str = "the config.json of a BERT (model_type bert), RoBERTa (roberta, xlm-roberta), \
         DistilBERT (distilbert) or ModernBERT (modernbert), with exact gelu and absolute or rotary positions";

    /// Whether this `model_type` is supported.
    pub fn knows(model_type: &str) -> bool {
        Family::encoder(model_type).is_some()
    }

    /// Reads and checks `config.json`.
    ///
    /// # Errors
    /// The file cannot be read, or is not a supported configuration.
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
    /// As [`BertConfig::read`].
    pub fn parse(bytes: &[u8], name: &str) -> Result<Self, CheckpointError> {
        let wrong = |found: String| CheckpointError::Config {
            path: name.to_string(),
            wanted: BertConfig::WANTED,
            found,
        };
        let json: Value =
            serde_json::from_slice(bytes).map_err(|e| wrong(format!("not JSON: {e}")))?;
        let family = match json.get("model_type").and_then(Value::as_str) {
            Some(model_type) => Family::encoder(model_type)
                .ok_or_else(|| wrong(format!("model_type '{model_type}'")))?,
            None => return Err(wrong("no model_type".to_string())),
        };
        config_keys::check(family, &json).map_err(wrong)?;
        let of = |error| format!("a {} config, but {error}", family.title());
        let config = match family {
            Family::DistilBert => {
                (serde_json::from_value(json).map_err(of)).and_then(BertConfig::distilbert)
            }
            Family::ModernBert => {
                (serde_json::from_value(json).map_err(of)).and_then(BertConfig::modernbert)
            }
            _ => (serde_json::from_value(json).map_err(of))
                .and_then(|file| BertConfig::bert(family, file)),
        };
        config.and_then(BertConfig::checked).map_err(wrong)
    }

    fn bert(family: Family, file: BertFile) -> Result<Self, String> {
        exact_gelu("hidden_act", &file.hidden_act)?;
        if file.position_embedding_type != "absolute" {
            let found = file.position_embedding_type;
            return Err(format!("position_embedding_type '{found}'"));
        }
        let shape = match family {
            Family::Bert => Shape::Bert,
            _ => Shape::Roberta,
        };
        let (least, pad) = match shape {
            Shape::Bert => (2, file.pad_token_id.unwrap_or(0)),
            _ => (1, file.pad_token_id.unwrap_or(1)),
        };
        if file.type_vocab_size < least {
            let found = file.type_vocab_size;
            return Err(match shape {
                Shape::Bert => format!("type_vocab_size {found}, but pairs of texts need two"),
                _ => format!("type_vocab_size {found}"),
            });
        }
        Ok(BertConfig {
            shape,
            vocabulary: file.vocab_size,
            width: file.hidden_size,
            layers: file.num_hidden_layers,
            heads: file.num_attention_heads,
            feed_forward: file.intermediate_size,
            positions: Positions::Learned {
                rows: file.max_position_embeddings,
                first: match shape {
                    Shape::Bert => 0,
                    _ => pad as usize + 1,
                },
            },
            segments: file.type_vocab_size,
            epsilon: file.layer_norm_eps,
            pad,
            head_deviation: file.initializer_range,
            tied: file.tie_word_embeddings,
            pooler: shape == Shape::Bert,
            pooling: Pooling::First,
        })
    }

    fn distilbert(file: DistilBertFile) -> Result<Self, String> {
        exact_gelu("activation", &file.activation)?;
        Ok(BertConfig {
            shape: Shape::DistilBert,
            vocabulary: file.vocab_size,
            width: file.dim,
            layers: file.n_layers,
            heads: file.n_heads,
            feed_forward: file.hidden_dim,
            positions: Positions::Learned {
                rows: file.max_position_embeddings,
                first: 0,
            },
            segments: 0,
            epsilon: epsilon(),
            pad: file.pad_token_id.unwrap_or(0),
            head_deviation: file.initializer_range,
            tied: file.tie_word_embeddings,
            pooler: false,
            pooling: Pooling::First,
        })
    }

    fn modernbert(file: ModernBertFile) -> Result<Self, String> {
        exact_gelu("hidden_activation", &file.hidden_activation)?;
        exact_gelu("classifier_activation", &file.classifier_activation)?;
        let positions = file.positions()?;
        Ok(BertConfig {
            shape: Shape::ModernBert,
            vocabulary: file.vocab_size,
            width: file.hidden_size,
            layers: file.num_hidden_layers,
            heads: file.num_attention_heads,
            feed_forward: file.intermediate_size,
            positions,
            segments: 0,
            epsilon: file.norm_eps,
            pad: file.pad_token_id,
            // Transformers' initialisation of a ModernBERT's classifier, without its truncation at two or
            // three deviations.
            head_deviation: (file.hidden_size as f64).powf(-0.5),
            tied: file.tie_word_embeddings,
            pooler: true,
            pooling: match file.classifier_pooling.as_str() {
                "cls" => Pooling::First,
                "mean" => Pooling::Mean,
                other => return Err(format!("classifier_pooling '{other}'")),
            },
        })
    }
}

fn exact_gelu(key: &str, found: &str) -> Result<(), String> {
    match found {
        "gelu" => Ok(()),
        found => Err(format!("{key} '{found}'")),
    }
}

#[cfg(test)]
mod tests;
