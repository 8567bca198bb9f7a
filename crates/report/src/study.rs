//! Studies: comparable records, which have the same transfer, model, suite, rows and limits and differ in method and
//! seed.

mod check;

use std::collections::BTreeSet;
use std::path::Path;

use crate::error::ReportError;
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::folder::{StoredRecord, Unfinished};
use promptshift_numbers::record::{Cell, Evaluation, Prediction, Training, difference};
use promptshift_numbers::score::Metric;
use promptshift_numbers::stats::panel::Sample;

pub use check::check_record;

/// Comparable records; never empty.
#[derive(Debug, Clone)]
pub struct Study<'a> {
    records: Vec<&'a StoredRecord>,
    unfinished: Vec<&'a Unfinished>,
}

impl<'a> Study<'a> {
    /// The cell of the first record; source, targets, model, suite, rows and limits are the same in all records.
    pub fn cell(&self) -> &'a Cell {
        &self.records[0].record.cell
    }

    /// The evaluations of the first record; domains, tasks, splits and sizes are the same in all records.
    pub fn evaluations(&self) -> &'a [Evaluation] {
        &self.records[0].record.evaluations
    }

    /// All records, by method and seed.
    pub fn records(&self) -> &[&'a StoredRecord] {
        &self.records
    }

    /// The records of one method, by seed.
    pub fn of(&self, method: Method) -> Vec<&'a StoredRecord> {
        (self.records.iter().copied())
            .filter(|stored| stored.record.cell.method == method)
            .collect()
    }

    /// The trainings of one method's runs with their seeds; none for methods that take no steps.
    pub fn trainings(&self, method: Method) -> Vec<(u64, &'a Training)> {
        (self.of(method).into_iter())
            .filter_map(|stored| {
                let training = stored.record.training.as_ref()?;
                (training.steps > 0).then_some((stored.record.cell.seed, training))
            })
            .collect()
    }

    /// Cells that were started and have no record, by method and seed.
    pub fn unfinished(&self) -> &[&'a Unfinished] {
        &self.unfinished
    }

    /// The seeds of all methods tuned here, with or without records.
    pub fn seeds(&self) -> BTreeSet<u64> {
        (self.records.iter())
            .map(|stored| &stored.record.cell)
            .chain(self.unfinished.iter().map(|one| &one.cell))
            .filter(|cell| !matches!(cell.method, Method::Untuned | Method::Elsewhere))
            .map(|cell| cell.seed)
            .collect()
    }
}

impl<'a> Study<'a> {
    /// Adds an unfinished cell, unless it is there already.
    fn add(&mut self, begun: &'a Unfinished) {
        let key = |cell: &Cell| (cell.method, cell.seed);
        let recorded = self.records.iter().map(|stored| &stored.record.cell);
        let mut known = recorded.chain(self.unfinished.iter().map(|one| &one.cell));
        if known.all(|cell| key(cell) != key(&begun.cell)) {
            self.unfinished.push(begun);
            self.unfinished.sort_by_key(|one| key(&one.cell));
        }
    }
}

/// Groups records into studies, in the order of their first record, and checks that the records of each are
/// comparable. A folder that is given twice counts once. An unfinished cell belongs to the study that it is
/// comparable with, unless the study has its record.
pub fn studies<'a>(
    records: &'a [StoredRecord],
    unfinished: &'a [Unfinished],
) -> Result<Vec<Study<'a>>, ReportError> {
    sorted(records, unfinished, &|study, cell| {
        study.cell().setting == cell.setting
    })
}

/// As [`studies`], but a method may have several recipes, as in ablations: each recipe gets its own study.
pub fn studies_by_recipe<'a>(
    records: &'a [StoredRecord],
    unfinished: &'a [Unfinished],
) -> Result<Vec<Study<'a>>, ReportError> {
    sorted(records, unfinished, &|study, cell| {
        // The cheaper check first.
        if study.cell().setting != cell.setting {
            return false;
        }
        let mut same = (study.records.iter())
            .map(|stored| &stored.record.cell)
            .filter(|one| one.method == cell.method);
        match (cell.method, &cell.recipe) {
            // It has no recipe; the untuned record of another output folder stays with the runs of that folder.
            (Method::Untuned, _) => same.next().is_none(),
            // It has no recipe but a name, and its runs are numbered in each output folder.
            (Method::Elsewhere, _) => {
                same.all(|one| one.title() == cell.title() && one.seed != cell.seed)
            }
            // The recipe of an unfinished cell is unknown.
            (_, None) => true,
            // The records of the study so far have the same recipe.
            (_, recipe) => {
                (same.next()).is_none_or(|one| difference::first(&one.recipe, recipe).is_none())
            }
        }
    })
}

/// Adds each record and unfinished cell to the first study that it belongs to, by `belongs`.
fn sorted<'a>(
    records: &'a [StoredRecord],
    unfinished: &'a [Unfinished],
    belongs: &dyn Fn(&Study, &Cell) -> bool,
) -> Result<Vec<Study<'a>>, ReportError> {
    let mut folders: BTreeSet<&Path> = BTreeSet::new();
    let mut studies: Vec<Study> = Vec::new();
    for stored in (records.iter()).filter(|stored| folders.insert(&stored.folder)) {
        match studies
            .iter_mut()
            .find(|study| belongs(study, &stored.record.cell))
        {
            Some(study) => study.records.push(stored),
            None => studies.push(Study {
                records: vec![stored],
                unfinished: Vec::new(),
            }),
        }
    }
    for begun in unfinished {
        let home = (studies.iter_mut()).find(|study| belongs(study, &begun.cell));
        if let Some(study) = home {
            study.add(begun);
        }
    }
    for study in &mut studies {
        study
            .records
            .sort_by_key(|stored| (stored.record.cell.method, stored.record.cell.seed));
        check::comparable(&study.records)?;
    }
    if studies.is_empty() {
        Err(ReportError::Nothing)
    } else {
        Ok(studies)
    }
}

/// The samples of one run on one domain.
pub fn samples(metric: Metric, seed: u64, predictions: &[Prediction]) -> Vec<Sample> {
    let sample =
        |one: &Prediction| Sample::new(seed, one.passage.as_str(), metric.contribution(&one.score));
    predictions.iter().map(sample).collect()
}
