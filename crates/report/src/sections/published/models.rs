//! Is a method above the line on which published models lie?
//!
//! Taori et al. 2020 and Miller et al. 2021 define effective robustness against a line through many independently
//! trained models, on the logit scale. `awadalla_2022.csv` has the figures of Awadalla et al. 2022 for extractive
//! question answering from SQuAD: the line is fitted to models of which every parameter was tuned, and methods, as well
//! as the published adapters, are compared with it. Their rows and ours may differ, so a distance of a point or two may
//! be that of the samples.

use serde::Serialize;

use crate::chart::{self, Axis, Chart, Colour, Key, Mark, Panel, Shape, Stroke};
use crate::document::{Block, Figure, Table, or_dash};
use crate::number::{difference, joined, percent, points};
use crate::resamples::Resamples;
use crate::results::Results;
use promptshift_numbers::recipe::Method;
use promptshift_numbers::stats::estimate::{Estimate, Interval, mean};
use promptshift_numbers::stats::robustness::{Line, Point, Scores, fit};

/// The published models on one target, and the methods of a study beside them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PublishedLine {
    pub target: String,
    /// The line through the models of which every parameter was tuned.
    pub line: Line,
    /// Those models.
    pub models: Vec<Point>,
    /// The models that were tuned by adapters.
    pub adapters: Vec<Point>,
    /// The mean distance of those adapters above the line, in [−1, 1]; absent if all are outside the line's range.
    pub adapters_above: Option<f64>,
    /// The methods of the study.
    pub methods: Vec<BesideLine>,
}

/// A method beside the line.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BesideLine {
    pub method: Method,
    /// Its score on the source.
    pub source: Estimate,
    /// Its score on the target.
    pub score: Estimate,
    /// What the line predicts at its source score; absent outside the range of the published models.
    pub expected: Option<f64>,
    /// How far its target score is above that.
    pub above: Option<Estimate>,
    /// How far 95 % of the published models with this source score lie from the line.
    pub usual: Option<Interval>,
}

/// Where a method lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Further above the line than 95 % of the published models, with its whole interval.
    Above,
    /// Further below.
    Below,
    /// Among them, with its whole interval.
    Among,
    /// Its interval reaches beyond them.
    Open,
    /// There is no published model with such a source score.
    Outside,
}

impl BesideLine {
    fn place(&self) -> Place {
        let (Some(above), Some(usual)) = (self.above, self.usual) else {
            return Place::Outside;
        };
        let Interval { low, high } = above.interval;
        match () {
            () if low > usual.high => Place::Above,
            () if high < usual.low => Place::Below,
            () if low >= usual.low && high <= usual.high => Place::Among,
            () => Place::Open,
        }
    }
}

impl Place {
    fn words(self) -> &'static str {
        match self {
            Place::Above => "above the published models",
            Place::Below => "below the published models",
            Place::Among => "among the published models",
            Place::Open => "inconclusive",
            Place::Outside => "not compared: no published model near this score",
        }
    }
}

/// The table of published scores, with its source in the first lines.
const TABLE: &str = include_str!("awadalla_2022.csv");

/// How a published model was tuned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tuning {
    /// Every parameter, on all of the source or on a few examples of it.
    Full,
    Adapter,
}

/// A published model's scores on two domains.
struct Row {
    tuning: Tuning,
    model: &'static str,
    /// In [0, 1].
    source: f64,
    /// In [0, 1].
    target: f64,
}

/// The published models with scores on two domains; empty unless the table has both.
fn scores(source: &str, target: &str) -> Vec<Row> {
    let mut lines = TABLE.lines().filter(|line| !line.starts_with('#'));
    let header: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let column = |domain: &str| header.iter().position(|name| *name == domain);
    let (Some(from), Some(to)) = (column(source), column(target)) else {
        return Vec::new();
    };
    let row = |line: &'static str| {
        let cells: Vec<&str> = line.split(',').collect();
        let share = |at: usize| Some(cells.get(at)?.parse::<f64>().ok()? / 100.0);
        let tuning = match cells[0] {
            "adapter" => Tuning::Adapter,
            _ => Tuning::Full,
        };
        Some(Row {
            tuning,
            model: cells[1],
            source: share(from)?,
            target: share(to)?,
        })
    };
    lines.filter_map(row).collect()
}

/// The model that a published one was tuned from, as far as several were: their errors are not independent.
fn backbone(model: &'static str) -> &'static str {
    const SHARED: [&str; 3] = ["bert-base-uncased", "roberta-base", "spanbert-base-cased"];
    let shared = SHARED.into_iter().find(|name| model.starts_with(name));
    shared.unwrap_or(model)
}

/// The published models on each target that they were scored on; empty unless the study is one of real questions from
/// SQuAD.
pub fn lines(resamples: &Resamples, results: &Results) -> Vec<PublishedLine> {
    if results.suite == "mini" || results.source != SOURCE {
        return Vec::new();
    }
    let on = |domain: usize| of_target(resamples, domain, &results.domains[domain].name);
    resamples.targets().filter_map(on).collect()
}

/// The domain that the published models were tuned on.
const SOURCE: &str = "squad";

fn of_target(resamples: &Resamples, domain: usize, target: &str) -> Option<PublishedLine> {
    let published = scores(SOURCE, target);
    let backbones: Vec<&str> = published.iter().map(|row| backbone(row.model)).collect();
    let of = |wanted: Tuning| -> Vec<Point> {
        let own = published.iter().filter(|row| row.tuning == wanted);
        let point = |row: &Row| {
            let run = (backbones.iter()).position(|name| *name == backbone(row.model));
            Point::new(row.source, row.target, run.unwrap_or(0))
        };
        own.map(point).collect()
    };
    let (models, adapters) = (of(Tuning::Full), of(Tuning::Adapter));
    let line = fit(&models).ok()?;
    let distances: Vec<f64> = (adapters.iter())
        .filter_map(|point| Some(point.target - line.expected(point.source).ok()?.value))
        .collect();
    let beside = |method: Method| {
        let [source, score] = [0, domain].map(|domain| resamples.score(domain, method));
        let (source, score) = source.zip(score)?;
        let scores = Scores::new(source, score);
        let expected = line.expected(source.value()).ok();
        let usual = line.usual(source.value()).ok();
        Some(BesideLine {
            method,
            source: source.estimate(),
            score: score.estimate(),
            expected: expected.map(|expected| expected.value),
            above: line.above(&[], scores).ok(),
            usual: expected.zip(usual).map(|(expected, usual)| Interval {
                low: usual.low - expected.value,
                high: usual.high - expected.value,
            }),
        })
    };
    Some(PublishedLine {
        target: target.to_owned(),
        methods: resamples.methods().filter_map(beside).collect(),
        adapters_above: mean(&distances),
        line,
        models,
        adapters,
    })
}

/// The section; empty without published models.
pub fn blocks(results: &Results, lines: &[PublishedLine], suffix: &str) -> Vec<Block> {
    let Some(first) = lines.first() else {
        return Vec::new();
    };
    let adapters: Vec<String> = (lines.iter())
        .filter_map(|line| Some(format!("{} {}", line.target, points(line.adapters_above?))))
        .collect();
    let adapters = match adapters.as_slice() {
        [] => String::new(),
        found => format!(
            " The {} published adapters are on average this far above it, in points: {}.",
            first.adapters.len(),
            joined(", ", found)
        ),
    };
    vec![
        Block::heading("Beside published models"),
        Block::text(format!(
            "Does a method keep more of its {SOURCE} score than other models do? The line is fitted, on the logit scale \
             (Miller et al. 2021), to models of Awadalla et al. 2022 (arXiv 2210.12517) of which every parameter was \
             tuned on SQuAD 1.1 or 2.0, or on a few examples of it."
        )),
        figure(results, lines, suffix).into(),
        table(results, lines).into(),
        Block::text(format!(
            "Expected: the line at the method's {SOURCE} score. Above: target score − expected, in points, with the \
             error of seeds, passages and line, which leaves out one backbone at a time. Usual: how far 95 % of the \
             published models lie from the line there; the wider, the less this comparison can show. A \
             method is above or below the published models if its whole interval is beyond that.{adapters} The \
             published rows of a domain and those scored here may differ. F1 as published, rounded to one decimal; \
             not every model was scored on every target."
        )),
    ]
}

fn table(results: &Results, lines: &[PublishedLine]) -> Table {
    let rows = lines.iter().flat_map(|line| {
        let tuned = line.methods.iter();
        let tuned = tuned.filter(|one| one.method != Method::Untuned);
        tuned.map(|one| {
            vec![
                format!("{}, {}", results.title(one.method), line.target),
                percent(one.source.value),
                percent(one.score.value),
                line.line.points.to_string(),
                format!("{:.2}", line.line.r_squared),
                or_dash(one.expected, percent),
                or_dash(one.above, difference),
                or_dash(one.usual, |range| {
                    points(range.low) + " to " + &points(range.high)
                }),
                one.place().words().to_owned(),
            ]
        })
    });
    let header =
        format!(" | {SOURCE} | target | models | R² | expected | above [95 %] | usual | verdict");
    Table::of(&header).words(&[0, 8]).rows(rows)
}

fn figure(results: &Results, lines: &[PublishedLine], suffix: &str) -> Figure {
    let shown: Vec<f64> = (lines.iter())
        .flat_map(|line| {
            let published = line.models.iter().chain(&line.adapters);
            let published = published.flat_map(|point| [point.source, point.target]);
            let own = line.methods.iter();
            published.chain(own.flat_map(|one| [one.source.value, one.score.value]))
        })
        .collect();
    let axis = |domain: &str| Axis::logits(format!("F1 on {domain} [%]"), shown.iter().copied());
    let panel = |line: &PublishedLine| {
        let (x, y) = (axis(SOURCE), axis(&line.target));
        Panel {
            marks: marks(line, &y),
            x,
            y,
        }
    };
    let mut keys: Vec<Key> = (results.tuned().chain(results.method(Method::Untuned)))
        .map(|result| Key::method(result.title.as_str(), result.method))
        .collect();
    keys.extend([
        Key::run(
            "published, every parameter",
            Shape::HollowCircle,
            Colour::Faint,
        ),
        Key::run("published adapters", Shape::Cross, Colour::Ink),
        Key::line("line of the former", Stroke::Thin, Colour::Faint),
        Key::interval(),
    ]);
    let said = lines.iter().flat_map(|line| {
        let tuned = line.methods.iter();
        tuned.filter_map(|one| {
            let above = percent(one.above?.value);
            Some(format!(
                "{} {above} on {}",
                results.title(one.method),
                line.target
            ))
        })
    });
    Chart {
        title: format!("F1 on a target against F1 on {SOURCE}, on logit scales"),
        keys,
        panels: lines.iter().map(panel).collect(),
        columns: chart::columns(lines.len()),
        plot: if lines.len() == 1 { (412.0, 412.0) } else { (272.0, 272.0) },
    }
    .figure(
        format!("published{suffix}.svg"),
        format!(
            "Target F1 against {SOURCE} F1 of published models and of these methods. Points above the line: {}.",
            match joined("; ", said) {
                none if none.is_empty() => "outside the published range".to_owned(),
                said => said,
            }
        ),
    )
}

fn marks(line: &PublishedLine, axis: &Axis) -> Vec<Mark> {
    let mut marks = Vec::new();
    let end = |source: f64| Some((source, line.line.expected(source).ok()?.value));
    if let (Some(from), Some(to)) = (end(line.line.low), end(line.line.high)) {
        marks.push(Mark::Line(vec![from, to], Stroke::Thin, Colour::Faint));
    }
    for (points, shape, colour) in [
        (&line.models, Shape::HollowCircle, Colour::Faint),
        (&line.adapters, Shape::Cross, Colour::Ink),
    ] {
        let at = points.iter().map(|point| (point.source, point.target));
        marks.extend(at.map(|at| Mark::Run(at, shape, colour)));
    }
    // Scores of 0 and 1 have no logit.
    let [low, high] = axis.ends();
    for one in &line.methods {
        let (shape, colour) = (Shape::of(one.method), Colour::of(one.method));
        let at = [one.source.value, one.score.value].map(|score| score.clamp(low, high));
        let at = (at[0], at[1]);
        marks.extend([
            Mark::Upright(at, one.score.interval.clamp(low, high), colour),
            Mark::Across(at, one.source.interval.clamp(low, high), colour),
            Mark::Dot(at, shape, colour),
        ]);
    }
    marks
}

#[cfg(test)]
mod tests;
