//! The linear map.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};

use super::delta::Delta;
use crate::checkpoint::{transposed, unfilled};
use promptshift_kernels as kernels;

/// A linear map `y = x W + b`, `W` `[in, out]`, and what tuning adds.
#[derive(Module, Debug)]
pub struct Linear {
    pub(crate) weight: Param<Tensor<2>>,
    /// `b` `[out]`; T5 and Llama have none.
    pub(crate) bias: Option<Param<Tensor<1>>>,
    /// What a tuning method adds.
    pub delta: Option<Delta>,
}

impl Linear {
    /// A map without bias of a weight `[in, out]`.
    pub(crate) fn new(weight: Tensor<2>) -> Self {
        Linear {
            weight: Param::from_tensor(weight),
            bias: None,
            delta: None,
        }
    }

    /// A map `[in, out]` without bias, to be filled from a checkpoint.
    pub(crate) fn unfilled(shape: [usize; 2], device: &Device) -> Self {
        Linear {
            weight: unfilled(shape, device),
            bias: None,
            delta: None,
        }
    }

    /// The same map with a bias, to be filled from a checkpoint.
    pub(crate) fn with_unfilled_bias(self, device: &Device) -> Self {
        let [_, output] = self.weight.lazy_shape().dims();
        Linear {
            bias: Some(unfilled([output], device)),
            ..self
        }
    }

    /// The same map with a bias.
    pub fn with_bias(self, bias: Tensor<1>) -> Self {
        Linear {
            bias: Some(Param::from_tensor(bias)),
            ..self
        }
    }

    /// The weight as `[out, in]`.
    pub(crate) fn rows(&self) -> Tensor<2> {
        let weight = self.weight.val();
        let (shape, device) = (weight.dims(), weight.device());
        let values: Vec<f32> = weight.into_data().try_to_vec().expect("parameters are f32");
        let [input, output] = shape;
        let data = TensorData::new(transposed(&values, shape), [output, input]);
        Tensor::from_data(data, &device)
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

    /// Adds the thin product to the weight, for inference without any cost.
    pub fn merge(&mut self) {
        self.add_low_rank(1.0);
    }

    /// Takes the thin product out of the weight again; exact up to rounding.
    pub fn unmerge(&mut self) {
        self.add_low_rank(-1.0);
    }

    fn add_low_rank(&mut self, sign: f64) {
        if let Some(low_rank) = self
            .delta
            .as_ref()
            .and_then(|delta| delta.low_rank.as_ref())
        {
            let weight = self.weight.val() + low_rank.dense() * sign;
            self.weight = Param::from_tensor(weight);
        }
    }
}
