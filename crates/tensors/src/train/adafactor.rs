//! Adds to Burn's Adafactor the options of T5X that it lacks: an unfactored second moment, weight decay
//! independent of the learning rate, and a step count that starts above 0.
//!
//! Follows T5X `t5x/adafactor.py`; the paper's options are in
//! `prompt_tuning/configs/models/t5_1_1_prompt.gin` (google-research/prompt-tuning). On Flex a step runs
//! [`kernels::adafactor`](promptshift_kernels::adafactor).

use burn::optim::{Adafactor, AdafactorConfig, AdafactorState, LearningRate, Optimizer};
use burn::tensor::{Device, Tensor};

use promptshift_kernels::adafactor::{self as fused, Factors};
use promptshift_numbers::recipe::{AdafactorRecipe, ParameterScaling, SecondMoment};

/// ε₂: the minimum of the parameter scale that the learning rate is multiplied by. The value in T5X and Burn.
const SMALLEST_SCALE: f32 = 1e-3;
/// The weight of the new squared gradients is the step number to this power. The value in T5X and Burn.
const DECAY_RATE: f64 = -0.8;

/// Adafactor with the options of the prompt-tuning paper.
#[derive(Clone)]
pub struct PaperAdafactor {
    plain: Adafactor,
    parameter_scaling: ParameterScaling,
    second_moment: SecondMoment,
    weight_decay: f64,
    start_step: usize,
}

impl PaperAdafactor {
    /// The optimiser for a recipe.
    pub fn new(recipe: &AdafactorRecipe) -> Self {
        PaperAdafactor {
            plain: AdafactorConfig::new()
                .with_relative_step(false)
                .with_scale_parameter(recipe.parameter_scaling == ParameterScaling::Relative)
                .with_epsilon_2(SMALLEST_SCALE)
                .with_decay_rate(DECAY_RATE)
                .build(),
            parameter_scaling: recipe.parameter_scaling,
            second_moment: recipe.second_moment,
            weight_decay: recipe.weight_decay,
            start_step: recipe.start_step,
        }
    }

    /// The parameters of step number `time`, counted from 1.
    fn fused(&self, lr: LearningRate, time: usize) -> fused::Step {
        fused::Step {
            size: lr,
            smallest_scale: match self.parameter_scaling {
                ParameterScaling::Relative => Some(SMALLEST_SCALE.into()),
                ParameterScaling::Absolute => None,
            },
            weight: (time as f64).powf(DECAY_RATE),
            keep: 1.0 - self.weight_decay,
        }
    }

    /// Burn's step, after weight decay.
    fn plain_step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<AdafactorState<D>>,
    ) -> (Tensor<D>, Option<AdafactorState<D>>) {
        let tensor = match self.weight_decay {
            0.0 => tensor,
            decay => tensor.mul_scalar(1.0 - decay),
        };
        self.plain.step(lr, tensor, grad, state)
    }

    /// A step for a matrix with a factored second moment.
    fn factored_step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<AdafactorState<D>>,
    ) -> (Tensor<D>, Option<AdafactorState<D>>) {
        if D != 2 || !fused::is_fused(&tensor) {
            return self.plain_step(lr, tensor, grad, state);
        }
        let shape = tensor.shape();
        let [height, width] = [shape[0], shape[1]];
        let time = state.as_ref().map_or(0, |state| state.time) + 1;
        let factors = state.map(|state| Factors {
            rows: state.second_moment.reshape([height, 1]),
            columns: (state.column_second_moment)
                .expect("a factored moment has columns")
                .reshape([1, width]),
        });
        let [tensor, grad] = [tensor, grad].map(|matrix| matrix.reshape([height, width]));
        let (tensor, factors) = fused::factored(tensor, grad, factors, &self.fused(lr, time));
        let state = AdafactorState {
            time,
            second_moment: as_matrix(factors.rows),
            column_second_moment: Some(as_matrix(factors.columns)),
        };
        (as_matrix(tensor), Some(state))
    }

    /// A step for a vector, whose second moment is never factored.
    fn vector_step(
        &self,
        lr: LearningRate,
        tensor: Tensor<1>,
        grad: Tensor<1>,
        state: Option<AdafactorState<1>>,
    ) -> (Tensor<1>, Option<AdafactorState<1>>) {
        if !fused::is_fused(&tensor) {
            return self.plain_step(lr, tensor, grad, state);
        }
        let time = state.as_ref().map_or(0, |state| state.time) + 1;
        let moment = state.map(|state| state.second_moment);
        let (tensor, second_moment) =
            fused::unfactored(tensor, grad, moment, &self.fused(lr, time));
        let state = AdafactorState {
            time,
            second_moment,
            column_second_moment: None,
        };
        (tensor, Some(state))
    }
}

/// The same matrix with a generic rank; callers guarantee that `D` is 2.
fn as_matrix<const D: usize>(matrix: Tensor<2>) -> Tensor<D> {
    let shape = matrix.shape();
    matrix.reshape(shape)
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
        if self.second_moment == SecondMoment::Factored && D > 1 {
            return self.factored_step(lr, tensor, grad, state);
        }
        // Burn would factor a matrix's second moment, so it is passed as a vector.
        let shape = tensor.shape();
        let count = [shape.num_elements()];
        let state = match state {
            Some(state) => Some(AdafactorState {
                time: state.time,
                second_moment: state.second_moment.reshape(count),
                column_second_moment: None,
            }),
            // As after `start_step` steps with zero gradients.
            None if self.start_step > 0 => Some(AdafactorState {
                time: self.start_step,
                second_moment: Tensor::zeros(count, &grad.device()),
                column_second_moment: None,
            }),
            None => None,
        };
        let (tensor, state) =
            self.vector_step(lr, tensor.reshape(count), grad.reshape(count), state);
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

#[cfg(test)]
mod tests {
    use burn::tensor::{Distribution, Tolerance};
    use proptest::prelude::*;

    use super::*;

    /// Compares the fused step with Burn's over several steps on random gradients.
    fn check<const D: usize>(optimizer: &PaperAdafactor, shape: [usize; D], seed: u64) {
        let device = Device::flex();
        device.seed(seed);
        let draw = |scale| Tensor::<D>::random(shape, Distribution::Normal(0.0, scale), &device);
        let start = draw(0.5);
        let (mut one, mut other) = ((start.clone(), None), (start.clone(), None));
        for step in 0..4 {
            // The second gradient is much smaller, and has a row or a value of zeros.
            let mut grad = draw(if step == 1 { 1e-6 } else { 2.0 });
            grad = grad.slice_fill(0..1, 0.0);
            one = optimizer.step(0.1, one.0, grad.clone(), one.1);
            other = optimizer.plain_step(0.1, other.0, grad, other.1);
            let tolerance = Tolerance::<f32>::absolute(2e-5).set_relative(2e-5);
            let [a, b] = [&one.0, &other.0].map(|tensor| tensor.clone().into_data());
            a.assert_approx_eq(&b, tolerance);
        }
        let moved = (one.0 - start).abs().max().into_scalar::<f32>();
        assert!(moved > 1e-4, "moved by {moved}");
    }

    fn optimizer(parameter_scaling: ParameterScaling, weight_decay: f64) -> PaperAdafactor {
        PaperAdafactor::new(&AdafactorRecipe {
            learning_rate: 0.1,
            parameter_scaling,
            second_moment: SecondMoment::Factored,
            weight_decay,
            start_step: 0,
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn the_fused_step_is_burn_s(
            (height, width) in (2..50_usize, 1..70_usize),
            scaling in prop_oneof![Just(ParameterScaling::Relative), Just(ParameterScaling::Absolute)],
            weight_decay in prop_oneof![Just(0.0), Just(0.01)],
            seed in 1..1000_u64,
        ) {
            let optimizer = optimizer(scaling, weight_decay);
            check(&optimizer, [height, width], seed);
            check(&optimizer, [height * width], seed);
        }
    }

    #[test]
    fn the_fused_step_is_burn_s_over_many_shares() {
        check(&optimizer(ParameterScaling::Relative, 0.01), [700, 128], 3);
        check(&optimizer(ParameterScaling::Absolute, 0.0), [50_000], 4);
    }

    #[test]
    fn a_shared_buffer_is_not_overwritten() {
        let device = Device::flex();
        let tensor = Tensor::<2>::ones([4, 4], &device);
        let kept = tensor.clone();
        let (moved, _) =
            optimizer(ParameterScaling::Absolute, 0.0).step(0.1, tensor, kept.clone(), None);
        assert_eq!(kept.max().into_scalar::<f32>(), 1.0);
        assert!(moved.max().into_scalar::<f32>() < 1.0);
    }
}
