//! The sizes of a decoder-only network and the parameter counts that follow from them.

use crate::checkpoint::Weights;
use crate::layers::Map;
use crate::layers::rotary::Scaling;

/// The family whose layout and names a checkpoint has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `model_type` llama, mistral, qwen2, qwen3 or smollm3.
    Llama,
    /// `model_type` gemma2 or gemma3_text: norms that multiply by `1 + gain`, also after each sub-layer; scaled
    /// embeddings of tokens; GeGLU.
    Gemma,
    /// `model_type` gpt2.
    Gpt2,
}

/// The kind of position encoding.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Positions {
    /// Rotary embeddings of queries and keys.
    Rotary {
        /// The base of the wavelengths.
        theta: f64,
        /// The scaling for longer inputs.
        scaling: Scaling,
    },
    /// Learned embeddings of this many positions.
    Learned(usize),
}

/// What a layer attends to, and whether it sees positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerKind {
    /// All tokens up to the query.
    Global,
    /// The last [`Local::window`] tokens, with the rotary positions of [`Local`].
    Local,
    /// All tokens up to the query, without rotary positions.
    Unrotated,
}

/// The layers with a sliding window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Local {
    /// The number of tokens that a query sees, its own included. It also sees the keys of a prefix, which have no
    /// position.
    pub window: usize,
    /// The base of the wavelengths of their rotary positions.
    pub theta: f64,
    /// The scaling for longer inputs.
    pub scaling: Scaling,
}

/// Bounds `c` of soft-capping, which replaces `x` by `c tanh(x / c)` (Gemma Team 2024, arXiv 2408.00118).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Caps {
    /// Of attention's scores.
    pub scores: Option<f64>,
    /// Of the logits.
    pub logits: Option<f64>,
}

impl Caps {
    /// No soft-capping.
    pub const NONE: Caps = Caps {
        scores: None,
        logits: None,
    };
}

/// The most that any size may be.
const MOST: usize = 1 << 24;

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
    /// Key-value heads, each shared by `H / key_heads` query heads.
    pub key_heads: usize,
    /// `K`; must be even for rotary positions.
    pub head_width: usize,
    /// `F`.
    pub feed_forward: usize,
    /// ε of the norms.
    pub epsilon: f64,
    /// Whether the output head is the embedding.
    pub tied: bool,
    /// Whether the linear layers for queries, keys and values have biases, as in Qwen2; in a GPT-2, all
    /// linear layers have them.
    pub qkv_bias: bool,
    /// Whether each head's queries and keys are normalised before the rotation, as in Qwen3.
    pub qk_norm: bool,
    /// How positions are encoded.
    pub positions: Positions,
    /// The kind of each layer, `[L]`.
    pub kinds: Vec<LayerKind>,
    /// The local layers, if there are any.
    pub local: Option<Local>,
    /// The square of what scores are divided by: `K`, except in Gemma.
    pub query_scalar: f64,
    /// Soft-capping.
    pub caps: Caps,
    /// The maximum sequence length in training.
    pub longest: usize,
}

/// The name of the output head.
pub(super) const HEAD: &str = "lm_head.weight";

impl DecoderConfig {
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
            if value == 0 || value > MOST {
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
            let local = self.local.map(|local| local.theta);
            for theta in [Some(theta), local].into_iter().flatten() {
                if !(theta.is_finite() && theta > 1.0) {
                    return Err(format!("rope_theta {theta}"));
                }
            }
        }
        if self.kinds.len() != self.layers {
            let kinds = self.kinds.len();
            return Err(format!("kinds of {kinds} layers for {}", self.layers));
        }
        match self.local {
            None if self.kinds.contains(&LayerKind::Local) => {
                return Err("layers with a sliding window of no size".to_string());
            }
            Some(Local { window: 0, .. }) => return Err("a sliding window of 0".to_string()),
            _ => {}
        }
        for (name, value) in [
            ("the scale of queries", Some(self.query_scalar)),
            ("soft-capping of scores", self.caps.scores),
            ("soft-capping of logits", self.caps.logits),
        ] {
            if let Some(value) = value.filter(|value| !(value.is_finite() && *value > 0.0)) {
                return Err(format!("{value} for {name}"));
            }
        }
        Ok(self)
    }

    /// As many kinds as there are layers, by index; fewer for an impossible number of layers, which
    /// [`checked`](Self::checked) rejects.
    pub(crate) fn kinds_of(layers: usize, kind: impl Fn(usize) -> LayerKind) -> Vec<LayerKind> {
        (0..layers.min(MOST)).map(kind).collect()
    }

    /// What the embeddings of tokens are multiplied by.
    pub(super) fn embedding_scale(&self) -> Option<f64> {
        match self.shape {
            Shape::Gemma => Some((self.width as f64).sqrt()),
            Shape::Llama | Shape::Gpt2 => None,
        }
    }

    /// The number of norms of a block's states.
    fn block_norms(&self) -> usize {
        match self.shape {
            Shape::Gemma => 4,
            Shape::Llama | Shape::Gpt2 => 2,
        }
    }

    /// The configuration for a checkpoint with these weights, under Hugging Face's names. A head that differs
    /// from the embedding is used regardless of `tie_word_embeddings`, as in Transformers 5 (4.x ignores it).
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

    /// Whether a linear layer of the blocks has a bias.
    pub(super) fn has_bias(&self, map: Map) -> bool {
        match self.shape {
            Shape::Llama | Shape::Gemma => self.qkv_bias && matches!(map, Map::Q | Map::K | Map::V),
            Shape::Gpt2 => true,
        }
    }

    /// The total size of the biases of one block's linear layers.
    fn map_biases(&self) -> usize {
        let maps = self.block_maps().into_iter();
        maps.filter(|(map, _)| self.has_bias(*map))
            .map(|(_, [_, out])| out)
            .sum()
    }

    /// The total size of the biases of linear layers and norms; `None` if there are none.
    pub fn biases(&self) -> Option<usize> {
        let norms = match self.shape {
            Shape::Llama | Shape::Gemma => 0,
            Shape::Gpt2 => (2 * self.layers + 1) * self.width,
        };
        let all = self.layers * self.map_biases() + norms;
        (all > 0).then_some(all)
    }

    /// The total size of all norms' gains.
    pub fn norm_gains(&self) -> usize {
        (self.block_norms() * self.layers + 1) * self.width
            + self.layers * self.qk_norm_parameters()
    }

    /// The number of parameters of one block's query and key norms, which all heads share.
    fn qk_norm_parameters(&self) -> usize {
        match self.qk_norm {
            true => 2 * self.head_width,
            false => 0,
        }
    }

    /// The number of parameters of the final norm.
    pub fn norm_parameters(&self) -> usize {
        match self.shape {
            Shape::Llama | Shape::Gemma => self.width,
            Shape::Gpt2 => 2 * self.width,
        }
    }

    /// The number of parameters of one block.
    pub fn block_parameters(&self) -> usize {
        let maps = self.block_maps();
        let weights: usize = maps.iter().map(|(_, [input, output])| input * output).sum();
        weights
            + self.map_biases()
            + self.block_norms() * self.norm_parameters()
            + self.qk_norm_parameters()
    }

    /// The total number of parameters in closed form.
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

    /// The number of weights that an input token and an output token are multiplied by; the head applies only
    /// to output.
    pub fn weights_per_token(&self) -> [usize; 2] {
        let block: usize = (self.block_maps().iter())
            .map(|(_, [input, output])| input * output)
            .sum();
        let blocks = self.layers * block;
        [blocks, blocks + self.vocabulary * self.width]
    }
}
