//! Maps a decoder-only network's parameters to Hugging Face's names, for loading and saving.

use burn::tensor::Device;

use super::blocks::{Activation, Attention, Block, FeedForward};
use super::config::{DecoderConfig, HEAD, LayerKind, Positions, Shape};
use super::model::DecoderOnly;
use super::positions::Rotary;
use crate::checkpoint::{CheckpointError, Entry, Names, Part, Weights, unfilled};
use crate::layers::{Linear, Map, Norm};

/// The parameters of a Llama; Mistral, Qwen and SmolLM3 have the same names, and Qwen3 has two more norms.
#[rustfmt::skip]
const LLAMA: &[Entry] = &[
    ("embedding", "model.embed_tokens", Part::Table),
    ("blocks.*.attention_norm", "model.layers.*.input_layernorm", Part::Norm),
    ("blocks.*.attention.query", "model.layers.*.self_attn.q_proj", Part::Linear),
    ("blocks.*.attention.key", "model.layers.*.self_attn.k_proj", Part::Linear),
    ("blocks.*.attention.value", "model.layers.*.self_attn.v_proj", Part::Linear),
    ("blocks.*.attention.output", "model.layers.*.self_attn.o_proj", Part::Linear),
    ("blocks.*.attention.query_norm", "model.layers.*.self_attn.q_norm", Part::Norm),
    ("blocks.*.attention.key_norm", "model.layers.*.self_attn.k_norm", Part::Norm),
    ("blocks.*.feed_forward_norm", "model.layers.*.post_attention_layernorm", Part::Norm),
    ("blocks.*.feed_forward.gate", "model.layers.*.mlp.gate_proj", Part::Linear),
    ("blocks.*.feed_forward.up", "model.layers.*.mlp.up_proj", Part::Linear),
    ("blocks.*.feed_forward.down", "model.layers.*.mlp.down_proj", Part::Linear),
    ("norm", "model.norm", Part::Norm),
    ("head", "lm_head", Part::Linear),
];

/// The parameters of a Gemma 2 or 3; only 3 has norms of queries and keys.
#[rustfmt::skip]
const GEMMA: &[Entry] = &[
    ("embedding", "model.embed_tokens", Part::Table),
    ("blocks.*.attention_norm", "model.layers.*.input_layernorm", Part::Norm),
    ("blocks.*.attention.query", "model.layers.*.self_attn.q_proj", Part::Linear),
    ("blocks.*.attention.key", "model.layers.*.self_attn.k_proj", Part::Linear),
    ("blocks.*.attention.value", "model.layers.*.self_attn.v_proj", Part::Linear),
    ("blocks.*.attention.output", "model.layers.*.self_attn.o_proj", Part::Linear),
    ("blocks.*.attention.query_norm", "model.layers.*.self_attn.q_norm", Part::Norm),
    ("blocks.*.attention.key_norm", "model.layers.*.self_attn.k_norm", Part::Norm),
    ("blocks.*.attention.post_norm", "model.layers.*.post_attention_layernorm", Part::Norm),
    ("blocks.*.feed_forward_norm", "model.layers.*.pre_feedforward_layernorm", Part::Norm),
    ("blocks.*.feed_forward.gate", "model.layers.*.mlp.gate_proj", Part::Linear),
    ("blocks.*.feed_forward.up", "model.layers.*.mlp.up_proj", Part::Linear),
    ("blocks.*.feed_forward.down", "model.layers.*.mlp.down_proj", Part::Linear),
    ("blocks.*.feed_forward.post_norm", "model.layers.*.post_feedforward_layernorm", Part::Norm),
    ("norm", "model.norm", Part::Norm),
    ("head", "lm_head", Part::Linear),
];

/// The parameters of a GPT-2.
#[rustfmt::skip]
const GPT2: &[Entry] = &[
    ("embedding", "wte", Part::Table),
    ("positions", "wpe", Part::Table),
    ("blocks.*.attention_norm", "h.*.ln_1", Part::Norm),
    ("blocks.*.attention.query", "h.*.attn.c_attn", Part::Conv1dThird(0)),
    ("blocks.*.attention.key", "h.*.attn.c_attn", Part::Conv1dThird(1)),
    ("blocks.*.attention.value", "h.*.attn.c_attn", Part::Conv1dThird(2)),
    ("blocks.*.attention.output", "h.*.attn.c_proj", Part::Conv1d),
    ("blocks.*.feed_forward_norm", "h.*.ln_2", Part::Norm),
    ("blocks.*.feed_forward.up", "h.*.mlp.c_fc", Part::Conv1d),
    ("blocks.*.feed_forward.down", "h.*.mlp.c_proj", Part::Conv1d),
    ("norm", "ln_f", Part::Norm),
    ("head", "lm_head", Part::Linear),
];

/// The names of all parameters.
pub(super) fn names(shape: Shape) -> Names {
    Names::new(match shape {
        Shape::Llama => LLAMA,
        Shape::Gemma => GEMMA,
        Shape::Gpt2 => GPT2,
    })
}

impl DecoderConfig {
    /// The embedding's name.
    pub(crate) fn embedding_name(&self) -> &'static str {
        match self.shape {
            Shape::Llama | Shape::Gemma => "model.embed_tokens.weight",
            Shape::Gpt2 => "wte.weight",
        }
    }

    /// A network of this configuration whose parameters are loaded later.
    fn unfilled(&self, blocks: usize, device: &Device) -> DecoderOnly {
        let (d, inner, keys, ff) = (
            self.width,
            self.inner(),
            self.key_width(),
            self.feed_forward,
        );
        let linear = |map, shape| {
            let linear = Linear::unfilled(shape, device);
            match self.has_bias(map) {
                true => linear.with_unfilled_bias(device),
                false => linear,
            }
        };
        let norm_of = |width| {
            let norm = Norm::unfilled(width, self.epsilon, device);
            match self.shape {
                Shape::Llama => norm,
                Shape::Gemma => norm.by_one_plus_gain(),
                Shape::Gpt2 => norm.with_unfilled_bias(device),
            }
        };
        let norm = || norm_of(d);
        let head_norm = || (self.qk_norm).then(|| norm_of(self.head_width));
        let post_norm = || (self.shape == Shape::Gemma).then(norm);
        let block = |index: usize| Block {
            attention_norm: norm(),
            attention: Attention {
                query: linear(Map::Q, [d, inner]),
                key: linear(Map::K, [d, keys]),
                value: linear(Map::V, [d, keys]),
                output: linear(Map::O, [inner, d]),
                query_norm: head_norm(),
                key_norm: head_norm(),
                post_norm: post_norm(),
                adapter: None,
                heads: self.heads,
                kind: (self.kinds.get(index).copied()).unwrap_or(LayerKind::Global),
                scale: self.query_scalar.powf(-0.5),
                cap: self.caps.scores,
            },
            feed_forward_norm: norm(),
            feed_forward: FeedForward {
                gate: match self.shape {
                    Shape::Llama | Shape::Gemma => Some(linear(Map::Wi0, [d, ff])),
                    Shape::Gpt2 => None,
                },
                up: linear(Map::Wi1, [d, ff]),
                down: linear(Map::Wo, [ff, d]),
                post_norm: post_norm(),
                activation: match self.shape {
                    Shape::Llama => Activation::Silu,
                    Shape::Gemma | Shape::Gpt2 => Activation::TanhGelu,
                },
                adapter: None,
            },
        };
        DecoderOnly {
            embedding: unfilled([self.vocabulary, d], device),
            positions: match self.positions {
                Positions::Learned(count) => Some(unfilled([count, d], device)),
                Positions::Rotary { .. } => None,
            },
            blocks: (0..blocks).map(block).collect(),
            norm: norm(),
            head: match self.tied {
                true => None,
                false => Some(Linear::unfilled([d, self.vocabulary], device)),
            },
            rotary: Rotary::of(self),
            embedding_scale: self.embedding_scale(),
            logit_cap: self.caps.logits,
        }
    }
}

impl DecoderOnly {
    /// Builds the network from all of `weights`.
    ///
    /// # Errors
    /// A tensor is absent, has another shape, or is unknown.
    pub fn load(
        config: &DecoderConfig,
        mut weights: Weights,
        device: &Device,
    ) -> Result<Self, CheckpointError> {
        weights.strip_wrappers();
        match config.shape {
            // Saved with or without the head: names start with `transformer.h.0…` or `h.0…`.
            Shape::Gpt2 => weights.strip_prefix("transformer."),
            // Likewise `model.layers.0…` or `layers.0…`.
            Shape::Llama | Shape::Gemma if weights.contains("embed_tokens.weight") => {
                weights = weights.renamed(|name| match name {
                    HEAD => Some(name.to_string()),
                    name => Some(format!("model.{name}")),
                });
            }
            Shape::Llama | Shape::Gemma => {}
        }
        // Buffers in older files (masks, frequencies), which this implementation computes itself.
        weights.remove(|name| {
            name.ends_with(".attn.bias")
                || name.ends_with(".attn.masked_bias")
                || name.ends_with(".rotary_emb.inv_freq")
        });
        if config.tied {
            weights.name_one_of(config.embedding_name(), &[HEAD]);
        }
        let config = &config.of_weights(&weights);
        if config.tied {
            weights.remove(|name| name == HEAD);
        }
        let names = names(config.shape);
        let blocks = names.blocks("blocks", config.layers, &weights);
        let model = names.load(config.unfilled(blocks, device), &mut weights)?;
        weights.finish(&[])?;
        Ok(model)
    }

    /// The network's configuration, where `tied` follows from its weights.
    pub(crate) fn config_of(&self, config: &DecoderConfig) -> DecoderConfig {
        DecoderConfig {
            tied: self.head.is_none(),
            ..config.clone()
        }
    }

    /// All parameters under Hugging Face's names and in its layout: the inverse of
    /// [`DecoderOnly::load`].
    pub fn weights(&self) -> Weights {
        let mut out = Weights::empty("");
        // Only a GPT-2 has learned positions, and only a Gemma scales its embeddings.
        let shape = match (&self.positions, self.embedding_scale) {
            (Some(_), _) => Shape::Gpt2,
            (None, Some(_)) => Shape::Gemma,
            (None, None) => Shape::Llama,
        };
        names(shape).put(self, &mut out);
        out
    }
}
