//! The search for a method's recipe: as many trials as for any other, on the source alone.

use std::ops::ControlFlow;

use super::lab::identity;
use super::run::Run;
use super::tune::Kept;
use super::{Event, ExperimentError, Lab, finished, past_damage};
use crate::plan::Plan;
use promptshift_numbers::provenance;
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::search::{Search, Trial, TrialEnd};
use promptshift_numbers::record::{Cell, Provenance};
use promptshift_tensors::train::{FitError, Fitted, Halts};

/// The seed of trials: none of the seeds that a count gives, so that no reported run was picked
/// because it was lucky.
pub const SEED: u64 = 1_000_000;

impl Lab<'_> {
    /// The search for a method's recipe, as many trials as the plan says; those that were made already
    /// are not made again. The plan's seeds have no part in them.
    ///
    /// # Errors
    /// `watch` breaks it off, or trials can't be written or read.
    ///
    /// # Panics
    /// The plan searches none for the method.
    pub fn search(
        &self,
        plan: &Plan,
        method: Method,
        watch: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<Search, ExperimentError> {
        let provenance = provenance::collect(self.origin.clone());
        let cell = plan.cell(method, SEED);
        let (Some(base), Some(count)) = (&cell.recipe, cell.trials) else {
            panic!("the plan has trials for the method");
        };
        let mut trials = self.store.trials(&cell, base, &provenance)?;
        trials.truncate(count);
        for recipe in base.grid(count).into_iter().skip(trials.len()) {
            let learning_rate = recipe.optimizer.learning_rate();
            let trial = Cell {
                recipe: Some(recipe),
                ..cell.clone()
            };
            let number = trials.len() + 1;
            finished(watch(Event::Trying {
                cell: &trial,
                number,
            }))?;
            trials.push(Trial {
                learning_rate,
                end: self.attempt(&trial, &provenance, watch)?,
            });
            self.store.keep_trials(&cell, base, &provenance, &trials)?;
        }
        Ok(Search::of(SEED, trials))
    }

    /// Trains one trial, or goes on where it was broken off.
    fn attempt(
        &self,
        cell: &Cell,
        provenance: &Provenance,
        watch: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<TrialEnd, ExperimentError> {
        let recipe = cell.recipe.as_ref().expect("a trial is of a recipe");
        let run = Run {
            cell,
            material: self.material,
            backbone: self.backbone,
        };
        let (begun, of) = (self.store.trial_begun(cell)?, identity(cell, provenance));
        past_damage(&begun, watch, |watch| {
            let tuned = run.applied(recipe)?;
            let mut halts = Halts::new(begun.clone(), of.clone());
            let fitted = run.fit_on_source(tuned, &run.training_set(), Some(&mut halts), watch);
            ended(fitted)
        })
    }
}

/// What came of a trial.
fn ended(fitted: Result<(Fitted, Kept), FitError>) -> Result<TrialEnd, ExperimentError> {
    match fitted {
        Ok((fitted, _)) => {
            let best = fitted
                .curve
                .iter()
                .find(|point| point.step == fitted.best_step);
            Ok(TrialEnd::Scored {
                validation_score: best.expect("the best step was scored").validation_score,
                best_step: fitted.best_step,
                train_seconds: fitted.training.as_secs_f64(),
            })
        }
        Err(FitError::Interrupted) => Err(ExperimentError::Interrupted),
        Err(FitError::Halt(error)) => Err(error.into()),
        Err(error @ (FitError::NotFinite(_) | FitError::Validation(_))) => Ok(TrialEnd::Failed {
            reason: error.to_string(),
        }),
    }
}
