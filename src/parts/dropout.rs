//! Inverted dropout: T5's, with one mask for all positions of a sequence, and the usual one.

use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

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
        let whose: Vec<i32> = (lengths.iter().enumerate())
            .flat_map(|(sequence, &length)| std::iter::repeat_n(sequence as i32, length))
            .collect();
        let whose = TensorData::new(whose, [x.dims()[0]]);
        let whose = Tensor::<1, Int>::from_data(whose, &masks.device());
        x * masks.select(0, whose)
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
