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
    /// `model_type` modernbert.
    ModernBert,
}

/// How positions are told apart.
#[derive(Debug, Clone, PartialEq)]
pub enum Positions {
    /// By a learned embedding.
    Learned {
        /// The rows of the table.
        rows: usize,
        /// The row of the first token: 0, or in a RoBERTa the row after that of the padding.
        first: usize,
    },
    /// Queries and keys are turned. Some blocks look at everything, others at a window.
    Rotary {
        /// The base of the wavelengths in blocks that look at everything.
        global_theta: f64,
        /// The base in the others.
        local_theta: f64,
        /// How many tokens to either side the others look at.
        radius: usize,
        /// Which blocks look at everything.
        global: Global,
    },
}

/// Which blocks look at everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Global {
    /// The first and every so many after it.
    EveryNth(usize),
    /// Those whose entry is true.
    Listed(Vec<bool>),
}

/// What a classifier reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// The first token's state.
    First,
    /// The mean of all states, a prompt's included.
    Mean,
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
    /// How positions are told apart.
    pub positions: Positions,
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
    /// Whether the checkpoint has a map that a classifier reads states through. `config.json` does not say: true for
    /// the families that have one, until the weights are known.
    pub pooler: bool,
    /// What a classifier reads.
    pub pooling: Pooling,
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

/// A ModernBERT's file.
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
    /// Newer files list the blocks instead.
    layer_types: Option<Vec<String>>,
    global_rope_theta: Option<f64>,
    #[serde(default, deserialize_with = "present")]
    local_rope_theta: Option<Option<f64>>,
    /// Newer files have both bases in here.
    rope_parameters: Option<Value>,
    #[serde(default = "yes")]
    tie_word_embeddings: bool,
}

/// A key that may be null, told from an absent one.
fn present<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<Option<f64>>, D::Error> {
    Option::deserialize(value).map(Some)
}

/// The kinds of blocks in `layer_types` and `rope_parameters`.
const GLOBAL: &str = "full_attention";
const LOCAL: &str = "sliding_attention";

impl ModernBertFile {
    /// The base of rotary positions in one kind of block. Transformers 4.x has it in a key of its own, 5.x in
    /// `rope_parameters`; a file with both must agree, since each version reads its own.
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
            // In 4.x null stands for the other base.
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
    /// What errors say was wanted.
    pub(super) const WANTED: &str = "the config.json of a BERT (model_type bert), RoBERTa (roberta, xlm-roberta), \
         DistilBERT (distilbert) or ModernBERT (modernbert), with exact gelu and absolute or rotary positions";

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
            // Transformers' start of a ModernBERT's classifier, without its cut at two or three deviations.
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
        match &self.positions {
            Positions::Learned { rows, first } if rows <= first => Err(format!(
                "max_position_embeddings {rows}, of which texts begin at {first}"
            )),
            Positions::Rotary { .. } if !self.head_width().is_multiple_of(2) => {
                Err(format!("rotary heads of width {}", self.head_width()))
            }
            Positions::Rotary {
                global_theta,
                local_theta,
                global,
                ..
            } => match [*global_theta, *local_theta]
                .into_iter()
                .find(|theta| !is_base(*theta))
            {
                Some(theta) => Err(format!("a base of {theta} for rotary positions")),
                None if *global == Global::EveryNth(0) => {
                    Err("global_attn_every_n_layers 0".to_string())
                }
                None => Ok(self),
            },
            Positions::Learned { .. } => Ok(self),
        }
    }

    /// What messages call it.
    pub(crate) fn title(&self) -> &'static str {
        match self.shape {
            Shape::Bert => "BERT",
            Shape::Roberta => "RoBERTa",
            Shape::DistilBert => "DistilBERT",
            Shape::ModernBert => "ModernBERT",
        }
    }

    /// The most tokens of an input; `None` if there is no limit, as for rotary positions.
    pub fn longest(&self) -> Option<usize> {
        match self.positions {
            Positions::Learned { rows, first } => Some(rows - first),
            Positions::Rotary { .. } => None,
        }
    }

    /// Whether a block looks only at the tokens near by.
    pub(super) fn is_local(&self, block: usize) -> bool {
        match &self.positions {
            Positions::Learned { .. } => false,
            Positions::Rotary { global, .. } => match global {
                Global::EveryNth(every) => !block.is_multiple_of(*every),
                Global::Listed(listed) => !listed.get(block).copied().unwrap_or(true),
            },
        }
    }

    /// Whether maps and norms have biases.
    pub(super) fn has_biases(&self) -> bool {
        self.shape != Shape::ModernBert
    }

    /// `K`, the width of one head.
    pub fn head_width(&self) -> usize {
        self.width / self.heads
    }

    /// Every linear map of one block with its `[in, out]`.
    fn block_maps(&self) -> Vec<(Map, [usize; 2])> {
        let (d, ff) = (self.width, self.feed_forward);
        let gate = (self.shape == Shape::ModernBert).then_some((Map::Wi0, [d, ff]));
        let attention = [Map::Q, Map::K, Map::V, Map::O].map(|map| (map, [d, d]));
        (attention.into_iter().chain(gate))
            .chain([(Map::Wi1, [d, ff]), (Map::Wo, [ff, d])])
            .collect()
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
        let positions = match self.positions {
            Positions::Learned { rows, .. } => rows,
            Positions::Rotary { .. } => 0,
        };
        let tables = (self.vocabulary + positions + self.segments) * d;
        let pooler = if self.pooler { d * d } else { 0 };
        let maps = self.layers * self.block_weights() + pooler;
        tables + maps + self.norm_gains() + self.biases().unwrap_or(0)
    }

    /// The weights of one block's linear maps.
    fn block_weights(&self) -> usize {
        let maps = self.block_maps().into_iter();
        maps.map(|(_, [input, output])| input * output).sum()
    }

    /// The biases of one block's linear maps and norms.
    fn block_biases(&self) -> usize {
        let maps = self.block_maps().into_iter();
        match self.has_biases() {
            true => maps.map(|(_, [_, output])| output).sum::<usize>() + 2 * self.width,
            false => 0,
        }
    }

    /// The parameters of one block.
    pub(crate) fn block_parameters(&self) -> usize {
        self.block_weights() + self.block_biases() + 2 * self.width
    }

    /// The parameters that the first block lacks: a ModernBERT's has no norm before its attention.
    pub(crate) fn first_block_lacks(&self) -> usize {
        match self.shape {
            Shape::Bert | Shape::Roberta | Shape::DistilBert => 0,
            Shape::ModernBert => self.width,
        }
    }

    /// The parameters of the norm after the blocks; 0 if there is none.
    pub(crate) fn norm_parameters(&self) -> usize {
        match self.shape {
            Shape::Bert | Shape::Roberta | Shape::DistilBert => 0,
            Shape::ModernBert => self.width,
        }
    }

    /// The size of all norms' gains.
    pub(crate) fn norm_gains(&self) -> usize {
        let d = self.width;
        let pooler = match self.pooler && self.shape == Shape::ModernBert {
            true => d,
            false => 0,
        };
        d + 2 * self.layers * d + self.norm_parameters() + pooler - self.first_block_lacks()
    }

    /// The size of all biases of linear maps and norms, the pooler's included; `None` if there are none.
    pub(crate) fn biases(&self) -> Option<usize> {
        let pooler = if self.pooler { self.width } else { 0 };
        (self.has_biases()).then(|| self.layers * self.block_biases() + self.width + pooler)
    }

    /// The parameters of a map that a new classifier has before its last one, as a RoBERTa's and a DistilBERT's do in
    /// Transformers; 0 for the others.
    pub(crate) fn classifier_parameters(&self) -> usize {
        match self.shape {
            Shape::Bert | Shape::ModernBert => 0,
            Shape::Roberta | Shape::DistilBert => self.width * self.width + self.width,
        }
    }
}

/// Whether wavelengths can have this base.
fn is_base(theta: f64) -> bool {
    theta.is_finite() && theta > 1.0
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

    fn modernbert() -> Value {
        json!({
            "model_type": "modernbert", "vocab_size": 50368, "hidden_size": 768, "num_hidden_layers": 22,
            "num_attention_heads": 12, "intermediate_size": 1152, "hidden_activation": "gelu",
            "global_attn_every_n_layers": 3, "local_attention": 128, "global_rope_theta": 160000.0,
            "local_rope_theta": 10000.0, "norm_eps": 1e-5, "pad_token_id": 50283, "classifier_pooling": "mean",
            "attention_bias": false, "norm_bias": false, "decoder_bias": true,
        })
    }

    /// The counts of Transformers' bare models; RoBERTa's without its pooler, which no head of it reads.
    #[test]
    fn published_models_have_their_sizes() {
        let config = parse(&minilm()).expect("MiniLM");
        assert_eq!((config.parameters(), config.head_width()), (22_713_216, 32));
        let config = parse(&roberta()).expect("roberta-base");
        assert_eq!(
            (config.parameters(), config.longest()),
            (124_055_040, Some(512))
        );
        let mut xlm_r = roberta();
        xlm_r["model_type"] = json!("xlm-roberta");
        xlm_r["vocab_size"] = json!(250_002);
        let config = parse(&xlm_r).expect("xlm-roberta-base");
        assert_eq!(
            (config.parameters(), config.longest()),
            (277_453_056, Some(512))
        );
        let config = parse(&distilbert()).expect("distilbert-base-uncased");
        assert_eq!(
            (config.parameters(), config.longest()),
            (66_362_880, Some(512))
        );
        // ModernBERT-base, with the map and norm that its classifier shares with its masked-word head.
        let config = parse(&modernbert()).expect("ModernBERT-base");
        assert_eq!(
            (config.parameters(), config.longest()),
            (149_014_272 + 590_592, None)
        );
        assert_eq!(config.pooling, Pooling::Mean);
    }

    #[test]
    fn a_modernberts_windows_and_bases_are_read_in_both_ways() {
        let old = parse(&modernbert()).expect("of 4.x").positions;
        let mut new = modernbert();
        let keys = new.as_object_mut().expect("an object");
        for key in [
            "global_attn_every_n_layers",
            "global_rope_theta",
            "local_rope_theta",
        ] {
            keys.remove(key);
        }
        let kinds: Vec<&str> = (0..22)
            .map(|block| if block % 3 == 0 { GLOBAL } else { LOCAL })
            .collect();
        new["layer_types"] = json!(kinds);
        new["rope_parameters"] = json!({
            "full_attention": {"rope_theta": 160000.0, "rope_type": "default"},
            "sliding_attention": {"rope_theta": 10000.0, "rope_type": "default"},
        });
        let blocks = |config: &BertConfig| {
            (0..22)
                .map(|block| config.is_local(block))
                .collect::<Vec<_>>()
        };
        let [of_old, of_new] = [modernbert(), new.clone()].map(|file| parse(&file).expect("both"));
        assert_eq!(blocks(&of_old), blocks(&of_new));
        assert_eq!(of_old.positions, old);
        for config in [&of_old, &of_new] {
            let Positions::Rotary {
                global_theta,
                local_theta,
                radius,
                ..
            } = config.positions
            else {
                panic!("a ModernBERT's are rotary");
            };
            assert_eq!(
                (global_theta, local_theta, radius),
                (160_000.0, 10_000.0, 64)
            );
        }
        let mut null = modernbert();
        null["local_rope_theta"] = json!(null);
        let Positions::Rotary { local_theta, .. } = parse(&null).expect("of 4.x").positions else {
            panic!("a ModernBERT's are rotary");
        };
        assert_eq!(local_theta, 160_000.0);
        for (key, value, part) in [
            (
                "global_rope_theta",
                json!(5.0),
                "a base of 5 for rotary positions with rope_parameters of 160000",
            ),
            (
                "global_attn_every_n_layers",
                json!(2),
                "global_attn_every_n_layers 2 with other layer_types",
            ),
            (
                "layer_types",
                json!(["full_attention"]),
                "1 layer_types of 22 layers",
            ),
            (
                "layer_types",
                json!(vec!["chunked_attention"; 22]),
                "chunked_attention among",
            ),
            (
                "rope_parameters",
                json!({"full_attention": {"rope_theta": 160000.0, "rope_type": "yarn"}}),
                "rope_type \"yarn\"",
            ),
        ] {
            let mut json = new.clone();
            json[key] = value;
            let found = parse(&json).expect_err("must be refused").to_string();
            assert!(found.contains(part), "{found}");
        }
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
            (
                modernbert(),
                "hidden_activation",
                json!("silu"),
                "hidden_activation 'silu'",
            ),
            (
                modernbert(),
                "attention_bias",
                json!(true),
                "attention_bias true",
            ),
            (modernbert(), "norm_bias", json!(true), "norm_bias true"),
            (
                modernbert(),
                "decoder_bias",
                json!(false),
                "decoder_bias false",
            ),
            (
                modernbert(),
                "classifier_pooling",
                json!("max"),
                "classifier_pooling 'max'",
            ),
            (
                modernbert(),
                "global_attn_every_n_layers",
                json!(0),
                "global_attn_every_n_layers 0",
            ),
            (
                modernbert(),
                "local_rope_theta",
                json!(0.5),
                "a base of 0.5",
            ),
            (
                modernbert(),
                "rope_scaling",
                json!({"rope_type": "linear"}),
                "rope_scaling",
            ),
        ] {
            let mut json = file;
            json[key] = value;
            let found = parse(&json).expect_err("must be refused").to_string();
            assert!(found.contains(part), "{found}");
        }
    }
}
