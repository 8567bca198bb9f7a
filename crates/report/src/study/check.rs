//! The checks that records are comparable and say what their predictions say.

use crate::error::ReportError;
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::folder::StoredRecord;
use promptshift_numbers::record::{Cell, Prediction, Score, difference};
use promptshift_numbers::score::{self, Metric};

/// Checks records that are sorted by method and seed.
pub(super) fn comparable(records: &[&StoredRecord]) -> Result<(), ReportError> {
    for stored in records {
        check_record(stored)?;
    }
    for pair in records.windows(2) {
        let (first, second) = (&pair[0].record.cell, &pair[1].record.cell);
        if first.method != second.method {
            continue;
        }
        if first.method == Method::Untuned || first.seed == second.seed {
            return Err(ReportError::Twice {
                first: pair[0].folder.display().to_string(),
                second: pair[1].folder.display().to_string(),
                method: first.method.title().to_owned(),
                seed: first.seed,
            });
        }
        let pair = [pair[0], pair[1]];
        same("recipe", pair, &first.recipe, &second.recipe)?;
        let name = |cell: &Cell| cell.elsewhere.as_ref().map(|given| given.name.clone());
        same("elsewhere.name", pair, &name(first), &name(second))?;
    }
    let first = records[0];
    for stored in &records[1..] {
        let pair = [first, *stored];
        let (one, other) = (&first.record.provenance, &stored.record.provenance);
        same("model_sha256", pair, &one.model_sha256, &other.model_sha256)?;
        same(
            "tokenizer_sha256",
            pair,
            &one.tokenizer_sha256,
            &other.tokenizer_sha256,
        )?;
        for (file, hash) in &one.data_sha256 {
            if let Some(second) = other.data_sha256.get(file) {
                same(&format!("data_sha256 of {file}"), pair, hash, second)?;
            }
        }
        let answered = first.predictions.iter().zip(&stored.predictions);
        for (evaluation, (one, other)) in first.record.evaluations.iter().zip(answered) {
            same_examples(pair, &evaluation.domain, one, other)?;
        }
    }
    Ok(())
}

fn same_examples(
    pair: [&StoredRecord; 2],
    domain: &str,
    one: &[Prediction],
    other: &[Prediction],
) -> Result<(), ReportError> {
    let ids = |of: &[Prediction]| of.iter().map(|one| one.id.clone()).collect::<Vec<_>>();
    if ids(one) == ids(other) {
        return Ok(());
    }
    let found = [
        format!("{} ids", one.len()),
        format!("{} ids, not the same", other.len()),
    ];
    Err(ReportError::mixed(
        pair,
        format!("the list of examples of {domain}"),
        found,
    ))
}

/// Fails if the values of two records differ.
fn same<T: serde::Serialize>(
    what: &str,
    pair: [&StoredRecord; 2],
    one: &T,
    other: &T,
) -> Result<(), ReportError> {
    let Some(difference) = difference::first(one, other) else {
        return Ok(());
    };
    let mut field = what.to_owned();
    if !difference.field.is_empty() {
        field = format!("{what}.{}", difference.field);
    }
    Err(ReportError::mixed(
        pair,
        field,
        [difference.first, difference.second],
    ))
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
        let scores: Vec<Score> = predictions.iter().map(|one| one.score).collect();
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
            same_examples([stored, stored], &domain, wanted, predictions)?;
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
