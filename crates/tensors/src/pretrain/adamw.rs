//! AdamW (Loshchilov & Hutter 2019) with a step size relative to each tensor's initial scale.
//!
//! T5 initialises q with `1/√(D·K)` and its embedding with 1: a single absolute step size either overwrites the queries
//! within a few steps or hardly moves the embedding. Adafactor's parameter scaling (T5's own pre-training) adapts the
//! step to the tensor's current root mean square; here the scale is measured once, before the first step.

use burn::module::{Module, ModuleVisitor, Param, ParamGroup};
use burn::optim::{AdamWState, LearningRate, ModuleOptimizer, Optimizer};
use burn::tensor::{Device, Tensor};
use promptshift_numbers::recipe::AdamWRecipe;

use crate::train::adamw::AdamW;

/// Gains start at 1 and need far smaller steps: a fifth of that.
const GAIN_SCALE: f64 = 0.2;

/// AdamW with β = (0.9, 0.98) and no weight decay. The step for each tensor of `module` is the learning rate times the
/// tensor's current root mean square.
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
