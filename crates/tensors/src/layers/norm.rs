//! The two norms.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

use crate::checkpoint::unfilled;
use promptshift_kernels as kernels;

/// A norm of rows: root-mean-square norm without a bias (T5, Llama), layer norm with one (GPT-2, BERT).
#[derive(Module, Debug)]
pub struct Norm {
    pub(crate) gain: Param<Tensor<1>>,
    pub(crate) bias: Option<Param<Tensor<1>>>,
    epsilon: f64,
}

impl Norm {
    /// A norm of width `D` without bias, `x / rms(x) ⊙ gain`, to be filled from a checkpoint.
    pub(crate) fn unfilled(width: usize, epsilon: f64, device: &Device) -> Self {
        Norm {
            gain: unfilled([width], device),
            bias: None,
            epsilon,
        }
    }

    /// Adds a bias, which makes it `(x - mean(x)) / deviation(x) ⊙ gain + bias`.
    pub(crate) fn with_unfilled_bias(self, device: &Device) -> Self {
        let [width] = self.gain.lazy_shape().dims();
        Norm {
            bias: Some(unfilled([width], device)),
            ..self
        }
    }

    /// `D`.
    pub(crate) fn width(&self) -> usize {
        self.gain.lazy_shape().dims::<1>()[0]
    }

    /// `[N, D]` → `[N, D]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        match &self.bias {
            None => kernels::rms_norm(x, self.gain.val(), self.epsilon),
            Some(bias) => kernels::layer_norm(x, self.gain.val(), bias.val(), self.epsilon),
        }
    }
}
