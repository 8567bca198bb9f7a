//! Studies: comparable records, which have the same transfer, model, suite, rows and limits and differ in method and
//! seed.

use std::collections::BTreeSet;
use std::path::Path;

use crate::error::ReportError;
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::difference;
use promptshift_numbers::record::folder::{StoredRecord, Unfinished};
use promptshift_numbers::record::{Cell, Evaluation, Prediction, Score, Training};
use promptshift_numbers::score::{self, Metric};
use promptshift_numbers::stats::panel::Sample;

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
        self.records
            .iter()
            .copied()
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
        alike(study.cell(), cell)
    })
}

/// As [`studies`], but a method may have several recipes, as in ablations: each recipe gets its own study.
pub fn studies_by_recipe<'a>(
    records: &'a [StoredRecord],
    unfinished: &'a [Unfinished],
) -> Result<Vec<Study<'a>>, ReportError> {
    sorted(records, unfinished, &|study, cell| {
        // The cheaper check first.
        if !alike(study.cell(), cell) {
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
    for stored in records
        .iter()
        .filter(|stored| folders.insert(&stored.folder))
    {
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
        check(study)?;
    }
    if studies.is_empty() {
        Err(ReportError::Nothing)
    } else {
        Ok(studies)
    }
}

fn alike(one: &Cell, other: &Cell) -> bool {
    let key = |cell: &Cell| {
        (
            cell.setting.source.clone(),
            cell.setting.targets.clone(),
            cell.setting.model.clone(),
            cell.setting.suite.clone(),
            cell.setting.answers,
            cell.setting.wording.clone(),
            cell.setting.mixing,
            cell.setting.tune_on.clone(),
            [
                cell.setting.train_rows,
                cell.setting.validation_rows,
                cell.setting.eval_rows,
            ],
            cell.setting.limits,
        )
    };
    key(one) == key(other)
}

fn check<'a>(study: &Study<'a>) -> Result<(), ReportError> {
    for stored in &study.records {
        check_record(stored)?;
    }
    for pair in study.records.windows(2) {
        let (first, second) = (&pair[0].record.cell, &pair[1].record.cell);
        if first.method != second.method {
            continue;
        }
        if first.method == Method::Untuned || first.seed == second.seed {
            return Err(ReportError::Twice {
                first: pair[0].folder.clone(),
                second: pair[1].folder.clone(),
                method: first.method,
                seed: first.seed,
            });
        }
        same("recipe", pair[0], pair[1], &first.recipe, &second.recipe)?;
        let name = |cell: &Cell| cell.elsewhere.as_ref().map(|given| given.name.clone());
        let (one, other) = (name(first), name(second));
        same("elsewhere.name", pair[0], pair[1], &one, &other)?;
    }
    let first = study.records[0];
    for stored in &study.records[1..] {
        let (one, other) = (&first.record.provenance, &stored.record.provenance);
        let mut hashes = vec![
            (
                "model_sha256".to_owned(),
                &one.model_sha256,
                &other.model_sha256,
            ),
            (
                "tokenizer_sha256".to_owned(),
                &one.tokenizer_sha256,
                &other.tokenizer_sha256,
            ),
        ];
        hashes.extend(one.data_sha256.iter().filter_map(|(file, hash)| {
            let second = other.data_sha256.get(file)?;
            Some((format!("data_sha256 of {file}"), hash, second))
        }));
        for (what, hash, second) in hashes {
            same(&what, first, stored, hash, second)?;
        }
        for (index, predictions) in first.predictions.iter().enumerate() {
            let ids = |stored: &'a StoredRecord| {
                let all = stored.predictions[index].iter();
                all.map(|prediction| &prediction.id)
            };
            if !ids(first).eq(ids(stored)) {
                let domain = &first.record.evaluations[index].domain;
                return Err(ReportError::Mixed {
                    first: first.folder.clone(),
                    second: stored.folder.clone(),
                    field: format!("the list of examples of {domain}"),
                    found: format!("{} ids", predictions.len()),
                    other: format!("{} ids, not the same", stored.predictions[index].len()),
                });
            }
        }
    }
    Ok(())
}

/// Fails if the values of two records differ.
fn same<T: serde::Serialize>(
    what: &str,
    first: &StoredRecord,
    second: &StoredRecord,
    one: &T,
    other: &T,
) -> Result<(), ReportError> {
    match difference::first(one, other) {
        None => Ok(()),
        Some(difference) => Err(ReportError::Mixed {
            first: first.folder.clone(),
            second: second.folder.clone(),
            field: [what, &difference.field]
                .into_iter()
                .filter(|part| !part.is_empty())
                .collect::<Vec<_>>()
                .join("."),
            found: difference.first,
            other: difference.second,
        }),
    }
}

/// The greatest difference between a recorded metric and that of the predictions, from rounding decimals.
const ROUNDING: f64 = 1e-9;

/// Checks that a record's metrics are those of its predictions, that all its domains have one task, and that all
/// shares are in [0, 1].
pub fn check_record(stored: &StoredRecord) -> Result<(), ReportError> {
    check_shares(stored)?;
    let evaluations = &stored.record.evaluations;
    let shots = stored.record.k_shots.iter().map(|shot| &shot.evaluation);
    let answered = (evaluations.iter().zip(&stored.predictions)).chain(shots.zip(&stored.k_shots));
    for (evaluation, predictions) in answered {
        if evaluation.task != evaluations[0].task {
            return Err(ReportError::Tasks {
                folder: stored.folder.clone(),
                source_domain: evaluations[0].domain.clone(),
                target_domain: evaluation.domain.clone(),
            });
        }
        let scores: Vec<Score> = predictions
            .iter()
            .map(|prediction| prediction.score)
            .collect();
        for (metric, wanted) in score::metrics(evaluation.task, &scores) {
            let found = evaluation.metrics.get(&metric).copied();
            if found.is_none_or(|found| (found - wanted).abs() > ROUNDING) {
                return Err(ReportError::Metric {
                    folder: stored.folder.clone(),
                    domain: evaluation.domain.clone(),
                    metric,
                    wanted: wanted.to_string(),
                    found: found.map_or("missing".to_owned(), |found| found.to_string()),
                });
            }
        }
    }
    check_checkpoints(stored)
}

/// Checks that the scores of checkpoints are those of their predictions, and that these are for the rows of the
/// evaluations.
fn check_checkpoints(stored: &StoredRecord) -> Result<(), ReportError> {
    let training = stored.record.training.iter();
    let checkpoints = training.flat_map(|training| &training.checkpoints);
    for (checkpoint, answered) in checkpoints.zip(&stored.checkpoints) {
        let evaluated = checkpoint.scores.iter().zip(&stored.predictions);
        for ((score, wanted), predictions) in evaluated.zip(answered) {
            let domain = format!("{}, step {}", score.domain, checkpoint.step);
            let ids = |all: &[Prediction]| all.iter().map(|one| one.id.clone()).collect::<Vec<_>>();
            if ids(predictions) != ids(wanted) {
                return Err(ReportError::Mixed {
                    first: stored.folder.clone(),
                    second: stored.folder.clone(),
                    field: format!("the list of examples of {domain}"),
                    found: format!("{} ids", wanted.len()),
                    other: format!("{} ids, not the same", predictions.len()),
                });
            }
            let scores: Vec<Score> = predictions.iter().map(|one| one.score).collect();
            let metric = Metric::main(stored.record.evaluations[0].task);
            let found = metric.value(&scores);
            if checkpoint.metric != metric.name() || (found - score.score).abs() > ROUNDING {
                return Err(ReportError::Metric {
                    folder: stored.folder.clone(),
                    domain,
                    metric: metric.name().to_owned(),
                    wanted: found.to_string(),
                    found: format!("{} {}", checkpoint.metric, score.score),
                });
            }
        }
    }
    Ok(())
}

/// Checks the shares that tables and figures show.
fn check_shares(stored: &StoredRecord) -> Result<(), ReportError> {
    let record = &stored.record;
    let shots = record.k_shots.iter().map(|shot| &shot.evaluation);
    for evaluation in record.evaluations.iter().chain(shots) {
        let domain = &evaluation.domain;
        if let Some(floor) = evaluation.floor {
            check_share(stored, floor, || format!("the floor of {domain}"))?;
        }
    }
    let answered = (stored.predictions.iter().flatten())
        .chain(stored.k_shots.iter().flatten())
        .chain(stored.checkpoints.iter().flatten().flatten())
        .chain(&stored.validation);
    for Prediction { id, score, .. } in answered {
        if let Score::Span { exact_match, f1 } = *score {
            for share in [exact_match, f1] {
                check_share(stored, share, || format!("the score of '{id}'"))?;
            }
        }
    }
    let Some(training) = &record.training else {
        return Ok(());
    };
    for point in &training.curve {
        let what = || format!("the validation score of step {}", point.step);
        check_share(stored, point.validation_score, what)?;
    }
    for checkpoint in &training.checkpoints {
        for score in &checkpoint.scores {
            let what = || format!("the score of step {} on {}", checkpoint.step, score.domain);
            check_share(stored, score.score, what)?;
        }
        if let Some(score) = checkpoint.validation_score {
            let what = || format!("the validation score of step {}", checkpoint.step);
            check_share(stored, score, what)?;
        }
    }
    Ok(())
}

fn check_share(
    stored: &StoredRecord,
    found: f64,
    what: impl FnOnce() -> String,
) -> Result<(), ReportError> {
    match (0.0..=1.0).contains(&found) {
        true => Ok(()),
        false => Err(ReportError::Share {
            folder: stored.folder.clone(),
            what: what(),
            found,
        }),
    }
}

/// The samples of one run on one domain.
pub fn samples(metric: Metric, seed: u64, predictions: &[Prediction]) -> Vec<Sample> {
    let sample =
        |one: &Prediction| Sample::new(seed, one.passage.as_str(), metric.contribution(&one.score));
    predictions.iter().map(sample).collect()
}
