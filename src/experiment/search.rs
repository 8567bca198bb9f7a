//! The search for a method's recipe: as many trials as for any other, on the source alone.

use std::ops::ControlFlow;

use super::{Event, ExperimentError, finished, fit_on_source, training_set, words};
use crate::backbone::Backbone;
use crate::material::Source;
use crate::record::search::{Search, Trial, TrialEnd};
use crate::record::store::Store;
use crate::record::{Cell, Provenance};
use crate::train::FitError;
use crate::tuning;

/// The seed of trials: none of the seeds that a count gives, so that no reported run was picked
/// because it was lucky.
pub const SEED: u64 = 1_000_000;

/// The trials for a cell's method, as many as the cell asks for. Its seed and those of other cells
/// have no part in them.
pub(super) fn search(
    cell: &Cell,
    source: &Source,
    backbone: &Backbone,
    store: &Store,
    provenance: &Provenance,
    watch: &mut dyn FnMut(Event) -> ControlFlow<()>,
) -> Result<Option<Search>, ExperimentError> {
    let (Some(base), Some(count)) = (&cell.recipe, cell.trials) else {
        return Ok(None);
    };
    let cell = Cell {
        seed: SEED,
        ..cell.clone()
    };
    let mut trials = store.trials(&cell, base, provenance)?;
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
            end: attempt(&trial, source, backbone, watch)?,
        });
        store.keep_trials(&cell, base, provenance, &trials)?;
    }
    Ok(Some(Search::of(SEED, trials)))
}

fn attempt(
    cell: &Cell,
    source: &Source,
    backbone: &Backbone,
    watch: &mut dyn FnMut(Event) -> ControlFlow<()>,
) -> Result<TrialEnd, ExperimentError> {
    let recipe = cell.recipe.as_ref().expect("a trial is of a recipe");
    let words = words(recipe, &cell.wording, source, backbone, cell.seed)?;
    let tuned = tuning::apply(backbone, recipe, &words, cell.seed)?;
    let train = training_set(source, cell, backbone);
    match fit_on_source(tuned, &train, source, backbone, cell, recipe, watch) {
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
        Err(FitError::NotFinite(error)) => Ok(TrialEnd::Failed {
            reason: error.to_string(),
        }),
    }
}
