//! The search that chose a recipe: trials on the source alone, chosen among by source validation.

use serde::{Deserialize, Serialize};

/// The trials behind a cell's recipe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Search {
    /// The seed of every trial, which is no reported run's by default.
    pub seed: u64,
    /// In the order in which they were made; the first is the recipe as it was asked for.
    pub trials: Vec<Trial>,
    /// The place of the trial whose recipe was taken.
    pub chosen: usize,
}

/// One trial. Its recipe is the cell's but for the learning rate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// The learning rate at the schedule's height.
    pub learning_rate: f64,
    /// How it ended.
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
        /// That step.
        best_step: usize,
        /// Seconds spent in training steps.
        train_seconds: f64,
    },
    /// Training failed.
    Failed {
        /// Why, in words.
        reason: String,
    },
}

impl Trial {
    /// The main metric on source validation at its best step; `None` where training failed.
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
    /// Chooses the trial with the highest score on source validation, the earlier of equals; the first
    /// where all failed.
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
    fn the_best_on_source_validation_is_chosen_and_a_failure_never_is() {
        let scored = |validation_score| Trial {
            learning_rate: 0.1,
            end: TrialEnd::Scored {
                validation_score,
                best_step: 1,
                train_seconds: 1.0,
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
