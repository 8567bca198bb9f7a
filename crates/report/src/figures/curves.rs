//! Learning curves: source validation over the steps of training.

use plotters::style::{Color, WHITE};

use super::Drawn;
use super::axis::{Frame, Range};
use super::legend::{self, Entry};
use super::style::{Anchor, Canvas, FAINT, INK, Point, colour, line, marker, text};
use crate::comparison::Comparison;
use crate::number::{metric_title, whole};
use crate::study::Study;
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::{CurvePoint, Training};

const WIDTH: u32 = 632;
const MARGIN: i32 = 16;
/// Pixels above the legend.
const TITLE: i32 = 48;

/// The curves of all seeds of one method.
struct Curves<'a> {
    method: Method,
    runs: Vec<&'a Training>,
}

/// Those of the methods that take steps.
fn curves<'a>(study: &Study<'a>, comparison: &Comparison) -> Vec<Curves<'a>> {
    (comparison.tuned())
        .map(|result| Curves {
            method: result.method,
            runs: (study.trainings(result.method).into_iter())
                .map(|(_, training)| training)
                .collect(),
        })
        .filter(|curves| !curves.runs.is_empty())
        .collect()
}

fn entries(curves: &[Curves]) -> Vec<Entry> {
    let methods = curves
        .iter()
        .map(|curves| Entry::Method(curves.method, curves.method.title().to_owned()));
    methods.chain([Entry::Seed]).collect()
}

/// Pixels above the note on markers: title and legend.
fn head(curves: &[Curves]) -> i32 {
    TITLE + legend::height(MARGIN, WIDTH as i32 - MARGIN, &entries(curves))
}

/// The figure's width and height; `None` where no method takes steps.
pub(super) fn size(study: &Study, comparison: &Comparison) -> Option<(u32, u32)> {
    let curves = curves(study, comparison);
    (!curves.is_empty()).then(|| (WIDTH, head(&curves).unsigned_abs() + 355))
}

pub(super) fn draw(canvas: &Canvas, study: &Study, comparison: &Comparison) -> Drawn {
    canvas.fill(&WHITE)?;
    let metric = metric_title(comparison.metric);
    let title = format!("Learning curves on {} validation", comparison.source);
    text(canvas, &title, (MARGIN, 22), 17, INK, Anchor::Left)?;
    let curves = curves(study, comparison);
    let right = WIDTH as i32 - MARGIN;
    legend::draw(canvas, (MARGIN, TITLE), right, &entries(&curves))?;
    let head = head(&curves);
    let note = "The marker is the mean of the steps that were kept.";
    text(canvas, note, (MARGIN, head + 1), 12, FAINT, Anchor::Left)?;

    let points = || {
        curves
            .iter()
            .flat_map(|curves| &curves.runs)
            .flat_map(|run| &run.curve)
    };
    let last = points().map(|point| point.step).max().unwrap_or(0).max(1);
    let range = Range::around(points().map(|point| point.validation_score));
    let frame = Frame {
        left: 50,
        right: 612,
        top: head + 47,
        bottom: head + 303,
        range,
    };
    frame.draw(canvas)?;
    let validation = format!("{metric} on {} validation [%]", comparison.source);
    frame.name(canvas, &validation)?;
    steps(canvas, &frame, last)?;
    for curves in &curves {
        draw_curves(canvas, curves, &frame, last)?;
    }
    Ok(())
}

/// Numbers of steps under the frame.
fn steps(canvas: &Canvas, frame: &Frame, last: usize) -> Drawn {
    for quarter in 0..=4 {
        let share = f64::from(quarter) / 4.0;
        frame.tick(canvas, &whole(last as f64 * share), frame.column(share))?;
    }
    frame.name_under(canvas, "optimiser steps")
}

fn draw_curves(canvas: &Canvas, curves: &Curves, frame: &Frame, last: usize) -> Drawn {
    let at = |step: usize, score: f64| -> Point {
        (frame.column(step as f64 / last as f64), frame.row(score))
    };
    let colour = colour(curves.method);
    for run in &curves.runs {
        let points = run
            .curve
            .iter()
            .map(|point| at(point.step, point.validation_score))
            .collect();
        line(canvas, points, colour.mix(0.45), 1)?;
    }
    let mean = mean_curve(&curves.runs);
    line(
        canvas,
        mean.iter().map(|(step, score)| at(*step, *score)).collect(),
        colour.into(),
        3,
    )?;
    let kept: Vec<&CurvePoint> = curves
        .runs
        .iter()
        .filter_map(|run| run.curve.iter().find(|point| point.step == run.best_step))
        .collect();
    if kept.is_empty() {
        return Ok(());
    }
    let count = kept.len() as f64;
    let step = kept.iter().map(|point| point.step as f64).sum::<f64>() / count;
    let score = kept.iter().map(|point| point.validation_score).sum::<f64>() / count;
    marker(canvas, curves.method, at(step.round() as usize, score), 6)
}

/// The mean over runs at the steps that all of them were scored at.
fn mean_curve(runs: &[&Training]) -> Vec<(usize, f64)> {
    let Some(first) = runs.first() else {
        return Vec::new();
    };
    first
        .curve
        .iter()
        .filter_map(|point| {
            let scores: Option<Vec<f64>> = runs
                .iter()
                .map(|run| {
                    let found = run.curve.iter().find(|other| other.step == point.step)?;
                    Some(found.validation_score)
                })
                .collect();
            Some((point.step, scores?.iter().sum::<f64>() / runs.len() as f64))
        })
        .collect()
}
