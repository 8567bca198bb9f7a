//! Creates a recipe's optimiser.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::ModuleOptimizer;
use burn::tensor::Tensor;

use super::adafactor::PaperAdafactor;
use super::adamw::AdamW;
use promptshift_numbers::recipe::{OptimizerRecipe, SecondMoment};

/// Creates the optimiser, without state.
pub fn optimizer(recipe: &OptimizerRecipe) -> ModuleOptimizer {
    match recipe {
        OptimizerRecipe::Adafactor(recipe) => PaperAdafactor::new(recipe).into(),
        OptimizerRecipe::AdamW(recipe) => AdamW::new(recipe).into(),
    }
}

/// The bytes of optimiser state for a module's trainable tensors after the first step, in closed form (states
/// are f32): Adafactor's second moment, with the tensor's size or a row and a column per matrix, or AdamW's
/// two moments.
pub(super) fn state_bytes<M: Module>(recipe: &OptimizerRecipe, module: &M) -> u64 {
    let mut state = StateNumbers { recipe, numbers: 0 };
    module.visit(&mut state);
    (state.numbers * size_of::<f32>()) as u64
}

struct StateNumbers<'a> {
    recipe: &'a OptimizerRecipe,
    numbers: usize,
}

impl ModuleVisitor for StateNumbers<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        if !value.is_require_grad() {
            return;
        }
        let dims = value.dims();
        let all = value.shape().num_elements();
        self.numbers += match self.recipe {
            OptimizerRecipe::AdamW(_) => 2 * all,
            OptimizerRecipe::Adafactor(recipe)
                if recipe.second_moment == SecondMoment::Factored && D > 1 =>
            {
                all / dims[D - 1] + all / dims[D - 2]
            }
            OptimizerRecipe::Adafactor(_) => all,
        };
    }
}

#[cfg(test)]
mod tests {
    use burn::module::Param;
    use burn::optim::GradientsParams;
    use burn::tensor::Device;

    use super::*;
    use promptshift_numbers::recipe::{Defaults, Method, Recipe};

    #[derive(Module, Debug)]
    struct Two {
        matrix: Param<Tensor<2>>,
        vector: Param<Tensor<1>>,
        frozen: Param<Tensor<2>>,
    }

    fn two() -> Two {
        let device = Device::flex();
        let trained = device.clone().autodiff();
        let frozen = Param::from_tensor(Tensor::ones([50, 40], &device)).set_require_grad(false);
        Two {
            matrix: Param::from_tensor(Tensor::ones([300, 200], &trained)),
            vector: Param::from_tensor(Tensor::ones([700], &trained)),
            frozen,
        }
    }

    #[test]
    fn a_state_is_as_large_as_its_closed_form() {
        let model = Recipe::default_for(Defaults::Nano, Method::Model).optimizer;
        let prompt = Recipe::default_for(Defaults::Nano, Method::Prompt).optimizer;
        let adamw = Recipe::default_for(Defaults::Encoder, Method::Model).optimizer;
        let wanted = [
            (model, 300 + 200 + 700),
            (prompt, 300 * 200 + 700),
            (adamw, 2 * (300 * 200 + 700)),
        ];
        for (recipe, numbers) in wanted {
            let module = two();
            assert_eq!(state_bytes(&recipe, &module), 4 * numbers, "{recipe:?}");
            let loss = module.matrix.val().sum() + module.vector.val().sum();
            let grads = GradientsParams::from_grads(loss.backward(), &module);
            let mut optimizer = optimizer(&recipe);
            let _ = optimizer.step(0.1, module, grads);
            let file = optimizer.into_bytes().expect("a state").len() as u64;
            let header = file
                .checked_sub(4 * numbers)
                .expect("all tensors are in it");
            assert!(header < 2_000, "{recipe:?}: {header} bytes besides tensors");
        }
    }
}
