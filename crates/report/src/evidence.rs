//! From stored predictions to the numbers that statistics are made of.

use super::error::ReportError;
use promptshift_numbers::record::store::StoredRecord;
use promptshift_numbers::record::{Prediction, Score};
use promptshift_numbers::score::{self, Metric};
use promptshift_numbers::stats::panel::Sample;

/// How far a record's metric may be from that of its predictions: the rounding of a decimal.
const ROUNDING: f64 = 1e-9;

/// Checks a record's metrics against its predictions, and that all its domains are one task.
pub fn check(stored: &StoredRecord) -> Result<(), ReportError> {
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
