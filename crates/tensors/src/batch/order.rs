//! Decides which examples share a batch, in training and in evaluation.

use std::ops::Range;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::{Batch, Encoding};

/// The encodings of one domain of the training set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// Their indices.
    pub rows: Range<usize>,
    /// How many of them an epoch uses; at most all.
    pub each_epoch: usize,
}

/// A share and the order in which coming epochs use its rows.
struct Stock {
    share: Share,
    waiting: Vec<usize>,
}

impl Stock {
    /// Returns the rows of one epoch: all of them, or the next ones in a cycle that uses every row before
    /// repeating one.
    fn draw(&mut self, rng: &mut ChaCha8Rng) -> Vec<usize> {
        let Share { rows, each_epoch } = &self.share;
        if *each_epoch == rows.len() {
            return rows.clone().collect();
        }
        let mut drawn = Vec::with_capacity(*each_epoch);
        while drawn.len() < *each_epoch {
            if self.waiting.is_empty() {
                self.waiting = rows.clone().collect();
                self.waiting.shuffle(rng);
            }
            drawn.extend(self.waiting.pop());
        }
        drawn
    }
}

/// An endless stream of batches; the order depends only on the seed.
///
/// An epoch contains each share's rows, shuffled. Pools of several batches are sorted by length, so that the
/// examples in a batch have similar lengths and need little padding; then the batches of a pool are shuffled
/// again.
pub struct Batches<'a> {
    encodings: &'a [Encoding],
    stocks: Vec<Stock>,
    size: usize,
    pad: u32,
    rng: ChaCha8Rng,
    waiting: Vec<Vec<usize>>,
}

/// Batches in a pool.
const POOL: usize = 8;

impl<'a> Batches<'a> {
    /// Batches of `size` examples, or of all examples if there are fewer.
    ///
    /// # Panics
    /// `encodings` is empty or `size` is 0; both are rejected before training.
    pub fn new(encodings: &'a [Encoding], size: usize, pad: u32, seed: u64) -> Self {
        let whole = Share {
            rows: 0..encodings.len(),
            each_epoch: encodings.len(),
        };
        Batches::mixed(encodings, &[whole], size, pad, seed)
    }

    /// As [`Batches::new`], but each share has its own number of rows per epoch.
    ///
    /// # Panics
    /// An epoch is empty, or `size` is 0.
    pub fn mixed(
        encodings: &'a [Encoding],
        shares: &[Share],
        size: usize,
        pad: u32,
        seed: u64,
    ) -> Self {
        let epoch: usize = shares.iter().map(|share| share.each_epoch).sum();
        assert!(epoch > 0 && size > 0, "nothing to make batches of");
        Batches {
            encodings,
            stocks: (shares.iter())
                .map(|share| Stock {
                    share: share.clone(),
                    waiting: Vec::new(),
                })
                .collect(),
            size: size.min(epoch),
            pad,
            rng: ChaCha8Rng::seed_from_u64(seed),
            waiting: Vec::new(),
        }
    }

    /// Shuffles a new epoch into batches and drops an incomplete last batch.
    fn refill(&mut self) {
        let drawn = self
            .stocks
            .iter_mut()
            .map(|stock| stock.draw(&mut self.rng));
        let mut order = drawn.collect::<Vec<_>>().concat();
        order.shuffle(&mut self.rng);
        for pool in order.chunks_mut(POOL * self.size) {
            pool.sort_by_key(|&i| self.encodings[i].input.len());
            self.waiting
                .extend(pool.chunks_exact(self.size).map(<[usize]>::to_vec));
        }
        self.waiting.shuffle(&mut self.rng);
    }

    /// The row indices of the next batch.
    fn next_rows(&mut self) -> Vec<usize> {
        if self.waiting.is_empty() {
            self.refill();
        }
        self.waiting.pop().expect("an epoch has at least one batch")
    }

    /// Skips this many batches.
    pub fn skip(&mut self, batches: usize) {
        for _ in 0..batches {
            self.next_rows();
        }
    }

    /// The next batch.
    pub fn next_batch(&mut self) -> Batch {
        let indices = self.next_rows();
        let chosen: Vec<&Encoding> = indices.iter().map(|&i| &self.encodings[i]).collect();
        Batch::of(&chosen, self.pad)
    }
}

/// Groups the indices of examples of similar length for evaluation, longest first, with at most `positions`
/// padded input positions per group.
pub fn buckets(lengths: &[usize], positions: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|&i| (std::cmp::Reverse(lengths[i]), i));
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for i in order {
        match groups.last_mut() {
            // The first example of a group is its longest.
            Some(group) if (group.len() + 1) * lengths[group[0]] <= positions => group.push(i),
            _ => groups.push(vec![i]),
        }
    }
    groups
}
