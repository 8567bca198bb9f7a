//! The bottleneck that adapters put after a sub-layer or beside it.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::activation::{gelu, relu};

use crate::kernels;

/// `y + up(f(down(h)))`, where `h` is the sub-layer's output `y` in series and its input beside it;
/// beside it the branch is scaled as well.
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

/// Where an adapter reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The sub-layer's output.
    After,
    /// The sub-layer's input, behind its norm.
    Beside,
}

impl Adapter {
    /// The sub-layer's input and output, each `[N, D]` → what takes the output's place.
    pub(super) fn forward(&self, input: Tensor<2>, output: Tensor<2>) -> Tensor<2> {
        let read = match self.side {
            Side::After => output.clone(),
            Side::Beside => input,
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

/// A sub-layer's output through its adapter, which comes with the sub-layer's input.
pub(crate) fn adapted(read: Option<(&Adapter, Tensor<2>)>, output: Tensor<2>) -> Tensor<2> {
    match read {
        Some((adapter, input)) => adapter.forward(input, output),
        None => output,
    }
}
