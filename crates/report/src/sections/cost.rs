//! What did each method cost, and how does it score on the targets for that cost?

use crate::chart::{Axis, Chart, Colour, Key, Mark, Panel, Shape, Stroke};
use crate::cost::{self, Cost, Sizes, TrainingCost};
use crate::document::{Block, Figure, Table, line, or_dash};
use crate::number::{bytes, capital, joined, list, metric_title, percent, share, whole};
use crate::results::{MethodResult, Results};
use crate::study::Study;
use promptshift_numbers::record::PeakParts;
use promptshift_numbers::stats::estimate::Estimate;

/// The table and the figure.
pub fn blocks(study: &Study, results: &Results, suffix: &str) -> Vec<Block> {
    let unlike = cost::unlike_hardware(study.records().iter().copied());
    let (shown, words) = match unlike {
        Some(why) => (Shown::Counts, format!("Means over seeds. {why}")),
        None => (Shown::All, measured(study, results)),
    };
    let mut blocks = Block::section("Cost", table(results, shown), words).to_vec();
    if results.tuned().count() > 1 {
        blocks.extend([
            figure(&results.featured(), shown, suffix).into(),
            Block::text(
                "Ringed points are on the Pareto front: no cheaper method scores as high. The front is that of the \
                 means; where intervals overlap, it may be due to chance.",
            ),
        ]);
    }
    blocks
}

/// Which costs are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// All, since the runs have the same kind of hardware.
    All,
    /// Those that do not depend on the hardware.
    Counts,
}

/// A note on times and memory.
fn measured(study: &Study, results: &Results) -> String {
    format!(
        "Means over seeds; memory is the maximum over seeds. Training seconds exclude scoring source validation. \
         {}{}",
        words_on_memory(results),
        cost::shared_machines(study.records().iter().copied())
    )
}

/// What the rows on memory in training count: the device's reserved peak, or the parts of the host's peak.
fn words_on_memory(results: &Results) -> &'static str {
    let any = trainings(results).any(|training| training.reserved_peak_bytes.is_some());
    match any {
        true => {
            "Tensors are in the device's memory: its reserved peak is what its memory pools took from the driver, free \
             parts of pools included, of the first device where a run has several; the host's memory is counted \
             separately."
        }
        false => {
            "Parts of the peak in training: weights, gradients and optimiser state are the sizes of their tensors \
             (there are no gradients yet in a forward pass); activations are everything else that the step allocated, \
             including the working memory of operations; the remainder was allocated before: the loaded model, the \
             copy of the best step, the rows."
        }
    }
}

/// The costs of the trainings shown.
fn trainings(results: &Results) -> impl Iterator<Item = &TrainingCost> {
    (results.reported_and_untuned().into_iter())
        .filter_map(|method| results.method(method)?.cost.as_ref()?.training.as_ref())
}

/// The greatest number of columns that are read at a glance.
const WIDEST: usize = 6;

/// Shown in place of a number that the record does not have.
const NOT_RECORDED: &str = "not recorded";

/// The row with the host's peak in training.
const HOST_PEAK: &str = "peak host memory, training";

/// The name of a row and the function that formats it from a cost.
type Line<C> = (&'static str, fn(&C) -> String);

/// A row for each resource, a column for each method.
fn table(results: &Results, shown: Shown) -> Table {
    let methods = results.reported_and_untuned();
    let costs: Vec<Result<&Cost, &'static str>> = (methods.iter())
        .map(|method| {
            let cost = results.method(*method).and_then(|r| r.cost.as_ref());
            cost.ok_or_else(|| results.absent(*method))
        })
        .collect();
    let titles = methods.iter().map(|method| results.title(*method));
    let header = line("", titles);
    let sizes: [Line<Sizes>; 3] = [
        ("trainable parameters", |cost| {
            whole(cost.trainable_parameters as f64)
        }),
        ("share of all parameters", |cost| {
            share(cost.trainable_parameters as f64 / cost.total_parameters as f64)
        }),
        ("stored for each seed", |cost| bytes(cost.saved_bytes)),
    ];
    let counts: [Line<TrainingCost>; 3] = [
        ("training examples", |cost| whole(cost.examples as f64)),
        ("steps", |cost| whole(cost.steps)),
        ("training tokens", |cost| whole(cost.tokens)),
    ];
    let training: [Line<TrainingCost>; 4] = [
        ("training tokens/s", |cost| rate(cost.tokens_per_second)),
        ("training seconds", |cost| {
            format!("{:.1}", cost.train_seconds)
        }),
        ("validation seconds", |cost| {
            format!("{:.1}", cost.validation_seconds)
        }),
        (HOST_PEAK, |cost| bytes(cost.peak_bytes)),
    ];
    let evaluation: [Line<Cost>; 2] = [
        ("evaluation examples/s", |cost| {
            rate(cost.evaluation_examples_per_second)
        }),
        ("peak host memory, evaluation", |cost| {
            bytes(cost.evaluation_peak_bytes)
        }),
    ];
    let mut rows = Vec::new();
    for (name, show) in sizes {
        rows.push(row(name, &costs, |cost| cost.sizes.as_ref().map(show)));
    }
    for (name, show) in counts {
        rows.push(row(name, &costs, |cost| cost.training.as_ref().map(show)));
    }
    if shown == Shown::Counts {
        return Table::new(header).rows(rows).no_wider_than(WIDEST);
    }
    for (name, show) in training {
        rows.push(row(name, &costs, |cost| cost.training.as_ref().map(show)));
    }
    let recorded = |has: fn(&TrainingCost) -> bool| trainings(results).any(has);
    let on_device = recorded(|training| training.reserved_peak_bytes.is_some());
    if on_device {
        rows.push(row(
            "reserved peak of the device, training",
            &costs,
            |cost| {
                let reserved = cost.training.as_ref()?.reserved_peak_bytes;
                Some(reserved.map_or(NOT_RECORDED.to_owned(), bytes))
            },
        ));
    }
    match recorded(|training| training.peak_parts.is_some()) {
        // The parts are known of tensors in host memory only.
        false if on_device => {}
        true => rows.extend(PARTS.map(|(name, part)| {
            row(name, &costs, |cost| {
                Some(part_of(cost.training.as_ref()?, part))
            })
        })),
        false => rows.push(row("– its parts", &costs, |cost| {
            cost.training.as_ref().map(|_| NOT_RECORDED.to_owned())
        })),
    }
    for (name, show) in evaluation {
        rows.push(row(name, &costs, |cost| Some(show(cost))));
    }
    Table::new(header).rows(rows).no_wider_than(WIDEST)
}

fn part_of(training: &TrainingCost, part: Part) -> String {
    match &training.peak_parts {
        Some(parts) => part(parts, training.peak_bytes),
        None => NOT_RECORDED.to_owned(),
    }
}

/// A cell from the parts and the peak.
type Part = fn(&PeakParts, u64) -> String;

/// The moment of the peak in training, and its parts.
const PARTS: [(&str, Part); 6] = [
    ("– in the", |parts, _| parts.moment.name().to_owned()),
    ("– weights", |parts, _| bytes(parts.weights)),
    ("– gradients", |parts, _| bytes(parts.gradients)),
    ("– optimiser state", |parts, _| {
        bytes(parts.optimizer_state)
    }),
    ("– activations", |parts, _| bytes(parts.activations)),
    ("– remainder", |parts, peak| bytes(parts.left_over(peak))),
];

fn row(
    name: &str,
    costs: &[Result<&Cost, &'static str>],
    show: impl Fn(&Cost) -> Option<String>,
) -> Vec<String> {
    let cells = costs.iter().map(|cost| match cost {
        Ok(cost) => or_dash(show(cost), |shown| shown),
        Err(word) => (*word).to_owned(),
    });
    line(name, cells)
}

/// A rate per second: whole, or with a decimal if it is small.
fn rate(rate: Option<f64>) -> String {
    or_dash(rate, |rate| match rate {
        _ if rate < 9.95 => format!("{rate:.1}"),
        _ => whole(rate),
    })
}

/// A tuned method's score and cost.
struct Priced<'a> {
    result: &'a MethodResult,
    score: Estimate,
    cost: &'a TrainingCost,
}

fn price(result: &MethodResult) -> Option<Priced<'_>> {
    Some(Priced {
        result,
        score: result.mean_target?,
        cost: result.cost.as_ref()?.training.as_ref()?,
    })
}

/// Target score against parameters, time and memory.
fn figure(results: &Results, shown: Shown, suffix: &str) -> Figure {
    let priced: Vec<Priced> = results.tuned().filter_map(price).collect();
    // A panel has one kind of memory.
    let memory = match (priced.iter()).all(|one| one.cost.reserved_peak_bytes.is_some()) {
        true => Resource::ReservedMemory,
        false => Resource::HostMemory,
    };
    let resources = match shown {
        Shown::All => vec![Resource::Parameters, Resource::Time, memory],
        Shown::Counts => vec![Resource::Parameters],
    };
    let metric = metric_title(results.metric);
    let mut keys: Vec<Key> = (priced.iter())
        .map(|one| Key::method(one.result.title.as_str(), one.result.method))
        .collect();
    let mut front = Key::line("Pareto front", Stroke::Dashed, Colour::Faint);
    (front.sample).push(Mark::Dot((0.5, 0.5), Shape::Ring, Colour::Ink));
    keys.extend([Key::interval(), front]);
    let prices = (priced.iter()).map(|one| {
        let amounts = resources.iter().map(|resource| resource.words(one.cost));
        let score = percent(one.score.value);
        format!("{} scores {score} with {}", one.result.title, list(amounts))
    });
    Chart {
        title: format!(
            "{}, {}, against the cost of training",
            capital(metric),
            results.target()
        ),
        keys,
        panels: (resources.iter())
            .map(|resource| panel(results, &priced, *resource))
            .collect(),
        columns: resources.len(),
        plot: (266.0, 200.0),
    }
    .figure(
        format!("costs{suffix}.svg"),
        format!(
            "Target score against the cost of training, {}: {}.",
            results.transfer(),
            joined("; ", prices)
        ),
    )
}

fn panel(results: &Results, priced: &[Priced], resource: Resource) -> Panel {
    let amounts = || priced.iter().map(|one| resource.amount(one.cost));
    let (divisor, name) = resource.unit(amounts().fold(0.0, f64::max));
    let points: Vec<(f64, f64)> = amounts()
        .map(|amount| amount / divisor)
        .zip(priced.iter().map(|one| one.score.value))
        .collect();
    let front = front(&points);
    let mut marks = Vec::new();
    // The score attainable at a given cost: constant up to the next method on the front.
    for pair in front.windows(2) {
        let (one, other) = (points[pair[0]], points[pair[1]]);
        let steps = vec![one, (other.0, one.1), other];
        marks.push(Mark::Line(steps, Stroke::Dashed, Colour::Faint));
    }
    for (index, one) in priced.iter().enumerate() {
        let (shape, colour) = (Shape::of(one.result.method), Colour::of(one.result.method));
        marks.extend(Mark::estimate(points[index].0, one.score, shape, colour));
        if front.contains(&index) {
            marks.push(Mark::Dot(points[index], Shape::Ring, Colour::Ink));
        }
    }
    let ends = priced.iter().flat_map(|one| {
        [
            one.score.interval.low,
            one.score.interval.high,
            one.score.value,
        ]
    });
    let y = format!("{}, {} [%]", metric_title(results.metric), results.target());
    Panel {
        x: Axis::amounts(
            name,
            &points.iter().map(|point| point.0).collect::<Vec<_>>(),
        ),
        y: Axis::scores(y, ends),
        marks,
    }
}

/// A resource that training takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Resource {
    /// Trainable parameters.
    Parameters,
    /// Time in training steps.
    Time,
    /// The highest number of bytes allocated on the host during training.
    HostMemory,
    /// The highest number of bytes that the device's pools had reserved during training.
    ReservedMemory,
}

impl Resource {
    /// How much of it a method took: parameters, seconds, bytes.
    fn amount(self, cost: &TrainingCost) -> f64 {
        match self {
            Resource::Parameters => cost.trainable_parameters as f64,
            Resource::Time => cost.train_seconds,
            Resource::HostMemory => cost.peak_bytes as f64,
            Resource::ReservedMemory => cost.reserved_peak_bytes.unwrap_or_default() as f64,
        }
    }

    /// The divisor of amounts on an axis up to `most`, and the axis's name with the unit.
    fn unit(self, most: f64) -> (f64, &'static str) {
        match self {
            Resource::Parameters => (1.0, "trainable parameters"),
            Resource::Time if most >= 7_200.0 => (3_600.0, "training time [h]"),
            Resource::Time if most >= 600.0 => (60.0, "training time [min]"),
            Resource::Time => (1.0, "training time [s]"),
            Resource::HostMemory if most >= 1e9 => (1e9, "peak host memory in training [GB]"),
            Resource::HostMemory => (1e6, "peak host memory in training [MB]"),
            Resource::ReservedMemory => (1e9, "reserved peak in training [GB]"),
        }
    }

    /// The amount in words.
    fn words(self, cost: &TrainingCost) -> String {
        let amount = self.amount(cost);
        match self {
            Resource::Parameters => format!("{} trainable parameters", whole(amount)),
            Resource::Time => format!("{amount:.1} s of training"),
            Resource::HostMemory => format!("{} of host memory at the peak", bytes(amount as u64)),
            Resource::ReservedMemory => format!("a reserved peak of {}", bytes(amount as u64)),
        }
    }
}

/// The Pareto front of `(cost, score)`: the indices of points for which no other point is at least as good in both
/// and better in one, by rising cost.
fn front(points: &[(f64, f64)]) -> Vec<usize> {
    let beaten = |(cost, score): (f64, f64)| {
        points
            .iter()
            .any(|other| other.0 <= cost && other.1 >= score && (other.0 < cost || other.1 > score))
    };
    let mut front: Vec<usize> = (0..points.len())
        .filter(|index| !beaten(points[*index]))
        .collect();
    front.sort_by(|one, other| points[*one].0.total_cmp(&points[*other].0));
    front
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_front_has_the_points_that_no_other_dominates() {
        assert_eq!(front(&[(10.0, 0.5), (1.0, 0.4)]), [1, 0]);
        assert_eq!(front(&[(10.0, 0.4), (1.0, 0.5)]), [1]);
        assert_eq!(front(&[(1.0, 0.5), (1.0, 0.5), (1.0, 0.4)]), [0, 1]);
        assert_eq!(front(&[(3.0, 0.9), (2.0, 0.5), (1.0, 0.6)]), [2, 0]);
        assert!(front(&[]).is_empty());
    }

    #[test]
    fn the_unit_of_an_axis_depends_on_the_amounts() {
        assert_eq!(Resource::Time.unit(60.0).1, "training time [s]");
        assert_eq!(Resource::Time.unit(1e5), (3_600.0, "training time [h]"));
        assert_eq!(Resource::HostMemory.unit(2e9).0, 1e9);
    }

    #[test]
    fn a_low_rate_has_a_decimal() {
        let shown = [None, Some(0.94), Some(9.96), Some(12_345.6)].map(rate);
        assert_eq!(shown, ["–", "0.9", "10", "12,346"]);
    }
}
