//! Maps a T5's parameters to Hugging Face's names, for loading and saving. No tensor may be left over.

use burn::tensor::Device;

use super::config::{Activation, EMBEDDING, HEAD, T5Config};
use super::decoder::{Decoder, DecoderBlock};
use super::encoder::{Encoder, EncoderBlock};
use super::layers::{Attention, FeedForward};
use super::model::T5;
use super::position::{Direction, RelativeBias};
use crate::checkpoint::{CheckpointError, Entry, Names, Part, Weights, unfilled};
use crate::layers::{Linear, Norm};

/// Copies of the embedding in the encoder and the decoder, which a file has in addition to it or instead of
/// it.
const COPIES: [&str; 2] = ["encoder.embed_tokens.weight", "decoder.embed_tokens.weight"];

/// A table in published v1.0 decoders that T5 does not use; Transformers ignores it too.
const UNUSED: &str = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight";

/// The parameters of a v1.1.
#[rustfmt::skip]
const PARTS: &[Entry] = &[
    ("embedding", "shared", Part::Table),
    ("encoder.bias.table", "encoder.block.0.layer.0.SelfAttention.relative_attention_bias", Part::Table),
    ("encoder.blocks.*.attention_norm", "encoder.block.*.layer.0.layer_norm", Part::Norm),
    ("encoder.blocks.*.attention.query", "encoder.block.*.layer.0.SelfAttention.q", Part::Linear),
    ("encoder.blocks.*.attention.key", "encoder.block.*.layer.0.SelfAttention.k", Part::Linear),
    ("encoder.blocks.*.attention.value", "encoder.block.*.layer.0.SelfAttention.v", Part::Linear),
    ("encoder.blocks.*.attention.output", "encoder.block.*.layer.0.SelfAttention.o", Part::Linear),
    ("encoder.blocks.*.feed_forward_norm", "encoder.block.*.layer.1.layer_norm", Part::Norm),
    ("encoder.blocks.*.feed_forward.gate", "encoder.block.*.layer.1.DenseReluDense.wi_0", Part::Linear),
    ("encoder.blocks.*.feed_forward.up", "encoder.block.*.layer.1.DenseReluDense.wi_1", Part::Linear),
    ("encoder.blocks.*.feed_forward.down", "encoder.block.*.layer.1.DenseReluDense.wo", Part::Linear),
    ("encoder.norm", "encoder.final_layer_norm", Part::Norm),
    ("decoder.bias.table", "decoder.block.0.layer.0.SelfAttention.relative_attention_bias", Part::Table),
    ("decoder.blocks.*.self_norm", "decoder.block.*.layer.0.layer_norm", Part::Norm),
    ("decoder.blocks.*.self_attention.query", "decoder.block.*.layer.0.SelfAttention.q", Part::Linear),
    ("decoder.blocks.*.self_attention.key", "decoder.block.*.layer.0.SelfAttention.k", Part::Linear),
    ("decoder.blocks.*.self_attention.value", "decoder.block.*.layer.0.SelfAttention.v", Part::Linear),
    ("decoder.blocks.*.self_attention.output", "decoder.block.*.layer.0.SelfAttention.o", Part::Linear),
    ("decoder.blocks.*.cross_norm", "decoder.block.*.layer.1.layer_norm", Part::Norm),
    ("decoder.blocks.*.cross_attention.query", "decoder.block.*.layer.1.EncDecAttention.q", Part::Linear),
    ("decoder.blocks.*.cross_attention.key", "decoder.block.*.layer.1.EncDecAttention.k", Part::Linear),
    ("decoder.blocks.*.cross_attention.value", "decoder.block.*.layer.1.EncDecAttention.v", Part::Linear),
    ("decoder.blocks.*.cross_attention.output", "decoder.block.*.layer.1.EncDecAttention.o", Part::Linear),
    ("decoder.blocks.*.feed_forward_norm", "decoder.block.*.layer.2.layer_norm", Part::Norm),
    ("decoder.blocks.*.feed_forward.gate", "decoder.block.*.layer.2.DenseReluDense.wi_0", Part::Linear),
    ("decoder.blocks.*.feed_forward.up", "decoder.block.*.layer.2.DenseReluDense.wi_1", Part::Linear),
    ("decoder.blocks.*.feed_forward.down", "decoder.block.*.layer.2.DenseReluDense.wo", Part::Linear),
    ("decoder.norm", "decoder.final_layer_norm", Part::Norm),
    ("head", "lm_head", Part::Linear),
];

/// The names of all parameters.
pub(super) fn names(activation: Activation) -> Names {
    let names = Names::new(PARTS);
    match activation {
        Activation::GatedGelu => names,
        // v1.0 has one linear layer where v1.1 has two.
        Activation::Relu => names
            .without("encoder.blocks.*.feed_forward.gate")
            .without("decoder.blocks.*.feed_forward.gate")
            .renamed(|name| name.replace(".wi_1", ".wi")),
    }
}

/// Renames the embedding, which may be saved under several names, to its standard name.
fn prepare(weights: &mut Weights, config: &T5Config) -> Result<(), CheckpointError> {
    weights.strip_wrappers();
    weights.name_one_of(EMBEDDING, &COPIES);
    if config.tie_word_embeddings {
        weights.name_one_of(EMBEDDING, &[HEAD]);
    }
    for copy in COPIES {
        weights.drop_copy(copy, EMBEDDING)?;
    }
    Ok(())
}

impl T5Config {
    /// A network of this configuration with this many blocks, whose parameters are loaded later.
    fn unfilled(&self, [encoder_blocks, decoder_blocks]: [usize; 2], device: &Device) -> T5 {
        let (vocab, d, inner, ff) = (self.vocab_size, self.d_model, self.inner(), self.d_ff);
        let linear = |input, output| Linear::unfilled([input, output], device);
        let norm = || Norm::unfilled(d, self.layer_norm_epsilon, device);
        let attention = || Attention {
            query: linear(d, inner),
            key: linear(d, inner),
            value: linear(d, inner),
            output: linear(inner, d),
            adapter: None,
            heads: self.num_heads,
        };
        let feed_forward = || FeedForward {
            gate: match self.activation() {
                Activation::Relu => None,
                Activation::GatedGelu => Some(linear(d, ff)),
            },
            up: linear(d, ff),
            down: linear(ff, d),
            adapter: None,
        };
        let bias = |direction| RelativeBias {
            table: unfilled(
                [self.relative_attention_num_buckets, self.num_heads],
                device,
            ),
            direction,
            max_distance: self.relative_attention_max_distance,
        };
        T5 {
            embedding: unfilled([vocab, d], device),
            encoder: Encoder {
                bias: bias(Direction::Bidirectional),
                blocks: (0..encoder_blocks)
                    .map(|_| EncoderBlock {
                        attention_norm: norm(),
                        attention: attention(),
                        feed_forward_norm: norm(),
                        feed_forward: feed_forward(),
                    })
                    .collect(),
                norm: norm(),
            },
            decoder: Decoder {
                bias: bias(Direction::Causal),
                blocks: (0..decoder_blocks)
                    .map(|_| DecoderBlock {
                        self_norm: norm(),
                        self_attention: attention(),
                        cross_norm: norm(),
                        cross_attention: attention(),
                        feed_forward_norm: norm(),
                        feed_forward: feed_forward(),
                    })
                    .collect(),
                norm: norm(),
            },
            head: match self.tie_word_embeddings {
                true => None,
                false => Some(linear(d, vocab)),
            },
            ladder: None,
            output_scale: match self.scales_output() {
                true => (d as f64).powf(-0.5),
                false => 1.0,
            },
            start_id: self.decoder_start_token_id as usize,
        }
    }
}

impl T5 {
    /// Builds the model from all of `weights`.
    ///
    /// # Errors
    /// A tensor is absent, has another shape, or is unknown.
    pub fn load(
        config: &T5Config,
        mut weights: Weights,
        device: &Device,
    ) -> Result<Self, CheckpointError> {
        prepare(&mut weights, config)?;
        let config = &config.of_weights(&weights);
        if config.tie_word_embeddings {
            weights.remove(|name| name == HEAD);
        }
        let names = names(config.activation());
        let blocks = [
            names.blocks("encoder.blocks", config.num_layers, &weights),
            names.blocks("decoder.blocks", config.decoder_layers(), &weights),
        ];
        let model = names.load(config.unfilled(blocks, device), &mut weights)?;
        weights.finish(&[UNUSED])?;
        Ok(model)
    }

    /// The network's configuration, as determined by its weights.
    pub(crate) fn config_of(&self, config: &T5Config) -> T5Config {
        let (tied, scales) = (self.head.is_none(), self.output_scale != 1.0);
        T5Config {
            tie_word_embeddings: tied,
            scale_decoder_outputs: (scales != tied).then_some(scales),
            ..config.clone()
        }
    }

    /// All parameters under Hugging Face's names and in its layout: the inverse of [`T5::load`].
    pub fn weights(&self) -> Weights {
        let mut out = Weights::empty("");
        let mut feed_forwards = (self.encoder.blocks.iter()).map(|block| &block.feed_forward);
        let activation = match feed_forwards.any(|feed_forward| feed_forward.gate.is_some()) {
            true => Activation::GatedGelu,
            false => Activation::Relu,
        };
        names(activation).put(self, &mut out);
        out
    }
}
