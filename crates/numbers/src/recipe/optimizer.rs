//! The optimiser, its learning-rate schedule, and the learning rates that a search tries.

use serde::{Deserialize, Serialize};

use super::Recipe;

/// Adafactor (Shazeer & Stern 2018) with the T5X options that the paper's recipes set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AdafactorRecipe {
    /// The learning rate at the schedule's maximum.
    pub learning_rate: f64,
    /// Multiply each step by max(1e-3, RMS(parameter)): T5's pre-training and model tuning.
    pub parameter_scaling: ParameterScaling,
    /// Whether second moments of matrices are factored into rows and columns, or full (as for prompts).
    pub second_moment: SecondMoment,
    /// Fraction of the parameter that a step subtracts, not multiplied by the learning rate (T5X).
    pub weight_decay: f64,
    /// The step at which the second moment's decay `1 - t^-0.8` starts: T5X restores the pre-trained model's step, a
    /// fresh optimiser starts at 0.
    pub start_step: usize,
}

/// AdamW (Loshchilov & Hutter 2019).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AdamWRecipe {
    /// The learning rate at the schedule's maximum.
    pub learning_rate: f64,
    /// Decay rate of the first moment, in [0, 1).
    pub beta_1: f64,
    /// Decay rate of the second moment, in [0, 1).
    pub beta_2: f64,
    /// Added to the square root of the second moment.
    pub epsilon: f64,
    /// Fraction of the parameter that a step subtracts, multiplied by the learning rate.
    pub weight_decay: f64,
}

/// The optimiser. Records identify it by the fields of its recipe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OptimizerRecipe {
    /// The optimiser of T5.
    Adafactor(AdafactorRecipe),
    /// The optimiser of most other networks.
    AdamW(AdamWRecipe),
}

impl OptimizerRecipe {
    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            OptimizerRecipe::Adafactor(_) => "Adafactor",
            OptimizerRecipe::AdamW(_) => "AdamW",
        }
    }

    /// The learning rate at the schedule's maximum.
    pub fn learning_rate(&self) -> f64 {
        match self {
            OptimizerRecipe::Adafactor(recipe) => recipe.learning_rate,
            OptimizerRecipe::AdamW(recipe) => recipe.learning_rate,
        }
    }

    /// The same optimiser without weight decay.
    pub fn without_decay(mut self) -> Self {
        match &mut self {
            OptimizerRecipe::Adafactor(recipe) => recipe.weight_decay = 0.0,
            OptimizerRecipe::AdamW(recipe) => recipe.weight_decay = 0.0,
        }
        self
    }

    /// The same optimiser with another learning rate.
    pub fn at(mut self, rate: f64) -> Self {
        match &mut self {
            OptimizerRecipe::Adafactor(recipe) => recipe.learning_rate = rate,
            OptimizerRecipe::AdamW(recipe) => recipe.learning_rate = rate,
        }
        self
    }
}

impl From<AdafactorRecipe> for OptimizerRecipe {
    fn from(recipe: AdafactorRecipe) -> Self {
        OptimizerRecipe::Adafactor(recipe)
    }
}

/// See [`AdafactorRecipe::parameter_scaling`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParameterScaling {
    /// The learning rate is relative to the parameter's root mean square.
    Relative,
    /// The learning rate is absolute.
    Absolute,
}

/// See [`AdafactorRecipe::second_moment`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecondMoment {
    /// Row and column means for matrices.
    Factored,
    /// One value per parameter.
    Full,
}

/// The learning-rate schedule, as a fraction of the learning rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// 1 throughout, as in the paper.
    Constant,
    /// 0 → 1 over `steps`, then 1.
    Warmup {
        /// Steps until the full learning rate.
        steps: usize,
    },
    /// 0 → 1 over `warmup`, 1, then down to `floor` over the last `share` of the steps.
    WarmupDecay {
        /// Steps until the full learning rate.
        warmup: usize,
        /// Fraction of all steps spent decaying, in [0, 1].
        share: f64,
        /// Fraction of the learning rate at the end, in [0, 1].
        floor: f64,
    },
}

/// Factors of the learning rate in the order of trials: the recipe itself first, then alternately lower and higher
/// factors further and further away, then values in between. Every method has a learning rate and depends on it most,
/// so every method is searched over the same factors.
const LEARNING_RATES: [f64; 13] = [
    1.0, 0.3, 3.0, 0.1, 10.0, 0.03, 30.0, 0.55, 1.8, 0.18, 5.5, 0.055, 18.0,
];

impl Recipe {
    /// The greatest number of trials of a search.
    pub const MOST_TRIALS: usize = LEARNING_RATES.len();

    /// The recipes of a search's first `trials` trials, at most [`Recipe::MOST_TRIALS`]; the first is this recipe,
    /// and the only one if nothing is trained.
    pub fn grid(&self, trials: usize) -> Vec<Recipe> {
        let trials = if self.trains() { trials } else { 1 };
        (LEARNING_RATES.iter().take(trials))
            .map(|factor| {
                let rate = three_digits(factor * self.optimizer.learning_rate());
                Recipe {
                    optimizer: self.optimizer.clone().at(rate),
                    ..self.clone()
                }
            })
            .collect()
    }
}

/// Rounds to three significant digits: further digits of a product mean nothing.
fn three_digits(value: f64) -> f64 {
    format!("{value:.2e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::{Defaults, Method};

    #[test]
    fn trials_vary_the_learning_rate_and_the_first_is_the_recipe() {
        let recipe = Recipe::miniature_prompt();
        let grid = recipe.grid(4);
        assert_eq!(grid[0], recipe);
        let rates: Vec<f64> = grid.iter().map(|r| r.optimizer.learning_rate()).collect();
        assert_eq!(rates, [0.3, 0.09, 0.9, 0.03]);
        assert_eq!(
            recipe.grid(2),
            grid[..2],
            "a longer search starts with the trials of a shorter one"
        );
        let mut all: Vec<f64> = (recipe.grid(Recipe::MOST_TRIALS).iter())
            .map(|r| r.optimizer.learning_rate())
            .collect();
        all.sort_by(f64::total_cmp);
        all.dedup();
        assert_eq!(all.len(), Recipe::MOST_TRIALS);
    }

    #[test]
    fn a_method_without_training_has_one_trial() {
        let recipe = Recipe::default_for(Defaults::Nano, Method::FewShot);
        assert_eq!(recipe.grid(5), [recipe]);
    }
}
