//! How far do target scores fall below source scores: the share that each method retains, and target
//! score against source score.

use serde::Serialize;

use super::robustness::Robustness;
use crate::chart::{self, Axis, Chart, Colour, Key, Mark, Panel, Shape, Stroke};
use crate::document::{Block, Figure, Table, or_dash};
use crate::number::{capital, gap, metric_title, percent};
use crate::resamples::Resamples;
use crate::results::{MethodResult, Results};
use promptshift_numbers::recipe::Method;
use promptshift_numbers::stats::bootstrap::Draws;
use promptshift_numbers::stats::estimate::Estimate;
use promptshift_numbers::stats::robustness::Line;

/// Target score over source score: 1 where nothing is lost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Retention {
    /// The method.
    pub method: Method,
    /// On each target; absent where the source score is zero.
    pub targets: Vec<Option<Estimate>>,
    /// The mean target score over the source score.
    pub mean: Option<Estimate>,
}

/// Of every method.
pub fn retention(resamples: &Resamples) -> Vec<Retention> {
    let of_method = |method: Method| {
        let retained = |target: Option<&Draws>| {
            let ratio = target?.over(resamples.score(0, method)?)?;
            Some(ratio.estimate())
        };
        Retention {
            method,
            targets: (resamples.targets())
                .map(|domain| retained(resamples.score(domain, method)))
                .collect(),
            mean: retained(resamples.mean_target(method).as_ref()),
        }
    };
    resamples.methods().map(of_method).collect()
}

/// The section; empty without tuned methods.
pub fn blocks(
    results: &Results,
    retained: &[Retention],
    lines: &[Robustness],
    suffix: &str,
) -> Vec<Block> {
    let retained: Vec<&Retention> = (results.tuned())
        .filter_map(|result| retained.iter().find(|one| one.method == result.method))
        .collect();
    if retained.is_empty() {
        return Vec::new();
    }
    let mut blocks = Block::section(
        "Retained share of the source score",
        retention_table(results, &retained),
        "Target score over source score in percent, with its 95 % interval: 100 means that nothing is lost.",
    )
    .to_vec();
    blocks.push(scatter(&results.featured(), lines, suffix).into());
    let reference = match results.method(Method::Model) {
        Some(_) => {
            " on the dashed line the gap equals model tuning's; points above it have a smaller gap."
        }
        None => " the further below it, the larger the gap.",
    };
    blocks.push(Block::text(format!(
        "On the thin line nothing is lost;{reference} Small markers are seeds."
    )));
    blocks
}

fn retention_table(results: &Results, retained: &[&Retention]) -> Table {
    let titles = retained.iter().map(|one| results.title(one.method));
    let header = std::iter::once("retained [95 %]").chain(titles);
    let row = |name: &str, of: &dyn Fn(&Retention) -> Option<Estimate>| -> Vec<String> {
        let cells = retained.iter().map(|one| or_dash(of(one), gap));
        std::iter::once(name.to_owned()).chain(cells).collect()
    };
    let targets = results.targets.iter().enumerate();
    let mut rows: Vec<Vec<String>> = targets
        .map(|(target, name)| row(name, &|one| one.targets[target]))
        .collect();
    if results.targets.len() > 1 {
        rows.push(row("**mean of targets**", &|one| one.mean));
    }
    Table::new(header).rows(rows)
}

/// Target score against source score, a panel a target.
fn scatter(results: &Results, lines: &[Robustness], suffix: &str) -> Figure {
    let metric = metric_title(results.metric);
    let scores = results.methods.iter().flat_map(|result| &result.scores);
    let scores = scores.flat_map(|scores| {
        let ends = [scores.score.interval.low, scores.score.interval.high];
        scores.by_seed.iter().copied().chain(ends)
    });
    let checkpoints = lines.iter().flat_map(|found| &found.checkpoints);
    let shown: Vec<f64> = scores
        .chain(checkpoints.flat_map(|point| [point.source, point.target]))
        .collect();
    let axis = |domain: &str| Axis::scores(format!("{metric} on {domain} [%]"), shown.clone());
    let panel = |target: usize| {
        let y = axis(&results.targets[target]);
        Panel {
            x: axis(&results.source),
            marks: marks(results, lines.get(target), target, &y),
            y,
        }
    };
    let losses: Vec<String> = (results.methods.iter())
        .filter_map(|result| {
            let gap = percent(result.mean_gap?.value);
            Some(format!("{} loses {gap}", result.title))
        })
        .collect();
    let count = results.targets.len();
    let mean = match count {
        1 => String::new(),
        many => format!(", mean over {many} targets"),
    };
    let side = if count == 1 { 412.0 } else { 272.0 };
    Chart {
        title: format!(
            "{} on a target against {metric} on {}",
            capital(metric),
            results.source
        ),
        keys: keys(results, lines),
        panels: (0..count).map(panel).collect(),
        columns: chart::columns(count),
        plot: (side, side),
    }
    .figure(
        format!("shift{suffix}.svg"),
        format!(
            "Target score against source score, {}. Points lost{mean}: {}.",
            results.transfer(),
            losses.join("; ")
        ),
    )
}

fn keys(results: &Results, lines: &[Robustness]) -> Vec<Key> {
    let model = Colour::of(Method::Model);
    let mut keys: Vec<Key> = (results.tuned().chain(results.method(Method::Untuned)))
        .map(|result| Key::method(result.title.as_str(), result.method))
        .collect();
    keys.push(Key::interval());
    keys.push(Key::line("nothing lost", Stroke::Thin, Colour::Faint));
    if results.method(Method::Model).is_some() {
        keys.push(Key::line("model tuning's gap", Stroke::Dashed, model));
    }
    if lines.iter().any(|found| !found.checkpoints.is_empty()) {
        keys.push(Key::run(
            "checkpoint of model tuning",
            Shape::Diamond,
            model,
        ));
    }
    if lines.iter().any(|found| found.line.is_some()) {
        keys.push(Key::line("fit through model tuning", Stroke::Thin, model));
    }
    keys
}

fn marks(results: &Results, found: Option<&Robustness>, target: usize, axis: &Axis) -> Vec<Mark> {
    let model = Colour::of(Method::Model);
    let mut marks = Vec::new();
    if let Some(ends) = loss_line(0.0, axis) {
        marks.push(Mark::Line(ends.to_vec(), Stroke::Thin, Colour::Faint));
    }
    let tuned = results.method(Method::Model);
    let gap = tuned.and_then(|result| result.targets()[target].gap);
    if let Some(ends) = gap.and_then(|gap| loss_line(gap.value, axis)) {
        marks.push(Mark::Line(ends.to_vec(), Stroke::Dashed, model));
    }
    if let Some(found) = found {
        let line = found.line.as_ref().map(course);
        marks.extend(line.map(|line| Mark::Line(line, Stroke::Thin, model)));
        let points = found.checkpoints.iter();
        marks.extend(
            points.map(|point| Mark::Run((point.source, point.target), Shape::Diamond, model)),
        );
    }
    for result in &results.methods {
        marks.extend(method_marks(result, target));
    }
    marks
}

fn method_marks(result: &MethodResult, target: usize) -> Vec<Mark> {
    let (source, target) = (result.source(), &result.targets()[target]);
    let (shape, colour) = (Shape::of(result.method), Colour::of(result.method));
    let mean = (source.score.value, target.score.value);
    let mut marks = Vec::new();
    if result.seeds.len() > 1 {
        let seeds = source.by_seed.iter().zip(&target.by_seed);
        marks.extend(seeds.map(|(source, target)| Mark::Run((*source, *target), shape, colour)));
    }
    marks.extend([
        Mark::Upright(mean, target.score.interval, colour),
        Mark::Across(mean, source.score.interval, colour),
        Mark::Dot(mean, shape, colour),
    ]);
    marks
}

/// Where a fitted line runs, between its outermost points: it bends, as it is straight in logits.
fn course(line: &Line) -> Vec<(f64, f64)> {
    const PARTS: u32 = 24;
    (0..=PARTS)
        .filter_map(|part| {
            let share = f64::from(part) / f64::from(PARTS);
            let source = line.low + share * (line.high - line.low);
            // The last part may round to just beyond the end.
            let source = source.min(line.high);
            Some((source, line.expected(source).ok()?.value))
        })
        .collect()
}

/// Where the line of a gap enters and leaves a square of scores; `None` where it lies outside.
fn loss_line(gap: f64, axis: &Axis) -> Option<[(f64, f64); 2]> {
    let [low, high] = axis.ends();
    let (from, to) = (low.max(low + gap), high.min(high + gap));
    (from < to).then_some([(from, from - gap), (to, to - gap)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use promptshift_numbers::stats::robustness::{Point, fit};

    #[test]
    fn a_fitted_line_ends_with_its_points() {
        let mut run = 0;
        let points = [0.3, 0.4, 0.5, 0.6, 0.7, 0.8].map(|source| {
            run += 1;
            Point {
                source,
                target: source - 0.1,
                run,
            }
        });
        let line = fit(&points).expect("six points");
        let course = course(&line);
        assert_eq!(course.len(), 25);
        assert_eq!((course[0].0, course[24].0), (0.3, 0.8));
        assert!(course.windows(2).all(|pair| pair[0].1 < pair[1].1));
    }

    #[test]
    fn lines_of_equal_loss_stay_in_the_square() {
        let axis = Axis::scores("", [0.1, 0.75]);
        let [low, high] = axis.ends();
        assert_eq!([low, high], [0.0, 0.8]);
        assert_eq!(loss_line(0.0, &axis), Some([(0.0, 0.0), (0.8, 0.8)]));
        let [from, to] = loss_line(0.25, &axis).expect("it crosses");
        assert_eq!((from, to.0), ((0.25, 0.0), 0.8));
        assert!((to.1 - 0.55).abs() < 1e-12);
        assert_eq!(
            loss_line(-0.25, &axis).map(|ends| ends[0]),
            Some((0.0, 0.25))
        );
        assert_eq!(loss_line(0.9, &axis), None);
    }
}
