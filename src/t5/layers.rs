//! The parts of a T5 block: linear map, norm, attention, feed-forward.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::activation::relu;

use super::dropout::Dropout;
use crate::kernels::{self, Visible, attention};

/// A linear map without bias: T5 has none. `y = x W`, `W` `[in, out]`.
#[derive(Module, Debug)]
pub struct Linear {
    pub(super) weight: Param<Tensor<2>>,
}

impl Linear {
    pub(super) fn new(weight: Tensor<2>) -> Self {
        Linear {
            weight: Param::from_tensor(weight),
        }
    }

    /// `[N, in]` → `[N, out]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        kernels::linear(x, self.weight.val())
    }
}

/// T5's norm: root mean square, no mean, no bias.
#[derive(Module, Debug)]
pub struct Norm {
    pub(super) gain: Param<Tensor<1>>,
    epsilon: f64,
}

impl Norm {
    pub(super) fn new(gain: Tensor<1>, epsilon: f64) -> Self {
        Norm {
            gain: Param::from_tensor(gain),
            epsilon,
        }
    }

    /// `[N, D]` → `[N, D]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        kernels::rms_norm(x, self.gain.val(), self.epsilon)
    }
}

/// Keys and values that attention looks at.
#[derive(Debug, Clone)]
pub struct Memory {
    /// `[B·Tk, H·K]`.
    pub(super) key: Tensor<2>,
    /// `[B·Tk, H·K]`.
    pub(super) value: Tensor<2>,
}

/// Multi-head attention without the usual `1/√K`: T5 folds it into the initialisation.
#[derive(Module, Debug)]
pub struct Attention {
    pub(super) query: Linear,
    pub(super) key: Linear,
    pub(super) value: Linear,
    pub(super) output: Linear,
    heads: usize,
}

impl Attention {
    pub(super) fn new(
        query: Linear,
        key: Linear,
        value: Linear,
        output: Linear,
        heads: usize,
    ) -> Self {
        Attention {
            query,
            key,
            value,
            output,
            heads,
        }
    }

    /// Keys and values of `x` `[B·Tk, D]`.
    pub fn memory(&self, x: Tensor<2>) -> Memory {
        Memory {
            key: self.key.forward(x.clone()),
            value: self.value.forward(x),
        }
    }

    /// `x` `[B·Tq, D]` looks at `memory`; `bias` `[H, Tq, Tk]` is added to the scores.
    pub fn forward(
        &self,
        x: Tensor<2>,
        memory: Memory,
        bias: Option<Tensor<3>>,
        batch: usize,
        visible: Visible,
        dropout: &mut Dropout,
    ) -> Tensor<2> {
        let query = self.query.forward(x);
        let Memory { key, value } = memory;
        let mixed = if dropout.is_off() {
            kernels::attention(query, key, value, bias, batch, self.heads, visible)
        } else {
            let drop = |weights| dropout.probabilities(weights);
            attention::reweighted(query, key, value, bias, batch, self.heads, visible, drop)
        };
        self.output.forward(mixed)
    }
}

/// The feed-forward: v1.1's `(gelu_tanh(x W₀) ⊙ (x W₁)) W`, or v1.0's `relu(x W₁) W`.
#[derive(Module, Debug)]
pub struct FeedForward {
    /// `W₀`, in v1.1.
    pub(super) gate: Option<Linear>,
    pub(super) up: Linear,
    pub(super) down: Linear,
}

impl FeedForward {
    /// `[B·T, D]` → `[B·T, D]`.
    pub fn forward(&self, x: Tensor<2>, batch: usize, dropout: &mut Dropout) -> Tensor<2> {
        let hidden = match &self.gate {
            Some(gate) => kernels::gated_gelu(gate.forward(x.clone()), self.up.forward(x)),
            None => relu(self.up.forward(x)),
        };
        self.down.forward(dropout.rows(hidden, batch))
    }
}
