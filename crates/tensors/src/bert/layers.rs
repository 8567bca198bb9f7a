//! The parts of a block: self-attention and feed-forward, each with a residual and a norm.

use burn::module::Module;
use burn::tensor::Tensor;

use super::config::{BertConfig, Positions};
use crate::layers::rotary::{Scaling, Turns, frequencies};
use crate::layers::{
    Adapter, Dropout, KeyValue, Linear, Norm, Packing, adapted, adapted_output, prepend_prefix,
    with_prefix,
};
use promptshift_kernels::{self as kernels, AttentionInputs, Heads, Visible, Window};

/// Radians per position for each pair of a head's coordinates, for rotary positions.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Turning {
    /// In blocks with global attention.
    global: Vec<f64>,
    /// In blocks with local attention.
    local: Vec<f64>,
}

impl Turning {
    pub(super) fn of(config: &BertConfig) -> Option<Self> {
        let Positions::Rotary {
            global_theta,
            local_theta,
            ..
        } = config.positions
        else {
            return None;
        };
        let of = |theta| frequencies(config.head_width(), theta, Scaling::None);
        Some(Turning {
            global: of(global_theta),
            local: of(local_theta),
        })
    }

    /// The rotations of rows at these positions.
    pub(super) fn turns(&self, positions: &[usize]) -> RowTurns {
        RowTurns {
            global: Turns::new(positions, &self.global),
            local: Turns::new(positions, &self.local),
        }
    }
}

/// The rotations of a batch's rows.
pub(super) struct RowTurns {
    global: Turns,
    local: Turns,
}

/// The packed rows of a batch, shared by all blocks.
pub(super) struct Rows {
    pub(super) packing: Packing,
    /// The rows' rotations, for rotary positions.
    pub(super) turns: Option<RowTurns>,
}

/// The attention span of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// All rows of the example.
    Whole,
    /// This many rows to either side.
    Near(usize),
}

/// Multi-head self-attention, `softmax(q kᵀ/√K) v`.
#[derive(Module, Debug)]
pub(super) struct Attention {
    pub(super) query: Linear,
    pub(super) key: Linear,
    pub(super) value: Linear,
    pub(super) output: Linear,
    /// An adapter after or in parallel to it.
    pub(super) adapter: Option<Adapter>,
    pub(super) heads: usize,
    #[module(skip)]
    pub(super) reach: Reach,
}

impl Attention {
    /// `[N, D]` → `[N, D]`; each row attends to the prefix and to the rows of its example within reach.
    fn forward(
        &self,
        x: Tensor<2>,
        prefix: Option<&KeyValue>,
        rows: &Rows,
        dropout: &mut Dropout,
    ) -> Tensor<2> {
        let packing = &rows.packing;
        let batch = packing.batch();
        let (query, key) = (self.query.forward(x.clone()), self.key.forward(x.clone()));
        let turns = rows.turns.as_ref().map(|turns| match self.reach {
            Reach::Whole => &turns.global,
            Reach::Near(_) => &turns.local,
        });
        let (query, key) = match turns {
            // The queries' rotation includes the scale.
            Some(turns) => (
                kernels::rotate(query, &turns.queries),
                kernels::rotate(key, &turns.keys),
            ),
            None => {
                let [_, width] = query.dims();
                (query * ((width / self.heads) as f64).powf(-0.5), key)
            }
        };
        let key_value = KeyValue {
            key: packing.fill(key),
            value: packing.fill(self.value.forward(x)),
        };
        let query = packing.fill(query);
        let length = prefix.map_or(0, |prefix| prefix.key.dims()[0]);
        let KeyValue { key, value } = prepend_prefix(prefix, key_value, batch);
        let seen = with_prefix(length, packing.lengths());
        let how = Heads {
            batch,
            heads: self.heads,
            visible: match self.reach {
                Reach::Whole => Visible::Lengths(&seen),
                Reach::Near(radius) => Visible::Near(Window {
                    lengths: &seen,
                    prefix: length,
                    radius,
                }),
            },
            dropped: dropout.weights(),
            cap: None,
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

/// `gelu(x W₁ + b₁) W₂ + b₂`, or a ModernBERT's `(gelu(x W₀) ⊙ (x W₁)) W₂` (Shazeer 2020, arXiv 2002.05202).
#[derive(Module, Debug)]
pub(super) struct FeedForward {
    /// `W₀`, only in a ModernBERT.
    pub(super) gate: Option<Linear>,
    pub(super) up: Linear,
    pub(super) down: Linear,
    /// An adapter after or in parallel to it.
    pub(super) adapter: Option<Adapter>,
}

impl FeedForward {
    /// `x` `[N, D]` → the update of the residual `stream` `[N, D]`.
    fn forward(&self, x: Tensor<2>, stream: &Tensor<2>) -> Tensor<2> {
        adapted(self.adapter.as_ref(), x, stream, |x| {
            let hidden = match &self.gate {
                None => kernels::gelu(self.up.forward(x)),
                Some(gate) => {
                    kernels::gated_exact_gelu(gate.forward(x.clone()), self.up.forward(x))
                }
            };
            self.down.forward(hidden)
        })
    }
}

/// The position of a block's norms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Norms {
    /// After the sum with the residual.
    After,
    /// Before each sub-layer.
    Before,
}

/// One block.
#[derive(Module, Debug)]
pub(super) struct Block {
    pub(super) attention: Attention,
    /// `None` in a ModernBERT's first block, whose input is already normalised.
    pub(super) attention_norm: Option<Norm>,
    pub(super) feed_forward: FeedForward,
    pub(super) feed_forward_norm: Norm,
    #[module(skip)]
    pub(super) norms: Norms,
}

impl Block {
    /// `[N, D]` → `[N, D]`.
    pub(super) fn forward(
        &self,
        x: Tensor<2>,
        prefix: Option<&KeyValue>,
        rows: &Rows,
        dropout: &mut Dropout,
    ) -> Tensor<2> {
        let normed = |x: Tensor<2>| match &self.attention_norm {
            Some(norm) => norm.forward(x),
            None => x,
        };
        match self.norms {
            Norms::After => {
                let mixed = (self.attention).forward(x.clone(), prefix, rows, dropout);
                let x = normed(dropout.each(mixed) + x);
                let changed = self.feed_forward.forward(x.clone(), &x);
                self.feed_forward_norm.forward(dropout.each(changed) + x)
            }
            Norms::Before => {
                let mixed = (self.attention).forward(normed(x.clone()), prefix, rows, dropout);
                let x = dropout.each(mixed) + x;
                let normed = self.feed_forward_norm.forward(x.clone());
                let changed = self.feed_forward.forward(normed, &x);
                dropout.each(changed) + x
            }
        }
    }
}
