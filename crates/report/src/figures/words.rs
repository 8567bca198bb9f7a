//! What each figure shows, for readers who cannot see it.

use crate::comparison::{Comparison, MethodResult};
use crate::cost::{Resource, TrainingCost};
use crate::number::{count, list, metric_title, percent};
use crate::statistics::answers::over_seeds;
use crate::study::Study;
use promptshift_numbers::recipe::Method;

/// `squad → textbookqa`.
fn transfer(comparison: &Comparison) -> String {
    format!("{} → {}", comparison.source, comparison.targets.join(", "))
}

fn each(comparison: &Comparison, words: impl Fn(&MethodResult) -> Option<String>) -> String {
    let words: Vec<String> = comparison.methods.iter().filter_map(words).collect();
    words.join("; ")
}

/// Source score and mean target score of a method.
fn scores(result: &MethodResult) -> Option<String> {
    Some(format!(
        "{} from {} to {}",
        result.title.as_str(),
        percent(result.source().score.value),
        percent(result.mean_target?.value)
    ))
}

pub(super) fn slopes(comparison: &Comparison) -> String {
    let mean = match comparison.targets.len() {
        1 => "",
        _ => ", targets averaged",
    };
    format!(
        "Scores from source to target, {}. {} in percent{mean}: {}.",
        transfer(comparison),
        metric_title(comparison.metric),
        each(comparison, scores)
    )
}

pub(super) fn ranking(comparison: &Comparison) -> String {
    format!(
        "Source score and mean score over targets of {}, the most trainable parameters first, {}. {} in percent: {}.",
        count(comparison.tuned().count(), "method"),
        transfer(comparison),
        metric_title(comparison.metric),
        each(comparison, scores)
    )
}

pub(super) fn scatter(comparison: &Comparison) -> String {
    let gap = |result: &MethodResult| {
        Some(format!(
            "{} loses {}",
            result.title.as_str(),
            percent(result.mean_gap?.value)
        ))
    };
    format!(
        "Target score against source score, {}. Points lost{}: {}.",
        transfer(comparison),
        match comparison.targets.len() {
            1 => String::new(),
            many => format!(" on average over {}", count(many, "target")),
        },
        each(comparison, gap)
    )
}

pub(super) fn reliability(comparison: &Comparison) -> String {
    let errors = |result: &MethodResult| {
        let all = &comparison.statistics.calibration;
        let found = all.iter().find(|one| one.method == result.method)?;
        let by_domain: Vec<String> = comparison
            .domains
            .iter()
            .zip(&found.domains)
            .filter_map(|(domain, one)| {
                let error = over_seeds(&one.by_seed, |calibration| calibration.ece)?;
                Some(format!("{} on {}", percent(error), domain.name))
            })
            .collect();
        (result.method != Method::Untuned)
            .then(|| format!("{} {}", result.title.as_str(), list(&by_domain)))
    };
    format!(
        "Reliability, the share of right answers against their confidence, {}. Expected calibration \
         error in points: {}.",
        transfer(comparison),
        each(comparison, errors)
    )
}

pub(super) fn costs(comparison: &Comparison) -> String {
    let price = |result: &MethodResult| {
        let cost: &TrainingCost = result.cost.as_ref()?.training.as_ref()?;
        let amounts = Resource::ALL.map(|resource| resource.words(cost));
        Some(format!(
            "{} scores {} with {}",
            result.title.as_str(),
            percent(result.mean_target?.value),
            list(&amounts)
        ))
    };
    format!(
        "Target score against the cost of training, {}: {}.",
        transfer(comparison),
        each(comparison, price)
    )
}

pub(super) fn budget(comparison: &Comparison) -> String {
    let found: Vec<String> = (comparison.statistics.searches.iter())
        .filter_map(|one| {
            let (first, last) = (one.expected.first()?, one.expected.last()?);
            Some(format!(
                "{} from {} after one trial to {} after {}",
                comparison.title(one.method),
                percent(*first),
                percent(*last),
                one.expected.len()
            ))
        })
        .collect();
    format!(
        "Expected best {} on {} validation against trials: {}.",
        metric_title(comparison.metric),
        comparison.source,
        found.join("; ")
    )
}

pub(super) fn curves(study: &Study, comparison: &Comparison) -> String {
    let ends = |result: &MethodResult| {
        let runs = study.trainings(result.method);
        let curves = || runs.iter().map(|(_, training)| &training.curve);
        let mean = |scores: Vec<f64>| promptshift_numbers::stats::estimate::mean(&scores);
        let first = mean(
            curves()
                .filter_map(|curve| Some(curve.first()?.validation_score))
                .collect(),
        )?;
        let best = mean(
            curves()
                .map(|curve| {
                    curve
                        .iter()
                        .map(|point| point.validation_score)
                        .fold(0.0, f64::max)
                })
                .collect(),
        )?;
        (result.method != Method::Untuned).then(|| {
            format!(
                "{} rises from {} to {}",
                result.title.as_str(),
                percent(first),
                percent(best)
            )
        })
    };
    format!(
        "Learning curves on {} validation, {} in percent, means over seeds: {}.",
        comparison.source,
        metric_title(comparison.metric),
        each(comparison, ends)
    )
}
