//! Does a method's confidence match how often it is right?

use std::collections::BTreeMap;

use serde::Serialize;

use crate::chart::{self, Axis, Chart, Colour, Key, Mark, Panel, Point, Shape, Stroke};
use crate::document::{Block, Figure, Table, or_dash};
use crate::number::{difference, gap, joined, list, percent};
use crate::resamples::Resamples;
use crate::results::{Domain, Results};
use crate::study::Study;
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::Prediction;
use promptshift_numbers::record::folder::StoredRecord;
use promptshift_numbers::stats::calibration::{
    ANSWERS_A_BIN, Bin, Calibration, Outcome, Temperature, calibration, fit_temperature,
};
use promptshift_numbers::stats::calibration_error::{self, Answer, root, squared_error};
use promptshift_numbers::stats::estimate::{Estimate, mean};

/// One method's calibration on every domain.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MethodCalibration {
    pub method: Method,
    /// The temperature of each seed, fitted on source validation only; `None` if that was not recorded, or if all its
    /// answers are right or all wrong.
    pub temperatures: Vec<Option<f64>>,
    pub domains: Vec<DomainCalibration>,
}

/// One method's calibration on one domain.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DomainCalibration {
    pub by_seed: Vec<Calibration>,
    /// The calibration of each seed that has a temperature, at that temperature.
    pub scaled: Vec<Calibration>,
    /// The calibration error without the contribution of chance, over seeds and passages; negative if chance is
    /// expected to contribute more than was measured. `None` with fewer than two passages.
    pub calibration_error: Option<Estimate>,
    /// The same at the seeds' temperatures.
    pub scaled_calibration_error: Option<Estimate>,
    /// The calibration error minus the source's, negative errors taken as zero; absent for the source.
    pub calibration_error_above_source: Option<Estimate>,
}

/// A number of a calibration.
pub type Part = fn(&Calibration) -> f64;

/// The mean over seeds of a number of a calibration; `None` without seeds.
pub fn over_seeds(all: &[Calibration], part: Part) -> Option<f64> {
    let values: Vec<f64> = all.iter().map(part).collect();
    mean(&values)
}

/// The bins of a reliability diagram, as means over seeds: bins of the same rank are averaged, since all runs answer
/// the same examples and bins have nearly equal sizes.
fn mean_bins(all: &[Calibration]) -> Vec<Bin> {
    let Some(first) = all.first() else {
        return Vec::new();
    };
    // Equal confidences share a bin, so a seed may have fewer bins.
    let over = |place: usize, part: fn(&Bin) -> f64| -> f64 {
        let of_seeds = all.iter().filter_map(|one| one.bins.get(place));
        let of_seeds: Vec<f64> = of_seeds.map(part).collect();
        mean(&of_seeds).unwrap_or(f64::NAN)
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
    (predictions.iter())
        .map(|prediction| Outcome {
            log_prob: prediction.log_prob,
            right: prediction.score.is_right(),
        })
        .collect()
}

/// A run's answers at a temperature, with the numbers of their passages.
fn answers(predictions: &[Prediction], temperature: Temperature) -> Vec<Answer> {
    let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
    (outcomes(predictions).into_iter().zip(predictions))
        .map(|(outcome, prediction)| {
            let next = numbers.len();
            let passage = *numbers.entry(&prediction.passage).or_insert(next);
            (passage, temperature.apply(outcome))
        })
        .collect()
}

/// The debiased calibration error of runs on a domain.
fn error(runs: impl Iterator<Item = Vec<Answer>>) -> Option<Estimate> {
    squared_error(&runs.collect::<Vec<_>>()).map(root)
}

/// Measures one method's calibration.
fn of_method(study: &Study, method: Method) -> MethodCalibration {
    let records = study.of(method);
    let temperatures: Vec<_> = (records.iter())
        .map(|stored| fit_temperature(&outcomes(&stored.validation)))
        .collect();
    let on = |stored: &StoredRecord, domain: usize| outcomes(&stored.predictions[domain]);
    let mut domains: Vec<DomainCalibration> = (0..study.evaluations().len())
        .map(|domain| DomainCalibration {
            calibration_error: error(
                (records.iter())
                    .map(|stored| answers(&stored.predictions[domain], Temperature(1.0))),
            ),
            scaled_calibration_error: error((records.iter().zip(&temperatures)).filter_map(
                |(stored, temperature)| Some(answers(&stored.predictions[domain], (*temperature)?)),
            )),
            calibration_error_above_source: None,
            by_seed: (records.iter())
                .filter_map(|stored| calibration(&on(stored, domain)))
                .collect(),
            scaled: (records.iter().zip(&temperatures))
                .filter_map(|(stored, temperature)| {
                    let temperature = (*temperature)?;
                    let scaled: Vec<Outcome> = (on(stored, domain).into_iter())
                        .map(|outcome| temperature.apply(outcome))
                        .collect();
                    calibration(&scaled)
                })
                .collect(),
        })
        .collect();
    let source = domains[0].calibration_error;
    for target in &mut domains[1..] {
        let errors = target.calibration_error.zip(source);
        target.calibration_error_above_source =
            errors.map(|(target, source)| calibration_error::difference(target, source));
    }
    MethodCalibration {
        method,
        temperatures: (temperatures.into_iter())
            .map(|temperature| temperature.map(|found| found.0))
            .collect(),
        domains,
    }
}

/// The calibration of every method.
pub fn calibrations(resamples: &Resamples) -> Vec<MethodCalibration> {
    (resamples.methods())
        .map(|method| of_method(resamples.study, method))
        .collect()
}

/// The section, empty without tuned methods.
pub fn blocks(results: &Results, all: &[MethodCalibration], suffix: &str) -> Vec<Block> {
    let tuned = tuned(results, all);
    if tuned.is_empty() {
        return Vec::new();
    }
    let confidence = match results.wording.score_by.ranks() {
        true => "the probability of its class over that of all classes",
        false => "the probability of its tokens",
    };
    let words = format!(
        "Means over seeds. The confidence of an answer is {confidence}; an answer is right if it equals a right \
         answer. ECE: expected calibration error in points, the root of the mean squared difference between \
         confidence and accuracy over bins of at least {ANSWERS_A_BIN} answers, without the expected contribution of \
         chance (Bröcker 2012; Kumar et al. 2019), over seeds and passages; 0.0 if chance is expected to contribute \
         more than was measured. Brier: mean squared error of the confidence; NLL: mean negative log-likelihood in \
         nats. Risk–coverage: the share of wrong answers among the most confident ones, averaged over all coverages. \
         Lower is better for these four. {} In the figure, answers are binned by confidence; above the diagonal a \
         method is underconfident, below it overconfident.",
        temperatures(results, &tuned)
    );
    let mut blocks = Block::section("Calibration", table(results, &tuned), words).to_vec();
    blocks.push(figure(&results.featured(), all, suffix).into());
    blocks
}

fn tuned<'a>(results: &Results, all: &'a [MethodCalibration]) -> Vec<&'a MethodCalibration> {
    let of = |method: Method| all.iter().find(|one| one.method == method);
    results
        .tuned()
        .filter_map(|result| of(result.method))
        .collect()
}

fn table(results: &Results, methods: &[&MethodCalibration]) -> Table {
    let header = " | accuracy | confidence | ECE [95 %] | ECE − source's [95 %] | ECE, scaled [95 %] | \
        Brier | NLL | NLL, scaled | risk–coverage";
    let rows = methods.iter().flat_map(|method| {
        (results.domains.iter().zip(&method.domains)).map(|(domain, calibration)| {
            let (plain, scaled) = (&calibration.by_seed, &calibration.scaled);
            let share = |all: &[Calibration], part: Part| or_dash(over_seeds(all, part), percent);
            let number = |all: &[Calibration], part: Part| {
                or_dash(over_seeds(all, part), |value| format!("{value:.3}"))
            };
            vec![
                format!("{}, {}", results.title(method.method), domain.name),
                share(plain, |c| c.accuracy),
                share(plain, |c| c.confidence),
                or_dash(calibration.calibration_error, |error| gap(shown(error))),
                or_dash(calibration.calibration_error_above_source, difference),
                or_dash(calibration.scaled_calibration_error, |error| {
                    gap(shown(error))
                }),
                number(plain, |c| c.brier),
                number(plain, |c| c.nll),
                number(scaled, |c| c.nll),
                share(plain, |c| c.risk_coverage),
            ]
        })
    });
    Table::of(header).rows(rows)
}

/// An error as it is shown, with negative values as zero.
fn shown(error: Estimate) -> Estimate {
    Estimate {
        value: error.value.max(0.0),
        ..error.clamp()
    }
}

fn temperatures(results: &Results, methods: &[&MethodCalibration]) -> String {
    let known: Vec<String> = (methods.iter())
        .filter_map(|method| {
            let found: Vec<String> = (method.temperatures.iter().flatten())
                .map(|temperature| format!("{temperature:.2}"))
                .collect();
            let title = results.title(method.method);
            (!found.is_empty()).then(|| format!("{title} {}", found.join(", ")))
        })
        .collect();
    if known.is_empty() {
        return "Scaled: –, because these records have no answers on source validation, on which a temperature would \
                be fitted."
            .to_owned();
    }
    format!(
        "Scaled: confidence to the power 1/T, with T fitted on source validation only and applied to every domain \
         ({}).",
        known.join("; ")
    )
}

/// Reliability diagrams, one panel per domain: accuracy against confidence.
fn figure(results: &Results, all: &[MethodCalibration], suffix: &str) -> Figure {
    let tuned = tuned(results, all);
    let mut keys: Vec<Key> = (tuned.iter())
        .map(|one| Key::method(results.title(one.method), one.method))
        .collect();
    if (tuned.iter()).any(|one| one.temperatures.iter().any(Option::is_some)) {
        let words = "at the temperature of source validation";
        keys.push(Key::line(words, Stroke::Pale, Colour::Faint));
    }
    keys.push(Key::line(
        "perfectly calibrated",
        Stroke::Dashed,
        Colour::Faint,
    ));
    let panel = |(place, domain): (usize, &Domain)| {
        let diagonal = vec![(0.0, 0.0), (1.0, 1.0)];
        let mut marks = vec![Mark::Line(diagonal, Stroke::Dashed, Colour::Faint)];
        for one in &tuned {
            let calibration = &one.domains[place];
            let (shape, colour) = (Shape::of(one.method), Colour::of(one.method));
            let points = |all: &[Calibration]| -> Vec<Point> {
                let bins = mean_bins(all).into_iter();
                bins.map(|bin| (bin.confidence, bin.accuracy)).collect()
            };
            let plain = points(&calibration.by_seed);
            marks.push(Mark::Line(
                points(&calibration.scaled),
                Stroke::Pale,
                colour,
            ));
            marks.push(Mark::Line(plain.clone(), Stroke::Plain, colour));
            marks.extend(plain.into_iter().map(|at| Mark::Run(at, shape, colour)));
        }
        let role = if place == 0 { "source" } else { "target" };
        Panel {
            x: Axis::unit("confidence [%]"),
            y: Axis::unit(format!("accuracy on {} ({role}) [%]", domain.name)),
            marks,
        }
    };
    let errors = |one: &&MethodCalibration| {
        let of_domain = |(domain, found): (&Domain, &DomainCalibration)| {
            let error = shown(found.calibration_error?).value;
            Some(format!("{} on {}", percent(error), domain.name))
        };
        let domains = results.domains.iter().zip(&one.domains);
        let domains = domains.filter_map(of_domain);
        format!("{} {}", results.title(one.method), list(domains))
    };
    let errors = tuned.iter().map(errors);
    Chart {
        title: "Reliability: accuracy against confidence".to_owned(),
        keys,
        panels: results.domains.iter().enumerate().map(panel).collect(),
        columns: chart::columns(results.domains.len()),
        plot: (272.0, 272.0),
    }
    .figure(
        format!("reliability{suffix}.svg"),
        format!(
            "Reliability, accuracy against confidence, {}. Expected calibration error in points: {}.",
            results.transfer(),
            joined("; ", errors)
        ),
    )
}
