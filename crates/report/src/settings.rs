//! A figure of scores against a varied setting: panels below each other, with a line or a row of points for each
//! series and their intervals.

use crate::chart::{Axis, Chart, Colour, Key, Mark, Panel, Shape, Stroke};
use crate::document::Figure;
use crate::number::{joined, percent};
use promptshift_numbers::stats::estimate::Estimate;

/// The varied setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Varied {
    /// Its name: `prompt vectors`.
    pub name: String,
    /// The labels of its values, from left to right.
    pub places: Vec<String>,
    /// Whether the values are ordered.
    pub order: Order,
}

/// Whether values are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Ordered amounts, whose points are joined.
    Amounts,
    /// Unordered kinds, whose points are not joined.
    Kinds,
}

/// One series.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// Its score at each value, in [0, 1]; `None` if there is none.
    pub points: Vec<Option<Estimate>>,
    /// The scores of single runs at each value, in [0, 1]; empty if they are not shown.
    pub runs: Vec<Vec<f64>>,
}

/// The scores on one domain or averaged over several: a panel.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    /// The domain and metric: `squad (source), F1`.
    pub name: String,
    /// The series, the same in every panel.
    pub series: Vec<Series>,
    pub floor: Option<f64>,
}

/// The figure.
pub fn figure(name: &str, heading: &str, varied: &Varied, all: &[Scores]) -> Figure {
    let series = || all.iter().flat_map(|scores| &scores.series);
    let mut keys: Vec<Key> = (all.iter().take(1))
        .flat_map(|scores| scores.series.iter().enumerate())
        .map(|(number, one)| Key::series(one.name.as_str(), Shape::Circle, Colour::Series(number)))
        .collect();
    keys.push(Key::interval());
    if all.iter().any(|scores| scores.floor.is_some()) {
        keys.push(Key::floor());
    }
    if series().any(|one| !one.runs.is_empty()) {
        keys.push(Key::run("one run", Shape::Circle, Colour::Faint));
    }
    Chart {
        title: heading.to_owned(),
        keys,
        panels: all.iter().map(|scores| panel(varied, scores)).collect(),
        columns: 1,
        plot: (584.0, 190.0),
    }
    .figure(name, alt(heading, varied, all))
}

fn panel(varied: &Varied, scores: &Scores) -> Panel {
    let points = scores.series.iter().flat_map(|one| &one.points).flatten();
    let ends = points.flat_map(|point| [point.interval.low, point.interval.high]);
    let runs = (scores.series.iter()).flat_map(|one| one.runs.iter().flatten());
    let shown = ends.chain(runs.copied()).chain(scores.floor);
    let mut marks = Vec::new();
    if let Some(floor) = scores.floor {
        let last = varied.places.len() as f64 - 0.5;
        let dashes = vec![(-0.5, floor), (last, floor)];
        marks.push(Mark::Line(dashes, Stroke::Dashed, Colour::Faint));
    }
    for (number, one) in scores.series.iter().enumerate() {
        let colour = Colour::Series(number);
        // Series are offset slightly, so that their intervals do not overlap.
        let aside = 0.09 * (number as f64 - 0.5 * (scores.series.len() as f64 - 1.0));
        let mut path = Vec::new();
        for (at, point) in one.points.iter().enumerate() {
            let Some(point) = point else { continue };
            let x = at as f64 + aside;
            let point = point.clamp();
            path.push((x, point.value));
            marks.extend(Mark::estimate(x, point, Shape::Circle, colour));
            let runs = one.runs.get(at).into_iter().flatten();
            marks.extend(runs.map(|score| Mark::Run((x + 0.05, *score), Shape::Circle, colour)));
        }
        if varied.order == Order::Amounts {
            marks.push(Mark::Line(path, Stroke::Plain, colour));
        }
    }
    Panel {
        x: Axis::places(varied.name.as_str(), &varied.places),
        y: Axis::scores(format!("{} [%]", scores.name), shown),
        marks,
    }
}

fn alt(heading: &str, varied: &Varied, all: &[Scores]) -> String {
    let series = |one: &Series| {
        let points = (one.points.iter().zip(&varied.places)).filter_map(|(point, place)| {
            Some(format!("{} at {place}", percent(point.as_ref()?.value)))
        });
        format!("{} {}", one.name, joined(", ", points))
    };
    let panels = (all.iter()).map(|scores| {
        let series = scores.series.iter().map(series);
        format!("{}: {}", scores.name, joined("; ", series))
    });
    format!("{heading}. {}.", joined(". ", panels))
}
