//! The decoder: causal self-attention, attention to the encoder, feed-forward.

use burn::module::Module;
use burn::tensor::{Int, Tensor, TensorData};

use super::dropout::Dropout;
use super::encoder::Encoded;
use super::layers::{Attention, FeedForward, Memory, Norm};
use super::position::RelativeBias;
use crate::kernels::Visible;

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

/// What decoding one token leaves for the next: the keys and values of all tokens so far, and the
/// encoder's, which are computed once.
#[derive(Debug)]
pub struct Cache {
    /// Per block.
    past: Vec<Past>,
    /// Per block, of the encoder's output.
    encoder: Vec<Memory>,
    lengths: Vec<usize>,
    step: usize,
}

/// A block's own keys and values, `[B, tokens so far, H·K]`.
#[derive(Debug, Clone, Default)]
struct Past {
    key: Option<Tensor<3>>,
    value: Option<Tensor<3>>,
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
        let length = embedded.dims()[0] / batch;
        let bias = self.bias.between(0, length, length);
        let mut x = dropout.rows(embedded, batch);
        for block in &self.blocks {
            let normed = block.self_norm.forward(x.clone());
            let mixed = block.self_attention.forward(
                normed.clone(),
                block.self_attention.memory(normed),
                Some(bias.clone()),
                batch,
                Visible::Causal,
                dropout,
            );
            x = x + dropout.rows(mixed, batch);
            let mixed = block.cross_attention.forward(
                block.cross_norm.forward(x.clone()),
                block.cross_attention.memory(encoded.hidden.clone()),
                None,
                batch,
                Visible::Lengths(&encoded.lengths),
                dropout,
            );
            x = x + dropout.rows(mixed, batch);
            let normed = block.feed_forward_norm.forward(x.clone());
            let changed = block.feed_forward.forward(normed, batch, dropout);
            x = x + dropout.rows(changed, batch);
        }
        dropout.rows(self.norm.forward(x), batch)
    }

    /// An empty cache for decoding from `encoded`.
    pub fn start(&self, encoded: &Encoded) -> Cache {
        Cache {
            past: vec![Past::default(); self.blocks.len()],
            encoder: self
                .blocks
                .iter()
                .map(|block| block.cross_attention.memory(encoded.hidden.clone()))
                .collect(),
            lengths: encoded.lengths.clone(),
            step: 0,
        }
    }

    /// One more embedded token for every example, `[B, D]` → its hidden state `[B, D]`.
    pub fn step(&self, embedded: Tensor<2>, cache: &mut Cache) -> Tensor<2> {
        let off = &mut Dropout::off();
        let [batch, _] = embedded.dims();
        // The query is at position `step`: its own row of the table, though it stands alone.
        let bias = self.bias.between(cache.step, 1, cache.step + 1);
        let seen = vec![cache.step + 1; batch];
        let mut x = embedded;
        for ((block, past), encoder) in self.blocks.iter().zip(&mut cache.past).zip(&cache.encoder)
        {
            let normed = block.self_norm.forward(x.clone());
            let now = block.self_attention.memory(normed.clone());
            let memory = Memory {
                key: flat(append(&mut past.key, now.key)),
                value: flat(append(&mut past.value, now.value)),
            };
            x = x + block.self_attention.forward(
                normed,
                memory,
                Some(bias.clone()),
                batch,
                Visible::Lengths(&seen),
                off,
            );
            x = x.clone()
                + block.cross_attention.forward(
                    block.cross_norm.forward(x),
                    encoder.clone(),
                    None,
                    batch,
                    Visible::Lengths(&cache.lengths),
                    off,
                );
            x = x.clone()
                + block
                    .feed_forward
                    .forward(block.feed_forward_norm.forward(x), batch, off);
        }
        cache.step += 1;
        self.norm.forward(x)
    }
}

impl Cache {
    /// Goes on with these rows of the batch alone.
    pub fn keep(&mut self, rows: &[usize]) {
        let batch = self.lengths.len();
        for past in &mut self.past {
            for kept in [&mut past.key, &mut past.value] {
                *kept = kept.take().map(|kept| select(kept, rows));
            }
        }
        for memory in &mut self.encoder {
            for kept in [&mut memory.key, &mut memory.value] {
                let [positions, width] = kept.dims();
                let of_example = kept.clone().reshape([batch, positions / batch, width]);
                *kept = flat(select(of_example, rows));
            }
        }
        self.lengths = rows.iter().map(|&row| self.lengths[row]).collect();
    }
}

fn select(x: Tensor<3>, rows: &[usize]) -> Tensor<3> {
    let ids: Vec<i32> = rows.iter().map(|&row| row as i32).collect();
    let device = x.device();
    x.select(
        0,
        Tensor::<1, Int>::from_data(TensorData::new(ids, [rows.len()]), &device),
    )
}

/// `[B, t, W]` of the past with `now` `[B, W]` behind it.
fn append(past: &mut Option<Tensor<3>>, now: Tensor<2>) -> Tensor<3> {
    let now = now.unsqueeze_dim::<3>(1);
    let all = match past.take() {
        None => now,
        Some(before) => Tensor::cat(vec![before, now], 1),
    };
    *past = Some(all.clone());
    all
}

/// `[B, t, W]` → `[B·t, W]`.
fn flat(x: Tensor<3>) -> Tensor<2> {
    let [batch, length, width] = x.dims();
    x.reshape([batch * length, width])
}
