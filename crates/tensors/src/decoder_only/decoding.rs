//! Decoding token by token with kept keys and values.

use burn::tensor::Tensor;

use super::blocks::View;
use super::model::DecoderOnly;
use crate::layers::{Dropout, KeyValue, KvCache, Packing};
use promptshift_kernels::Visible;

/// What decoding goes on from.
#[derive(Debug)]
pub struct Cache {
    kept: KvCache,
    /// Tokens and prompt vectors that each example has read: where its next token stands.
    positions: Vec<usize>,
}

impl Cache {
    /// Of the inputs' keys and values, with `prefix` keys before each example's that have no
    /// position.
    pub(super) fn new(key_values: Vec<KeyValue>, lengths: Vec<usize>, prefix: usize) -> Self {
        let seen = lengths.iter().map(|length| length + prefix).collect();
        Cache {
            kept: KvCache::new(key_values, seen),
            positions: lengths,
        }
    }

    /// Goes on with these rows of the batch alone.
    pub fn keep(&mut self, rows: &[usize]) {
        self.kept.keep(rows);
        self.positions = rows.iter().map(|&row| self.positions[row]).collect();
    }
}

impl DecoderOnly {
    /// Logits `[B, V]` of the token after `last`.
    pub fn next_logits(&self, last: &[u32], cache: &mut Cache) -> Tensor<2> {
        let Cache { kept, positions } = cache;
        kept.advance();
        let seen = kept.seen().to_vec();
        let turns = self.turns(positions);
        let packing = Packing::new(vec![1; last.len()]);
        let view = View {
            rotation: turns.as_ref().map(|turns| &turns.queries),
            packing: &packing,
            visible: Visible::Lengths(&seen),
        };
        let mut x = self.placed(self.lookup(last), positions);
        let off = &mut Dropout::off();
        for (index, block) in self.blocks.iter().enumerate() {
            let normed = block.attention_norm.forward(x.clone());
            let keys = turns.as_ref().map(|turns| &turns.keys);
            let newest = block.attention.key_value(normed.clone(), keys, &packing);
            x = block.forward(x, normed, kept.put(index, newest), view, off);
        }
        for position in positions {
            *position += 1;
        }
        self.vocabulary_logits(self.norm.forward(x))
    }
}
