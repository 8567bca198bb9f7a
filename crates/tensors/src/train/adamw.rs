//! AdamW (Loshchilov & Hutter 2019): Burn's, but on Flex with the step from
//! [`kernels::adamw`](promptshift_kernels::adamw) (bit-identical, without ten temporaries of the gradient's
//! size); and, for pre-training, with a step size relative to each tensor's initial scale.

use burn::module::{Module, ModuleVisitor, Param, ParamGroup};
use burn::optim::{
    AdamW as Plain, AdamWConfig, AdamWState, AdaptiveMomentumState, LearningRate, ModuleOptimizer,
    Optimizer,
};
use burn::tensor::{Device, Tensor};

use promptshift_kernels::adamw as fused;
use promptshift_kernels::adamw::Moments;
use promptshift_numbers::recipe::AdamWRecipe;

/// AdamW with a fused step on Flex.
#[derive(Clone)]
pub struct AdamW {
    plain: Plain,
    betas: [f32; 2],
    epsilon: f32,
    weight_decay: f32,
}

impl AdamW {
    /// The optimiser for a recipe; each step receives its learning rate.
    pub fn new(recipe: &AdamWRecipe) -> Self {
        let betas = [recipe.beta_1 as f32, recipe.beta_2 as f32];
        let (epsilon, weight_decay) = (recipe.epsilon as f32, recipe.weight_decay as f32);
        AdamW {
            plain: AdamWConfig::new()
                .with_beta_1(betas[0])
                .with_beta_2(betas[1])
                .with_epsilon(epsilon)
                .with_weight_decay(weight_decay)
                .build(),
            betas,
            epsilon,
            weight_decay,
        }
    }
}

impl Optimizer for AdamW {
    type State<const D: usize> = AdamWState<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        if !fused::is_fused(&tensor) {
            return self.plain.step(lr, tensor, grad, state);
        }
        let shape = tensor.shape();
        let count = [shape.num_elements()];
        let step = fused::Step {
            size: lr,
            betas: self.betas,
            epsilon: self.epsilon,
            weight_decay: self.weight_decay,
            time: state.as_ref().map_or(0, |state| state.momentum.time) + 1,
        };
        let moments = state.map(|AdamWState { momentum }| Moments {
            first: momentum.moment_1.reshape(count),
            second: momentum.moment_2.reshape(count),
        });
        let (tensor, moments) =
            fused::step(tensor.reshape(count), grad.reshape(count), moments, &step);
        let state = AdamWState::new(AdaptiveMomentumState::new(
            step.time,
            moments.first.reshape(shape.clone()),
            moments.second.reshape(shape.clone()),
        ));
        (tensor.reshape(shape), Some(state))
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        Plain::to_device(state, device)
    }
}

/// Gains start at 1 and need much smaller steps: a fifth.
const GAIN_SCALE: f64 = 0.2;

/// AdamW with β = (0.9, 0.98) and no weight decay. The step size for each tensor of `module` is the learning
/// rate times the tensor's initial root mean square.
///
/// T5 initialises q with `1/√(D·K)` and its embedding with 1: a single absolute step size would either
/// overwrite the queries within a few steps or hardly change the embedding. Adafactor's parameter scaling
/// (T5's own pre-training) adapts the step to the tensor's current root mean square; here the scale is
/// measured once, before the first step.
pub fn scaled_adamw<M: Module>(module: &M) -> ModuleOptimizer {
    let adamw = AdamW::new(&AdamWRecipe {
        // The rate passed to each step replaces this one.
        learning_rate: 0.0,
        beta_1: 0.9,
        beta_2: 0.98,
        epsilon: 1e-8,
        weight_decay: 0.0,
    });
    let mut groups = Groups {
        optimizer: Some(ModuleOptimizer::from(adamw.clone())),
        adamw,
    };
    module.visit(&mut groups);
    groups.optimizer.expect("put back after every parameter")
}

/// Adds a group for each parameter visited.
struct Groups {
    optimizer: Option<ModuleOptimizer>,
    adamw: AdamW,
}

impl ModuleVisitor for Groups {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let scale = if D == 1 {
            GAIN_SCALE
        } else {
            let mean_square = param.val().without_autodiff().square().mean();
            f64::from(mean_square.into_scalar::<f32>()).sqrt()
        };
        let scaled = Scaled {
            adamw: self.adamw.clone(),
            scale,
        };
        let group = ParamGroup::from_ids(vec![param.id]);
        let optimizer = self
            .optimizer
            .take()
            .expect("put back after every parameter");
        self.optimizer = Some(optimizer.with_group(group, scaled, None));
    }
}

/// AdamW at a fixed multiple of the learning rate.
#[derive(Clone)]
struct Scaled {
    adamw: AdamW,
    scale: f64,
}

impl Optimizer for Scaled {
    type State<const D: usize> = AdamWState<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        self.adamw.step(lr * self.scale, tensor, grad, state)
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        AdamW::to_device(state, device)
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Distribution;
    use proptest::prelude::*;

    use super::*;

    /// Compares the fused step with Burn's over several steps on random gradients.
    fn check<const D: usize>(weight_decay: f64, shape: [usize; D], seed: u64) {
        let optimizer = AdamW::new(&AdamWRecipe {
            learning_rate: 0.1,
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-8,
            weight_decay,
        });
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
            other = optimizer.plain.step(0.1, other.0, grad, other.1);
            let [a, b] = [&one.0, &other.0].map(|tensor| tensor.clone().into_data());
            a.assert_eq(&b, true);
        }
        let moved = (one.0 - start).abs().max().into_scalar::<f32>();
        assert!(moved > 1e-4, "moved by {moved}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn the_fused_step_is_bit_identical_to_burn_s(
            (height, width) in (2..50_usize, 1..70_usize),
            weight_decay in prop_oneof![Just(0.0), Just(0.01)],
            seed in 1..1000_u64,
        ) {
            check(weight_decay, [height, width], seed);
            check(weight_decay, [height * width], seed);
        }
    }

    #[test]
    fn the_fused_step_is_burn_s_over_many_shares() {
        check(0.01, [700, 128], 3);
        check(0.0, [50_000], 4);
    }
}
