//! The bottleneck that adapters put after a sub-layer or beside it.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::activation::{gelu, relu};

use promptshift_kernels as kernels;

/// A part of a block with a norm before it and a residual around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubLayer {
    /// Attention of a stack to itself.
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
    /// What the branch is multiplied by.
    pub scale: f64,
    /// `f`.
    #[module(skip)]
    pub nonlinearity: Nonlinearity,
    /// What it reads.
    #[module(skip)]
    pub side: Side,
}

/// What stands between an adapter's two maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nonlinearity {
    /// `max(x, 0)`.
    Relu,
    /// `x Φ(x)`.
    Gelu,
}

/// What an adapter reads, `h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The sub-layer's output.
    After,
    /// The sub-layer's output and the stream that it is added to, together.
    Joined,
    /// The sub-layer's input, behind its norm.
    Beside,
}

impl Adapter {
    /// What it reads of what stands before its sub-layer: of the input behind the norm and of the stream, each
    /// `[N, D]`.
    fn before(&self, input: &Tensor<2>, stream: &Tensor<2>) -> Option<Tensor<2>> {
        match self.side {
            Side::After => None,
            Side::Joined => Some(stream.clone()),
            Side::Beside => Some(input.clone()),
        }
    }

    /// What came before and the sub-layer's output, each `[N, D]` → what takes the output's place.
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

/// A feed-forward's output through its adapter, if it has one, which may read around it.
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

/// An attention's output through its adapter, if it has one: it reads nothing else.
pub(crate) fn adapted_output(adapter: Option<&Adapter>, output: Tensor<2>) -> Tensor<2> {
    match adapter {
        Some(adapter) => adapter.forward(None, output),
        None => output,
    }
}
