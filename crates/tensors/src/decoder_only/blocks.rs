//! One block: attention and feed-forward, each with pre-normalisation and a residual connection.

use burn::module::Module;
use burn::tensor::Tensor;

use super::config::LayerKind;
use super::positions::{Rotations, Window};
use crate::layers::{
    Adapter, BlockInputs, Dropout, KeyValue, Linear, Norm, Packing, adapted, adapted_output, pick,
    prepend_prefix,
};
use promptshift_kernels::{self as kernels, AttentionInputs, Heads, Recent, Rotation, Visible};

/// A block.
#[derive(Module, Debug)]
pub(super) struct Block {
    pub(super) attention_norm: Norm,
    pub(super) attention: Attention,
    pub(super) feed_forward_norm: Norm,
    pub(super) feed_forward: FeedForward,
}

/// The packed rows of a batch, and which keys they attend to as queries.
pub(super) struct Rows {
    /// The rotations of the rows' positions.
    pub(super) rotations: Rotations,
    pub(super) packing: Packing,
    /// The number of keys that each row attends to; `None` for causal attention of global layers alone: itself and
    /// the rows before it.
    pub(super) counts: Option<Vec<usize>>,
    /// The window of local layers.
    pub(super) window: Option<Window>,
}

impl Rows {
    pub(super) fn view(&self, kind: LayerKind) -> View<'_> {
        let counts = self.counts.as_deref();
        View {
            rotation: self.rotations.of(kind).map(|turns| &turns.queries),
            packing: &self.packing,
            visible: match (counts, self.window) {
                (Some(counts), Some(Window { size, prefix })) if kind == LayerKind::Local => {
                    Visible::Recent(Recent {
                        counts,
                        prefix,
                        window: size,
                    })
                }
                (Some(counts), _) => Visible::Counts(counts),
                (None, _) => Visible::Causal,
            },
        }
    }

    /// The keys' rotation in a layer.
    pub(super) fn key_rotation(&self, kind: LayerKind) -> Option<&Rotation> {
        self.rotations.of(kind).map(|turns| &turns.keys)
    }
}

/// The rows whose final states are needed.
pub(super) struct Asked {
    /// Their indices among all rows.
    pub(super) among: Vec<usize>,
    /// Only these rows.
    pub(super) rows: Rows,
}

impl Block {
    /// Runs all rows of a pass. Returns the states after the block (only of the asked rows, if given), and
    /// the keys and values of all rows, after those of the prefix.
    pub(super) fn read(
        &self,
        inputs: BlockInputs,
        all: &Rows,
        asked: Option<&Asked>,
        dropout: &mut Dropout,
    ) -> (Tensor<2>, KeyValue) {
        let BlockInputs { x, prefix, .. } = inputs;
        let normed = self.attention_norm.forward(x.clone());
        let kind = self.attention.kind;
        let keys = all.key_rotation(kind);
        let key_value = self.attention.key_value(normed.clone(), keys, &all.packing);
        let key_value = prepend_prefix(prefix.as_ref(), key_value, all.packing.batch());
        let read = key_value.clone();
        let x = match asked {
            Some(Asked { among, rows }) => {
                let [x, normed] = [x, normed].map(|rows| pick(rows, among));
                self.forward(x, normed, read, rows.view(kind), dropout)
            }
            None => self.forward(x, normed, read, all.view(kind), dropout),
        };
        (x, key_value)
    }

    /// Rows `x` `[N, D]`, also given after the first norm, attend to `key_value`; returns the block's output.
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

/// Multi-head attention; several query heads may share a key-value head (grouped-query attention, Ainslie et
/// al. 2023, arXiv 2305.13245).
#[derive(Module, Debug)]
pub(super) struct Attention {
    pub(super) query: Linear,
    pub(super) key: Linear,
    pub(super) value: Linear,
    pub(super) output: Linear,
    /// Norms of each head's queries and keys, only in Qwen3 and Gemma 3.
    pub(super) query_norm: Option<Norm>,
    pub(super) key_norm: Option<Norm>,
    /// A norm of the output, only in Gemma.
    pub(super) post_norm: Option<Norm>,
    /// An adapter after or in parallel to it.
    pub(super) adapter: Option<Adapter>,
    pub(super) heads: usize,
    #[module(skip)]
    pub(super) kind: LayerKind,
    /// The factor of the scores, which rotations include.
    #[module(skip)]
    pub(super) scale: f64,
    /// The bound of the scores, if they are soft-capped.
    #[module(skip)]
    pub(super) cap: Option<f64>,
}

/// The norm of a sub-layer's output, if there is one.
fn normed_output(norm: Option<&Norm>, output: Tensor<2>) -> Tensor<2> {
    match norm {
        Some(norm) => norm.forward(output),
        None => output,
    }
}

/// Normalises each head of the rows `[N, H·K]` over its width `K`, if there is a norm.
fn normed_heads(norm: Option<&Norm>, rows: Tensor<2>) -> Tensor<2> {
    let Some(norm) = norm else { return rows };
    let [count, width] = rows.dims();
    let head = norm.width();
    (norm.forward(rows.reshape([count * width / head, head]))).reshape([count, width])
}

/// The rotation of the queries, and the keys that they attend to.
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
            None => query * self.scale,
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
            cap: self.cap.map(|cap| cap as f32),
        };
        let inputs = AttentionInputs {
            query: packing.fill(query),
            key,
            value,
            bias: None,
        };
        let mixed = kernels::attention(inputs, how);
        let mixed = packing.pack(mixed);
        let output = normed_output(self.post_norm.as_ref(), self.output.forward(mixed));
        adapted_output(self.adapter.as_ref(), output)
    }
}

/// The nonlinearity of a feed-forward layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Activation {
    Silu,
    /// GELU's approximation by tanh.
    TanhGelu,
}

/// The feed-forward layers: Llama's `(silu(x W₀) ⊙ (x W₁)) W` (Shazeer 2020, arXiv 2002.05202), Gemma's
/// `norm((gelu_tanh(x W₀) ⊙ (x W₁)) W)`, or GPT-2's `gelu_tanh(x W₁) W`.
#[derive(Module, Debug)]
pub(super) struct FeedForward {
    /// `W₀`, not in GPT-2.
    pub(super) gate: Option<Linear>,
    pub(super) up: Linear,
    pub(super) down: Linear,
    /// A norm of the output, only in Gemma.
    pub(super) post_norm: Option<Norm>,
    #[module(skip)]
    pub(super) activation: Activation,
    /// An adapter after or in parallel to it.
    pub(super) adapter: Option<Adapter>,
}

impl FeedForward {
    /// `x` `[N, D]` (after the norm) → the update of the residual `stream` `[N, D]`; `lengths` are
    /// the numbers of rows of each example.
    pub(super) fn forward(
        &self,
        x: Tensor<2>,
        stream: &Tensor<2>,
        lengths: &[usize],
        dropout: &mut Dropout,
    ) -> Tensor<2> {
        adapted(self.adapter.as_ref(), x, stream, |x| {
            let [gate, up] = match &self.gate {
                Some(gate) => [gate.forward(x.clone()), self.up.forward(x)],
                None => {
                    let up = self.up.forward(x);
                    let open = Tensor::ones(up.dims(), &up.device());
                    [up, open]
                }
            };
            let hidden = match self.activation {
                Activation::Silu => kernels::gated_silu(gate, up),
                Activation::TanhGelu => kernels::gated_gelu(gate, up),
            };
            let output = (self.down).forward(dropout.packed_rows(hidden, lengths));
            normed_output(self.post_norm.as_ref(), output)
        })
    }
}
