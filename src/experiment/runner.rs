//! Runs the cells of a plan: reuses what the store has, and computes the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use std::{mem, thread};

use serde::{Deserialize, Serialize};

use super::context::{CellContext, ToAnswer};
use super::{Event, ExperimentError, Watch};
use crate::datasets::Datasets;
use crate::plan::Plan;
use promptshift_numbers::provenance::{self, Origin};
use promptshift_numbers::record::Cell;
use promptshift_numbers::record::folder::StoreError;
use promptshift_numbers::record::search::Search;
use promptshift_numbers::store::{
    ARITHMETIC, Environment, Reuse, Store, StoredTraining, Subject, Work,
};
use promptshift_tensors::backbone::Backbone;
use promptshift_tensors::device::Device;
use promptshift_tensors::tuning::Tuned;
use promptshift_text::claim::ClaimError;

/// Which of a training's weights the store keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// The final weights and those at checkpoints.
    All,
    /// The final weights: a later evaluation trains nothing.
    Deltas,
    /// None: a later evaluation trains again.
    None,
}

/// What the store keeps and what is reused from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keeping {
    /// Which weights are kept.
    pub keep: Keep,
    /// Which results are reused.
    pub reuse: Reuse,
}

/// Runs cells with these rows, backbone and store.
pub struct Runner<'a> {
    pub(super) datasets: &'a Datasets,
    pub(super) backbone: &'a Backbone,
    further_devices: &'a [Device],
    pub(super) store: &'a Store,
    pub(super) origin: Origin,
    pub(super) environment: Environment,
    pub(super) keep: Keep,
    pub(super) reuse: Reuse,
}

/// The interval for polling another process's work.
const AGAIN: Duration = Duration::from_millis(500);

/// Work that only one process may do at a time.
pub(super) enum Claimed<T> {
    /// It is done.
    Done(T),
    /// This process has claimed it.
    Work(Box<Work>),
}

/// A cell with the search that found its recipe.
pub type Searched = (Cell, Option<Search>);

/// What remains to be computed for some cells, by the names of trainings and evaluations; shared work is
/// listed once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToDo {
    /// Trainings that the store has.
    pub trainings_found: BTreeSet<String>,
    /// Trainings to run, and the bytes of weights that each will leave in the store.
    pub trainings: BTreeMap<String, u64>,
    /// Test sets, by the model that answers them, with all answers in the store.
    pub evaluations_found: BTreeSet<String>,
    /// Test sets with missing answers.
    pub evaluations: BTreeSet<String>,
}

impl ToDo {
    /// Adds the work of other cells.
    pub fn add(&mut self, other: ToDo) {
        self.trainings_found.extend(other.trainings_found);
        self.trainings.extend(other.trainings);
        self.evaluations_found.extend(other.evaluations_found);
        self.evaluations.extend(other.evaluations);
    }

    /// Whether nothing remains.
    pub fn is_nothing(&self) -> bool {
        self.trainings.is_empty() && self.evaluations.is_empty()
    }
}

impl<'a> Runner<'a> {
    /// A runner of cells with the same limits. `origin` is the provenance of its results.
    pub fn new(
        datasets: &'a Datasets,
        backbone: &'a Backbone,
        store: &'a Store,
        origin: Origin,
        keeping: Keeping,
    ) -> Self {
        Runner {
            environment: Environment {
                arithmetic: ARITHMETIC,
                device: origin.device.split(':').next().unwrap_or("").to_owned(),
                processor: provenance::processor(),
                gpu: provenance::gpu(&origin.device),
            },
            datasets,
            backbone,
            further_devices: &[],
            store,
            origin,
            keep: keeping.keep,
            reuse: keeping.reuse,
        }
    }

    /// Puts replicas of the model on these devices too, besides the backbone's own.
    pub fn on(self, further_devices: &'a [Device]) -> Self {
        Runner {
            further_devices,
            ..self
        }
    }

    /// The rows of the study.
    pub fn datasets(&self) -> &Datasets {
        self.datasets
    }

    /// The model that cells are run on.
    pub fn backbone(&self) -> &Backbone {
        self.backbone
    }

    /// A plan's cell with its final recipe; `None` until its search is done.
    ///
    /// # Errors
    /// The store can't be read.
    pub fn known(&self, plan: &Plan, cell: &Cell) -> Result<Option<Cell>, ExperimentError> {
        let found = self.found_searched(plan, cell)?;
        Ok(found.map(|(cell, _)| cell))
    }

    /// The plan's cell with the recipe that its method's search found, if it has one; the search is done.
    ///
    /// # Errors
    /// The store can't be read, or the search is not done.
    pub fn finished_search(&self, plan: &Plan, cell: &Cell) -> Result<Searched, ExperimentError> {
        let found = self.found_searched(plan, cell)?;
        found.ok_or_else(|| ExperimentError::Lacks {
            piece: cell.title(),
            input: format!("the search for the recipe of {}", cell.method.title()),
            hint: String::new(),
        })
    }

    /// [`known`](Self::known), with the search.
    pub(super) fn found_searched(
        &self,
        plan: &Plan,
        cell: &Cell,
    ) -> Result<Option<Searched>, ExperimentError> {
        if cell.trials.is_none() {
            return Ok(Some((cell.clone(), None)));
        }
        let search = self.found_search(plan, cell.method)?;
        Ok(search.map(|search| with_search(cell.clone(), Some(search))))
    }

    /// What remains to be computed for a plan's cell: all of it, until its recipe's search is done.
    ///
    /// # Errors
    /// The store can't be read.
    pub fn to_do(&self, plan: &Plan, cell: &Cell) -> Result<ToDo, ExperimentError> {
        if let Some(cell) = self.known(plan, cell)? {
            return self.to_do_of(self.context(&cell));
        }
        let mut to_do = self.to_do_of(self.context(cell))?;
        // The searched recipe is unknown, so nothing counts as found.
        to_do.evaluations.append(&mut to_do.evaluations_found);
        let begun = mem::take(&mut to_do.trainings_found).into_iter();
        to_do.trainings.extend(begun.map(|name| (name, 0)));
        Ok(to_do)
    }

    fn to_do_of(&self, context: CellContext) -> Result<ToDo, ExperimentError> {
        let mut to_do = ToDo::default();
        let subject = context.subject();
        let found = match &subject {
            Some(subject) => self.training(subject)?,
            None => None,
        };
        let name = match (&subject, &found) {
            (_, Some(found)) => Some(found.name.clone()),
            (Some(subject), None) => Some(self.environment.name(subject)),
            (None, None) => None,
        };
        let of = context.of(name.clone())?;
        let zero_shot = context
            .datasets
            .tests
            .iter()
            .map(|test| (test, context.asked(of.clone(), test)));
        let shots = context
            .shots(&of)
            .into_iter()
            .map(|shot| (shot.test, shot.asked));
        for (test, asked) in zero_shot.chain(shots) {
            match self.unanswered(&asked, &test.rows)?.is_empty() {
                true => to_do.evaluations_found.insert(asked.name()),
                false => to_do.evaluations.insert(asked.name()),
            };
        }
        if let (Some(subject), Some(name)) = (&subject, name) {
            // Without stored weights, it must be trained again before anything can be evaluated.
            let is_enough =
                |found: StoredTraining| to_do.evaluations.is_empty() || found.trained().is_some();
            match found.is_some_and(is_enough) {
                true => _ = to_do.trainings_found.insert(name),
                false => _ = to_do.trainings.insert(name, self.weight_bytes(subject)),
            }
        }
        Ok(to_do)
    }

    /// The training of a subject, if the store has it.
    pub(super) fn training(
        &self,
        subject: &Subject,
    ) -> Result<Option<StoredTraining>, ExperimentError> {
        let found = self
            .store
            .training(subject, &self.environment, self.reuse)?;
        // A training from another environment without stored weights is repeated here, and then belongs to
        // this environment.
        let is_here = |found: &StoredTraining| found.record.environment == self.environment;
        Ok(found.filter(|found| is_here(found) || found.trained().is_some()))
    }

    /// Claims the work of this name, unless `done` finds it done. Waits while another process is working on
    /// it.
    pub(super) fn claimed<T>(
        &self,
        name: &str,
        done: &dyn Fn() -> Result<Option<T>, ExperimentError>,
        watch: &mut Watch,
    ) -> Result<Claimed<T>, ExperimentError> {
        let mut is_reported = false;
        loop {
            if let Some(found) = done()? {
                return Ok(Claimed::Done(found));
            }
            match self.store.begin(name) {
                // It may have been done since `done` was called.
                Ok(work) => {
                    return Ok(done()?.map_or_else(|| Claimed::Work(Box::new(work)), Claimed::Done));
                }
                Err(error @ StoreError::Claim(ClaimError::Busy { .. })) => {
                    match is_reported {
                        true => watch(Event::StillWaiting)?,
                        false => watch(Event::Waiting(&error))?,
                    }
                    is_reported = true;
                    thread::sleep(AGAIN);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    pub(super) fn context<'c>(&'c self, cell: &'c Cell) -> CellContext<'c> {
        CellContext {
            cell,
            datasets: self.datasets,
            backbone: self.backbone,
            further_devices: self.further_devices,
        }
    }

    /// Computes what the store lacks of a cell: its training, then the answers to all rows.
    ///
    /// # Errors
    /// `watch` stops it, training fails, the model's output is not finite, or the store can't be written or read.
    pub fn compute(&self, cell: &Cell, watch: &mut Watch) -> Result<(), ExperimentError> {
        let context = self.context(cell);
        let subject = context.subject();
        let (training, mut tuned) = match &subject {
            Some(subject) => {
                let (training, tuned) = self.trained(context, subject, watch)?;
                self.answer_at_steps(context, &training, watch)?;
                (Some(training), tuned)
            }
            None => (None, None),
        };
        let of = context.of(training.as_ref().map(|training| training.name.clone()))?;
        let mut loaded = |watch: &mut Watch| -> Result<Tuned, ExperimentError> {
            match (&tuned, &training) {
                (Some(tuned), _) => Ok(tuned.clone()),
                (None, Some(training)) => Ok(tuned
                    .insert(self.reopened(context, training, watch)?)
                    .clone()),
                (None, None) => Ok(tuned.insert(context.as_given()?).clone()),
            }
        };
        for test in &self.datasets.tests {
            let asked = context.asked(of.clone(), test);
            if let Some((places, _claim)) = self.to_answer(&asked, &test.rows, watch)? {
                let tuned = loaded(watch)?.into_inference();
                let to_answer = ToAnswer {
                    asked,
                    rows: &test.rows,
                    places: &places,
                    few_shot_seconds: None,
                };
                self.answer(context, &tuned, to_answer, watch)?;
            }
        }
        for shot in context.shots(&of) {
            if let Some((places, _claim)) = self.to_answer(&shot.asked, &shot.test.rows, watch)? {
                let start = loaded(watch)?;
                self.tune_k_shot(context, shot, &start, &places, watch)?;
            }
        }
        Ok(())
    }

    /// The plan's cells, each with the recipe found by its method's search; missing searches are run.
    ///
    /// # Errors
    /// As [`compute`](Self::compute).
    pub fn searched(
        &self,
        plan: &Plan,
        watch: &mut Watch,
    ) -> Result<Vec<Searched>, ExperimentError> {
        let mut searches = BTreeMap::new();
        for method in plan.searched_methods() {
            searches.insert(method, self.search(plan, method, watch)?);
        }
        let searched = |cell: Cell| {
            let search = searches.get(&cell.method).cloned();
            with_search(cell, search)
        };
        Ok(plan.cells().into_iter().map(searched).collect())
    }
}

/// A cell with the recipe that a search found.
fn with_search(mut cell: Cell, search: Option<Search>) -> Searched {
    if let (Some(recipe), Some(search)) = (&mut cell.recipe, &search) {
        let chosen = search.trials[search.chosen].learning_rate;
        recipe.optimizer = recipe.optimizer.clone().at(chosen);
    }
    (cell, search)
}
