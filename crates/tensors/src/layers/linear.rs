//! Linear layers with the deltas that tuning adds (a low-rank update, a bias, scales), and norms.

use burn::module::{Module, Param};
use burn::tensor::{DType, Device, Tensor};

use crate::checkpoint::unfilled;
use promptshift_kernels as kernels;

/// A linear layer `y = x W + b`, `W` `[in, out]`, with the delta that tuning adds.
#[derive(Module, Debug)]
pub struct Linear {
    pub(crate) weight: Param<Tensor<2>>,
    /// `b` `[out]`; T5 and Llama have none.
    pub(crate) bias: Option<Param<Tensor<1>>>,
    /// The delta of a tuning method.
    pub delta: Option<Delta>,
}

impl Linear {
    /// A linear layer without bias, from a weight `[in, out]`.
    pub(crate) fn new(weight: Tensor<2>) -> Self {
        Linear {
            weight: Param::from_tensor(weight),
            bias: None,
            delta: None,
        }
    }

    /// A linear layer `[in, out]` without bias, to be loaded from a checkpoint.
    pub(crate) fn unfilled(shape: [usize; 2], device: &Device) -> Self {
        Linear {
            weight: unfilled(shape, device),
            bias: None,
            delta: None,
        }
    }

    /// Adds a bias, to be loaded from a checkpoint.
    pub(crate) fn with_unfilled_bias(self, device: &Device) -> Self {
        let [_, output] = self.weight.lazy_shape().dims();
        Linear {
            bias: Some(unfilled([output], device)),
            ..self
        }
    }

    /// Adds a bias.
    pub fn with_bias(self, bias: Tensor<1>) -> Self {
        Linear {
            bias: Some(Param::from_tensor(bias)),
            ..self
        }
    }

    /// `[N, in]` → `[N, out]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let bias = self.bias.as_ref().map(Param::val);
        match &self.delta {
            Some(delta) => delta.forward(x, self.weight.val(), bias),
            None => match bias {
                Some(bias) => kernels::affine(x, self.weight.val(), bias),
                None => kernels::linear(x, self.weight.val()),
            },
        }
    }

    /// Merges the low-rank update into the weight, which is f32 afterwards, so that inference has no extra cost.
    pub fn merge(&mut self) {
        let low_rank = self
            .delta
            .as_ref()
            .and_then(|delta| delta.low_rank.as_ref());
        if let Some(low_rank) = low_rank {
            self.weight = Param::from_tensor(self.weight.val().cast(DType::F32) + low_rank.dense());
        }
    }
}

/// Additions to a linear layer `y = x W`, `W` `[in, out]`; each is optional:
/// `y = ((x ⊙ s_in) W + scale · (x ⊙ s_in) A B + b) ⊙ s_out`. The layer's own bias is added to `b`.
#[derive(Module, Debug, Default)]
pub struct Delta {
    /// LoRA's two low-rank factors.
    pub low_rank: Option<LowRank>,
    /// `b` `[out]`.
    pub bias: Option<Param<Tensor<1>>>,
    /// `s_in` `[in]`.
    pub input_scale: Option<Param<Tensor<1>>>,
    /// `s_out` `[out]`.
    pub output_scale: Option<Param<Tensor<1>>>,
}

/// The low-rank update `scale · x A B`; the dense `A B` is never formed during tuning.
#[derive(Module, Debug)]
pub struct LowRank {
    /// `A` `[in, r]`.
    pub a: Param<Tensor<2>>,
    /// `B` `[r, out]`.
    pub b: Param<Tensor<2>>,
    /// `α/r`.
    pub scale: f64,
}

impl LowRank {
    /// `[N, in]` → `[N, out]`: two low-rank products, scaled at width `r`.
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        kernels::linear(kernels::linear(x, self.a.val()) * self.scale, self.b.val())
    }

    /// `scale · A B` `[in, out]`, only for merging.
    fn dense(&self) -> Tensor<2> {
        self.a.val().matmul(self.b.val()) * self.scale
    }
}

impl Delta {
    /// `[N, in]` → `[N, out]`.
    fn forward(&self, x: Tensor<2>, weight: Tensor<2>, own_bias: Option<Tensor<1>>) -> Tensor<2> {
        let x = match &self.input_scale {
            Some(scale) => x * scale.val().unsqueeze(),
            None => x,
        };
        let low_rank = (self.low_rank.as_ref()).map(|low_rank| low_rank.forward(x.clone()));
        let mut y = match own_bias {
            Some(bias) => kernels::affine(x, weight, bias),
            None => kernels::linear(x, weight),
        };
        if let Some(low_rank) = low_rank {
            y = y + low_rank;
        }
        if let Some(bias) = &self.bias {
            y = y + bias.val().unsqueeze();
        }
        match &self.output_scale {
            Some(scale) => y * scale.val().unsqueeze(),
            None => y,
        }
    }
}

/// Normalisation of rows: root-mean-square norm (T5, Llama), or layer norm with a bias (GPT-2, BERT) or
/// without one (ModernBERT).
#[derive(Module, Debug)]
pub struct Norm {
    pub(crate) gain: Param<Tensor<1>>,
    pub(crate) bias: Option<Param<Tensor<1>>>,
    epsilon: f64,
    #[module(skip)]
    scaled: Scaled,
}

/// What a norm scales.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scaled {
    /// The values of a row.
    Values,
    /// Their differences from the row's mean.
    Differences,
}

impl Norm {
    /// A norm of width `D` without bias, `x / rms(x) ⊙ gain`, to be loaded from a checkpoint.
    pub(crate) fn unfilled(width: usize, epsilon: f64, device: &Device) -> Self {
        Norm {
            gain: unfilled([width], device),
            bias: None,
            epsilon,
            scaled: Scaled::Values,
        }
    }

    /// Makes it `(x - mean(x)) / deviation(x) ⊙ gain`.
    pub(crate) fn centred(self) -> Self {
        Norm {
            scaled: Scaled::Differences,
            ..self
        }
    }

    /// Adds a bias, which makes it `(x - mean(x)) / deviation(x) ⊙ gain + bias`.
    pub(crate) fn with_unfilled_bias(self, device: &Device) -> Self {
        let [width] = self.gain.lazy_shape().dims();
        Norm {
            bias: Some(unfilled([width], device)),
            ..self.centred()
        }
    }

    /// `D`.
    pub(crate) fn width(&self) -> usize {
        self.gain.lazy_shape().dims::<1>()[0]
    }

    /// `[N, D]` → `[N, D]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let gain = self.gain.val();
        match (&self.bias, self.scaled) {
            (Some(bias), _) => kernels::layer_norm(x, gain, bias.val(), self.epsilon),
            (None, Scaled::Values) => kernels::rms_norm(x, gain, self.epsilon),
            (None, Scaled::Differences) => {
                let none = Tensor::zeros(gain.dims(), &gain.device().without_autodiff());
                kernels::layer_norm(x, gain, none, self.epsilon)
            }
        }
    }
}
