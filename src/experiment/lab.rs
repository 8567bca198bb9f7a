//! Where the cells of a plan are run, each to its record.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::checkpoints::Checkpoints;
use super::outcome::Outcome;
use super::run::Run;
use super::{Event, ExperimentError, finished, past_damage};
use crate::material::Material;
use crate::plan::Plan;
use promptshift_numbers::provenance::{self, Origin};
use promptshift_numbers::record::hygiene::Hygiene;
use promptshift_numbers::record::search::Search;
use promptshift_numbers::record::store::{Draft, Store, StoredRecord, folder_name};
use promptshift_numbers::record::{Cell, Provenance, RECORD_VERSION, Record, Texts, Training};
use promptshift_tensors::backbone::Backbone;
use promptshift_tensors::train::Halts;

/// Where cells are run: on which rows and backbone, and into which folder.
pub struct Lab<'a> {
    pub(super) material: &'a Material,
    pub(super) backbone: &'a Backbone,
    pub(super) store: &'a Store,
    pub(super) origin: Origin,
    hygiene: OnceCell<Vec<Hygiene>>,
}

/// A cell with the search that its recipe was found by.
pub type Searched = (Cell, Option<Search>);

impl<'a> Lab<'a> {
    /// A lab for cells with the same limits; records say that they come from `origin`.
    pub fn new(
        material: &'a Material,
        backbone: &'a Backbone,
        store: &'a Store,
        origin: Origin,
    ) -> Self {
        Lab {
            material,
            backbone,
            store,
            origin,
            hygiene: OnceCell::new(),
        }
    }

    /// Runs every cell of the plan that has no record yet. A cell whose training fails, or whose model gives
    /// no numbers, is kept as failed, and the plan goes on with the others.
    ///
    /// # Errors
    /// `watch` breaks it off, or a record can't be written or read; cells that are done stay done.
    pub fn run(
        &self,
        plan: &Plan,
        watch: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<Outcome, ExperimentError> {
        self.run_cells(self.searched(plan, watch)?, watch)
    }

    /// As [`run`](Self::run), of some cells.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn run_cells(
        &self,
        cells: Vec<Searched>,
        watch: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<Outcome, ExperimentError> {
        let mut outcome = Outcome::default();
        for (cell, search) in cells {
            if let Some(found) = self.found(&cell)? {
                finished(watch(Event::Found(&found)))?;
                outcome.records.push(found);
                continue;
            }
            finished(watch(Event::Started(&cell)))?;
            match self.run_cell(cell, search, watch) {
                Ok(stored) => {
                    finished(watch(Event::Recorded(&stored)))?;
                    outcome.records.push(stored);
                }
                Err(error) if error.is_of_cell() => {
                    finished(watch(Event::Failed(&error)))?;
                    outcome.failed.push(error.to_string());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(outcome)
    }

    /// What cells came to that were run elsewhere: their records, and the reasons of those that failed,
    /// by [`folder_name`].
    ///
    /// # Errors
    /// A record can't be read, or a cell has neither record nor reason.
    pub fn gather(
        &self,
        cells: &[Searched],
        failed: &BTreeMap<String, String>,
    ) -> Result<Outcome, ExperimentError> {
        let mut outcome = Outcome::default();
        for (cell, _) in cells {
            let name = folder_name(cell);
            match (self.found(cell)?, failed.get(&name)) {
                (Some(found), _) => outcome.records.push(found),
                (None, Some(reason)) => outcome.failed.push(reason.clone()),
                (None, None) => return Err(ExperimentError::Lost { name }),
            }
        }
        Ok(outcome)
    }

    /// The cell's record, if it has one, of the same inputs.
    ///
    /// # Errors
    /// It can't be read, or is of other inputs.
    pub fn found(&self, cell: &Cell) -> Result<Option<StoredRecord>, ExperimentError> {
        let found = self.store.existing(cell)?;
        if let Some(found) = &found {
            found.check_inputs(&provenance::collect(self.origin.clone()))?;
        }
        Ok(found)
    }

    /// The plan's cells, each with the recipe that the search for its method's found.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn searched(
        &self,
        plan: &Plan,
        watch: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<Vec<Searched>, ExperimentError> {
        let mut searches = BTreeMap::new();
        for method in plan.searched_methods() {
            searches.insert(method, self.search(plan, method, watch)?);
        }
        let searched = |mut cell: Cell| {
            let search = searches.get(&cell.method).cloned();
            if let (Some(recipe), Some(search)) = (&mut cell.recipe, &search) {
                let chosen = search.trials[search.chosen].learning_rate;
                recipe.optimizer = recipe.optimizer.clone().at(chosen);
            }
            (cell, search)
        };
        Ok(plan.cells().into_iter().map(searched).collect())
    }

    /// Runs one cell and keeps its record, or that it failed.
    fn run_cell(
        &self,
        cell: Cell,
        search: Option<Search>,
        watch: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<StoredRecord, ExperimentError> {
        let provenance = provenance::collect(self.origin.clone());
        let draft = self.store.begin(&cell)?;
        match self.record(cell, search, provenance.clone(), &draft, watch) {
            Ok(record) => Ok(draft.finish(&record)?),
            Err(error) if error.is_of_cell() => {
                draft.fail(&error.to_string(), &provenance)?;
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    /// Tunes a cell and evaluates it; what it predicts and learns goes into the draft.
    fn record(
        &self,
        cell: Cell,
        search: Option<Search>,
        provenance: Provenance,
        draft: &Draft,
        watch: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<Record, ExperimentError> {
        let (material, backbone) = (self.material, self.backbone);
        let run = Run {
            cell: &cell,
            material,
            backbone,
        };
        let of = identity(&cell, &provenance);
        let ((trained, training, validation), passed) =
            past_damage(draft.begun(), watch, |watch| {
                let mut checkpoints = Checkpoints::of(run, draft.begun(), of.clone())?;
                let mut halts = Halts::new(draft.begun().to_owned(), of.clone());
                let tuned = run.tune(&provenance, draft, &mut halts, &mut |event| {
                    checkpoints.see(&event);
                    watch(event)
                });
                let passed = checkpoints.passed()?;
                Ok((tuned?, passed))
            })?;
        let tuned = trained.clone().finished();
        let evaluations = (material.tests.iter())
            .map(|test| run.evaluate(&tuned, test, &test.card.name, draft, watch))
            .collect::<Result<_, _>>()?;
        let k_shots = run.k_shots(&trained, draft, watch)?;
        let hygiene = (self.hygiene).get_or_init(|| material.hygiene(backbone, &cell.limits));
        Ok(Record {
            version: RECORD_VERSION,
            provenance,
            notes: material.notes.clone(),
            model_notes: run.model_notes(),
            hygiene: hygiene.clone(),
            training: training.map(|training| Training {
                checkpoints: passed,
                ..training
            }),
            search,
            evaluations,
            k_shots,
            validation,
            texts: Texts::Kept,
            cell,
        })
    }
}

/// What a training is, and its result depends on.
pub(super) fn identity(cell: &Cell, provenance: &Provenance) -> String {
    let of = serde_json::json!({
        "cell": cell,
        "version": provenance.version,
        "revision": provenance.revision,
        "device": provenance.device,
        "model_sha256": provenance.model_sha256,
        "tokenizer_sha256": provenance.tokenizer_sha256,
        "data_sha256": provenance.data_sha256,
    });
    promptshift_text::hash::sha256(of.to_string().as_bytes())
}
