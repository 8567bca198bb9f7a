//! Where the cells of a plan are run: what the store has of a cell is taken from there, what is missing is computed.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::context::Context;
use super::{ExperimentError, Watch};
use crate::material::Material;
use crate::plan::Plan;
use promptshift_numbers::provenance::{self, Origin};
use promptshift_numbers::record::Cell;
use promptshift_numbers::record::hygiene::Hygiene;
use promptshift_numbers::record::search::Search;
use promptshift_numbers::store::{ARITHMETIC, Environment, Reuse, Store, StoredTraining, Subject};
use promptshift_tensors::backbone::Backbone;
use promptshift_tensors::tuning::Tuned;

/// Which weights the store keeps of a training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// What was tuned, and of model tuning the weights at its checkpoints too.
    All,
    /// What was tuned: a later evaluation trains nothing.
    Deltas,
    /// None: a later evaluation trains again.
    None,
}

/// How results are looked for and kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keeping {
    /// Which weights are kept.
    pub keep: Keep,
    /// Which results are taken.
    pub reuse: Reuse,
}

/// Where cells are run: on which rows and backbone, and with which store.
pub struct Runner<'a> {
    pub(super) material: &'a Material,
    pub(super) backbone: &'a Backbone,
    pub(super) store: &'a Store,
    pub(super) origin: Origin,
    pub(super) environment: Environment,
    pub(super) keep: Keep,
    pub(super) reuse: Reuse,
    hygiene: OnceCell<Vec<Hygiene>>,
}

/// A cell with the search that its recipe was found by.
pub type Searched = (Cell, Option<Search>);

/// What is left to compute of some cells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ToDo {
    /// Trainings that the store has.
    pub trainings_found: usize,
    /// Trainings that it has not.
    pub trainings: usize,
    /// Test sets, by cell and K, that all of whose rows were answered before.
    pub evaluations_found: usize,
    /// Those with rows that were not.
    pub evaluations: usize,
}

impl ToDo {
    /// Of two sets of cells.
    pub fn and(self, other: ToDo) -> ToDo {
        ToDo {
            trainings_found: self.trainings_found + other.trainings_found,
            trainings: self.trainings + other.trainings,
            evaluations_found: self.evaluations_found + other.evaluations_found,
            evaluations: self.evaluations + other.evaluations,
        }
    }

    /// Whether nothing is.
    pub fn is_nothing(&self) -> bool {
        self.trainings == 0 && self.evaluations == 0
    }
}

impl<'a> Runner<'a> {
    /// A runner of cells with the same limits; results say that they come from `origin`.
    pub fn new(
        material: &'a Material,
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
            },
            material,
            backbone,
            store,
            origin,
            keep: keeping.keep,
            reuse: keeping.reuse,
            hygiene: OnceCell::new(),
        }
    }

    /// The model that it runs cells on.
    pub fn backbone(&self) -> &Backbone {
        self.backbone
    }

    /// A plan's cell with the recipe that it is run with; `None` while that has to be searched.
    ///
    /// # Errors
    /// The store can't be read.
    pub fn known(&self, plan: &Plan, cell: &Cell) -> Result<Option<Cell>, ExperimentError> {
        if cell.trials.is_none() {
            return Ok(Some(cell.clone()));
        }
        let search = self.found_search(plan, cell.method)?;
        Ok(search.map(|search| with_search(cell.clone(), Some(search)).0))
    }

    /// What is left to compute of a plan's cell: all of it, while its recipe has to be searched.
    ///
    /// # Errors
    /// The store can't be read.
    pub fn to_do(&self, plan: &Plan, cell: &Cell) -> Result<ToDo, ExperimentError> {
        if let Some(cell) = self.known(plan, cell)? {
            return self.to_do_of(self.context(&cell));
        }
        let context = self.context(cell);
        let subject = context.subject();
        let shots = context
            .shots(&context.of(self.name(subject.as_ref())?)?)
            .len();
        Ok(ToDo {
            trainings: 1,
            evaluations: self.material.tests.len() + shots,
            ..ToDo::default()
        })
    }

    fn to_do_of(&self, context: Context) -> Result<ToDo, ExperimentError> {
        let mut to_do = ToDo::default();
        let subject = context.subject();
        let of = context.of(self.name(subject.as_ref())?)?;
        let zero_shot = context
            .material
            .tests
            .iter()
            .map(|test| (test, context.asked(of.clone(), test)));
        let shots = context
            .shots(&of)
            .into_iter()
            .map(|shot| (shot.test, shot.asked));
        for (test, asked) in zero_shot.chain(shots) {
            match self.unanswered(&asked, &test.rows)?.is_empty() {
                true => to_do.evaluations_found += 1,
                false => to_do.evaluations += 1,
            }
        }
        if let Some(subject) = &subject {
            match self.training(subject)? {
                // Without its weights it is trained again where something is to be evaluated.
                Some(found) if to_do.evaluations == 0 || found.trained().is_some() => {
                    to_do.trainings_found += 1;
                }
                _ => to_do.trainings += 1,
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
        // What another environment trained and did not keep is trained here anew, and is then this one's.
        let is_here = |found: &StoredTraining| found.record.environment == self.environment;
        Ok(found.filter(|found| is_here(found) || found.trained().is_some()))
    }

    /// The name of a subject's training: of the one that is found, or that would be made.
    pub(super) fn name(
        &self,
        subject: Option<&Subject>,
    ) -> Result<Option<String>, ExperimentError> {
        let Some(subject) = subject else {
            return Ok(None);
        };
        let found = self.training(subject)?.map(|found| found.name);
        Ok(Some(
            found.unwrap_or_else(|| self.environment.name(subject)),
        ))
    }

    pub(super) fn context<'c>(&'c self, cell: &'c Cell) -> Context<'c> {
        Context {
            cell,
            material: self.material,
            backbone: self.backbone,
        }
    }

    /// Computes what the store has not of a cell: its training, then the answers to all rows.
    ///
    /// # Errors
    /// `watch` breaks it off, training fails or the model gives no numbers, or the store can't be written or read.
    pub fn compute(&self, cell: &Cell, watch: &mut Watch) -> Result<(), ExperimentError> {
        let context = self.context(cell);
        let subject = context.subject();
        let (training, mut tuned) = match &subject {
            Some(subject) => {
                let (training, tuned) = self.trained(context, subject, watch)?;
                self.answer_at_steps(context, &training)?;
                (Some(training), tuned)
            }
            None => (None, None),
        };
        let of = context.of(self.name(subject.as_ref())?)?;
        let mut loaded = |watch: &mut Watch| -> Result<Tuned, ExperimentError> {
            match (&tuned, &training) {
                (Some(tuned), _) => Ok(tuned.clone()),
                (None, Some(training)) => Ok(tuned
                    .insert(self.reopened(context, training, watch)?)
                    .clone()),
                (None, None) => Ok(tuned.insert(context.as_given()?).clone()),
            }
        };
        for test in &self.material.tests {
            let asked = context.asked(of.clone(), test);
            let places = self.unanswered(&asked, &test.rows)?;
            if !places.is_empty() {
                let tuned = loaded(watch)?.finished();
                self.answer(context, asked, &tuned, (test, &places), None, watch)?;
            }
        }
        for shot in context.shots(&of) {
            let places = self.unanswered(&shot.asked, &shot.test.rows)?;
            if !places.is_empty() {
                let start = loaded(watch)?;
                self.shoot(context, shot, &start, &places, watch)?;
            }
        }
        Ok(())
    }

    /// The plan's cells, each with the recipe that the search for its method's found; searches that were not made
    /// are made.
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

    pub(super) fn hygiene(&self, context: Context) -> &[Hygiene] {
        let limits = &context.cell.setting.limits;
        (self.hygiene).get_or_init(|| self.material.hygiene(self.backbone, limits))
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
