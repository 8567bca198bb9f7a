//! A T5's parameters under Hugging Face's names, both ways; every tensor accounted for.

use burn::tensor::Device;

use super::config::{Activation, EMBEDDING, HEAD, T5Config};
use super::decoder::{Decoder, DecoderBlock};
use super::encoder::{Encoder, EncoderBlock};
use super::layers::{Attention, FeedForward};
use super::model::T5;
use super::position::{Direction, RelativeBias};
use crate::checkpoint::{CheckpointError, Weights};
use crate::layers::{Linear, Norm};

/// The embedding as encoder and decoder have it: copies, which are saved beside it or in its place.
const COPIES: [&str; 2] = ["encoder.embed_tokens.weight", "decoder.embed_tokens.weight"];

/// A table of v1.0's decoder that published files hold and T5 does not use; Transformers leaves it out
/// likewise.
const UNUSED: &str = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight";

/// Gives the embedding its name, under whichever it was saved.
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

/// Reads named tensors into the parts of a model on one device.
struct Loader<'a> {
    weights: &'a mut Weights,
    config: &'a T5Config,
    device: &'a Device,
}

impl Loader<'_> {
    /// Hugging Face keeps `[out, in]`; ours is `[in, out]`.
    fn linear(
        &mut self,
        name: &str,
        input: usize,
        output: usize,
    ) -> Result<Linear, CheckpointError> {
        let name = format!("{name}.weight");
        let weight = self.weights.take(&name, [output, input], self.device)?;
        Ok(Linear::of_rows(weight))
    }

    fn norm(&mut self, name: &str) -> Result<Norm, CheckpointError> {
        let name = format!("{name}.weight");
        let gain = self
            .weights
            .take(&name, [self.config.d_model], self.device)?;
        Ok(Norm::root_mean_square(gain, self.config.layer_norm_epsilon))
    }

    fn attention(&mut self, name: &str) -> Result<Attention, CheckpointError> {
        let (d, inner) = (self.config.d_model, self.config.inner());
        Ok(Attention::new(
            self.linear(&format!("{name}.q"), d, inner)?,
            self.linear(&format!("{name}.k"), d, inner)?,
            self.linear(&format!("{name}.v"), d, inner)?,
            self.linear(&format!("{name}.o"), inner, d)?,
            self.config.num_heads,
        ))
    }

    fn feed_forward(&mut self, name: &str) -> Result<FeedForward, CheckpointError> {
        let (d, ff) = (self.config.d_model, self.config.d_ff);
        let (gate, up) = match self.config.activation() {
            Activation::Relu => (None, "wi"),
            Activation::GatedGelu => {
                let gate = self.linear(&format!("{name}.wi_0"), d, ff)?;
                (Some(gate), "wi_1")
            }
        };
        Ok(FeedForward {
            gate,
            up: self.linear(&format!("{name}.{up}"), d, ff)?,
            down: self.linear(&format!("{name}.wo"), ff, d)?,
            adapter: None,
        })
    }

    fn bias(&mut self, stack: &str, direction: Direction) -> Result<RelativeBias, CheckpointError> {
        let name = format!("{stack}.block.0.layer.0.SelfAttention.relative_attention_bias.weight");
        let config = self.config;
        let shape = [config.relative_attention_num_buckets, config.num_heads];
        let table = self.weights.take(&name, shape, self.device)?;
        Ok(RelativeBias::new(
            table,
            direction,
            config.relative_attention_max_distance,
        ))
    }

    fn encoder(&mut self) -> Result<Encoder, CheckpointError> {
        Ok(Encoder {
            bias: self.bias("encoder", Direction::Bidirectional)?,
            blocks: (0..self.config.num_layers)
                .map(|i| {
                    let block = format!("encoder.block.{i}.layer");
                    Ok(EncoderBlock {
                        attention_norm: self.norm(&format!("{block}.0.layer_norm"))?,
                        attention: self.attention(&format!("{block}.0.SelfAttention"))?,
                        feed_forward_norm: self.norm(&format!("{block}.1.layer_norm"))?,
                        feed_forward: self.feed_forward(&format!("{block}.1.DenseReluDense"))?,
                    })
                })
                .collect::<Result<_, CheckpointError>>()?,
            norm: self.norm("encoder.final_layer_norm")?,
        })
    }

    fn decoder(&mut self) -> Result<Decoder, CheckpointError> {
        Ok(Decoder {
            bias: self.bias("decoder", Direction::Causal)?,
            blocks: (0..self.config.decoder_layers())
                .map(|i| {
                    let block = format!("decoder.block.{i}.layer");
                    Ok(DecoderBlock {
                        self_norm: self.norm(&format!("{block}.0.layer_norm"))?,
                        self_attention: self.attention(&format!("{block}.0.SelfAttention"))?,
                        cross_norm: self.norm(&format!("{block}.1.layer_norm"))?,
                        cross_attention: self.attention(&format!("{block}.1.EncDecAttention"))?,
                        feed_forward_norm: self.norm(&format!("{block}.2.layer_norm"))?,
                        feed_forward: self.feed_forward(&format!("{block}.2.DenseReluDense"))?,
                    })
                })
                .collect::<Result<_, CheckpointError>>()?,
            norm: self.norm("decoder.final_layer_norm")?,
        })
    }
}

impl T5 {
    /// Builds the model from all of `weights`.
    ///
    /// # Errors
    /// A tensor is absent, has another shape, or has no place.
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
        let mut loader = Loader {
            weights: &mut weights,
            config,
            device,
        };
        let (vocab, d) = (config.vocab_size, config.d_model);
        let embedding = loader.weights.take(EMBEDDING, [vocab, d], device)?;
        let model = T5 {
            embedding: burn::module::Param::from_tensor(embedding),
            encoder: loader.encoder()?,
            decoder: loader.decoder()?,
            head: match config.tie_word_embeddings {
                true => None,
                false => Some(loader.linear("lm_head", d, vocab)?),
            },
            ladder: None,
            output_scale: match config.scales_output() {
                true => (d as f64).powf(-0.5),
                false => 1.0,
            },
            start_id: config.decoder_start_token_id as usize,
        };
        weights.finish(&[UNUSED])?;
        Ok(model)
    }

    /// The configuration, of which this is the network, as its weights have it.
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
        out.put_tensor(EMBEDDING, self.embedding.val());
        if let Some(head) = &self.head {
            put_linear(&mut out, "lm_head", head);
        }
        let table = "block.0.layer.0.SelfAttention.relative_attention_bias.weight";
        out.put_tensor(&format!("encoder.{table}"), self.encoder.bias.table.val());
        out.put_tensor(&format!("decoder.{table}"), self.decoder.bias.table.val());
        for (i, block) in self.encoder.blocks.iter().enumerate() {
            let name = format!("encoder.block.{i}.layer");
            put_norm(
                &mut out,
                &format!("{name}.0.layer_norm"),
                &block.attention_norm,
            );
            put_attention(
                &mut out,
                &format!("{name}.0.SelfAttention"),
                &block.attention,
            );
            put_norm(
                &mut out,
                &format!("{name}.1.layer_norm"),
                &block.feed_forward_norm,
            );
            put_feed_forward(
                &mut out,
                &format!("{name}.1.DenseReluDense"),
                &block.feed_forward,
            );
        }
        put_norm(&mut out, "encoder.final_layer_norm", &self.encoder.norm);
        for (i, block) in self.decoder.blocks.iter().enumerate() {
            let name = format!("decoder.block.{i}.layer");
            put_norm(&mut out, &format!("{name}.0.layer_norm"), &block.self_norm);
            put_attention(
                &mut out,
                &format!("{name}.0.SelfAttention"),
                &block.self_attention,
            );
            put_norm(&mut out, &format!("{name}.1.layer_norm"), &block.cross_norm);
            put_attention(
                &mut out,
                &format!("{name}.1.EncDecAttention"),
                &block.cross_attention,
            );
            put_norm(
                &mut out,
                &format!("{name}.2.layer_norm"),
                &block.feed_forward_norm,
            );
            put_feed_forward(
                &mut out,
                &format!("{name}.2.DenseReluDense"),
                &block.feed_forward,
            );
        }
        put_norm(&mut out, "decoder.final_layer_norm", &self.decoder.norm);
        out
    }
}

fn put_linear(out: &mut Weights, name: &str, linear: &Linear) {
    out.put_tensor(&format!("{name}.weight"), linear.rows());
}

fn put_norm(out: &mut Weights, name: &str, norm: &Norm) {
    out.put_tensor(&format!("{name}.weight"), norm.gain.val());
}

fn put_attention(out: &mut Weights, name: &str, attention: &Attention) {
    put_linear(out, &format!("{name}.q"), &attention.query);
    put_linear(out, &format!("{name}.k"), &attention.key);
    put_linear(out, &format!("{name}.v"), &attention.value);
    put_linear(out, &format!("{name}.o"), &attention.output);
}

fn put_feed_forward(out: &mut Weights, name: &str, feed_forward: &FeedForward) {
    let up = match &feed_forward.gate {
        None => "wi",
        Some(gate) => {
            put_linear(out, &format!("{name}.wi_0"), gate);
            "wi_1"
        }
    };
    put_linear(out, &format!("{name}.{up}"), &feed_forward.up);
    put_linear(out, &format!("{name}.wo"), &feed_forward.down);
}
