//! The parts of a T5 block: linear map, norm, attention, feed-forward.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::activation::relu;

use super::adapter::Adapter;
use super::delta::Delta;
use super::dropout::Dropout;
use crate::kernels::{self, Visible, attention};

/// A linear map without bias: T5 has none. `y = x W`, `W` `[in, out]`, and what tuning adds.
#[derive(Module, Debug)]
pub struct Linear {
    pub(super) weight: Param<Tensor<2>>,
    /// What a tuning method adds.
    pub delta: Option<Delta>,
}

impl Linear {
    pub(super) fn new(weight: Tensor<2>) -> Self {
        Linear {
            weight: Param::from_tensor(weight),
            delta: None,
        }
    }

    /// `[N, in]` → `[N, out]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        match &self.delta {
            Some(delta) => delta.forward(x, self.weight.val()),
            None => kernels::linear(x, self.weight.val()),
        }
    }

    /// Adds the thin product to the weight, for inference without any cost.
    pub fn merge(&mut self) {
        self.add_low_rank(1.0);
    }

    /// Takes the thin product out of the weight again; exact up to rounding.
    pub fn unmerge(&mut self) {
        self.add_low_rank(-1.0);
    }

    fn add_low_rank(&mut self, sign: f64) {
        if let Some(low_rank) = self
            .delta
            .as_ref()
            .and_then(|delta| delta.low_rank.as_ref())
        {
            let weight = self.weight.val() + low_rank.dense() * sign;
            self.weight = Param::from_tensor(weight);
        }
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

impl Memory {
    /// Keys and values of one shape, `[N, H·K]`.
    pub fn new(key: Tensor<2>, value: Tensor<2>) -> Self {
        Memory { key, value }
    }
}

/// Multi-head attention without the usual `1/√K`: T5 folds it into the initialisation.
#[derive(Module, Debug)]
pub struct Attention {
    pub(super) query: Linear,
    pub(super) key: Linear,
    pub(super) value: Linear,
    pub(super) output: Linear,
    /// What a tuning method puts after it or beside it.
    pub(super) adapter: Option<Adapter>,
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
            adapter: None,
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
        let read = self.adapter.as_ref().map(|adapter| (adapter, x.clone()));
        let query = self.query.forward(x);
        let Memory { key, value } = memory;
        let mixed = if dropout.is_off() {
            kernels::attention(query, key, value, bias, batch, self.heads, visible)
        } else {
            let drop = |weights| dropout.probabilities(weights);
            attention::reweighted(query, key, value, bias, batch, self.heads, visible, drop)
        };
        adapted(read, self.output.forward(mixed))
    }
}

/// The feed-forward: v1.1's `(gelu_tanh(x W₀) ⊙ (x W₁)) W`, or v1.0's `relu(x W₁) W`.
#[derive(Module, Debug)]
pub struct FeedForward {
    /// `W₀`, in v1.1.
    pub(super) gate: Option<Linear>,
    pub(super) up: Linear,
    pub(super) down: Linear,
    /// What a tuning method puts after it or beside it.
    pub(super) adapter: Option<Adapter>,
}

impl FeedForward {
    /// `[B·T, D]` → `[B·T, D]`.
    pub fn forward(&self, x: Tensor<2>, batch: usize, dropout: &mut Dropout) -> Tensor<2> {
        let read = self.adapter.as_ref().map(|adapter| (adapter, x.clone()));
        let hidden = match &self.gate {
            Some(gate) => kernels::gated_gelu(gate.forward(x.clone()), self.up.forward(x)),
            None => relu(self.up.forward(x)),
        };
        adapted(read, self.down.forward(dropout.rows(hidden, batch)))
    }
}

/// A sub-layer's output through its adapter, which comes with the sub-layer's input.
fn adapted(read: Option<(&Adapter, Tensor<2>)>, output: Tensor<2>) -> Tensor<2> {
    match read {
        Some((adapter, input)) => adapter.forward(input, output),
        None => output,
    }
}
