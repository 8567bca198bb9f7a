//! The search for a method's recipe: the same number of trials for every method, on the source alone.

use super::runner::{Claimed, Runner};
use super::{Event, ExperimentError, Watch, past_damage};
use crate::plan::{Plan, SEARCH_SEED};
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::Cell;
use promptshift_numbers::record::search::{Search, Trial, TrialEnd};
use promptshift_numbers::store::{Reuse, Work};
use promptshift_tensors::train::{Checkpointer, Fitted};

impl Runner<'_> {
    /// The search for a method's recipe, if the store has all of its trials.
    ///
    /// # Errors
    /// They can't be read.
    ///
    /// # Panics
    /// The plan has no search for the method.
    pub fn found_search(
        &self,
        plan: &Plan,
        method: Method,
    ) -> Result<Option<Search>, ExperimentError> {
        let cell = plan.cell(method, SEARCH_SEED);
        let count = cell.trials.expect("the plan has trials for the method");
        let subject = self.context(&cell).subject().expect("it has a recipe");
        let mut trials = self.store.trials(&subject, &self.environment)?;
        if trials.len() < count && self.reuse == Reuse::Any {
            trials = self.store.trials_of_any(&subject)?;
        }
        let is_whole = trials.len() >= count;
        trials.truncate(count);
        Ok(is_whole.then(|| Search::of(SEARCH_SEED, trials)))
    }

    /// Runs the search for a method's recipe, with the plan's number of trials; stored trials are not repeated. It does
    /// not use the plan's seeds.
    ///
    /// # Errors
    /// `watch` stops it, or trials can't be written or read.
    ///
    /// # Panics
    /// The plan has no search for the method.
    pub fn search(
        &self,
        plan: &Plan,
        method: Method,
        watch: &mut Watch,
    ) -> Result<Search, ExperimentError> {
        let cell = plan.cell(method, SEARCH_SEED);
        let (Some(base), Some(count)) = (&cell.recipe, cell.trials) else {
            panic!("the plan has trials for the method");
        };
        let subject = self.context(&cell).subject().expect("it has a recipe");
        let done = || self.found_search(plan, method);
        let name = format!("search-{}", self.environment.name(&subject));
        let work = match self.claimed(&name, &done, watch)? {
            Claimed::Done(search) => return Ok(search),
            Claimed::Work(work) => work,
        };
        let mut trials = self.store.trials(&subject, &self.environment)?;
        for recipe in base.grid(count).into_iter().skip(trials.len()) {
            let learning_rate = recipe.optimizer.learning_rate();
            let trial = Cell {
                recipe: Some(recipe),
                ..cell.clone()
            };
            let number = trials.len() + 1;
            watch(Event::Trying {
                cell: &trial,
                number,
            })?;
            trials.push(Trial {
                learning_rate,
                end: self.attempt(&trial, &work, watch)?,
            });
            self.store
                .keep_trials(&subject, &self.environment, &trials)?;
            work.clear()?;
        }
        Ok(Search::of(SEARCH_SEED, trials))
    }

    /// Trains one trial, or resumes an interrupted one.
    fn attempt(
        &self,
        cell: &Cell,
        work: &Work,
        watch: &mut Watch,
    ) -> Result<TrialEnd, ExperimentError> {
        let recipe = cell.recipe.as_ref().expect("a trial is of a recipe");
        let context = self.context(cell);
        let subject = context.subject().expect("it has a recipe");
        let of = self.environment.name(&subject);
        past_damage(&work.begun(), watch, |watch| {
            let tuned = context.applied(recipe)?;
            let checkpointer = Some(Checkpointer::new(work.begun(), of.clone()));
            let train = context.training_set();
            let fitted =
                context.fit_on_source(tuned, &train, checkpointer, &mut |_, _, _| Ok(()), watch);
            ended(fitted.map(|(fitted, _)| fitted))
        })
    }
}

/// The result of a trial.
fn ended(fitted: Result<Fitted, ExperimentError>) -> Result<TrialEnd, ExperimentError> {
    match fitted {
        Ok(fitted) => {
            let best = fitted
                .curve
                .iter()
                .find(|point| point.step == fitted.best_step);
            let mut losses = fitted.curve.iter().filter_map(|point| point.train_loss);
            let first = losses.next();
            Ok(TrialEnd::Scored {
                validation_score: best.expect("the best step was scored").validation_score,
                best_step: fitted.best_step,
                train_seconds: fitted.training.as_secs_f64(),
                train_loss: first.map(|first| [first, losses.next_back().unwrap_or(first)]),
            })
        }
        Err(ExperimentError::Fit { source, .. }) => Ok(TrialEnd::Failed {
            reason: source.to_string(),
        }),
        Err(error) => Err(error),
    }
}
