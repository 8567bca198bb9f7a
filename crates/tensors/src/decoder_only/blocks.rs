//! One block: attention and feed-forward, each with a norm before it and a residual around it.

use burn::module::Module;
use burn::tensor::Tensor;

use crate::layers::{Adapter, Dropout, KeyValue, Linear, Norm, Packing, adapted, adapted_output};
use promptshift_kernels::{self as kernels, AttentionInputs, Heads, Rotation, Visible};

/// A block.
#[derive(Module, Debug)]
pub(super) struct Block {
    pub(super) attention_norm: Norm,
    pub(super) attention: Attention,
    pub(super) feed_forward_norm: Norm,
    pub(super) feed_forward: FeedForward,
}

impl Block {
    /// Rows `x` `[N, D]`, given also after the first norm, attend to `key_value`; returns the block's output.
    pub(super) fn forward(
        &self,
        x: Tensor<2>,
        normed: Tensor<2>,
        key_value: KeyValue,
        view: View,
        dropout: &mut Dropout,
    ) -> Tensor<2> {
        let mixed = self.attention.forward(normed, key_value, view);
        let lengths = view.packing.lengths();
        let x = x + dropout.packed_rows(mixed, lengths);
        let normed = self.feed_forward_norm.forward(x.clone());
        let changed = (self.feed_forward).forward(normed, &x, lengths, dropout);
        x + dropout.packed_rows(changed, lengths)
    }
}

/// Multi-head attention; several query heads may share a key-value head (Ainslie et al. 2023, arXiv 2305.13245).
#[derive(Module, Debug)]
pub(super) struct Attention {
    pub(super) query: Linear,
    pub(super) key: Linear,
    pub(super) value: Linear,
    pub(super) output: Linear,
    /// Of each head of queries and of keys, in Qwen3.
    pub(super) query_norm: Option<Norm>,
    pub(super) key_norm: Option<Norm>,
    /// What a tuning method puts after it or beside it.
    pub(super) adapter: Option<Adapter>,
    pub(super) heads: usize,
}

/// Rows `[N, H·K]` with each of their heads behind a norm of width `K`, if there is one.
fn normed_heads(norm: Option<&Norm>, rows: Tensor<2>) -> Tensor<2> {
    let Some(norm) = norm else { return rows };
    let [count, width] = rows.dims();
    let head = norm.width();
    (norm.forward(rows.reshape([count * width / head, head]))).reshape([count, width])
}

/// Who looks, and at which keys.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    /// The queries' rotation, [scaled](crate::layers::rotary::Turns).
    pub(super) rotation: Option<&'a Rotation>,
    pub(super) packing: &'a Packing,
    pub(super) visible: Visible<'a>,
}

impl Attention {
    /// Keys and values of `x` `[N, D]`, rotated by position and padded, `[B·T, G·K]`.
    pub(super) fn key_value(
        &self,
        x: Tensor<2>,
        rotation: Option<&Rotation>,
        packing: &Packing,
    ) -> KeyValue {
        let key = normed_heads(self.key_norm.as_ref(), self.key.forward(x.clone()));
        let key = match rotation {
            Some(rotation) => kernels::rotate(key, rotation),
            None => key,
        };
        KeyValue {
            key: packing.fill(key),
            value: packing.fill(self.value.forward(x)),
        }
    }

    /// `x` `[N, D]` attends to `key_value`.
    pub(super) fn forward(&self, x: Tensor<2>, key_value: KeyValue, view: View) -> Tensor<2> {
        let query = normed_heads(self.query_norm.as_ref(), self.query.forward(x));
        let query = match view.rotation {
            Some(rotation) => kernels::rotate(query, rotation),
            None => {
                let [_, inner] = query.dims();
                query * ((inner / self.heads) as f64).powf(-0.5)
            }
        };
        let KeyValue { key, value } = key_value;
        let View {
            packing, visible, ..
        } = view;
        let how = Heads {
            batch: packing.batch(),
            heads: self.heads,
            visible,
            // Dropout is applied to the outputs of attention and feed-forward instead.
            dropped: None,
        };
        let inputs = AttentionInputs {
            query: packing.fill(query),
            key,
            value,
            bias: None,
        };
        let mixed = kernels::attention(inputs, how);
        let mixed = packing.pack(mixed);
        adapted_output(self.adapter.as_ref(), self.output.forward(mixed))
    }
}

/// The feed-forward: Llama's `(silu(x W₀) ⊙ (x W₁)) W` (Shazeer 2020, arXiv 2002.05202), or GPT-2's
/// `gelu_tanh(x W₁) W`.
#[derive(Module, Debug)]
pub(super) struct FeedForward {
    /// `W₀`, only in Llama.
    pub(super) gate: Option<Linear>,
    pub(super) up: Linear,
    pub(super) down: Linear,
    /// An adapter after or beside it.
    pub(super) adapter: Option<Adapter>,
}

impl FeedForward {
    /// `x` `[N, D]` (after the norm) → the term to add to `stream` `[N, D]`; `lengths` are the rows of each example.
    pub(super) fn forward(
        &self,
        x: Tensor<2>,
        stream: &Tensor<2>,
        lengths: &[usize],
        dropout: &mut Dropout,
    ) -> Tensor<2> {
        adapted(self.adapter.as_ref(), x, stream, |x| {
            let hidden = match &self.gate {
                Some(gate) => kernels::gated_silu(gate.forward(x.clone()), self.up.forward(x)),
                None => {
                    let up = self.up.forward(x);
                    let open = Tensor::ones(up.dims(), &up.device());
                    kernels::gated_gelu(up, open)
                }
            };
            self.down.forward(dropout.packed_rows(hidden, lengths))
        })
    }
}
