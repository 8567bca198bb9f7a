//! A network's properties that are known without its weights: sizes, hooks, parameter counts in closed form.

use std::fmt;
use std::path::Path;

use serde_json::Value;

use crate::bert::BertConfig;
use crate::checkpoint::CheckpointError;
use crate::decoder_only::{DecoderConfig, Positions};
use crate::layers::{HeadForm, Map, SubLayer};
use crate::t5::T5Config;

/// The kind of a network, which determines how tuning methods apply to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An encoder-decoder.
    T5,
    /// A decoder-only network: a Llama or a GPT-2.
    DecoderOnly,
    /// An encoder with an output head.
    Bert,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 3] = [Kind::T5, Kind::DecoderOnly, Kind::Bert];

    /// The name in files.
    pub fn name(self) -> &'static str {
        match self {
            Kind::T5 => "t5",
            Kind::DecoderOnly => "decoder-only",
            Kind::Bert => "bert",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::T5 => "a T5",
            Kind::DecoderOnly => "a decoder-only model",
            Kind::Bert => "a BERT",
        })
    }
}

/// The configuration of a network.
#[derive(Debug, Clone, PartialEq)]
pub enum Config {
    /// T5 v1.0 or v1.1.
    T5(T5Config),
    /// A Llama or a GPT-2.
    DecoderOnly(DecoderConfig),
    /// A BERT or a related encoder.
    Bert(BertConfig),
}

/// The number of attention layers of each kind (at most one per block), and the width of their keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attentions {
    /// Encoder self-attention.
    pub encoder: usize,
    /// Decoder self-attention, or that of the only stack.
    pub decoder: usize,
    /// Cross-attention.
    pub cross: usize,
    /// Width of keys and values: `H·K`, or less if heads share them.
    pub width: usize,
}

/// The stack of blocks before the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stack {
    /// Its path in [`Tuned`](crate::tuning::Tuned), which contains `.blocks` and `.norm`.
    pub path: &'static str,
    /// The number of blocks.
    pub blocks: usize,
    /// The number of parameters of each block.
    pub block_parameters: usize,
    /// The number of parameters that the first block lacks.
    pub first_block_lacks: usize,
    /// The number of parameters of the final norm.
    pub norm_parameters: usize,
}

/// The supported kinds of config.json.
const WANTED: &str = "the config.json of a T5 (model_type t5; feed_forward_proj relu, as in v1.0, or gated-gelu, as in v1.1), a Llama (llama), Mistral (mistral), Qwen (qwen2, qwen3), SmolLM3 (smollm3), Gemma (gemma2, gemma3_text), GPT-2 (gpt2), BERT (bert), RoBERTa (roberta, xlm-roberta), DistilBERT (distilbert) or ModernBERT (modernbert)";

impl Config {
    /// Reads and checks `config.json`.
    ///
    /// # Errors
    /// The file can't be read, or is not a supported configuration.
    pub fn read(path: &Path) -> Result<Self, CheckpointError> {
        let bytes = std::fs::read(path).map_err(|source| CheckpointError::Io {
            path: path.display().to_string(),
            source,
        })?;
        Self::parse(&bytes, &path.display().to_string())
    }

    /// Parses and checks the text of a `config.json`, whose `model_type` determines its kind; errors refer to
    /// it as `name`.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn parse(bytes: &[u8], name: &str) -> Result<Self, CheckpointError> {
        let json: Value = serde_json::from_slice(bytes).unwrap_or(Value::Null);
        match json.get("model_type").and_then(Value::as_str) {
            Some(kind) if DecoderConfig::knows(kind) => {
                Ok(Config::DecoderOnly(DecoderConfig::of_json(json, name)?))
            }
            Some(kind) if BertConfig::knows(kind) => {
                Ok(Config::Bert(BertConfig::parse(bytes, name)?))
            }
            Some("t5") => Ok(Config::T5(T5Config::parse(bytes, name)?)),
            Some(other) => Err(CheckpointError::Config {
                path: name.to_string(),
                wanted: WANTED,
                found: format!("model_type '{other}'"),
            }),
            // The T5 parser reports the error.
            None => Ok(Config::T5(T5Config::parse(bytes, name)?)),
        }
    }

    /// The kind of the network.
    pub fn kind(&self) -> Kind {
        match self {
            Config::T5(_) => Kind::T5,
            Config::DecoderOnly(_) => Kind::DecoderOnly,
            Config::Bert(_) => Kind::Bert,
        }
    }

    /// `V`, the number of rows of the embedding.
    pub fn vocabulary(&self) -> usize {
        match self {
            Config::T5(t5) => t5.vocab_size,
            Config::DecoderOnly(decoder) => decoder.vocabulary,
            Config::Bert(bert) => bert.vocabulary,
        }
    }

    /// `D`.
    pub fn width(&self) -> usize {
        match self {
            Config::T5(t5) => t5.d_model,
            Config::DecoderOnly(decoder) => decoder.width,
            Config::Bert(bert) => bert.width,
        }
    }

    /// The total number of parameters.
    pub fn parameters(&self) -> usize {
        match self {
            Config::T5(t5) => t5.parameters(),
            Config::DecoderOnly(decoder) => decoder.parameters(),
            Config::Bert(bert) => bert.parameters(),
        }
    }

    /// The number of parameters of a head of this form, including the linear layer before a new classifier's
    /// output layer, if there is one.
    pub fn head_parameters(&self, form: HeadForm) -> usize {
        let dense = match (self, form) {
            (Config::Bert(bert), HeadForm::Classes(_)) => bert.classifier_parameters(),
            _ => 0,
        };
        dense + form.parameters(self.width())
    }

    /// Every linear layer of the blocks with its shape `[in, out]`.
    pub fn maps(&self) -> Vec<(Map, [usize; 2])> {
        match self {
            Config::T5(t5) => t5.maps(),
            Config::DecoderOnly(decoder) => decoder.maps(),
            Config::Bert(bert) => bert.maps(),
        }
    }

    /// The names of these layers in Transformers' network; a module that combines several layers is listed
    /// for each.
    pub fn map_names(&self) -> Vec<String> {
        match self {
            Config::T5(t5) => t5.map_names(),
            Config::DecoderOnly(decoder) => decoder.map_names(),
            Config::Bert(bert) => bert.map_names(),
        }
    }

    /// Every sub-layer of the blocks.
    pub fn sub_layers(&self) -> Vec<SubLayer> {
        match self {
            Config::T5(t5) => t5.sub_layers(),
            Config::DecoderOnly(decoder) => decoder.sub_layers(),
            Config::Bert(bert) => bert.sub_layers(),
        }
    }

    /// The attention layers.
    pub fn attentions(&self) -> Attentions {
        match self {
            Config::T5(t5) => Attentions {
                encoder: t5.num_layers,
                decoder: t5.decoder_layers(),
                cross: t5.decoder_layers(),
                width: t5.inner(),
            },
            Config::DecoderOnly(decoder) => Attentions {
                encoder: 0,
                decoder: decoder.layers,
                cross: 0,
                width: decoder.key_width(),
            },
            Config::Bert(bert) => Attentions {
                encoder: bert.layers,
                decoder: 0,
                cross: 0,
                width: bert.width,
            },
        }
    }

    /// The total size of all norms' gains.
    pub fn norm_gains(&self) -> usize {
        match self {
            Config::T5(t5) => (2 * t5.num_layers + 3 * t5.decoder_layers() + 2) * self.width(),
            Config::DecoderOnly(decoder) => decoder.norm_gains(),
            Config::Bert(bert) => bert.norm_gains(),
        }
    }

    /// The total size of all biases of linear layers and norms; `None` if there are none, as in T5.
    pub fn biases(&self) -> Option<usize> {
        match self {
            Config::T5(_) => None,
            Config::DecoderOnly(decoder) => decoder.biases(),
            Config::Bert(bert) => bert.biases(),
        }
    }

    /// The embedding's name in [`Network::weights`](super::Network::weights).
    pub fn embedding_name(&self) -> &'static str {
        match self {
            Config::T5(_) => "shared.weight",
            Config::DecoderOnly(decoder) => decoder.embedding_name(),
            Config::Bert(bert) => bert.shape.embedding_name(),
        }
    }

    /// Whether the output head is the embedding.
    pub fn is_tied(&self) -> bool {
        match self {
            Config::T5(t5) => t5.tie_word_embeddings,
            Config::DecoderOnly(decoder) => decoder.tied,
            Config::Bert(_) => false,
        }
    }

    /// The stack of blocks before the head.
    pub fn last_stack(&self) -> Stack {
        match self {
            Config::T5(t5) => Stack {
                path: "backbone.decoder",
                blocks: t5.decoder_layers(),
                block_parameters: t5.decoder_block_parameters(),
                first_block_lacks: 0,
                norm_parameters: t5.d_model,
            },
            Config::DecoderOnly(decoder) => Stack {
                path: "backbone",
                blocks: decoder.layers,
                block_parameters: decoder.block_parameters(),
                first_block_lacks: 0,
                norm_parameters: decoder.norm_parameters(),
            },
            // The blocks contain the norms, except a ModernBERT's final norm.
            Config::Bert(bert) => Stack {
                path: "backbone",
                blocks: bert.layers,
                block_parameters: bert.block_parameters(),
                first_block_lacks: bert.first_block_lacks(),
                norm_parameters: bert.norm_parameters(),
            },
        }
    }

    /// The number of weights that an input token and an output token are multiplied by: half of the
    /// operations of a forward pass, without the products inside attention.
    pub fn weights_per_token(&self) -> [usize; 2] {
        match self {
            Config::T5(t5) => t5.weights_per_token(),
            Config::DecoderOnly(decoder) => decoder.weights_per_token(),
            Config::Bert(bert) => [bert.layers * bert.block_parameters(), 0],
        }
    }

    /// The limit on positions and what counts towards it; `None` for relative positions (T5) and rotary ones,
    /// which are unlimited.
    pub fn positions(&self) -> Option<PositionsEnd> {
        match self {
            Config::T5(_) => None,
            Config::DecoderOnly(decoder) => match decoder.positions {
                Positions::Learned(count) => Some(PositionsEnd::OfAll(count)),
                Positions::Rotary { .. } => None,
            },
            Config::Bert(bert) => bert.longest().map(PositionsEnd::OfInput),
        }
    }

    /// The configuration of a T5, if it is one.
    pub fn t5(&self) -> Option<&T5Config> {
        match self {
            Config::T5(t5) => Some(t5),
            Config::DecoderOnly(_) => None,
            Config::Bert(_) => None,
        }
    }

    /// Whether the network generates answers token by token. A network that does not gets a head, initialised
    /// from N(0, deviation²).
    pub fn writes(&self) -> Writes {
        match self {
            Config::T5(_) | Config::DecoderOnly(_) => Writes::Tokens,
            Config::Bert(bert) => Writes::Nothing {
                head_deviation: bert.head_deviation,
            },
        }
    }
}

/// A limit on positions: see [`Config::positions`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PositionsEnd {
    /// Counts the tokens of an input; a prompt's vectors have no positions.
    OfInput(usize),
    /// Counts a prompt's vectors, an input and its output together.
    OfAll(usize),
}

impl PositionsEnd {
    /// The limit.
    pub fn count(self) -> usize {
        match self {
            PositionsEnd::OfInput(count) | PositionsEnd::OfAll(count) => count,
        }
    }
}

/// See [`Config::writes`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Writes {
    /// Tokens of its vocabulary.
    Tokens,
    /// Nothing: it needs a head.
    Nothing {
        /// The standard deviation of the head's initial weights.
        head_deviation: f64,
    },
}

impl From<T5Config> for Config {
    fn from(t5: T5Config) -> Self {
        Config::T5(t5)
    }
}

impl From<DecoderConfig> for Config {
    fn from(decoder: DecoderConfig) -> Self {
        Config::DecoderOnly(decoder)
    }
}

impl From<BertConfig> for Config {
    fn from(bert: BertConfig) -> Self {
        Config::Bert(bert)
    }
}
