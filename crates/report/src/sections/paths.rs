//! How do source and target scores change together during training? The paths of all methods from the first
//! checkpoint to the end: which path is higher at the same source score?

use std::collections::BTreeSet;

use serde::Serialize;

use super::robustness::Robustness;
use crate::chart::{self, Axis, Chart, Colour, Key, Mark, Panel, Shape, Stroke};
use crate::document::{Block, Figure};
use crate::number::{capital, count, joined, metric_title, percent};
use crate::resamples::Resamples;
use crate::results::{MethodResult, Results};
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::{Checkpoint, Training};
use promptshift_numbers::stats::estimate::mean;
use promptshift_numbers::stats::robustness::Line;

/// One method's scores at its checkpoints, as means over runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Path {
    pub method: Method,
    /// The checkpoints that all its runs have, by ascending step.
    pub stops: Vec<Stop>,
}

/// One checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stop {
    /// Steps taken.
    pub step: usize,
    /// The mean score on each domain, source first, in [0, 1].
    pub scores: Vec<f64>,
    /// The largest number of scored examples of a domain.
    pub examples: usize,
}

/// The paths of all methods whose runs have checkpoints.
pub fn paths(resamples: &Resamples) -> Vec<Path> {
    (resamples.methods())
        .map(|method| path(resamples, method))
        .filter(|path| !path.stops.is_empty())
        .collect()
}

fn path(resamples: &Resamples, method: Method) -> Path {
    let study = resamples.study;
    let trainings: Vec<&Training> = (study.of(method).into_iter())
        .filter_map(|stored| stored.record.training.as_ref())
        .collect();
    let scored = |training: &Training| -> BTreeSet<usize> {
        let checkpoints = training.checkpoints.iter();
        let same = checkpoints.filter(|one| one.metric == resamples.metric.name());
        same.map(|one| one.step).collect()
    };
    let common = (trainings.iter().map(|training| scored(training)))
        .reduce(|one, other| &one & &other)
        .unwrap_or_default();
    let at = |step: usize| {
        let of_run = |training: &&'_ Training| -> Option<Vec<(f64, usize)>> {
            let checkpoint = training.checkpoints.iter().find(|one| one.step == step)?;
            let domains = study.evaluations().iter();
            domains.map(|one| on(checkpoint, &one.domain)).collect()
        };
        let runs: Vec<Vec<(f64, usize)>> = trainings.iter().map(of_run).collect::<Option<_>>()?;
        let domains = 0..study.evaluations().len();
        let scores = domains.map(|domain| {
            let values: Vec<f64> = runs.iter().map(|run| run[domain].0).collect();
            mean(&values)
        });
        Some(Stop {
            step,
            scores: scores.collect::<Option<_>>()?,
            examples: runs.iter().flatten().map(|(_, examples)| *examples).max()?,
        })
    };
    Path {
        method,
        stops: common.into_iter().filter_map(at).collect(),
    }
}

fn on(checkpoint: &Checkpoint, domain: &str) -> Option<(f64, usize)> {
    let found = checkpoint.scores.iter().find(|one| one.domain == domain)?;
    Some((found.score, found.examples))
}

/// The figure and its explanation; empty without tuned methods.
pub fn blocks(results: &Results, paths: &[Path], lines: &[Robustness], suffix: &str) -> Vec<Block> {
    if results.tuned().next().is_none() {
        return Vec::new();
    }
    let reference = match results.method(Method::Model) {
        Some(_) => {
            " on the dashed line the gap equals that of finished model tuning, and points above it have a smaller \
             gap."
        }
        None => " the further a point is below it, the larger the gap.",
    };
    let examples = (paths.iter())
        .flat_map(|path| &path.stops)
        .map(|stop| stop.examples);
    let passed = match (examples.clone().min(), examples.max()) {
        (Some(fewest), Some(most)) => format!(
            " Open circles are checkpoints (means over runs, on {} of each domain), joined in the order of training.",
            match fewest == most {
                true => count(most, "example"),
                false => format!("{fewest} to {}", count(most, "example")),
            }
        ),
        _ => String::new(),
    };
    vec![
        figure(&results.featured(), paths, lines, suffix).into(),
        Block::text(format!(
            "The thin line marks equal scores on source and target;{reference} Small markers are seeds.{passed}"
        )),
    ]
}

/// Target score against source score, one panel per target.
fn figure(results: &Results, paths: &[Path], lines: &[Robustness], suffix: &str) -> Figure {
    let metric = metric_title(results.metric);
    let scores = results.methods.iter().flat_map(|result| &result.scores);
    let scores = scores.flat_map(|scores| {
        let ends = [scores.score.interval.low, scores.score.interval.high];
        scores.by_seed.iter().copied().chain(ends)
    });
    let passed = paths.iter().flat_map(|path| &path.stops);
    let shown: Vec<f64> = scores
        .chain(passed.flat_map(|stop| stop.scores.iter().copied()))
        .collect();
    let axis = |domain: &str| Axis::scores(format!("{metric} on {domain} [%]"), shown.clone());
    let panel = |target: usize| {
        let y = axis(&results.targets[target]);
        Panel {
            x: axis(&results.source),
            marks: marks(results, paths, lines.get(target), target, &y),
            y,
        }
    };
    let losses = (results.methods.iter()).filter_map(|result| {
        let gap = percent(result.mean_gap?.value);
        Some(format!("{} {gap}", result.title))
    });
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
        keys: keys(results, paths, lines),
        panels: (0..count).map(panel).collect(),
        columns: chart::columns(count),
        plot: (side, side),
    }
    .figure(
        format!("paths{suffix}.svg"),
        format!(
            "Target score against source score, from the first checkpoint to the end of training, {}. Gaps in \
             points{mean}: {}.",
            results.transfer(),
            joined("; ", losses)
        ),
    )
}

fn keys(results: &Results, paths: &[Path], lines: &[Robustness]) -> Vec<Key> {
    let model = Colour::of(Method::Model);
    let mut keys: Vec<Key> = (results.tuned().chain(results.method(Method::Untuned)))
        .map(|result| Key::method(result.title.as_str(), result.method))
        .collect();
    keys.push(Key::interval());
    keys.push(Key::line("no gap", Stroke::Thin, Colour::Faint));
    if results.method(Method::Model).is_some() {
        keys.push(Key::line("model tuning's gap", Stroke::Dashed, model));
    }
    if !paths.is_empty() {
        keys.push(Key::passed("checkpoints, mean over runs", Colour::Faint));
    }
    if lines.iter().any(|found| found.above.is_some()) {
        keys.push(Key::line(
            "line of effective robustness",
            Stroke::Thin,
            model,
        ));
    }
    keys
}

fn marks(
    results: &Results,
    paths: &[Path],
    found: Option<&Robustness>,
    target: usize,
    axis: &Axis,
) -> Vec<Mark> {
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
    // Drawn only if the line is used.
    let line = found.filter(|found| found.above.is_some());
    let line = line.and_then(|found| found.line.as_ref()).map(course);
    marks.extend(line.map(|line| Mark::Line(line, Stroke::Thin, model)));
    for result in &results.methods {
        let path = paths.iter().find(|path| path.method == result.method);
        marks.extend(
            path.into_iter()
                .flat_map(|path| passed(path, result, target)),
        );
    }
    for result in &results.methods {
        marks.extend(method_marks(result, target));
    }
    marks
}

/// A method's checkpoints in the order of their steps, joined with its final scores.
fn passed(path: &Path, result: &MethodResult, target: usize) -> Vec<Mark> {
    let colour = Colour::of(result.method);
    let stops = path.stops.iter();
    let mut line: Vec<(f64, f64)> = (stops)
        .map(|stop| (stop.scores[0], stop.scores[target + 1]))
        .collect();
    let dots: Vec<Mark> = (line.iter())
        .map(|at| Mark::Run(*at, Shape::HollowCircle, colour))
        .collect();
    line.push((
        result.source().score.value,
        result.targets()[target].score.value,
    ));
    let line = Mark::Line(line, Stroke::Plain, colour);
    std::iter::once(line).chain(dots).collect()
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

/// Points along a fitted line between its outermost points; it is curved, since it is straight in logits.
fn course(line: &Line) -> Vec<(f64, f64)> {
    const PARTS: u32 = 24;
    (0..=PARTS)
        .filter_map(|part| {
            let share = f64::from(part) / f64::from(PARTS);
            let source = line.low + share * (line.high - line.low);
            // Rounding may move the last point just beyond the end.
            let source = source.min(line.high);
            Some((source, line.expected(source).ok()?.value))
        })
        .collect()
}

/// The ends of the line of a constant gap within a square of scores; `None` if it is outside.
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
    fn a_fitted_line_ends_at_its_outermost_points() {
        let sources = [0.3, 0.4, 0.5, 0.6, 0.7, 0.8].into_iter().zip(0..);
        let points: Vec<Point> = sources
            .map(|(source, run)| Point::new(source, source - 0.1, run))
            .collect();
        let line = fit(&points).expect("six points");
        let course = course(&line);
        assert_eq!(course.len(), 25);
        assert_eq!((course[0].0, course[24].0), (0.3, 0.8));
        assert!(course.windows(2).all(|pair| pair[0].1 < pair[1].1));
    }

    #[test]
    fn lines_of_constant_gap_stay_in_the_square() {
        let axis = Axis::scores("", [0.1, 0.75]);
        let [low, high] = axis.ends();
        assert_eq!([low, high], [0.0, 0.8]);
        assert_eq!(loss_line(0.0, &axis), Some([(0.0, 0.0), (0.8, 0.8)]));
        let [from, to] = loss_line(0.25, &axis).expect("it crosses");
        assert_eq!((from, to.0), ((0.25, 0.0), 0.8));
        assert!((to.1 - 0.55).abs() < 1e-12);
        let above = loss_line(-0.25, &axis).expect("it crosses");
        assert_eq!(above[0], (0.0, 0.25));
        assert_eq!(loss_line(0.9, &axis), None);
    }
}
