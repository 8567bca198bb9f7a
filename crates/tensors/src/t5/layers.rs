//! The sub-layers of a T5 block: attention and feed-forward.

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;

use crate::layers::{Adapter, Dropout, KeyValue, Linear, adapted, adapted_output};
use promptshift_kernels::{self as kernels, AttentionInputs, DistanceBias, Heads, Visible};

/// Multi-head attention without the usual factor `1/√K`, which T5 folds into the initialisation.
#[derive(Module, Debug)]
pub struct Attention {
    pub(super) query: Linear,
    pub(super) key: Linear,
    pub(super) value: Linear,
    pub(super) output: Linear,
    /// An adapter after or in parallel to it.
    pub(super) adapter: Option<Adapter>,
    pub(super) heads: usize,
}

/// Which keys the queries attend to, and the bias of the scores.
pub struct View<'a> {
    /// `B`.
    pub batch: usize,
    /// The bias added to the scores.
    pub bias: Option<DistanceBias>,
    /// The keys that each query may attend to.
    pub visible: Visible<'a>,
}

impl Attention {
    /// `H·K`.
    pub(super) fn key_width(&self) -> usize {
        self.key.weight.val().dims()[1]
    }

    /// Keys and values of `x` `[B·Tk, D]`.
    pub fn key_value(&self, x: Tensor<2>) -> KeyValue {
        KeyValue {
            key: self.key.forward(x.clone()),
            value: self.value.forward(x),
        }
    }

    /// `x` `[B·Tq, D]` attends to `key_value`: `[B·Tq, D]`.
    pub fn forward(
        &self,
        x: Tensor<2>,
        key_value: KeyValue,
        view: View,
        dropout: &mut Dropout,
    ) -> Tensor<2> {
        let View {
            batch,
            bias,
            visible,
        } = view;
        let KeyValue { key, value } = key_value;
        let how = Heads {
            batch,
            heads: self.heads,
            visible,
            dropped: dropout.keys(),
            cap: None,
        };
        let inputs = AttentionInputs {
            query: self.query.forward(x),
            key,
            value,
            bias,
        };
        let mixed = kernels::attention(inputs, how);
        adapted_output(self.adapter.as_ref(), self.output.forward(mixed))
    }
}

/// The feed-forward layers: v1.1's `(gelu_tanh(x W₀) ⊙ (x W₁)) W`, or v1.0's `relu(x W₁) W`.
#[derive(Module, Debug)]
pub struct FeedForward {
    /// `W₀`, only in v1.1.
    pub(super) gate: Option<Linear>,
    pub(super) up: Linear,
    pub(super) down: Linear,
    /// An adapter after or in parallel to it.
    pub(super) adapter: Option<Adapter>,
}

impl FeedForward {
    /// `x` `[B·T, D]` (after the norm) → the update of the residual `stream` `[B·T, D]`.
    pub fn forward(
        &self,
        x: Tensor<2>,
        stream: &Tensor<2>,
        batch: usize,
        dropout: &mut Dropout,
    ) -> Tensor<2> {
        adapted(self.adapter.as_ref(), x, stream, |x| {
            let hidden = match &self.gate {
                Some(gate) => kernels::gated_gelu(gate.forward(x.clone()), self.up.forward(x)),
                None => relu(self.up.forward(x)),
            };
            self.down.forward(dropout.rows(hidden, batch))
        })
    }
}
