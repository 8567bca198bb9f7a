//! Greedy decoding, and a decoder's key/value cache with spare capacity for coming tokens.

use burn::tensor::{Device, Tensor};

use super::injected::KeyValue;
use super::tokens::pick;
use promptshift_kernels as kernels;

/// One generated output.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Generated {
    /// The tokens, including the end token if it was generated.
    pub ids: Vec<u32>,
    /// The sum of their log-probabilities (natural).
    pub log_prob: f64,
}

/// The state of decoding a batch, with a cache of the tokens so far.
pub trait Decoding {
    /// Logits `[B, V]` of the tokens that follow `last`, which has one token for each remaining row.
    fn next_logits(&mut self, last: &[u32]) -> Tensor<2>;

    /// Keeps only these rows of the batch.
    fn keep(&mut self, rows: &[usize]);
}

/// Appends the most probable token until every example has ended (with one of `ends`) or has `limit` tokens.
/// `first` are the logits `[B, V]` of the first tokens. Ties go to the lower id.
pub fn greedy(
    first: Tensor<2>,
    decoding: &mut dyn Decoding,
    ends: &[u32],
    limit: usize,
) -> Vec<Generated> {
    let [batch, _] = first.dims();
    let ended = |id: Option<&u32>| id.is_some_and(|id| ends.contains(id));
    let mut outputs = vec![Generated::default(); batch];
    // The example that each row belongs to.
    let mut rows: Vec<usize> = (0..batch).collect();
    let mut last = vec![0; batch];
    let mut first = Some(first);
    for _ in 0..limit {
        let logits = first.take();
        let next = kernels::most_probable(logits.unwrap_or_else(|| decoding.next_logits(&last)));
        for ((&example, last), (id, log_prob)) in rows.iter().zip(&mut last).zip(next) {
            let output = &mut outputs[example];
            if !ended(output.ids.last()) {
                output.ids.push(id);
                output.log_prob += log_prob;
                *last = id;
            }
        }
        let unfinished: Vec<usize> = (0..rows.len())
            .filter(|&row| !ended(Some(&last[row])))
            .collect();
        if unfinished.is_empty() {
            break;
        }
        if unfinished.len() * SHRINK.1 <= rows.len() * SHRINK.0 {
            decoding.keep(&unfinished);
            rows = unfinished.iter().map(|&row| rows[row]).collect();
            last = unfinished.iter().map(|&row| last[row]).collect();
        }
    }
    outputs
}

/// Finished rows are removed once at most this fraction of rows is active, because removal copies the cache.
const SHRINK: (usize, usize) = (3, 4);

/// The keys and values of every block of a decoder, for a batch that grows by one token per example at a
/// time. Adding a token copies nothing unless the capacity is used up.
///
/// An example's keys fill its rows from the start; new ones follow directly and overwrite the padding of a
/// short input.
#[derive(Debug)]
pub struct KvCache {
    /// `[B·C, W]` for each block.
    blocks: Vec<KeyValue>,
    /// The number of real keys of each example.
    seen: Vec<usize>,
    /// `C`, the capacity in keys for each example.
    capacity: usize,
}

/// The capacity grows by this many tokens.
const ROOM: usize = 16;

impl KvCache {
    /// A cache that starts with keys and values `[B·T, W]` of each block; `seen` is the number of real ones
    /// of each example.
    pub(crate) fn new(blocks: Vec<KeyValue>, seen: Vec<usize>) -> Self {
        let rows = blocks.first().map_or(0, |block| block.key.dims()[0]);
        KvCache {
            capacity: rows / seen.len().max(1),
            blocks,
            seen,
        }
    }

    /// An empty cache for `blocks` blocks with keys of `width`.
    pub(crate) fn empty(blocks: usize, batch: usize, width: usize, device: &Device) -> Self {
        let room = || Tensor::zeros([batch * ROOM, width], device);
        let block = |_| KeyValue {
            key: room(),
            value: room(),
        };
        KvCache {
            blocks: (0..blocks).map(block).collect(),
            seen: vec![0; batch],
            capacity: ROOM,
        }
    }

    /// Makes room for one more token of each example; then [`put`](Self::put) stores its keys and values.
    pub(crate) fn advance(&mut self) {
        for seen in &mut self.seen {
            *seen += 1;
        }
        if self.seen.iter().any(|&seen| seen > self.capacity) {
            let (batch, capacity) = (self.seen.len(), self.capacity);
            for block in &mut self.blocks {
                block.key.inplace(|key| with_room(key, batch, capacity));
                block
                    .value
                    .inplace(|value| with_room(value, batch, capacity));
            }
            self.capacity += ROOM;
        }
    }

    /// The number of real keys of each example, including the current token.
    pub(crate) fn seen(&self) -> &[usize] {
        &self.seen
    }

    /// The number of keys per example that [`put`](Self::put) returns, including unused capacity.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Stores a block's keys and values `[B, W]` of the newest token and returns all keys and values of the
    /// block, `[B·C, W]`.
    pub(crate) fn put(&mut self, block: usize, newest: KeyValue) -> KeyValue {
        let places: Vec<usize> = (self.seen.iter().enumerate())
            .map(|(example, seen)| example * self.capacity + seen - 1)
            .collect();
        let block = &mut self.blocks[block];
        (block.key).inplace(|key| kernels::scatter_rows(key, &places, newest.key));
        (block.value).inplace(|value| kernels::scatter_rows(value, &places, newest.value));
        block.clone()
    }

    /// Keeps only these rows of the batch.
    pub(crate) fn keep(&mut self, rows: &[usize]) {
        let (batch, capacity) = (self.seen.len(), self.capacity);
        for block in &mut self.blocks {
            block.key.inplace(|key| chosen(key, batch, capacity, rows));
            (block.value).inplace(|value| chosen(value, batch, capacity, rows));
        }
        self.seen = rows.iter().map(|&row| self.seen[row]).collect();
    }
}

/// `[B·C, W]` → `[B·(C + ROOM), W]`.
fn with_room(x: Tensor<2>, batch: usize, capacity: usize) -> Tensor<2> {
    let [_, width] = x.dims();
    let room = Tensor::zeros([batch, ROOM, width], &x.device());
    Tensor::cat(vec![x.reshape([batch, capacity, width]), room], 1)
        .reshape([batch * (capacity + ROOM), width])
}

/// `[B·C, W]` → the rows of these examples.
fn chosen(x: Tensor<2>, batch: usize, capacity: usize, examples: &[usize]) -> Tensor<2> {
    let [_, width] = x.dims();
    pick(x.reshape([batch, capacity, width]), examples).reshape([examples.len() * capacity, width])
}

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;

    use super::*;

    /// Keys that identify themselves: `example * 100 + position`.
    fn rows(values: &[f32]) -> KeyValue {
        let data = TensorData::new(values.to_vec(), [values.len(), 1]);
        let key = Tensor::from_data(data, &Device::flex());
        KeyValue {
            value: key.clone() * -1.0,
            key,
        }
    }

    /// The real keys of each example.
    fn real(key_value: &KeyValue, kept: &KvCache) -> Vec<Vec<f32>> {
        let keys: Vec<f32> = key_value.key.to_data().try_to_vec().expect("f32");
        let values: Vec<f32> = key_value.value.to_data().try_to_vec().expect("f32");
        assert!(keys.iter().zip(&values).all(|(key, value)| *key == -value));
        (keys.chunks(kept.capacity).zip(kept.seen()))
            .map(|(keys, &seen)| keys[..seen].to_vec())
            .collect()
    }

    #[test]
    fn new_tokens_follow_those_of_their_example() {
        let of = |example: usize, count: usize| -> Vec<f32> {
            (0..count).map(|at| (example * 100 + at) as f32).collect()
        };
        // Three examples of 3, 1 and 2 real keys.
        let start = [0.0, 1.0, 2.0, 100.0, -1.0, -1.0, 200.0, 201.0, -1.0];
        let mut kept = KvCache::new(vec![rows(&start); 2], vec![3, 1, 2]);
        for token in 0..20 {
            kept.advance();
            let next = [3 + token, 101 + token, 202 + token].map(|key| key as f32);
            for block in 0..2 {
                let all = kept.put(block, rows(&next));
                let wanted = [of(0, 4 + token), of(1, 2 + token), of(2, 3 + token)];
                assert_eq!(real(&all, &kept), wanted);
            }
        }
        kept.keep(&[2, 1]);
        kept.advance();
        let all = kept.put(1, rows(&[222.0, 121.0]));
        assert_eq!(real(&all, &kept), [of(2, 23), of(1, 22)]);
    }
}
