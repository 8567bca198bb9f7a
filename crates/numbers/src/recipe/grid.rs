//! The grid of recipes that a search goes through. It is declared here, so that every method is
//! searched for as long and as far as any other.

use super::Recipe;

/// What the learning rate is multiplied by, in the order of trials: the recipe as it stands first, then
/// ever further away in turn, then between. The learning rate is what methods depend on most, and
/// the one number that all of them have.
const LEARNING_RATES: [f64; 13] = [
    1.0, 0.3, 3.0, 0.1, 10.0, 0.03, 30.0, 0.55, 1.8, 0.18, 5.5, 0.055, 18.0,
];

impl Recipe {
    /// The most trials that a search may have.
    pub const MOST_TRIALS: usize = LEARNING_RATES.len();

    /// The recipes of a search's first `trials` trials, at most [`Recipe::MOST_TRIALS`], the first being
    /// this one; this one alone where nothing is trained.
    pub fn grid(&self, trials: usize) -> Vec<Recipe> {
        let trials = if self.trains() { trials } else { 1 };
        LEARNING_RATES
            .iter()
            .take(trials)
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

/// A number as short as a person would write it: products have digits that mean nothing.
fn three_digits(value: f64) -> f64 {
    format!("{value:.2e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::{Defaults, Method};

    #[test]
    fn trials_differ_in_the_learning_rate_and_the_first_is_the_recipe() {
        let recipe = Recipe::miniature_prompt();
        let grid = recipe.grid(4);
        assert_eq!(grid[0], recipe);
        let rates: Vec<f64> = grid.iter().map(|r| r.optimizer.learning_rate()).collect();
        assert_eq!(rates, [0.3, 0.09, 0.9, 0.03]);
        assert_eq!(
            recipe.grid(2),
            grid[..2],
            "a longer search begins as a shorter one"
        );
        let mut all: Vec<f64> = (recipe.grid(Recipe::MOST_TRIALS).iter())
            .map(|r| r.optimizer.learning_rate())
            .collect();
        all.sort_by(f64::total_cmp);
        all.dedup();
        assert_eq!(all.len(), Recipe::MOST_TRIALS);
    }

    #[test]
    fn where_nothing_is_trained_nothing_is_searched_for() {
        let recipe = Recipe::default_for(Defaults::Nano, Method::FewShot);
        assert_eq!(recipe.grid(5), [recipe]);
    }
}
