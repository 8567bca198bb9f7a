//! What tuning adds to one linear map: a thin product beside it, a bias, scales.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use promptshift_kernels as kernels;

/// Additions to a linear map `y = x W`, `W` `[in, out]`, as far as there are any:
/// `y = ((x ⊙ s_in) W + scale · (x ⊙ s_in) A B + b) ⊙ s_out`; a bias of the map's own is added
/// where `b` is.
#[derive(Module, Debug, Default)]
pub struct Delta {
    /// LoRA's two thin maps.
    pub low_rank: Option<LowRank>,
    /// `b` `[out]`.
    pub bias: Option<Param<Tensor<1>>>,
    /// `s_in` `[in]`.
    pub input_scale: Option<Param<Tensor<1>>>,
    /// `s_out` `[out]`.
    pub output_scale: Option<Param<Tensor<1>>>,
}

/// `scale · x A B`, never as a dense `A B` while it is tuned.
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
    /// `[N, in]` → `[N, out]`: two thin products, scaled where they are thinnest.
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        kernels::linear(kernels::linear(x, self.a.val()) * self.scale, self.b.val())
    }

    /// `scale · A B` `[in, out]`, for merging alone.
    pub(super) fn dense(&self) -> Tensor<2> {
        self.a.val().matmul(self.b.val()) * self.scale
    }
}

impl Delta {
    /// `[N, in]` → `[N, out]`.
    pub(super) fn forward(
        &self,
        x: Tensor<2>,
        weight: Tensor<2>,
        own_bias: Option<Tensor<1>>,
    ) -> Tensor<2> {
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
