//! What does a method score once it is tuned further on a few examples of the target?

use serde::Serialize;

use crate::document::{Block, Figure, Table};
use crate::number::{count, interval, joined, metric_title, percent, spread, whole};
use crate::results::{Results, clamped};
use crate::settings::{self, Order, Scores, Series, Varied};
use crate::study::{Study, samples};
use promptshift_numbers::recipe::{Method, TuneOn};
use promptshift_numbers::record::Prediction;
use promptshift_numbers::record::folder::StoredRecord;
use promptshift_numbers::score::Metric;
use promptshift_numbers::stats::bootstrap::Bootstrap;
use promptshift_numbers::stats::estimate::{Estimate, standard_deviation};
use promptshift_numbers::stats::panel::Panel;

/// The K-shot curves of a study.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KShots {
    /// The numbers of examples and steps.
    pub tune_on: TuneOn,
    /// The methods that were tuned further, in the order of [`Method::ALL`].
    pub methods: Vec<Method>,
    /// `[target][method]`.
    pub curves: Vec<Vec<Curve>>,
}

/// One method on one target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Curve {
    /// Its seeds, ascending.
    pub seeds: Vec<u64>,
    /// The zero-shot score, then one for each of [`TuneOn::examples`].
    pub points: Vec<Point>,
}

/// One method on one target after tuning on K examples of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Point {
    /// `K`.
    pub examples: usize,
    /// The mean over seeds of the main metric.
    pub score: Estimate,
    /// The standard deviation over seeds (n - 1).
    pub deviation: Option<f64>,
    /// The main metric of each seed.
    pub by_seed: Vec<f64>,
}

impl KShots {
    /// The values of K, 0 for zero-shot first.
    pub fn counts(&self) -> Vec<usize> {
        std::iter::once(0)
            .chain(self.tune_on.examples.iter().copied())
            .collect()
    }
}

/// The curves of a study; `None` if no method was tuned further.
pub fn k_shots(study: &Study, metric: Metric) -> Option<KShots> {
    let tune_on = study.cell().setting.tune_on.clone()?;
    let methods: Vec<Method> = (Method::ALL.into_iter())
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
    let curves = (panels.iter().zip(&draws))
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

/// A run's predictions on a target: zero-shot at index 0, then for each K.
fn predictions(stored: &StoredRecord, target: usize, place: usize, counts: usize) -> &[Prediction] {
    match place.checked_sub(1) {
        None => &stored.predictions[1 + target],
        Some(place) => (stored.k_shots.get(target * (counts - 1) + place))
            .map_or(&[], |found| found.as_slice()),
    }
}

/// The section.
pub fn blocks(results: &Results, found: &KShots, suffix: &str) -> Vec<Block> {
    let scores = table(results, found, &|point: &Point| {
        let score = spread(point.score.value, point.deviation);
        format!("{score} {}", interval(point.score.interval))
    });
    let runs = table(results, found, &|point: &Point| {
        let scores = point.by_seed.iter().copied().map(percent);
        joined(", ", scores)
    });
    vec![
        Block::heading("With a few examples of the target"),
        Block::text(format!(
            "Not zero-shot: after tuning on {}, each run is tuned further on K examples of the target's training \
             split for {}, with the recipe's learning rate held constant and a fresh optimiser. The last step is \
             kept: nothing is validated or selected on a target's rows. Each seed draws its own examples, the same \
             for every method; the examples of a smaller K are a subset of those of a larger one.",
            results.source,
            count(found.tune_on.steps, "step")
        )),
        scores.into(),
        Block::text(format!(
            "{} ± standard deviation over seeds (which also draw different examples), with 95 % interval over seeds \
             and passages; K = 0 is zero-shot. Methods without training have no curve. Scores of each run:",
            metric_title(results.metric)
        )),
        runs.into(),
        figure(results, found, suffix).into(),
    ]
}

fn table(results: &Results, found: &KShots, show: &dyn Fn(&Point) -> String) -> Table {
    let counts = found.counts().into_iter();
    let counts = counts.map(|count| format!("K = {}", whole(count as f64)));
    let header = ["target", "method"].map(str::to_owned).into_iter();
    let mut rows = Vec::new();
    for (target, curves) in results.targets.iter().zip(&found.curves) {
        for (method, curve) in found.methods.iter().zip(curves) {
            let mut row = vec![target.clone(), results.title(*method).to_owned()];
            row.extend(curve.points.iter().map(show));
            rows.push(row);
        }
    }
    Table::new(header.chain(counts)).words(&[0, 1]).rows(rows)
}

/// A panel for each target, a line for each method, a dot for each seed.
fn figure(results: &Results, found: &KShots, suffix: &str) -> Figure {
    let varied = Varied {
        name: "examples of the target".to_owned(),
        places: found.counts().iter().map(usize::to_string).collect(),
        order: Order::Amounts,
    };
    let series = |method: &Method, curve: &Curve| Series {
        name: method.title().to_owned(),
        points: curve.points.iter().map(|point| Some(point.score)).collect(),
        runs: (curve.points.iter())
            .map(|point| point.by_seed.clone())
            .collect(),
    };
    let panels: Vec<Scores> = (results.targets.iter().zip(&found.curves).enumerate())
        .map(|(place, (target, curves))| Scores {
            name: format!("{target}, {}", metric_title(results.metric)),
            series: (found.methods.iter().zip(curves))
                .map(|(method, curve)| series(method, curve))
                .collect(),
            floor: results.domains[1 + place].floor(),
        })
        .collect();
    settings::figure(
        &format!("k-shot{suffix}.svg"),
        &format!(
            "With a few examples of the target, after {}",
            results.source
        ),
        &varied,
        &panels,
    )
}
