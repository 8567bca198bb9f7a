//! How tuning goes on with a few examples of a target, as plain data.

use serde::{Deserialize, Serialize};

use super::{Budget, Recipe, Schedule};

/// Tuning that goes on, from what was tuned on the source, with K examples of a target's training rows:
/// so many steps at the method's own learning rate, held constant, by a fresh optimiser. Nothing is
/// selected, and no validation is looked at: the last step is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TuneOn {
    /// Each K, ascending, none of them 0.
    pub examples: Vec<usize>,
    /// Optimiser steps for each K.
    pub steps: usize,
}

impl TuneOn {
    /// Steps where none are named.
    pub const STEPS: usize = 50;

    /// A method's recipe for so many examples.
    pub fn recipe(&self, of_source: &Recipe, examples: usize) -> Recipe {
        Recipe {
            schedule: Schedule::Constant,
            budget: Budget {
                steps: self.steps,
                batch_size: of_source.budget.batch_size.min(examples),
                evaluate_every: self.steps,
                patience: None,
            },
            ..of_source.clone()
        }
    }
}
