//! The bottleneck adapters after or beside a sub-layer.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::activation::{gelu, relu};

use promptshift_kernels as kernels;

/// A part of a block with a norm before it and a residual around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubLayer {
    /// Self-attention of a stack.
    SelfAttention,
    /// Attention of the decoder to the encoder.
    CrossAttention,
    /// The feed-forward.
    FeedForward,
}

/// `y + s · up(f(down(h)))`, where `y` is the sub-layer's output and [`Side`] says what `h` is.
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
    /// Where its input comes from.
    #[module(skip)]
    pub side: Side,
}

/// The nonlinearity between an adapter's two maps.
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
    /// The sum of the sub-layer's output and its residual stream.
    Joined,
    /// The sub-layer's input, after its norm.
    Beside,
}

impl Adapter {
    /// What the adapter reads from before its sub-layer, `[N, D]`: the normed input or the residual stream; `None` if
    /// it only reads the output.
    fn before(&self, input: &Tensor<2>, stream: &Tensor<2>) -> Option<Tensor<2>> {
        match self.side {
            Side::After => None,
            Side::Joined => Some(stream.clone()),
            Side::Beside => Some(input.clone()),
        }
    }

    /// The earlier input, if any, and the sub-layer's output, each `[N, D]` → the adapted output.
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

/// Applies a feed-forward's adapter, if it has one, which may read the sub-layer's input or stream.
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

/// Applies an attention's adapter, if it has one, which reads only the output.
pub(crate) fn adapted_output(adapter: Option<&Adapter>, output: Tensor<2>) -> Tensor<2> {
    match adapter {
        Some(adapter) => adapter.forward(None, output),
        None => output,
    }
}
