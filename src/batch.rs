//! THE BORDER between text and tensors: examples become token ids here, and token ids become text
//! again in [`eval::predict`](crate::eval::predict).

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::domain::Example;
use crate::hygiene::Reading;
use crate::parts::Tokens;
use crate::recipe::Limits;
use crate::tokenizer::Tokenizer;

/// One example in token ids, end of sequence included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoding {
    /// The input, cut to its limit.
    pub input: Vec<u32>,
    /// The training target, cut to its limit.
    pub target: Vec<u32>,
    /// Whether the input was longer than its limit.
    pub cut: bool,
}

impl Encoding {
    /// Tokenizes one example. What is beyond a limit is cut from the end and the end of sequence
    /// put behind what is left, as seqio's `append_eos_after_trim` does.
    pub fn of(example: &Example, tokenizer: &Tokenizer, limits: &Limits) -> Self {
        let input = tokenizer.encode(&example.input);
        let cut = input.len() + 1 > limits.input;
        Encoding {
            input: ended(input, limits.input, tokenizer.end()),
            target: ended(
                tokenizer.encode(&example.target),
                limits.target,
                tokenizer.end(),
            ),
            cut,
        }
    }
}

/// What the model reads of each example's input, in their order.
pub fn readings(examples: &[Example], tokenizer: &Tokenizer, limits: &Limits) -> Vec<Reading> {
    // The last token is the end of sequence.
    let kept = limits.input.saturating_sub(1);
    examples
        .par_iter()
        .map(|example| {
            let (ids, offsets) = tokenizer.encode_with_offsets(&example.input);
            let last = kept.checked_sub(1).and_then(|last| offsets.get(last));
            Reading {
                tokens: ids.len() + 1,
                cut_at: (ids.len() > kept).then(|| last.map_or(0, |(_, end)| *end)),
            }
        })
        .collect()
}

/// Tokenizes examples, in their order.
pub fn encode(examples: &[Example], tokenizer: &Tokenizer, limits: &Limits) -> Vec<Encoding> {
    examples
        .par_iter()
        .map(|example| Encoding::of(example, tokenizer, limits))
        .collect()
}

/// `ids` with `end` behind them, at most `limit` long.
fn ended(mut ids: Vec<u32>, limit: usize, end: u32) -> Vec<u32> {
    ids.truncate(limit.saturating_sub(1));
    ids.push(end);
    ids
}

/// Inputs and targets of one training step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Encoder side.
    pub inputs: Tokens,
    /// Decoder side.
    pub targets: Tokens,
}

impl Batch {
    /// Pads some encodings to a batch.
    pub fn of(encodings: &[&Encoding], pad: u32) -> Self {
        let inputs: Vec<&[u32]> = encodings.iter().map(|e| e.input.as_slice()).collect();
        let targets: Vec<&[u32]> = encodings.iter().map(|e| e.target.as_slice()).collect();
        Batch {
            inputs: Tokens::padded(&inputs, pad),
            targets: Tokens::padded(&targets, pad),
        }
    }
}

/// An endless stream of batches whose order depends on the seed alone.
///
/// Each epoch is shuffled; pools of some batches are sorted by length, so that a batch holds
/// examples of like length and little padding, and the pool's batches are shuffled again.
pub struct Batches<'a> {
    encodings: &'a [Encoding],
    size: usize,
    pad: u32,
    rng: ChaCha8Rng,
    waiting: Vec<Vec<usize>>,
}

/// Batches in a pool.
const POOL: usize = 8;

impl<'a> Batches<'a> {
    /// Batches of `size` examples; fewer where there are not as many examples.
    ///
    /// # Panics
    /// `encodings` is empty or `size` is 0: both are refused before training.
    pub fn new(encodings: &'a [Encoding], size: usize, pad: u32, seed: u64) -> Self {
        assert!(
            !encodings.is_empty() && size > 0,
            "nothing to make batches of"
        );
        Batches {
            encodings,
            size: size.min(encodings.len()),
            pad,
            rng: ChaCha8Rng::seed_from_u64(seed),
            waiting: Vec::new(),
        }
    }

    /// Shuffles a new epoch into batches; a last one that is not full is left out.
    fn refill(&mut self) {
        let mut order: Vec<usize> = (0..self.encodings.len()).collect();
        order.shuffle(&mut self.rng);
        for pool in order.chunks_mut(POOL * self.size) {
            pool.sort_by_key(|&i| self.encodings[i].input.len());
            self.waiting
                .extend(pool.chunks_exact(self.size).map(<[usize]>::to_vec));
        }
        self.waiting.shuffle(&mut self.rng);
    }

    /// The next batch.
    pub fn next_batch(&mut self) -> Batch {
        if self.waiting.is_empty() {
            self.refill();
        }
        let indices = self.waiting.pop().expect("an epoch has at least one batch");
        let chosen: Vec<&Encoding> = indices.iter().map(|&i| &self.encodings[i]).collect();
        Batch::of(&chosen, self.pad)
    }
}

/// Groups examples of like length for evaluation: indices, longest groups first, at most
/// `positions` padded input positions a group.
pub fn buckets(lengths: &[usize], positions: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|&i| (std::cmp::Reverse(lengths[i]), i));
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for i in order {
        match groups.last_mut() {
            // The first of a group is its longest.
            Some(group) if (group.len() + 1) * lengths[group[0]] <= positions => group.push(i),
            _ => groups.push(vec![i]),
        }
    }
    groups
}
