//! The decoder: causal self-attention, cross-attention, feed-forward.

use std::rc::Rc;

use burn::module::Module;
use burn::tensor::Tensor;

use super::encoder::Encoded;
use super::layers::{Attention, FeedForward, View};
use super::position::RelativeBias;
use crate::layers::{
    BlockInputs, Dropout, KeyValue, KvCache, LabelHead, Norm, Pass, PrefixPositions, of_each, pick,
    prefix_len, prepend_prefix, with_prefix,
};
use promptshift_kernels::{DistanceBias, Visible};

#[derive(Module, Debug)]
pub(super) struct DecoderBlock {
    pub(super) self_norm: Norm,
    pub(super) self_attention: Attention,
    pub(super) cross_norm: Norm,
    pub(super) cross_attention: Attention,
    pub(super) feed_forward_norm: Norm,
    pub(super) feed_forward: FeedForward,
}

/// The keys that a decoder block's queries attend to under teacher forcing.
struct Seen {
    /// `B`.
    batch: usize,
    /// The number of keys for each query in self-attention; `None` for causal attention: itself and the
    /// positions before it.
    own: Option<Vec<usize>>,
    /// The number of keys for each example in cross-attention.
    encoder: Vec<usize>,
}

impl DecoderBlock {
    /// The states after the block, under teacher forcing.
    fn forward(&self, inputs: BlockInputs, seen: &Seen, dropout: &mut Dropout) -> Tensor<2> {
        let batch = seen.batch;
        let BlockInputs {
            x,
            encoded,
            bias,
            prefix,
            cross_prefix,
        } = inputs;
        let encoded = encoded.expect("a decoder's block is given the encoder's output");
        let normed = self.self_norm.forward(x.clone());
        let key_value = self.self_attention.key_value(normed.clone());
        let mixed = self.self_attention.forward(
            normed,
            prepend_prefix(prefix.as_ref(), key_value, batch),
            View {
                batch,
                bias,
                visible: (seen.own.as_deref()).map_or(Visible::Causal, Visible::Counts),
            },
            dropout,
        );
        let x = x + dropout.rows(mixed, batch);
        let key_value = self.cross_attention.key_value(encoded);
        let mixed = self.cross_attention.forward(
            self.cross_norm.forward(x.clone()),
            prepend_prefix(cross_prefix.as_ref(), key_value, batch),
            View {
                batch,
                bias: None,
                visible: Visible::Lengths(&seen.encoder),
            },
            dropout,
        );
        let x = x + dropout.rows(mixed, batch);
        let normed = self.feed_forward_norm.forward(x.clone());
        let changed = (self.feed_forward).forward(normed, &x, batch, dropout);
        x + dropout.rows(changed, batch)
    }
}

/// The decoder stack.
#[derive(Module, Debug)]
pub struct Decoder {
    pub(super) bias: RelativeBias,
    pub(super) blocks: Vec<DecoderBlock>,
    pub(super) norm: Norm,
}

/// The key/value cache of decoding: the keys and values of all tokens so far, and those of the encoder's
/// output, which are computed once.
#[derive(Debug)]
pub struct Cache {
    /// The self-attention keys and values of each block.
    past: KvCache,
    /// The cross-attention keys and values of each block.
    encoder: Vec<KeyValue>,
    lengths: Vec<usize>,
    /// The number of prefix keys in `past`.
    prefix: usize,
    /// The positions of the prefix.
    positions: PrefixPositions,
    /// The number of tokens decoded so far, including the decoder's prompt.
    step: usize,
    /// The cache of a ladder's decoder.
    pub(super) side: Option<Box<Cache>>,
    /// Replaces the output head.
    pub(super) output: Option<LabelHead>,
}

impl Decoder {
    /// Teacher-forced: embedded decoder inputs `[B·U, D]` → hidden states `[B·U, D]`.
    pub fn forward(
        &self,
        embedded: Tensor<2>,
        batch: usize,
        encoded: &Encoded,
        pass: &mut Pass,
    ) -> Tensor<2> {
        self.forward_through(embedded, batch, encoded, pass, &mut |_, x| x)
    }

    /// As [`Decoder::forward`]; applies `at` to the input of each block and to the output of the last.
    pub(super) fn forward_through(
        &self,
        embedded: Tensor<2>,
        batch: usize,
        encoded: &Encoded,
        pass: &mut Pass,
        at: &mut dyn FnMut(usize, Tensor<2>) -> Tensor<2>,
    ) -> Tensor<2> {
        let injected = &encoded.injected;
        let (embedded, prompt) = match &injected.decoder_prompt {
            Some(prompt) => after_prompt(prompt, embedded, batch),
            None => (embedded, 0),
        };
        let length = embedded.dims()[0] / batch;
        let own = prefix_len(&injected.decoder);
        let bias = self.bias(own, injected.decoder_positions, 0, length, length);
        let bias = DistanceBias {
            values: pass.shared(bias.values),
            ..bias
        };
        let seen = Rc::new(Seen {
            batch,
            // With a prefix there are more keys than queries.
            own: (own > 0).then(|| {
                let positions = (0..batch).flat_map(|_| 0..length);
                positions.map(|position| own + position + 1).collect()
            }),
            encoder: with_prefix(prefix_len(&injected.cross), &encoded.lengths),
        });
        let hidden = pass.shared(encoded.hidden.clone());
        let mut x = pass.dropout.rows(embedded, batch);
        for (index, block) in self.blocks.iter().enumerate() {
            let inputs = BlockInputs {
                x: at(index, x),
                encoded: Some(hidden.clone()),
                bias: Some(bias.clone()),
                prefix: injected.decoder.get(index).cloned(),
                cross_prefix: injected.cross.get(index).cloned(),
            };
            let seen = Rc::clone(&seen);
            (x, ()) = pass.block(block, inputs, move |block, inputs, dropout| {
                (block.forward(inputs, &seen, dropout), ())
            });
        }
        x = at(self.blocks.len(), x);
        let hidden = pass.dropout.rows(self.norm.forward(x), batch);
        without_prompt(hidden, batch, prompt)
    }

    /// A cache for decoding from `encoded`, which initially contains only prefixes and the decoder's prompt.
    pub fn start(&self, encoded: &Encoded) -> Cache {
        let injected = &encoded.injected;
        let batch = encoded.lengths.len();
        let past = match injected.decoder.as_slice() {
            [] => {
                let width = self.key_width();
                KvCache::empty(self.blocks.len(), batch, width, &encoded.hidden.device())
            }
            prefixes => {
                let of_each = |prefix: &Tensor<2>| flat(of_each(prefix, batch));
                let blocks = prefixes.iter().map(|prefix| KeyValue {
                    key: of_each(&prefix.key),
                    value: of_each(&prefix.value),
                });
                KvCache::new(blocks.collect(), vec![prefix_len(prefixes); batch])
            }
        };
        let key_value = |(index, block): (usize, &DecoderBlock)| {
            let key_value = block.cross_attention.key_value(encoded.hidden.clone());
            prepend_prefix(injected.cross.get(index), key_value, batch)
        };
        let mut cache = Cache {
            past,
            encoder: self.blocks.iter().enumerate().map(key_value).collect(),
            lengths: with_prefix(prefix_len(&injected.cross), &encoded.lengths),
            prefix: prefix_len(&injected.decoder),
            positions: injected.decoder_positions,
            step: 0,
            side: None,
            output: injected.output.clone(),
        };
        if let Some(prompt) = &injected.decoder_prompt {
            let [length, width] = prompt.dims();
            for position in 0..length {
                let vector = prompt.clone().slice([position..position + 1, 0..width]);
                self.step(vector.expand([batch, width]), &mut cache);
            }
        }
        cache
    }

    /// `H·K`.
    fn key_width(&self) -> usize {
        let first = self.blocks.first();
        first.map_or(0, |block| block.self_attention.key_width())
    }

    /// The bias for queries at positions `first..first + queries` and `prefix` prefix keys followed by `keys`
    /// keys.
    fn bias(
        &self,
        prefix: usize,
        positions: PrefixPositions,
        first: usize,
        queries: usize,
        keys: usize,
    ) -> DistanceBias {
        match positions {
            PrefixPositions::Nowhere => {
                self.bias.between(first, queries, keys).after_prefix(prefix)
            }
            PrefixPositions::BeforeStart => {
                self.bias.between(prefix + first, queries, prefix + keys)
            }
        }
    }

    /// Decodes one more embedded token for every example, `[B, D]` → its hidden state `[B, D]`.
    pub fn step(&self, embedded: Tensor<2>, cache: &mut Cache) -> Tensor<2> {
        self.step_through(embedded, cache, &mut |_, x| x)
    }

    /// As [`Decoder::step`], with `at` as in [`Decoder::forward_through`].
    pub(super) fn step_through(
        &self,
        embedded: Tensor<2>,
        cache: &mut Cache,
        at: &mut dyn FnMut(usize, Tensor<2>) -> Tensor<2>,
    ) -> Tensor<2> {
        let off = &mut Dropout::off();
        let [batch, _] = embedded.dims();
        cache.past.advance();
        // There is one query, but at position `step`: it needs that row of the bias table.
        let keys = cache.past.capacity() - cache.prefix;
        let bias = self.bias(cache.prefix, cache.positions, cache.step, 1, keys);
        let seen = cache.past.seen().to_vec();
        let mut x = embedded;
        for (index, (block, encoder)) in self.blocks.iter().zip(&cache.encoder).enumerate() {
            x = at(index, x);
            let normed = block.self_norm.forward(x.clone());
            let now = block.self_attention.key_value(normed.clone());
            let key_value = cache.past.put(index, now);
            x = x + block.self_attention.forward(
                normed,
                key_value,
                View {
                    batch,
                    bias: Some(bias.clone()),
                    visible: Visible::Lengths(&seen),
                },
                off,
            );
            x = x.clone()
                + block.cross_attention.forward(
                    block.cross_norm.forward(x),
                    encoder.clone(),
                    View {
                        batch,
                        bias: None,
                        visible: Visible::Lengths(&cache.lengths),
                    },
                    off,
                );
            let normed = block.feed_forward_norm.forward(x.clone());
            let changed = (block.feed_forward).forward(normed, &x, batch, off);
            x = x + changed;
        }
        cache.step += 1;
        x = at(self.blocks.len(), x);
        self.norm.forward(x)
    }
}

impl Cache {
    /// Keeps only these rows of the batch.
    pub fn keep(&mut self, rows: &[usize]) {
        if let Some(side) = &mut self.side {
            side.keep(rows);
        }
        let batch = self.lengths.len();
        self.past.keep(rows);
        for key_value in &mut self.encoder {
            for kept in [&mut key_value.key, &mut key_value.value] {
                let [positions, width] = kept.dims();
                let of_example = kept.clone().reshape([batch, positions / batch, width]);
                *kept = flat(pick(of_example, rows));
            }
        }
        self.lengths = rows.iter().map(|&row| self.lengths[row]).collect();
    }
}

/// Prepends a prompt `[P, D]` to every example's rows `[B·U, D]`; also returns `P`.
fn after_prompt(prompt: &Tensor<2>, rows: Tensor<2>, batch: usize) -> (Tensor<2>, usize) {
    let [length, width] = prompt.dims();
    let own = rows.dims()[0] / batch;
    let rows = rows.reshape([batch, own, width]);
    let all = Tensor::cat(vec![of_each(prompt, batch), rows], 1);
    (flat(all), length)
}

/// Removes each example's first `prompt` rows.
fn without_prompt(rows: Tensor<2>, batch: usize, prompt: usize) -> Tensor<2> {
    if prompt == 0 {
        return rows;
    }
    let [all, width] = rows.dims();
    let length = all / batch;
    flat(
        rows.reshape([batch, length, width])
            .slice([0..batch, prompt..length, 0..width]),
    )
}

/// `[B, t, W]` → `[B·t, W]`.
fn flat(x: Tensor<3>) -> Tensor<2> {
    let [batch, length, width] = x.dims();
    x.reshape([batch * length, width])
}
