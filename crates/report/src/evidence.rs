//! From stored predictions to the numbers that statistics are made of.

use super::error::ReportError;
use promptshift_numbers::record::folder::StoredRecord;
use promptshift_numbers::record::{Prediction, Score};
use promptshift_numbers::score::{self, Metric};
use promptshift_numbers::stats::panel::Sample;

/// How far a record's metric may be from that of its predictions: the rounding of a decimal.
const ROUNDING: f64 = 1e-9;

/// Checks a record's metrics against its predictions, that all its domains are one task, and that shares are shares.
pub fn check(stored: &StoredRecord) -> Result<(), ReportError> {
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
    Ok(())
}

/// Checks what figures have axes of and tables percentages.
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
    predictions
        .iter()
        .map(|prediction| {
            let share = metric.contribution(&prediction.score);
            Sample {
                seed,
                cluster: prediction.passage.clone(),
                numerator: share.numerator,
                denominator: share.denominator,
            }
        })
        .collect()
}
