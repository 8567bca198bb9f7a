//! Decoding token by token with kept keys and values.

use burn::tensor::{Int, Tensor, TensorData};

use super::model::{DecoderOnly, Pass};
use crate::kernels::Visible;
use crate::parts::{Dropout, Memory};

/// Keys and values of all tokens so far.
///
/// Those of generated tokens stand before those of the input: attention does not care for the order
/// of keys, whose positions are in them, and so the padding of short inputs stays at the end of a row.
#[derive(Debug)]
pub struct Cache {
    /// Per block, `[B, tokens, width of keys]`.
    blocks: Vec<Kept>,
    /// Tokens and prompt vectors that each example has read.
    positions: Vec<usize>,
    /// Keys of each example that are real.
    seen: Vec<usize>,
}

#[derive(Debug)]
struct Kept {
    key: Tensor<3>,
    value: Tensor<3>,
}

impl Cache {
    /// Of the inputs' keys and values, with `prefix` keys before each example's that have no
    /// position.
    pub(super) fn new(memories: Vec<Memory>, lengths: Vec<usize>, prefix: usize) -> Self {
        let batch = lengths.len();
        let of_example = |x: Tensor<2>| {
            let [rows, width] = x.dims();
            x.reshape([batch, rows / batch, width])
        };
        Cache {
            blocks: (memories.into_iter())
                .map(|Memory { key, value }| Kept {
                    key: of_example(key),
                    value: of_example(value),
                })
                .collect(),
            seen: lengths.iter().map(|length| length + prefix).collect(),
            positions: lengths,
        }
    }

    /// Goes on with these rows of the batch alone.
    pub fn keep(&mut self, rows: &[usize]) {
        let ids: Vec<i32> = rows.iter().map(|&row| row as i32).collect();
        let kept = |x: &Tensor<3>| {
            let ids = TensorData::new(ids.clone(), [rows.len()]);
            x.clone()
                .select(0, Tensor::<1, Int>::from_data(ids, &x.device()))
        };
        for block in &mut self.blocks {
            block.key = kept(&block.key);
            block.value = kept(&block.value);
        }
        self.positions = rows.iter().map(|&row| self.positions[row]).collect();
        self.seen = rows.iter().map(|&row| self.seen[row]).collect();
    }
}

impl DecoderOnly {
    /// Logits `[B, V]` of the token after `last`.
    pub fn next_logits(&self, last: &[u32], cache: &mut Cache) -> Tensor<2> {
        for seen in &mut cache.seen {
            *seen += 1;
        }
        let Cache {
            blocks,
            positions,
            seen,
        } = cache;
        let pass = Pass {
            bias: None,
            rotation: self.rotation(positions),
            batch: last.len(),
            visible: Visible::Lengths(&*seen),
        };
        let x = self.placed(self.lookup(last), positions);
        let x = self.through(x, &pass, &mut Dropout::off(), |index, now| {
            let kept = &mut blocks[index];
            Memory {
                key: put_before(&mut kept.key, now.key),
                value: put_before(&mut kept.value, now.value),
            }
        });
        for position in positions {
            *position += 1;
        }
        self.vocabulary_logits(self.norm.forward(x))
    }
}

/// `now` `[B, W]` before what is kept `[B, t, W]`; all of it, `[B·(t + 1), W]`.
fn put_before(kept: &mut Tensor<3>, now: Tensor<2>) -> Tensor<2> {
    let all = Tensor::cat(vec![now.unsqueeze_dim::<3>(1), kept.clone()], 1);
    *kept = all.clone();
    let [batch, length, width] = all.dims();
    all.reshape([batch * length, width])
}
