//! Inverted dropout: T5's, with one mask for all positions of a sequence, and the usual one.

use burn::tensor::{Device, Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::pick;

/// The source of dropout masks. Its random numbers are its own, so that a seed gives the same
/// masks whatever else runs; at rate 0 it changes nothing and draws nothing.
#[derive(Debug, Clone)]
pub struct Dropout {
    rate: f64,
    rng: ChaCha8Rng,
}

impl Dropout {
    /// Dropout for training. `rate` in [0, 1).
    pub fn new(rate: f64, seed: u64) -> Self {
        Dropout {
            rate,
            rng: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// How many random numbers were drawn, as [`went_on`](Self::went_on) takes it.
    pub fn drawn(&self) -> u64 {
        self.rng.get_word_pos() as u64
    }

    /// The same source after so many were drawn.
    pub fn went_on(mut self, drawn: u64) -> Self {
        self.rng.set_word_pos(drawn.into());
        self
    }

    /// No dropout: evaluation.
    pub fn off() -> Self {
        Dropout::new(0.0, 0)
    }

    /// Whether values pass unchanged.
    pub fn is_off(&self) -> bool {
        self.rate == 0.0
    }

    /// Drops features of `x` `[B·T, D]`, the same ones at every position of a sequence
    /// (T5X drops with `broadcast_dims=(-2,)`).
    pub fn rows(&mut self, x: Tensor<2>, batch: usize) -> Tensor<2> {
        if self.is_off() {
            return x;
        }
        let [rows, width] = x.dims();
        let mask = self
            .mask(batch * width, &x.device())
            .reshape([batch, 1, width]);
        (x.reshape([batch, rows / batch, width]) * mask).reshape([rows, width])
    }

    /// [`rows`](Self::rows) of sequences of these lengths, one behind the other.
    pub fn packed_rows(&mut self, x: Tensor<2>, lengths: &[usize]) -> Tensor<2> {
        if self.is_off() {
            return x;
        }
        let [_, width] = x.dims();
        let masks = (self.mask(lengths.len() * width, &x.device())).reshape([lengths.len(), width]);
        let whose: Vec<usize> = (lengths.iter().enumerate())
            .flat_map(|(sequence, &length)| std::iter::repeat_n(sequence, length))
            .collect();
        x * pick(masks, &whose)
    }

    /// Drops attention probabilities `[B, H, Tq, Tk]`, the same keys for every query.
    pub fn probabilities(&mut self, p: Tensor<4>) -> Tensor<4> {
        if self.is_off() {
            return p;
        }
        let [batch, heads, _, keys] = p.dims();
        let mask = self.mask(batch * heads * keys, &p.device());
        p * mask.reshape([batch, heads, 1, keys])
    }

    /// Drops every value by itself, as BERT does.
    pub fn each<const D: usize>(&mut self, x: Tensor<D>) -> Tensor<D> {
        if self.is_off() {
            return x;
        }
        let shape = x.shape();
        let mask = self.mask(shape.num_elements(), &x.device());
        x * mask.reshape(shape)
    }

    fn mask(&mut self, count: usize, device: &Device) -> Tensor<1> {
        let kept = (1.0 / (1.0 - self.rate)) as f32;
        let values: Vec<f32> = (0..count)
            .map(|_| {
                if self.rng.random_bool(self.rate) {
                    0.0
                } else {
                    kept
                }
            })
            .collect();
        Tensor::from_data(
            TensorData::new(values, [count]),
            &device.clone().without_autodiff(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packed_sequence_drops_what_it_drops_side_by_side() {
        let (lengths, width) = ([2, 1], 64);
        let ones = |rows: usize| Tensor::<2>::ones([rows, width], &Device::flex());
        let packed = Dropout::new(0.5, 7).packed_rows(ones(3), &lengths);
        // The second sequence's second row fills it up.
        let filled = Dropout::new(0.5, 7).rows(ones(4), 2);
        let packed: Vec<f32> = packed.to_data().try_to_vec().expect("f32");
        let filled: Vec<f32> = filled.to_data().try_to_vec().expect("f32");
        assert_eq!(packed, filled[..3 * width]);
        let (first, second) = (&packed[..width], &packed[2 * width..]);
        assert_eq!(first, &packed[width..2 * width], "one mask for a sequence");
        assert_ne!(first, second, "another one for the next");
        assert!(packed.contains(&0.0) && packed.contains(&2.0));
    }
}
