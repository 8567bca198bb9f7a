//! How did training go? Learning curves on source validation.

use crate::chart::{Axis, Chart, Colour, Key, Mark, Panel, Shape, Stroke};
use crate::document::{Block, Figure};
use crate::number::{joined, metric_title, percent};
use crate::results::{MethodResult, Results};
use crate::study::Study;
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::{CurvePoint, Training};
use promptshift_numbers::stats::estimate::mean;

/// The figure with a sentence; empty if no method takes steps.
pub fn blocks(study: &Study, results: &Results, suffix: &str) -> Vec<Block> {
    match figure(study, &results.featured(), suffix) {
        None => Vec::new(),
        Some(figure) => vec![
            figure.into(),
            Block::text(
                "Learning curves on source validation, by which the best step is chosen; test scores are those of \
                 that step.",
            ),
        ],
    }
}

/// Source validation over the steps of training; `None` if no method takes steps.
fn figure(study: &Study, results: &Results, suffix: &str) -> Option<Figure> {
    let trainings = |result: &MethodResult| -> Vec<&Training> {
        let runs = study.trainings(result.method).into_iter();
        runs.map(|(_, training)| training).collect()
    };
    let methods: Vec<(&MethodResult, Vec<&Training>)> = (results.tuned())
        .map(|result| (result, trainings(result)))
        .filter(|(_, runs)| !runs.is_empty())
        .collect();
    if methods.is_empty() {
        return None;
    }
    let metric = metric_title(results.metric);
    let points = || {
        let runs = methods.iter().flat_map(|(_, runs)| runs);
        runs.flat_map(|run| &run.curve)
    };
    let last = points().map(|point| point.step).max().unwrap_or(0);
    let scores = points().map(|point| point.validation_score);
    let keys =
        (methods.iter()).map(|(result, _)| Key::method(result.title.as_str(), result.method));
    let name = format!(
        "{metric} on {} validation [%]; a marker is the mean best step",
        results.source
    );
    let rises = (methods.iter()).filter_map(|(result, runs)| rise(&result.title, runs));
    let chart = Chart {
        title: format!("Learning curves on {} validation", results.source),
        keys: keys
            .chain([Key::line("one seed", Stroke::Pale, Colour::Faint)])
            .collect(),
        panels: vec![Panel {
            x: Axis::steps("optimiser steps", last),
            y: Axis::scores(name, scores),
            marks: (methods.iter())
                .flat_map(|(result, runs)| curve_marks(result.method, runs))
                .collect(),
        }],
        columns: 1,
        plot: (562.0, 256.0),
    };
    Some(chart.figure(
        format!("curves{suffix}.svg"),
        format!(
            "Learning curves on {} validation, {metric} in percent, means over seeds: {}.",
            results.source,
            joined("; ", rises)
        ),
    ))
}

fn rise(title: &str, runs: &[&Training]) -> Option<String> {
    let firsts = (runs.iter()).filter_map(|run| Some(run.curve.first()?.validation_score));
    let best = |run: &&Training| {
        let scores = run.curve.iter().map(|point| point.validation_score);
        scores.fold(0.0, f64::max)
    };
    let first = mean(&firsts.collect::<Vec<_>>())?;
    let best = mean(&runs.iter().map(best).collect::<Vec<_>>())?;
    Some(format!(
        "{title} rises from {} to {}",
        percent(first),
        percent(best)
    ))
}

fn curve_marks(method: Method, runs: &[&Training]) -> Vec<Mark> {
    let colour = Colour::of(method);
    let at = |point: &CurvePoint| (point.step as f64, point.validation_score);
    let run =
        |run: &&Training| Mark::Line(run.curve.iter().map(at).collect(), Stroke::Pale, colour);
    let mut marks: Vec<Mark> = runs.iter().map(run).collect();
    let points = mean_curve(runs).into_iter();
    let points = points.map(|(step, score)| (step as f64, score)).collect();
    marks.push(Mark::Line(points, Stroke::Bold, colour));
    let best = |run: &&Training| {
        let found = run.curve.iter().find(|point| point.step == run.best_step);
        found.map(at)
    };
    let (steps, scores): (Vec<f64>, Vec<f64>) = runs.iter().filter_map(best).unzip();
    if let (Some(step), Some(score)) = (mean(&steps), mean(&scores)) {
        marks.push(Mark::Dot((step, score), Shape::of(method), colour));
    }
    marks
}

/// The mean over runs at the steps at which all of them were scored.
fn mean_curve(runs: &[&Training]) -> Vec<(usize, f64)> {
    let Some(first) = runs.first() else {
        return Vec::new();
    };
    (first.curve.iter())
        .filter_map(|point| {
            let scores: Option<Vec<f64>> = (runs.iter())
                .map(|run| {
                    let found = run.curve.iter().find(|other| other.step == point.step)?;
                    Some(found.validation_score)
                })
                .collect();
            Some((point.step, scores?.iter().sum::<f64>() / runs.len() as f64))
        })
        .collect()
}
