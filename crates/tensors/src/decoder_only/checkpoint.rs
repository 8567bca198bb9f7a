//! A decoder-only network's parameters under Hugging Face's names, both ways.

use burn::module::Param;
use burn::tensor::{Device, Tensor};

use super::blocks::{Attention, Block, FeedForward};
use super::config::{DecoderConfig, HEAD, Positions, Shape};
use super::model::DecoderOnly;
use crate::checkpoint::{CheckpointError, Weights};
use crate::layers::{Linear, Norm};

/// Reads named tensors into the parts of a network on one device.
struct Loader<'a> {
    weights: &'a mut Weights,
    config: &'a DecoderConfig,
    device: &'a Device,
}

impl Loader<'_> {
    /// A map without bias, `[out, in]` in the file.
    fn linear(
        &mut self,
        name: &str,
        [input, output]: [usize; 2],
    ) -> Result<Linear, CheckpointError> {
        let name = format!("{name}.weight");
        let weight = self.weights.take(&name, [output, input], self.device)?;
        Ok(Linear::of_rows(weight))
    }

    /// GPT-2's `Conv1D`: `[in, out]` in the file, and a bias.
    fn convolution(
        &mut self,
        name: &str,
        [input, output]: [usize; 2],
    ) -> Result<Linear, CheckpointError> {
        let weight = format!("{name}.weight");
        let weight = self.weights.take(&weight, [input, output], self.device)?;
        let bias = format!("{name}.bias");
        let bias = self.weights.take(&bias, [output], self.device)?;
        Ok(Linear::new(weight).with_bias(bias))
    }

    fn norm(&mut self, name: &str) -> Result<Norm, CheckpointError> {
        let (width, epsilon) = (self.config.width, self.config.epsilon);
        let gain = format!("{name}.weight");
        let gain = self.weights.take(&gain, [width], self.device)?;
        Ok(match self.config.shape {
            Shape::Llama => Norm::root_mean_square(gain, epsilon),
            Shape::Gpt2 => {
                let bias = format!("{name}.bias");
                let bias = self.weights.take(&bias, [width], self.device)?;
                Norm::layer(gain, bias, epsilon)
            }
        })
    }

    fn attention(&self, [query, key, value, output]: [Linear; 4]) -> Attention {
        Attention {
            query,
            key,
            value,
            output,
            adapter: None,
            heads: self.config.heads,
        }
    }

    fn llama_block(&mut self, index: usize) -> Result<Block, CheckpointError> {
        let name = format!("model.layers.{index}");
        let config = self.config;
        let (d, inner, keys, ff) = (
            config.width,
            config.inner(),
            config.key_width(),
            config.feed_forward,
        );
        let maps = [
            self.linear(&format!("{name}.self_attn.q_proj"), [d, inner])?,
            self.linear(&format!("{name}.self_attn.k_proj"), [d, keys])?,
            self.linear(&format!("{name}.self_attn.v_proj"), [d, keys])?,
            self.linear(&format!("{name}.self_attn.o_proj"), [inner, d])?,
        ];
        Ok(Block {
            attention_norm: self.norm(&format!("{name}.input_layernorm"))?,
            attention: self.attention(maps),
            feed_forward_norm: self.norm(&format!("{name}.post_attention_layernorm"))?,
            feed_forward: FeedForward {
                gate: Some(self.linear(&format!("{name}.mlp.gate_proj"), [d, ff])?),
                up: self.linear(&format!("{name}.mlp.up_proj"), [d, ff])?,
                down: self.linear(&format!("{name}.mlp.down_proj"), [ff, d])?,
                adapter: None,
            },
        })
    }

    fn gpt2_block(&mut self, index: usize) -> Result<Block, CheckpointError> {
        let name = format!("h.{index}");
        let (d, ff) = (self.config.width, self.config.feed_forward);
        let joint = self.convolution(&format!("{name}.attn.c_attn"), [d, 3 * d])?;
        let [query, key, value] = thirds(&joint);
        let output = self.convolution(&format!("{name}.attn.c_proj"), [d, d])?;
        Ok(Block {
            attention_norm: self.norm(&format!("{name}.ln_1"))?,
            attention: self.attention([query, key, value, output]),
            feed_forward_norm: self.norm(&format!("{name}.ln_2"))?,
            feed_forward: FeedForward {
                gate: None,
                up: self.convolution(&format!("{name}.mlp.c_fc"), [d, ff])?,
                down: self.convolution(&format!("{name}.mlp.c_proj"), [ff, d])?,
                adapter: None,
            },
        })
    }
}

/// A joint map of queries, keys and values as three.
fn thirds(joint: &Linear) -> [Linear; 3] {
    let weight = joint.weight.val();
    let [input, output] = weight.dims();
    let width = output / 3;
    let bias = joint.bias.as_ref().map(Param::val);
    [0, 1, 2].map(|third| {
        let columns = third * width..(third + 1) * width;
        let part = laid_out(weight.clone().slice([0..input, columns.clone()]));
        let map = Linear::new(part);
        match &bias {
            Some(bias) => map.with_bias(laid_out(bias.clone().slice([columns]))),
            None => map,
        }
    })
}

/// The same values in a place of their own: parameters are read many times.
fn laid_out<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let device = x.device();
    Tensor::from_data(x.into_data(), &device)
}

impl DecoderConfig {
    /// What the embedding is called.
    pub(crate) fn embedding_name(&self) -> &'static str {
        let [embedding, _, _] = self.names();
        embedding
    }

    /// Names of the embedding, of the final norm and of the head.
    pub(super) fn names(&self) -> [&'static str; 3] {
        match self.shape {
            Shape::Llama => ["model.embed_tokens.weight", "model.norm", "lm_head"],
            Shape::Gpt2 => ["wte.weight", "ln_f", "lm_head"],
        }
    }
}

impl DecoderOnly {
    /// Builds the network from all of `weights`.
    ///
    /// # Errors
    /// A tensor is absent, has another shape, or has no place.
    pub fn load(
        config: &DecoderConfig,
        mut weights: Weights,
        device: &Device,
    ) -> Result<Self, CheckpointError> {
        weights.strip_wrappers();
        match config.shape {
            // Saved with its head or without: `transformer.h.0…` or `h.0…`.
            Shape::Gpt2 => weights.strip_prefix("transformer."),
            // Likewise `model.layers.0…` or `layers.0…`.
            Shape::Llama if weights.contains("embed_tokens.weight") => {
                weights = weights.renamed(|name| match name {
                    HEAD => Some(name.to_string()),
                    name => Some(format!("model.{name}")),
                });
            }
            Shape::Llama => {}
        }
        // Masks and frequencies that are computed here, which older files hold as well.
        weights.remove(|name| {
            name.ends_with(".attn.bias")
                || name.ends_with(".attn.masked_bias")
                || name.ends_with(".rotary_emb.inv_freq")
        });
        let [embedding, norm, head] = config.names();
        if config.tied {
            weights.name_one_of(embedding, &[HEAD]);
        }
        let config = &config.of_weights(&weights);
        if config.tied {
            weights.remove(|name| name == HEAD);
        }
        let (vocabulary, d) = (config.vocabulary, config.width);
        let mut loader = Loader {
            weights: &mut weights,
            config,
            device,
        };
        let embedding = loader.weights.take(embedding, [vocabulary, d], device)?;
        let positions = match config.positions {
            Positions::Learned(count) => {
                let table = loader.weights.take("wpe.weight", [count, d], device)?;
                Some(Param::from_tensor(table))
            }
            Positions::Rotary { .. } => None,
        };
        let blocks = (0..config.layers).map(|index| match config.shape {
            Shape::Llama => loader.llama_block(index),
            Shape::Gpt2 => loader.gpt2_block(index),
        });
        let model = DecoderOnly {
            embedding: Param::from_tensor(embedding),
            positions,
            blocks: blocks.collect::<Result<_, CheckpointError>>()?,
            norm: loader.norm(norm)?,
            head: match config.tied {
                true => None,
                false => Some(loader.linear(head, [d, vocabulary])?),
            },
            turns: DecoderOnly::turns_of(config),
        };
        weights.finish(&[])?;
        Ok(model)
    }

    /// The configuration, of which this is the network, as its weights have it.
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
        if let Some(head) = &self.head {
            out.put_tensor(HEAD, head.rows());
        }
        match &self.positions {
            None => self.llama_weights(&mut out),
            Some(table) => self.gpt2_weights(&mut out, table.val()),
        }
        out
    }

    fn llama_weights(&self, out: &mut Weights) {
        out.put_tensor("model.embed_tokens.weight", self.embedding.val());
        out.put_tensor("model.norm.weight", self.norm.gain.val());
        for (index, block) in self.blocks.iter().enumerate() {
            let name = format!("model.layers.{index}");
            let mut put = |part: &str, map: &Linear| {
                out.put_tensor(&format!("{name}.{part}.weight"), map.rows());
            };
            put("self_attn.q_proj", &block.attention.query);
            put("self_attn.k_proj", &block.attention.key);
            put("self_attn.v_proj", &block.attention.value);
            put("self_attn.o_proj", &block.attention.output);
            if let Some(gate) = &block.feed_forward.gate {
                put("mlp.gate_proj", gate);
            }
            put("mlp.up_proj", &block.feed_forward.up);
            put("mlp.down_proj", &block.feed_forward.down);
            let gain = block.attention_norm.gain.val();
            out.put_tensor(&format!("{name}.input_layernorm.weight"), gain);
            let gain = block.feed_forward_norm.gain.val();
            out.put_tensor(&format!("{name}.post_attention_layernorm.weight"), gain);
        }
    }

    fn gpt2_weights(&self, out: &mut Weights, positions: Tensor<2>) {
        out.put_tensor("wte.weight", self.embedding.val());
        out.put_tensor("wpe.weight", positions);
        put_norm(out, "ln_f", &self.norm);
        for (index, block) in self.blocks.iter().enumerate() {
            let name = format!("h.{index}");
            let maps = [
                &block.attention.query,
                &block.attention.key,
                &block.attention.value,
            ];
            let weights = maps.map(|map| map.weight.val()).to_vec();
            let weight = format!("{name}.attn.c_attn.weight");
            out.put_tensor(&weight, Tensor::cat(weights, 1));
            let biases = maps.iter().filter_map(|map| Some(map.bias.as_ref()?.val()));
            let bias = format!("{name}.attn.c_attn.bias");
            out.put_tensor(&bias, Tensor::cat(biases.collect(), 0));
            put_convolution(out, &format!("{name}.attn.c_proj"), &block.attention.output);
            put_norm(out, &format!("{name}.ln_1"), &block.attention_norm);
            put_norm(out, &format!("{name}.ln_2"), &block.feed_forward_norm);
            put_convolution(out, &format!("{name}.mlp.c_fc"), &block.feed_forward.up);
            put_convolution(out, &format!("{name}.mlp.c_proj"), &block.feed_forward.down);
        }
    }
}

fn put_convolution(out: &mut Weights, name: &str, map: &Linear) {
    out.put_tensor(&format!("{name}.weight"), map.weight.val());
    if let Some(bias) = &map.bias {
        out.put_tensor(&format!("{name}.bias"), bias.val());
    }
}

fn put_norm(out: &mut Weights, name: &str, norm: &Norm) {
    out.put_tensor(&format!("{name}.weight"), norm.gain.val());
    if let Some(bias) = &norm.bias {
        out.put_tensor(&format!("{name}.bias"), bias.val());
    }
}
