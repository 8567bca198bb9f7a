//! What is known of a network without its weights: sizes, places, parameters in closed form.

use std::path::Path;

use crate::bert::BertConfig;
use crate::checkpoint::CheckpointError;
use crate::parts::{Map, SubLayer};
use crate::t5::T5Config;

/// The configuration of a network.
#[derive(Debug, Clone, PartialEq)]
pub enum Config {
    /// T5 v1.0 or v1.1.
    T5(T5Config),
    /// BERT and what is shaped like it.
    Bert(BertConfig),
}

/// How many attentions of each kind there are, one a block, and the width of their keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attentions {
    /// Of the encoder to itself.
    pub encoder: usize,
    /// Of the decoder, or the only stack, to itself.
    pub decoder: usize,
    /// Of the decoder to the encoder.
    pub cross: usize,
    /// Of keys and values: `H·K`, or less where heads share them.
    pub width: usize,
}

/// The stack of blocks that ends before the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stack {
    /// Its path in [`Tuned`](crate::tuning::Tuned); `.blocks` and `.norm` are within.
    pub path: &'static str,
    /// Its blocks.
    pub blocks: usize,
    /// Parameters of each of them.
    pub block_parameters: usize,
    /// Parameters of the norm behind the last.
    pub norm_parameters: usize,
}

impl Config {
    /// Reads and checks `config.json`.
    ///
    /// # Errors
    /// The file cannot be read, or is not the configuration of a kind that is known here.
    pub fn read(path: &Path) -> Result<Self, CheckpointError> {
        let bytes = std::fs::read(path).map_err(|source| CheckpointError::Io {
            path: path.display().to_string(),
            source,
        })?;
        Self::parse(&bytes, &path.display().to_string())
    }

    /// Parses and checks the text of a `config.json`, of the kind that its `model_type` says; `name`
    /// is what errors call it.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn parse(bytes: &[u8], name: &str) -> Result<Self, CheckpointError> {
        let json: Option<serde_json::Value> = serde_json::from_slice(bytes).ok();
        let kind = json
            .as_ref()
            .and_then(|json| json.get("model_type")?.as_str());
        // What no kind calls its own is refused as no T5.
        Ok(match kind {
            Some("bert" | "distilbert" | "roberta" | "albert" | "electra" | "mpnet") => {
                Config::Bert(BertConfig::parse(bytes, name)?)
            }
            _ => Config::T5(T5Config::parse(bytes, name)?),
        })
    }

    /// What this kind of network is called.
    pub fn kind(&self) -> &'static str {
        match self {
            Config::T5(_) => "a T5",
            Config::Bert(_) => "a BERT",
        }
    }

    /// `V`, the rows of the embedding.
    pub fn vocabulary(&self) -> usize {
        match self {
            Config::T5(t5) => t5.vocab_size,
            Config::Bert(bert) => bert.vocab_size,
        }
    }

    /// `D`.
    pub fn width(&self) -> usize {
        match self {
            Config::T5(t5) => t5.d_model,
            Config::Bert(bert) => bert.hidden_size,
        }
    }

    /// All parameters.
    pub fn parameters(&self) -> usize {
        match self {
            Config::T5(t5) => t5.parameters(),
            Config::Bert(bert) => bert.parameters(),
        }
    }

    /// Every linear map of the blocks with its `[in, out]`.
    pub fn maps(&self) -> Vec<(Map, [usize; 2])> {
        match self {
            Config::T5(t5) => t5.maps(),
            Config::Bert(bert) => bert.maps(),
        }
    }

    /// Every sub-layer of the blocks.
    pub fn sub_layers(&self) -> Vec<SubLayer> {
        match self {
            Config::T5(t5) => t5.sub_layers(),
            Config::Bert(bert) => bert.sub_layers(),
        }
    }

    /// Its attentions.
    pub fn attentions(&self) -> Attentions {
        match self {
            Config::T5(t5) => Attentions {
                encoder: t5.num_layers,
                decoder: t5.decoder_layers(),
                cross: t5.decoder_layers(),
                width: t5.inner(),
            },
            Config::Bert(bert) => Attentions {
                encoder: bert.num_hidden_layers,
                decoder: 0,
                cross: 0,
                width: bert.hidden_size,
            },
        }
    }

    /// Numbers in the gains of all norms.
    pub fn norm_gains(&self) -> usize {
        let norms = match self {
            Config::T5(t5) => 2 * t5.num_layers + 3 * t5.decoder_layers() + 2,
            Config::Bert(bert) => 2 * bert.num_hidden_layers + 1,
        };
        norms * self.width()
    }

    /// Numbers in the biases of all maps and norms; `None` where it has none, as T5.
    pub fn biases(&self) -> Option<usize> {
        match self {
            Config::T5(_) => None,
            Config::Bert(bert) => Some(bert.biases()),
        }
    }

    /// Whether the output head is the embedding.
    pub fn is_tied(&self) -> bool {
        match self {
            Config::T5(t5) => t5.tie_word_embeddings,
            Config::Bert(_) => false,
        }
    }

    /// The stack of blocks that ends before the head.
    pub fn last_stack(&self) -> Stack {
        match self {
            Config::T5(t5) => Stack {
                path: "backbone.decoder",
                blocks: t5.decoder_layers(),
                block_parameters: t5.decoder_block_parameters(),
                norm_parameters: t5.d_model,
            },
            // Its norms are the blocks' own.
            Config::Bert(bert) => Stack {
                path: "backbone",
                blocks: bert.num_hidden_layers,
                block_parameters: bert.block_parameters(),
                norm_parameters: 0,
            },
        }
    }

    /// Weights that an input token and an output token are multiplied by: half of the operations of
    /// a forward pass, attention's own products left out.
    pub fn weights_per_token(&self) -> [usize; 2] {
        match self {
            Config::T5(t5) => t5.weights_per_token(),
            Config::Bert(bert) => [bert.num_hidden_layers * bert.block_parameters(), 0],
        }
    }

    /// The T5's, if it is one.
    pub fn t5(&self) -> Option<&T5Config> {
        match self {
            Config::T5(t5) => Some(t5),
            Config::Bert(_) => None,
        }
    }

    /// The longest input that it can read, where positions end.
    pub fn positions(&self) -> Option<usize> {
        match self {
            Config::T5(_) => None,
            Config::Bert(bert) => Some(bert.max_position_embeddings),
        }
    }

    /// Whether it writes its answers, token by token; a network that doesn't is given a head, which
    /// starts from N(0, deviation²).
    pub fn writes(&self) -> Writes {
        match self {
            Config::T5(_) => Writes::Tokens,
            Config::Bert(bert) => Writes::Nothing {
                head_deviation: bert.initializer_range,
            },
        }
    }
}

/// See [`Config::writes`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Writes {
    /// Tokens of its vocabulary.
    Tokens,
    /// It needs a head.
    Nothing {
        /// The standard deviation that the head's weights start with.
        head_deviation: f64,
    },
}

impl From<T5Config> for Config {
    fn from(t5: T5Config) -> Self {
        Config::T5(t5)
    }
}

impl From<BertConfig> for Config {
    fn from(bert: BertConfig) -> Self {
        Config::Bert(bert)
    }
}
