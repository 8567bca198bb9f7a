//! The decoder: causal self-attention, attention to the encoder, feed-forward.

use burn::module::Module;
use burn::tensor::Tensor;

use super::encoder::Encoded;
use super::layers::{Attention, FeedForward, View};
use super::position::RelativeBias;
use crate::layers::{
    Dropout, KeyValue, KvCache, LabelHead, Norm, PrefixPositions, of_each, pick, prefix_len,
    prepend_prefix, with_prefix,
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

/// The decoder stack.
#[derive(Module, Debug)]
pub struct Decoder {
    pub(super) bias: RelativeBias,
    pub(super) blocks: Vec<DecoderBlock>,
    pub(super) norm: Norm,
}

/// The state of decoding: the keys and values of all tokens so far, and those of the encoder's output, which are
/// computed once.
#[derive(Debug)]
pub struct Cache {
    /// For each block.
    past: KvCache,
    /// For each block, from the encoder's output.
    encoder: Vec<KeyValue>,
    lengths: Vec<usize>,
    /// The number of prefix keys in `past`.
    prefix: usize,
    /// The positions of the prefix.
    positions: PrefixPositions,
    /// Tokens decoded, the decoder's prompt included.
    step: usize,
    /// The ladder's cache.
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
        dropout: &mut Dropout,
    ) -> Tensor<2> {
        self.forward_through(embedded, batch, encoded, dropout, &mut |_, x| x)
    }

    /// As [`Decoder::forward`]; `pass` is applied to the input of each block and to the output of the last.
    pub(super) fn forward_through(
        &self,
        embedded: Tensor<2>,
        batch: usize,
        encoded: &Encoded,
        dropout: &mut Dropout,
        pass: &mut dyn FnMut(usize, Tensor<2>) -> Tensor<2>,
    ) -> Tensor<2> {
        let injected = &encoded.injected;
        let (embedded, prompt) = match &injected.decoder_prompt {
            Some(prompt) => after_prompt(prompt, embedded, batch),
            None => (embedded, 0),
        };
        let length = embedded.dims()[0] / batch;
        let own = prefix_len(&injected.decoder);
        let bias = self.bias(own, injected.decoder_positions, 0, length, length);
        // With a prefix there are more keys than queries.
        let seen: Option<Vec<usize>> = (own > 0).then(|| {
            let positions = (0..batch).flat_map(|_| 0..length);
            positions.map(|position| own + position + 1).collect()
        });
        let visible = seen.as_deref().map_or(Visible::Causal, Visible::Counts);
        let encoder_seen = with_prefix(prefix_len(&injected.cross), &encoded.lengths);
        let mut x = dropout.rows(embedded, batch);
        for (index, block) in self.blocks.iter().enumerate() {
            x = pass(index, x);
            let normed = block.self_norm.forward(x.clone());
            let key_value = block.self_attention.key_value(normed.clone());
            let mixed = block.self_attention.forward(
                normed,
                prepend_prefix(injected.decoder.get(index), key_value, batch),
                View {
                    batch,
                    bias: Some(bias.clone()),
                    visible,
                },
                dropout,
            );
            x = x + dropout.rows(mixed, batch);
            let key_value = block.cross_attention.key_value(encoded.hidden.clone());
            let mixed = block.cross_attention.forward(
                block.cross_norm.forward(x.clone()),
                prepend_prefix(injected.cross.get(index), key_value, batch),
                View {
                    batch,
                    bias: None,
                    visible: Visible::Lengths(&encoder_seen),
                },
                dropout,
            );
            x = x + dropout.rows(mixed, batch);
            let normed = block.feed_forward_norm.forward(x.clone());
            let changed = (block.feed_forward).forward(normed, &x, batch, dropout);
            x = x + dropout.rows(changed, batch);
        }
        x = pass(self.blocks.len(), x);
        let hidden = dropout.rows(self.norm.forward(x), batch);
        without_prompt(hidden, batch, prompt)
    }

    /// A cache for decoding from `encoded`, which contains only the decoder's prompt.
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

    /// The bias of queries at positions `first..first + queries` on `prefix` prefix keys followed by `keys` keys.
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

    /// As [`Decoder::step`], with `pass` as in [`Decoder::forward_through`].
    pub(super) fn step_through(
        &self,
        embedded: Tensor<2>,
        cache: &mut Cache,
        pass: &mut dyn FnMut(usize, Tensor<2>) -> Tensor<2>,
    ) -> Tensor<2> {
        let off = &mut Dropout::off();
        let [batch, _] = embedded.dims();
        cache.past.advance();
        // The query is alone, but at position `step`: it needs that row of the bias table.
        let keys = cache.past.capacity() - cache.prefix;
        let bias = self.bias(cache.prefix, cache.positions, cache.step, 1, keys);
        let seen = cache.past.seen().to_vec();
        let mut x = embedded;
        for (index, (block, encoder)) in self.blocks.iter().zip(&cache.encoder).enumerate() {
            x = pass(index, x);
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
        x = pass(self.blocks.len(), x);
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

/// Puts a prompt `[P, D]` before every example's rows `[B·U, D]`; also returns `P`.
fn after_prompt(prompt: &Tensor<2>, rows: Tensor<2>, batch: usize) -> (Tensor<2>, usize) {
    let [length, width] = prompt.dims();
    let own = rows.dims()[0] / batch;
    let rows = rows.reshape([batch, own, width]);
    let all = Tensor::cat(vec![of_each(prompt, batch), rows], 1);
    (flat(all), length)
}

/// Drops each example's first `prompt` rows.
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
