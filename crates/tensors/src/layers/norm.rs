//! The two norms.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use promptshift_kernels as kernels;

/// A norm of rows: by their root mean square alone (T5, Llama) where there is no bias, after their
/// mean is taken away (GPT-2, BERT) where there is one.
#[derive(Module, Debug)]
pub struct Norm {
    pub(crate) gain: Param<Tensor<1>>,
    pub(crate) bias: Option<Param<Tensor<1>>>,
    epsilon: f64,
}

impl Norm {
    /// `x / rms(x) ⊙ gain`.
    pub(crate) fn root_mean_square(gain: Tensor<1>, epsilon: f64) -> Self {
        Norm {
            gain: Param::from_tensor(gain),
            bias: None,
            epsilon,
        }
    }

    /// `(x - mean(x)) / deviation(x) ⊙ gain + bias`.
    pub fn layer(gain: Tensor<1>, bias: Tensor<1>, epsilon: f64) -> Self {
        Norm {
            gain: Param::from_tensor(gain),
            bias: Some(Param::from_tensor(bias)),
            epsilon,
        }
    }

    /// `[N, D]` → `[N, D]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        match &self.bias {
            None => kernels::rms_norm(x, self.gain.val(), self.epsilon),
            Some(bias) => kernels::layer_norm(x, self.gain.val(), bias.val(), self.epsilon),
        }
    }
}
