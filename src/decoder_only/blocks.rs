//! One block: attention and feed-forward, each behind a norm and with a residual.

use burn::module::Module;
use burn::tensor::Tensor;

use crate::kernels::{self, Rotation, Visible};
use crate::parts::{Adapter, Dropout, Linear, Memory, Norm, adapted};

/// A block.
#[derive(Module, Debug)]
pub(super) struct Block {
    pub(super) attention_norm: Norm,
    pub(super) attention: Attention,
    pub(super) feed_forward_norm: Norm,
    pub(super) feed_forward: FeedForward,
}

/// Multi-head attention; several heads of queries may share one of keys and values (Ainslie et al.
/// 2023, arXiv 2305.13245).
#[derive(Module, Debug)]
pub(super) struct Attention {
    pub(super) query: Linear,
    pub(super) key: Linear,
    pub(super) value: Linear,
    pub(super) output: Linear,
    /// What a tuning method puts after it or beside it.
    pub(super) adapter: Option<Adapter>,
    pub(super) heads: usize,
    pub(super) key_heads: usize,
}

/// What is looked at, and by whom.
pub(super) struct View<'a> {
    pub(super) bias: Option<Tensor<3>>,
    pub(super) batch: usize,
    pub(super) visible: Visible<'a>,
}

impl Attention {
    /// Keys and values of `x` `[B·T, D]`, turned to their positions.
    pub(super) fn memory(&self, x: Tensor<2>, rotation: Option<&Rotation>) -> Memory {
        Memory {
            key: turned(self.key.forward(x.clone()), rotation),
            value: self.value.forward(x),
        }
    }

    /// `x` `[B·Tq, D]` looks at `memory`.
    pub(super) fn forward(
        &self,
        x: Tensor<2>,
        memory: Memory,
        rotation: Option<&Rotation>,
        view: View,
    ) -> Tensor<2> {
        let read = self.adapter.as_ref().map(|adapter| (adapter, x.clone()));
        let query = self.query.forward(x);
        let [_, inner] = query.dims();
        let head_width = inner / self.heads;
        let query = turned(query, rotation) * (head_width as f64).powf(-0.5);
        let mixed = kernels::attention(
            query,
            self.of_each_head(memory.key, head_width),
            self.of_each_head(memory.value, head_width),
            view.bias,
            view.batch,
            self.heads,
            view.visible,
        );
        adapted(read, self.output.forward(mixed))
    }

    /// `[N, heads of keys · K]` → `[N, H·K]`.
    fn of_each_head(&self, x: Tensor<2>, head_width: usize) -> Tensor<2> {
        let shared = self.heads / self.key_heads;
        if shared == 1 {
            return x;
        }
        let [rows, _] = x.dims();
        x.reshape([rows, self.key_heads, 1, head_width])
            .expand([rows, self.key_heads, shared, head_width])
            .reshape([rows, self.heads * head_width])
    }
}

fn turned(x: Tensor<2>, rotation: Option<&Rotation>) -> Tensor<2> {
    match rotation {
        Some(rotation) => kernels::rotate(x, rotation),
        None => x,
    }
}

/// The feed-forward: Llama's `(silu(x W₀) ⊙ (x W₁)) W` (Shazeer 2020, arXiv 2002.05202), or GPT-2's
/// `gelu_tanh(x W₁) W`.
#[derive(Module, Debug)]
pub(super) struct FeedForward {
    /// `W₀`, in Llama.
    pub(super) gate: Option<Linear>,
    pub(super) up: Linear,
    pub(super) down: Linear,
    /// What a tuning method puts after it or beside it.
    pub(super) adapter: Option<Adapter>,
}

impl FeedForward {
    pub(super) fn forward(&self, x: Tensor<2>, batch: usize, dropout: &mut Dropout) -> Tensor<2> {
        let read = self.adapter.as_ref().map(|adapter| (adapter, x.clone()));
        let hidden = match &self.gate {
            Some(gate) => kernels::gated_silu(gate.forward(x.clone()), self.up.forward(x)),
            None => {
                let up = self.up.forward(x);
                let open = Tensor::ones(up.dims(), &up.device());
                kernels::gated_gelu(up, open)
            }
        };
        adapted(read, self.down.forward(dropout.rows(hidden, batch)))
    }
}
