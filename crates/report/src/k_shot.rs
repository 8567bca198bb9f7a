//! Beside zero-shot: scores on a target after tuning went on with K of its examples.

use serde::Serialize;

use super::comparison::Comparison;
use super::error::ReportError;
use super::evidence::samples;
use super::figures::Figure;
use super::figures::places::{self, Axis, Order, Scores, Series};
use super::number::metric_title;
use super::study::Study;
use promptshift_numbers::recipe::{Method, TuneOn};
use promptshift_numbers::record::Prediction;
use promptshift_numbers::record::folder::StoredRecord;
use promptshift_numbers::score::Metric;
use promptshift_numbers::stats::bootstrap::{Bootstrap, Draws};
use promptshift_numbers::stats::estimate::{Estimate, standard_deviation};
use promptshift_numbers::stats::panel::Panel;

/// The K-shot curves of a study.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KShots {
    /// What was asked for.
    pub tune_on: TuneOn,
    /// The methods that were tuned on, in the order of [`Method::ALL`].
    pub methods: Vec<Method>,
    /// `[target][method]`.
    pub curves: Vec<Vec<Curve>>,
}

/// One method on one target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Curve {
    /// Its seeds, ascending.
    pub seeds: Vec<u64>,
    /// Zero-shot, then each of [`TuneOn::examples`].
    pub points: Vec<Point>,
}

/// One method on one target with K examples of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Point {
    /// `K`.
    pub examples: usize,
    /// Mean over seeds of the main metric.
    pub score: Estimate,
    /// Standard deviation over seeds (n - 1).
    pub deviation: Option<f64>,
    /// The main metric of each seed.
    pub by_seed: Vec<f64>,
}

impl KShots {
    /// Every K, zero-shot first.
    pub fn counts(&self) -> Vec<usize> {
        std::iter::once(0)
            .chain(self.tune_on.examples.iter().copied())
            .collect()
    }
}

/// The curves of a study; none where no method was tuned on.
pub(super) fn k_shots(study: &Study, metric: Metric) -> Option<KShots> {
    let tune_on = study.cell().setting.tune_on.clone()?;
    let methods: Vec<Method> = Method::ALL
        .into_iter()
        .filter(|method| {
            let records = study.of(*method);
            records.iter().any(|stored| !stored.k_shots.is_empty())
        })
        .collect();
    if methods.is_empty() {
        return None;
    }
    let counts = 1 + tune_on.examples.len();
    let targets = study.evaluations().len() - 1;
    let panels: Vec<Panel> = (0..targets)
        .map(|target| {
            let lines = methods.iter().flat_map(|&method| {
                let records = study.of(method);
                (0..counts).map(move |place| {
                    let of_run = |stored: &&StoredRecord| {
                        let found = predictions(stored, target, place, counts);
                        samples(metric, stored.record.cell.seed, found)
                    };
                    records.iter().flat_map(of_run).collect()
                })
            });
            Panel::new(&lines.collect::<Vec<_>>())
        })
        .collect();
    let draws = Bootstrap::default().scores(&panels);
    let curves = panels
        .iter()
        .zip(&draws)
        .map(|(panel, draws)| {
            let lines = panel.methods().chunks(counts).zip(draws.chunks(counts));
            lines
                .map(|(runs, draws)| Curve {
                    seeds: runs[0]
                        .as_ref()
                        .map_or(&[][..], |runs| runs.seeds())
                        .to_vec(),
                    points: std::iter::once(0)
                        .chain(tune_on.examples.iter().copied())
                        .zip(runs.iter().zip(draws))
                        .filter_map(|(examples, (runs, draws))| {
                            let by_seed = runs.as_ref()?.scores();
                            Some(Point {
                                examples,
                                score: clamped(draws.as_ref()?),
                                deviation: standard_deviation(&by_seed),
                                by_seed,
                            })
                        })
                        .collect(),
                })
                .collect()
        })
        .collect();
    Some(KShots {
        tune_on,
        methods,
        curves,
    })
}

/// A run's predictions on a target: zero-shot at place 0, then K by K.
fn predictions(stored: &StoredRecord, target: usize, place: usize, counts: usize) -> &[Prediction] {
    match place.checked_sub(1) {
        None => &stored.predictions[1 + target],
        Some(place) => (stored.k_shots.get(target * (counts - 1) + place))
            .map_or(&[], |found| found.as_slice()),
    }
}

fn clamped(draws: &Draws) -> Estimate {
    let estimate = draws.estimate();
    Estimate {
        interval: estimate.interval.clamp(0.0, 1.0),
        ..estimate
    }
}

/// The curves as a figure: a frame for each target, a line for each method, a dot for each seed.
pub(super) fn figure(comparison: &Comparison, suffix: &str) -> Option<Result<Figure, ReportError>> {
    let found = comparison.k_shots.as_ref()?;
    let axis = Axis {
        name: "examples of the target tuned on".to_owned(),
        places: found.counts().iter().map(usize::to_string).collect(),
        order: Order::Amounts,
    };
    let frames: Vec<Scores> = (comparison.targets.iter().zip(&found.curves).enumerate())
        .map(|(place, (target, curves))| Scores {
            name: format!("{target}, {}", metric_title(comparison.metric)),
            series: (found.methods.iter().zip(curves))
                .map(|(method, curve)| Series {
                    name: method.title().to_owned(),
                    points: curve.points.iter().map(|point| Some(point.score)).collect(),
                    runs: curve
                        .points
                        .iter()
                        .map(|point| point.by_seed.clone())
                        .collect(),
                })
                .collect(),
            floor: comparison.domains[1 + place].floor,
        })
        .collect();
    let heading = format!(
        "With a few examples of the target, after {}",
        comparison.source
    );
    Some(places::draw(
        &format!("k-shot{suffix}.svg"),
        &heading,
        &axis,
        &frames,
    ))
}
