//! The sizes of an encoder and the parameter counts that follow from them.

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

/// How positions are encoded.
#[derive(Debug, Clone, PartialEq)]
pub enum Positions {
    /// As a learned embedding.
    Learned {
        /// The number of rows of the table.
        rows: usize,
        /// The row of the first token: 0, or in a RoBERTa the row after the padding's.
        first: usize,
    },
    /// As rotary embeddings of queries and keys. Some blocks have global attention, the others a local
    /// window.
    Rotary {
        /// The base of the wavelengths in blocks with global attention.
        global_theta: f64,
        /// The base in blocks with local attention.
        local_theta: f64,
        /// How many tokens to either side local attention covers.
        radius: usize,
        /// Which blocks have global attention.
        global: Global,
    },
}

/// Which blocks have global attention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Global {
    /// Every n-th block, starting with the first.
    EveryNth(usize),
    /// The blocks whose entry is true.
    Listed(Vec<bool>),
}

/// What a classifier reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// The first token's state.
    First,
    /// The mean of all states, including a soft prompt's.
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
    /// `F`, the inner width of the feed-forward layers.
    pub feed_forward: usize,
    /// How positions are encoded.
    pub positions: Positions,
    /// The number of rows of the segment (token type) table; 0 without one.
    pub segments: usize,
    /// ε of the norms.
    pub epsilon: f64,
    /// The id of the padding token.
    pub pad: u32,
    /// Standard deviation of a new head's weights.
    pub head_deviation: f64,
    /// Whether the masked-word head uses the embedding if the weights have no matrix of its own.
    pub tied: bool,
    /// Whether the checkpoint has a pooler before a classifier. `config.json` does not say: true for the
    /// families that have one, until the weights are known.
    pub pooler: bool,
    /// What a classifier reads.
    pub pooling: Pooling,
}

impl BertConfig {
    /// Rejects impossible sizes.
    pub(super) fn checked(self) -> Result<Self, String> {
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
                "max_position_embeddings {rows}, but texts begin at {first}"
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
    /// Its name in messages.
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

    /// Whether a block has local attention.
    pub(super) fn is_local(&self, block: usize) -> bool {
        match &self.positions {
            Positions::Learned { .. } => false,
            Positions::Rotary { global, .. } => match global {
                Global::EveryNth(every) => !block.is_multiple_of(*every),
                Global::Listed(listed) => !listed.get(block).copied().unwrap_or(true),
            },
        }
    }

    /// Whether linear layers and norms have biases.
    pub(super) fn has_biases(&self) -> bool {
        self.shape != Shape::ModernBert
    }

    /// `K`, the width of one head.
    pub fn head_width(&self) -> usize {
        self.width / self.heads
    }

    /// Every linear layer of one block with its shape `[in, out]`.
    fn block_maps(&self) -> Vec<(Map, [usize; 2])> {
        let (d, ff) = (self.width, self.feed_forward);
        let gate = (self.shape == Shape::ModernBert).then_some((Map::Wi0, [d, ff]));
        let attention = [Map::Q, Map::K, Map::V, Map::O].map(|map| (map, [d, d]));
        (attention.into_iter().chain(gate))
            .chain([(Map::Wi1, [d, ff]), (Map::Wo, [ff, d])])
            .collect()
    }

    /// Every linear layer of the blocks with its shape `[in, out]`, in the order of
    /// [`Bert::maps_mut`](super::Bert::maps_mut).
    pub fn maps(&self) -> Vec<(Map, [usize; 2])> {
        self.block_maps().repeat(self.layers)
    }

    /// Every sub-layer of the blocks, in the order of [`Bert::adapters_mut`](super::Bert::adapters_mut).
    pub fn sub_layers(&self) -> Vec<SubLayer> {
        [SubLayer::SelfAttention, SubLayer::FeedForward].repeat(self.layers)
    }

    /// The total number of parameters in closed form, without heads.
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

    /// The number of weights in one block's linear layers.
    fn block_weights(&self) -> usize {
        let maps = self.block_maps().into_iter();
        maps.map(|(_, [input, output])| input * output).sum()
    }

    /// The number of biases in one block's linear layers and norms.
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

    /// The number of parameters that the first block lacks: in a ModernBERT it has no norm before its
    /// attention.
    pub(crate) fn first_block_lacks(&self) -> usize {
        match self.shape {
            Shape::Bert | Shape::Roberta | Shape::DistilBert => 0,
            Shape::ModernBert => self.width,
        }
    }

    /// The number of parameters of the norm after the blocks; 0 if there is none.
    pub(crate) fn norm_parameters(&self) -> usize {
        match self.shape {
            Shape::Bert | Shape::Roberta | Shape::DistilBert => 0,
            Shape::ModernBert => self.width,
        }
    }

    /// The total size of all norms' gains.
    pub(crate) fn norm_gains(&self) -> usize {
        let d = self.width;
        let pooler = match self.pooler && self.shape == Shape::ModernBert {
            true => d,
            false => 0,
        };
        d + 2 * self.layers * d + self.norm_parameters() + pooler - self.first_block_lacks()
    }

    /// The total size of all biases of linear layers and norms, the pooler's included; `None` if there are
    /// none.
    pub(crate) fn biases(&self) -> Option<usize> {
        let pooler = if self.pooler { self.width } else { 0 };
        (self.has_biases()).then(|| self.layers * self.block_biases() + self.width + pooler)
    }

    /// The number of parameters of the linear layer that a new classifier has before its output layer, as a
    /// RoBERTa's and a DistilBERT's do in Transformers; 0 for the others.
    pub(crate) fn classifier_parameters(&self) -> usize {
        match self.shape {
            Shape::Bert | Shape::ModernBert => 0,
            Shape::Roberta | Shape::DistilBert => self.width * self.width + self.width,
        }
    }
}
/// Whether this is a valid base of the wavelengths.
fn is_base(theta: f64) -> bool {
    theta.is_finite() && theta > 1.0
}
