//! Bottleneck adapters after a sub-layer or in parallel to it.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::activation::{gelu, relu};

use promptshift_kernels as kernels;

/// A part of a block with its own norm and residual connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubLayer {
    /// Self-attention.
    SelfAttention,
    /// The decoder's attention to the encoder's output.
    CrossAttention,
    /// The feed-forward layer.
    FeedForward,
}

/// `y + s · up(f(down(h)))`, where `y` is the sub-layer's output and [`Side`] selects `h`.
#[derive(Module, Debug)]
pub struct Adapter {
    /// `[D, m]`.
    pub down: Param<Tensor<2>>,
    /// `[m]`.
    pub down_bias: Param<Tensor<1>>,
    /// `[m, D]`.
    pub up: Param<Tensor<2>>,
    /// `[D]`.
    pub up_bias: Param<Tensor<1>>,
    /// The scale of the branch.
    pub scale: f64,
    /// `f`.
    #[module(skip)]
    pub nonlinearity: Nonlinearity,
    /// The source of `h`.
    #[module(skip)]
    pub side: Side,
}

/// The nonlinearity between an adapter's two linear layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nonlinearity {
    /// `max(x, 0)`.
    Relu,
    /// `x Φ(x)`.
    Gelu,
}

/// The source of an adapter's input `h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The sub-layer's output.
    After,
    /// The sum of the sub-layer's output and the residual stream.
    Joined,
    /// The sub-layer's input, after its norm (a parallel adapter).
    Beside,
}

impl Adapter {
    /// The tensor that the adapter reads from before its sub-layer, `[N, D]`: the normalised input or the
    /// residual stream; `None` if it reads only the output.
    fn before(&self, input: &Tensor<2>, stream: &Tensor<2>) -> Option<Tensor<2>> {
        match self.side {
            Side::After => None,
            Side::Joined => Some(stream.clone()),
            Side::Beside => Some(input.clone()),
        }
    }

    /// The tensor from [`before`](Self::before), if any, and the sub-layer's output, each `[N, D]` → the
    /// adapted output.
    fn forward(&self, before: Option<Tensor<2>>, output: Tensor<2>) -> Tensor<2> {
        let read = match (before, self.side) {
            (Some(input), Side::Beside) => input,
            (Some(stream), _) => stream + output.clone(),
            (None, _) => output.clone(),
        };
        let narrow = kernels::linear(read, self.down.val()) + self.down_bias.val().unsqueeze();
        let narrow = match self.nonlinearity {
            Nonlinearity::Relu => relu(narrow),
            Nonlinearity::Gelu => gelu(narrow),
        };
        let branch = kernels::linear(narrow, self.up.val()) + self.up_bias.val().unsqueeze();
        output + branch * self.scale
    }
}

/// Applies the adapter of a feed-forward layer, if it has one; it may read the sub-layer's input or the
/// residual stream.
pub(crate) fn adapted(
    adapter: Option<&Adapter>,
    input: Tensor<2>,
    stream: &Tensor<2>,
    feed_forward: impl FnOnce(Tensor<2>) -> Tensor<2>,
) -> Tensor<2> {
    let Some(adapter) = adapter else {
        return feed_forward(input);
    };
    let before = adapter.before(&input, stream);
    adapter.forward(before, feed_forward(input))
}

/// Applies the adapter of an attention layer, if it has one; it reads only the output.
pub(crate) fn adapted_output(adapter: Option<&Adapter>, output: Tensor<2>) -> Tensor<2> {
    match adapter {
        Some(adapter) => adapter.forward(None, output),
        None => output,
    }
}
