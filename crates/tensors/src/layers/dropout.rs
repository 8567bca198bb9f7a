//! Inverted dropout for training: T5's, with one mask for all positions of a sequence, and the standard one.

use burn::tensor::Tensor;

use promptshift_kernels::{self as kernels, Dropped, Mask, Rows};

/// The source of dropout masks. Each use takes the seed's next mask, so a seed gives the same masks whatever
/// else runs. At rate 0 it changes nothing and uses no mask.
#[derive(Debug, Clone)]
pub struct Dropout {
    rate: f64,
    seed: u64,
    taken: u64,
}

impl Dropout {
    /// Dropout for training. `rate` in [0, 1).
    pub fn new(rate: f64, seed: u64) -> Self {
        Dropout {
            rate,
            seed,
            taken: 0,
        }
    }

    /// The number of masks used so far; pass it to [`resumed`](Self::resumed).
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// The same source after this many masks.
    pub fn resumed(self, taken: u64) -> Self {
        Dropout { taken, ..self }
    }

    /// The source of masks for a replica of the model that computes at the same time: replica 0 takes this
    /// source's masks, and no two replicas take the same one.
    pub(crate) fn of_replica(&self, replica: usize) -> Self {
        /// More masks than a training takes.
        const MASKS: u64 = 1 << 40;
        let taken = self.taken + replica as u64 * MASKS;
        self.clone().resumed(taken)
    }

    /// No dropout: evaluation.
    pub fn off() -> Self {
        Dropout::new(0.0, 0)
    }

    /// Drops features of `x` `[B·T, D]`, the same ones at all positions of a sequence.
    pub fn rows(&mut self, x: Tensor<2>, batch: usize) -> Tensor<2> {
        let lengths = vec![x.dims()[0] / batch; batch];
        self.packed_rows(x, &lengths)
    }

    /// [`rows`](Self::rows) for packed sequences of these lengths.
    pub fn packed_rows(&mut self, x: Tensor<2>, lengths: &[usize]) -> Tensor<2> {
        match self.mask() {
            Some(mask) => kernels::dropout(x, mask, Rows::Sequences(lengths)),
            None => x,
        }
    }

    /// Drops each value of `x` `[N, D]` independently, as BERT does.
    pub fn each(&mut self, x: Tensor<2>) -> Tensor<2> {
        match self.mask() {
            Some(mask) => kernels::dropout(x, mask, Rows::Each),
            None => x,
        }
    }

    /// Attention dropout that drops the same keys for all queries, as in T5.
    pub fn keys(&mut self) -> Option<Dropped> {
        self.mask().map(Dropped::Keys)
    }

    /// Attention dropout that drops each weight independently, as in BERT.
    pub fn weights(&mut self) -> Option<Dropped> {
        self.mask().map(Dropped::Each)
    }

    fn mask(&mut self) -> Option<Mask> {
        (self.rate > 0.0).then(|| {
            self.taken += 1;
            Mask::new(self.rate, self.seed, self.taken - 1)
        })
    }
}
