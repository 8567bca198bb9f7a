//! The parts of a block: self-attention and feed-forward, each with a residual followed by a norm.

use burn::module::Module;
use burn::tensor::Tensor;

use crate::layers::{
    Adapter, Dropout, KeyValue, Linear, Norm, Packing, adapted, adapted_output, prepend_prefix,
    with_prefix,
};
use promptshift_kernels::{self as kernels, AttentionInputs, Heads, Visible};

/// Multi-head self-attention, `softmax(q kᵀ/√K) v`.
#[derive(Module, Debug)]
pub(super) struct Attention {
    pub(super) query: Linear,
    pub(super) key: Linear,
    pub(super) value: Linear,
    pub(super) output: Linear,
    /// An adapter after or beside it.
    pub(super) adapter: Option<Adapter>,
    pub(super) heads: usize,
}

impl Attention {
    /// `[N, D]` → `[N, D]`; each row attends to the rows of its example and to the prefix.
    fn forward(
        &self,
        x: Tensor<2>,
        prefix: Option<&KeyValue>,
        packing: &Packing,
        dropout: &mut Dropout,
    ) -> Tensor<2> {
        let batch = packing.batch();
        let query = self.query.forward(x.clone());
        let [_, width] = query.dims();
        let query = query * ((width / self.heads) as f64).powf(-0.5);
        let key_value = KeyValue {
            key: packing.fill(self.key.forward(x.clone())),
            value: packing.fill(self.value.forward(x)),
        };
        let query = packing.fill(query);
        let length = prefix.map_or(0, |prefix| prefix.key.dims()[0]);
        let KeyValue { key, value } = prepend_prefix(prefix, key_value, batch);
        let seen = with_prefix(length, packing.lengths());
        let how = Heads {
            batch,
            heads: self.heads,
            visible: Visible::Lengths(&seen),
            dropped: dropout.weights(),
        };
        let inputs = AttentionInputs {
            query,
            key,
            value,
            bias: None,
        };
        let mixed = kernels::attention(inputs, how);
        adapted_output(
            self.adapter.as_ref(),
            self.output.forward(packing.pack(mixed)),
        )
    }
}

/// `gelu(x W₁ + b₁) W₂ + b₂`.
#[derive(Module, Debug)]
pub(super) struct FeedForward {
    pub(super) up: Linear,
    pub(super) down: Linear,
    /// An adapter after or beside it.
    pub(super) adapter: Option<Adapter>,
}

impl FeedForward {
    /// `[N, D]` → `[N, D]`.
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let stream = x.clone();
        adapted(self.adapter.as_ref(), x, &stream, |x| {
            self.down.forward(kernels::gelu(self.up.forward(x)))
        })
    }
}

/// One block.
#[derive(Module, Debug)]
pub(super) struct Block {
    pub(super) attention: Attention,
    pub(super) attention_norm: Norm,
    pub(super) feed_forward: FeedForward,
    pub(super) feed_forward_norm: Norm,
}

impl Block {
    /// `[N, D]` → `[N, D]`.
    pub(super) fn forward(
        &self,
        x: Tensor<2>,
        prefix: Option<&KeyValue>,
        packing: &Packing,
        dropout: &mut Dropout,
    ) -> Tensor<2> {
        let mixed = (self.attention).forward(x.clone(), prefix, packing, dropout);
        let x = self.attention_norm.forward(dropout.each(mixed) + x);
        let changed = self.feed_forward.forward(x.clone());
        self.feed_forward_norm.forward(dropout.each(changed) + x)
    }
}
