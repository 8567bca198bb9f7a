//! The search that chose a recipe: trials trained on the source, of which the best on source validation is chosen.

use serde::{Deserialize, Serialize};

/// The search for a cell's recipe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Search {
    /// The seed of every trial; by default no reported run has it.
    pub seed: u64,
    /// The trials in the order in which they were run; the first has the recipe that was asked for.
    pub trials: Vec<Trial>,
    /// The index of the chosen trial.
    pub chosen: usize,
}

/// One trial. Its recipe is the cell's except for the learning rate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// The learning rate at the schedule's maximum.
    pub learning_rate: f64,
    pub end: TrialEnd,
}

/// How a trial ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrialEnd {
    /// It was trained and scored.
    Scored {
        /// The main metric on source validation at its best step, in [0, 1].
        validation_score: f64,
        best_step: usize,
        /// Seconds spent in training steps.
        train_seconds: f64,
        /// The mean training loss per target token up to the first validation after a step, and since the one before
        /// the last. Absent in older records.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        train_loss: Option<[f64; 2]>,
    },
    /// Training failed.
    Failed {
        /// The reason, in words.
        reason: String,
    },
}

impl Trial {
    /// The main metric on source validation at its best step; `None` if training failed.
    pub fn validation_score(&self) -> Option<f64> {
        match self.end {
            TrialEnd::Scored {
                validation_score, ..
            } => Some(validation_score),
            TrialEnd::Failed { .. } => None,
        }
    }
}

impl Search {
    /// Chooses the trial with the highest score on source validation, the earliest of equals; the first trial if all
    /// failed.
    pub fn of(seed: u64, trials: Vec<Trial>) -> Search {
        let mut chosen = 0;
        let score = |place: usize| {
            trials[place]
                .validation_score()
                .unwrap_or(f64::NEG_INFINITY)
        };
        for place in 1..trials.len() {
            if score(place) > score(chosen) {
                chosen = place;
            }
        }
        Search {
            seed,
            trials,
            chosen,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_trial_on_source_validation_is_chosen_and_never_a_failed_one() {
        let scored = |validation_score| Trial {
            learning_rate: 0.1,
            end: TrialEnd::Scored {
                validation_score,
                best_step: 1,
                train_seconds: 1.0,
                train_loss: None,
            },
        };
        let failed = Trial {
            learning_rate: 9.0,
            end: TrialEnd::Failed {
                reason: "NaN".to_owned(),
            },
        };
        let chosen = |trials: Vec<Trial>| Search::of(7, trials).chosen;
        assert_eq!(
            chosen(vec![failed.clone(), scored(0.0), scored(0.2), scored(0.2)]),
            2
        );
        assert_eq!(chosen(vec![scored(0.2), failed.clone()]), 0);
        assert_eq!(chosen(vec![failed.clone(), failed]), 0);
    }
}
