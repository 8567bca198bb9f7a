//! The two norms.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

use crate::checkpoint::unfilled;
use promptshift_kernels as kernels;

/// A norm of rows: root-mean-square norm (T5, Llama), or layer norm with a bias (GPT-2, BERT) or without one
/// (ModernBERT).
#[derive(Module, Debug)]
pub struct Norm {
    pub(crate) gain: Param<Tensor<1>>,
    pub(crate) bias: Option<Param<Tensor<1>>>,
    epsilon: f64,
    #[module(skip)]
    scaled: Scaled,
}

/// What a norm scales.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scaled {
    /// The values of a row.
    Values,
    /// Their differences from the row's mean.
    Differences,
}

impl Norm {
    /// A norm of width `D` without bias, `x / rms(x) ⊙ gain`, to be filled from a checkpoint.
    pub(crate) fn unfilled(width: usize, epsilon: f64, device: &Device) -> Self {
        Norm {
            gain: unfilled([width], device),
            bias: None,
            epsilon,
            scaled: Scaled::Values,
        }
    }

    /// Makes it `(x - mean(x)) / deviation(x) ⊙ gain`.
    pub(crate) fn centred(self) -> Self {
        Norm {
            scaled: Scaled::Differences,
            ..self
        }
    }

    /// Adds a bias, which makes it `(x - mean(x)) / deviation(x) ⊙ gain + bias`.
    pub(crate) fn with_unfilled_bias(self, device: &Device) -> Self {
        let [width] = self.gain.lazy_shape().dims();
        Norm {
            bias: Some(unfilled([width], device)),
            ..self.centred()
        }
    }

    /// `D`.
    pub(crate) fn width(&self) -> usize {
        self.gain.lazy_shape().dims::<1>()[0]
    }

    /// `[N, D]` → `[N, D]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let gain = self.gain.val();
        match (&self.bias, self.scaled) {
            (Some(bias), _) => kernels::layer_norm(x, gain, bias.val(), self.epsilon),
            (None, Scaled::Values) => kernels::rms_norm(x, gain, self.epsilon),
            (None, Scaled::Differences) => {
                let none = Tensor::zeros(gain.dims(), &gain.device().without_autodiff());
                kernels::layer_norm(x, gain, none, self.epsilon)
            }
        }
    }
}
