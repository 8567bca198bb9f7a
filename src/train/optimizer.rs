//! The optimiser of a recipe.

use burn::optim::{AdamWConfig, ModuleOptimizer};

use super::adafactor::PaperAdafactor;
use crate::recipe::OptimizerRecipe;

/// Makes it, without any state.
pub fn optimizer(recipe: &OptimizerRecipe) -> ModuleOptimizer {
    match recipe {
        OptimizerRecipe::Adafactor(recipe) => PaperAdafactor::new(recipe).into(),
        OptimizerRecipe::AdamW(recipe) => AdamWConfig::new()
            .with_beta_1(recipe.beta_1 as f32)
            .with_beta_2(recipe.beta_2 as f32)
            .with_epsilon(recipe.epsilon as f32)
            .with_weight_decay(recipe.weight_decay as f32)
            .build()
            .into(),
    }
}
