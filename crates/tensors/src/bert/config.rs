//! `config.json` of a BERT and its relatives in Hugging Face's layout, and the sizes that follow from it.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::checkpoint::CheckpointError;
use crate::checkpoint::config_keys::{self, Family};
use crate::layers::{Map, SubLayer};

/// The family whose layout and names a checkpoint has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `model_type` bert.
    Bert,
    /// `model_type` roberta or xlm-roberta.
    Roberta,
    /// `model_type` distilbert.
    DistilBert,
}

/// The sizes of an encoder.
#[derive(Debug, Clone, PartialEq)]
pub struct BertConfig {
    /// The family.
    pub shape: Shape,
    /// `V` (30,522 for the uncased BERTs).
    pub vocabulary: usize,
    /// `D`.
    pub width: usize,
    /// `L`.
    pub layers: usize,
    /// `H`; `D` is a multiple of it.
    pub heads: usize,
    /// `F`, the width between the feed-forward's maps.
    pub feed_forward: usize,
    /// The rows of the table of positions.
    pub positions: usize,
    /// The row of the first token's position: 0, or in a RoBERTa the row after that of the padding.
    pub first_position: usize,
    /// The rows of the table of segments (token types); 0 without one.
    pub segments: usize,
    /// ε of the norms.
    pub epsilon: f64,
    /// Padding.
    pub pad: u32,
    /// Standard deviation of a new head's weights.
    pub head_deviation: f64,
    /// Whether the masked-word head uses the embedding if the weights have no matrix for it.
    pub tied: bool,
    /// Whether the checkpoint has a map that a classifier reads the first token's state through. `config.json` does
    /// not say: true for the families that have one, until the weights are known.
    pub pooler: bool,
}

/// The file of a BERT, a RoBERTa or an XLM-R. Keys that are absent have Transformers' defaults.
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
    /// Old files do not have the key.
    #[serde(default = "absolute")]
    position_embedding_type: String,
    #[serde(default = "deviation")]
    initializer_range: f64,
    #[serde(default = "yes")]
    tie_word_embeddings: bool,
}

/// A DistilBERT's file.
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

fn epsilon() -> f64 {
    1e-12
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
    /// What errors say was wanted.
    pub(super) const WANTED: &str = "the config.json of a BERT (model_type bert), RoBERTa (roberta, xlm-roberta) or \
         DistilBERT (distilbert), with exact gelu and absolute positions";

    /// Whether a `model_type` is one of these.
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

    /// Parses and checks the text of a `config.json`; errors call it `name`.
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
            positions: file.max_position_embeddings,
            first_position: match shape {
                Shape::Bert => 0,
                _ => pad as usize + 1,
            },
            segments: file.type_vocab_size,
            epsilon: file.layer_norm_eps,
            pad,
            head_deviation: file.initializer_range,
            tied: file.tie_word_embeddings,
            pooler: shape == Shape::Bert,
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
            positions: file.max_position_embeddings,
            first_position: 0,
            segments: 0,
            epsilon: epsilon(),
            pad: file.pad_token_id.unwrap_or(0),
            head_deviation: file.initializer_range,
            tied: file.tie_word_embeddings,
            pooler: false,
        })
    }

    /// Rejects impossible sizes.
    fn checked(self) -> Result<Self, String> {
        for (name, value) in [
            ("vocabulary", self.vocabulary),
            ("width", self.width),
            ("layers", self.layers),
            ("heads", self.heads),
            ("feed-forward width", self.feed_forward),
        ] {
            if value == 0 {
                return Err(format!("0 for its {name}"));
            }
        }
        if !self.width.is_multiple_of(self.heads) {
            return Err(format!("width {} with {} heads", self.width, self.heads));
        }
        if self.positions <= self.first_position {
            return Err(format!(
                "max_position_embeddings {}, of which texts begin at {}",
                self.positions, self.first_position
            ));
        }
        Ok(self)
    }

    /// What messages call it.
    pub(crate) fn title(&self) -> &'static str {
        match self.shape {
            Shape::Bert => "BERT",
            Shape::Roberta => "RoBERTa",
            Shape::DistilBert => "DistilBERT",
        }
    }

    /// The most tokens of an input.
    pub fn longest(&self) -> usize {
        self.positions - self.first_position
    }

    /// `K`, the width of one head.
    pub fn head_width(&self) -> usize {
        self.width / self.heads
    }

    /// Every linear map of one block with its `[in, out]`.
    fn block_maps(&self) -> [(Map, [usize; 2]); 6] {
        let (d, ff) = (self.width, self.feed_forward);
        [
            (Map::Q, [d, d]),
            (Map::K, [d, d]),
            (Map::V, [d, d]),
            (Map::O, [d, d]),
            (Map::Wi1, [d, ff]),
            (Map::Wo, [ff, d]),
        ]
    }

    /// Every linear map of the blocks with its `[in, out]`, in the order of [`Bert::maps_mut`](super::Bert::maps_mut).
    pub fn maps(&self) -> Vec<(Map, [usize; 2])> {
        self.block_maps().repeat(self.layers)
    }

    /// Every sub-layer of the blocks, in the order of [`Bert::adapters_mut`](super::Bert::adapters_mut).
    pub fn sub_layers(&self) -> Vec<SubLayer> {
        [SubLayer::SelfAttention, SubLayer::FeedForward].repeat(self.layers)
    }

    /// The number of all parameters in closed form, without heads.
    pub fn parameters(&self) -> usize {
        let d = self.width;
        let rows = self.vocabulary + self.positions + self.segments;
        rows * d + 2 * d + self.layers * self.block_parameters() + self.pooler_parameters()
    }

    fn pooler_parameters(&self) -> usize {
        match self.pooler {
            true => self.width * self.width + self.width,
            false => 0,
        }
    }

    /// The parameters of one block.
    pub(crate) fn block_parameters(&self) -> usize {
        let maps = self.block_maps();
        let maps = maps
            .iter()
            .map(|(_, [input, output])| input * output + output);
        maps.sum::<usize>() + 4 * self.width
    }

    /// The size of all biases of linear maps and norms, the pooler's included.
    pub(crate) fn biases(&self) -> usize {
        let maps: usize = self
            .block_maps()
            .iter()
            .map(|(_, [_, output])| output)
            .sum();
        let pooler = if self.pooler { self.width } else { 0 };
        self.layers * (maps + 2 * self.width) + self.width + pooler
    }

    /// The parameters of a map that a new classifier has before its last one, as a RoBERTa's and a DistilBERT's do in
    /// Transformers; 0 for the others.
    pub(crate) fn classifier_parameters(&self) -> usize {
        match self.shape {
            Shape::Bert => 0,
            Shape::Roberta | Shape::DistilBert => self.width * self.width + self.width,
        }
    }
}

fn exact_gelu(key: &str, found: &str) -> Result<(), String> {
    match found {
        "gelu" => Ok(()),
        found => Err(format!("{key} '{found}'")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(json: &Value) -> Result<BertConfig, CheckpointError> {
        BertConfig::parse(json.to_string().as_bytes(), "config.json")
    }

    fn minilm() -> Value {
        json!({
            "model_type": "bert", "vocab_size": 30522, "hidden_size": 384,
            "num_hidden_layers": 6, "num_attention_heads": 12, "intermediate_size": 1536,
            "hidden_act": "gelu", "max_position_embeddings": 512, "type_vocab_size": 2,
            "layer_norm_eps": 1e-12, "pad_token_id": 0,
        })
    }

    /// roberta-base, and XLM-R by another name and with another vocabulary.
    fn roberta() -> Value {
        json!({
            "model_type": "roberta", "vocab_size": 50265, "hidden_size": 768,
            "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072,
            "hidden_act": "gelu", "max_position_embeddings": 514, "type_vocab_size": 1,
            "layer_norm_eps": 1e-5, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2,
        })
    }

    fn distilbert() -> Value {
        json!({
            "model_type": "distilbert", "vocab_size": 30522, "dim": 768, "n_layers": 6, "n_heads": 12,
            "hidden_dim": 3072, "activation": "gelu", "max_position_embeddings": 512,
            "sinusoidal_pos_embds": false, "tie_weights_": true, "pad_token_id": 0,
        })
    }

    /// The counts of Transformers' bare models; RoBERTa's without its pooler, which no head of it reads.
    #[test]
    fn published_models_have_their_sizes() {
        let config = parse(&minilm()).expect("MiniLM");
        assert_eq!((config.parameters(), config.head_width()), (22_713_216, 32));
        let config = parse(&roberta()).expect("roberta-base");
        assert_eq!((config.parameters(), config.longest()), (124_055_040, 512));
        let mut xlm_r = roberta();
        xlm_r["model_type"] = json!("xlm-roberta");
        xlm_r["vocab_size"] = json!(250_002);
        let config = parse(&xlm_r).expect("xlm-roberta-base");
        assert_eq!((config.parameters(), config.longest()), (277_453_056, 512));
        let config = parse(&distilbert()).expect("distilbert-base-uncased");
        assert_eq!((config.parameters(), config.longest()), (66_362_880, 512));
    }

    #[test]
    fn unsupported_settings_are_refused_by_name() {
        for (file, key, value, part) in [
            (
                minilm(),
                "model_type",
                json!("albert"),
                "model_type 'albert'",
            ),
            (minilm(), "hidden_act", json!("relu"), "hidden_act 'relu'"),
            (
                minilm(),
                "hidden_act",
                json!("gelu_new"),
                "hidden_act 'gelu_new'",
            ),
            (
                minilm(),
                "position_embedding_type",
                json!("relative_key"),
                "position_embedding_type 'relative_key'",
            ),
            (minilm(), "is_decoder", json!(true), "is_decoder true"),
            (minilm(), "type_vocab_size", json!(1), "type_vocab_size 1"),
            (
                minilm(),
                "num_attention_heads",
                json!(7),
                "384 with 7 heads",
            ),
            (minilm(), "hidden_size", json!(0), "0 for its width"),
            (roberta(), "type_vocab_size", json!(0), "type_vocab_size 0"),
            (
                roberta(),
                "max_position_embeddings",
                json!(2),
                "texts begin at 2",
            ),
            (roberta(), "is_decoder", json!(true), "is_decoder true"),
            (
                distilbert(),
                "activation",
                json!("relu"),
                "activation 'relu'",
            ),
            (distilbert(), "n_heads", json!(5), "768 with 5 heads"),
            (
                distilbert(),
                "max_position_embeddings",
                json!(0),
                "max_position_embeddings 0",
            ),
        ] {
            let mut json = file;
            json[key] = value;
            let found = parse(&json).expect_err("must be refused").to_string();
            assert!(found.contains(part), "{found}");
        }
    }
}
