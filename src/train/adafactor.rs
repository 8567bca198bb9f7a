//! Burn's Adafactor with what T5X's has and Burn's lacks: a second moment that is not factored,
//! weight decay that is not multiplied by the learning rate, a step count that starts elsewhere.
//!
//! T5X `t5x/adafactor.py`; the paper's options are `prompt_tuning/configs/models/t5_1_1_prompt.gin`
//! (google-research/prompt-tuning).

use burn::optim::{Adafactor, AdafactorConfig, AdafactorState, LearningRate, Optimizer};
use burn::tensor::{Device, Tensor};

use crate::recipe::{AdafactorRecipe, ParameterScaling, SecondMoment};

/// See the module's documentation.
#[derive(Clone)]
pub struct PaperAdafactor {
    inner: Adafactor,
    second_moment: SecondMoment,
    weight_decay: f64,
    start_step: usize,
}

impl PaperAdafactor {
    /// The optimiser of a recipe.
    pub fn new(recipe: &AdafactorRecipe) -> Self {
        PaperAdafactor {
            inner: AdafactorConfig::new()
                .with_relative_step(false)
                .with_scale_parameter(recipe.parameter_scaling == ParameterScaling::Relative)
                .build(),
            second_moment: recipe.second_moment,
            weight_decay: recipe.weight_decay,
            start_step: recipe.start_step,
        }
    }
}

impl Optimizer for PaperAdafactor {
    type State<const D: usize> = AdafactorState<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let tensor = match self.weight_decay {
            0.0 => tensor,
            decay => tensor.mul_scalar(1.0 - decay),
        };
        if self.second_moment == SecondMoment::Factored {
            return self.inner.step(lr, tensor, grad, state);
        }
        // Burn factors whatever has two dimensions, so the tensor goes through as a vector.
        let shape = tensor.shape();
        let count = [shape.num_elements()];
        let state = match state {
            Some(state) => Some(AdafactorState {
                time: state.time,
                second_moment: state.second_moment.reshape(count),
                column_second_moment: None,
            }),
            // As if `start_step` steps of zero gradients had gone before.
            None if self.start_step > 0 => Some(AdafactorState {
                time: self.start_step,
                second_moment: Tensor::zeros(count, &grad.device()),
                column_second_moment: None,
            }),
            None => None,
        };
        let (tensor, state) =
            self.inner
                .step(lr, tensor.reshape(count), grad.reshape(count), state);
        let state = state.map(|state| AdafactorState {
            time: state.time,
            second_moment: state.second_moment.reshape(shape.clone()),
            column_second_moment: None,
        });
        (tensor.reshape(shape), state)
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        Adafactor::to_device(state, device)
    }
}
