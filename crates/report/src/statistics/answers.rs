//! Calibration: whether the probability of an answer tells how often it is right.

use serde::Serialize;

use crate::study::Study;
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::Prediction;
use promptshift_numbers::record::folder::StoredRecord;
use promptshift_numbers::stats::calibration::{
    Bin, Calibration, Outcome, calibration, fit_temperature,
};
use promptshift_numbers::stats::estimate::mean;

/// One method's calibration on every domain.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MethodCalibration {
    /// The method.
    pub method: Method,
    /// The temperature of each seed, fitted on source validation alone; `None` where that was not
    /// recorded, or all of it was right or wrong.
    pub temperatures: Vec<Option<f64>>,
    /// On each domain.
    pub domains: Vec<DomainCalibration>,
}

/// One method's calibration on one domain.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DomainCalibration {
    /// Of each seed, as it is.
    pub by_seed: Vec<Calibration>,
    /// Of each seed that has a temperature, at that temperature.
    pub scaled: Vec<Calibration>,
}

/// A number of a calibration.
pub type Part = fn(&Calibration) -> f64;

/// The mean over seeds of a number of a calibration; `None` without any.
pub fn over_seeds(all: &[Calibration], part: Part) -> Option<f64> {
    let values: Vec<f64> = all.iter().map(part).collect();
    mean(&values)
}

/// The bins of a reliability diagram, as means over seeds: bins of the same rank belong together,
/// since all runs answer the same examples and all bins hold equally many.
pub fn mean_bins(all: &[Calibration]) -> Vec<Bin> {
    let Some(first) = all.first() else {
        return Vec::new();
    };
    let seeds = all.len() as f64;
    let over = |place: usize, part: fn(&Bin) -> f64| -> f64 {
        let of_seeds = all.iter().filter_map(|one| one.bins.get(place));
        of_seeds.map(part).sum::<f64>() / seeds
    };
    (first.bins.iter().enumerate())
        .map(|(place, bin)| Bin {
            count: bin.count,
            confidence: over(place, |bin| bin.confidence),
            accuracy: over(place, |bin| bin.accuracy),
        })
        .collect()
}

/// Answers as outcomes.
fn outcomes(predictions: &[Prediction]) -> Vec<Outcome> {
    predictions
        .iter()
        .map(|prediction| Outcome {
            log_prob: prediction.log_prob,
            right: prediction.score.is_right(),
        })
        .collect()
}

/// Measures one method's calibration.
pub(super) fn of_method(study: &Study, method: Method) -> MethodCalibration {
    let records = study.of(method);
    let temperatures: Vec<_> = records
        .iter()
        .map(|stored| fit_temperature(&outcomes(&stored.validation)))
        .collect();
    let on = |stored: &StoredRecord, domain: usize| outcomes(&stored.predictions[domain]);
    let domains = (0..study.evaluations().len())
        .map(|domain| DomainCalibration {
            by_seed: records
                .iter()
                .filter_map(|stored| calibration(&on(stored, domain)))
                .collect(),
            scaled: records
                .iter()
                .zip(&temperatures)
                .filter_map(|(stored, temperature)| {
                    let temperature = (*temperature)?;
                    let scaled: Vec<Outcome> = on(stored, domain)
                        .into_iter()
                        .map(|outcome| temperature.apply(outcome))
                        .collect();
                    calibration(&scaled)
                })
                .collect(),
        })
        .collect();
    MethodCalibration {
        method,
        temperatures: temperatures
            .into_iter()
            .map(|temperature| temperature.map(|found| found.0))
            .collect(),
        domains,
    }
}
