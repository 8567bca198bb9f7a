//! The optimiser that a recipe asks for.

use burn::optim::{AdamWConfig, ModuleOptimizer};

use super::adafactor::PaperAdafactor;
use crate::recipe::Rule;

/// The optimiser of a rule; the learning rate comes with each step.
pub fn optimizer(rule: &Rule) -> ModuleOptimizer {
    match rule {
        Rule::Adafactor(recipe) => ModuleOptimizer::from(PaperAdafactor::new(recipe)),
        Rule::AdamW(recipe) => {
            let adamw = AdamWConfig::new()
                .with_beta_1(recipe.beta_1 as f32)
                .with_beta_2(recipe.beta_2 as f32)
                .with_epsilon(recipe.epsilon as f32)
                .with_weight_decay(recipe.weight_decay as f32);
            ModuleOptimizer::from(adamw.build())
        }
    }
}
