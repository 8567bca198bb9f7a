//! Target score against source score, a panel a target: what lies above model tuning's line lost
//! less than model tuning did.

use plotters::style::WHITE;

use super::Drawn;
use super::axis::{Frame, Range};
use super::legend::{self, Entry, checkpoint, interval, interval_across};
use super::style::{Anchor, Canvas, FAINT, GRID, INK, Point, colour, dashed, line, marker, text};
use crate::comparison::{Comparison, DomainScore, MethodResult};
use crate::number::metric_title;
use promptshift_numbers::recipe::Method;
use promptshift_numbers::stats::robustness::{self, Line};

const TITLE: i32 = 50;
const MARGIN: i32 = 16;

/// A panel's width and height.
const PANEL: (i32, i32) = (320, 350);

fn columns(comparison: &Comparison) -> i32 {
    match comparison.targets.len() {
        1 => 1,
        2 | 4 => 2,
        _ => 3,
    }
}

/// The figure's right edge; a single panel has room beside it for the legend's words.
fn right(comparison: &Comparison) -> i32 {
    (columns(comparison) * PANEL.0).max(460) + MARGIN
}

fn head(comparison: &Comparison) -> i32 {
    TITLE + legend::height(MARGIN, right(comparison), &entries(comparison))
}

/// The figure's width and height.
pub(super) fn size(comparison: &Comparison) -> (u32, u32) {
    let columns = columns(comparison);
    let rows = comparison
        .targets
        .len()
        .div_ceil(columns.unsigned_abs() as usize) as i32;
    let height = head(comparison) + rows * panel_height(comparison) + MARGIN;
    (
        (right(comparison) + MARGIN).unsigned_abs(),
        height.unsigned_abs(),
    )
}

/// A single panel is as wide as the figure, and stays square.
fn panel_width(comparison: &Comparison) -> i32 {
    (right(comparison) - MARGIN) / columns(comparison)
}

fn panel_height(comparison: &Comparison) -> i32 {
    PANEL.1 + panel_width(comparison) - PANEL.0
}

fn entries(comparison: &Comparison) -> Vec<Entry> {
    let tuned = comparison.tuned();
    let mut entries: Vec<Entry> = tuned
        .chain(comparison.method(Method::Untuned))
        .map(|result| Entry::of(comparison, result.method))
        .collect();
    entries.extend([Entry::Interval, Entry::NothingLost]);
    if comparison.method(Method::Model).is_some() {
        entries.push(Entry::SameLoss(Method::Model));
    }
    if passed(comparison).next().is_some() {
        entries.push(Entry::Checkpoint);
    }
    if fitted(comparison).next().is_some() {
        entries.push(Entry::Fitted);
    }
    entries
}

/// The lines of effective robustness, each with its target's place.
fn fitted(comparison: &Comparison) -> impl Iterator<Item = (usize, &Line)> {
    let all = comparison.statistics.robustness.iter().enumerate();
    all.filter_map(|(target, found)| Some((target, found.line.as_ref()?)))
}

/// The checkpoints of model tuning, each with its target's place.
fn passed(comparison: &Comparison) -> impl Iterator<Item = (usize, &robustness::Point)> {
    let all = comparison.statistics.robustness.iter().enumerate();
    all.flat_map(|(target, found)| found.checkpoints.iter().map(move |point| (target, point)))
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

pub(super) fn draw(canvas: &Canvas, comparison: &Comparison) -> Drawn {
    canvas.fill(&WHITE)?;
    let metric = metric_title(comparison.metric);
    let title = format!(
        "{metric} on a target against {metric} on {}",
        comparison.source
    );
    text(canvas, &title, (MARGIN, 22), 17, INK, Anchor::Left)?;
    let entries = entries(comparison);
    legend::draw(canvas, (MARGIN, TITLE), right(comparison), &entries)?;
    let scores = comparison
        .methods
        .iter()
        .flat_map(|result| &result.scores)
        .flat_map(|scores| {
            let ends = [scores.score.interval.low, scores.score.interval.high];
            scores.by_seed.iter().copied().chain(ends)
        });
    let on_the_way = passed(comparison).flat_map(|(_, point)| [point.source, point.target]);
    let range = Range::around(scores.chain(on_the_way));
    let columns = columns(comparison);
    let (width, height) = (panel_width(comparison), panel_height(comparison));
    for target in 0..comparison.targets.len() {
        let (column, row) = (target as i32 % columns, target as i32 / columns);
        let (left, top) = (MARGIN + column * width, head(comparison) + row * height);
        let frame = Frame {
            left: left + 34,
            right: left + width - 14,
            top: top + 30,
            bottom: top + height - 48,
            range,
        };
        panel(canvas, comparison, target, &frame)?;
    }
    Ok(())
}

/// The pixel of a source and a target score.
fn at(frame: &Frame, source: f64, target: f64) -> Point {
    (frame.column(frame.range.share(source)), frame.row(target))
}

fn panel(canvas: &Canvas, comparison: &Comparison, target: usize, frame: &Frame) -> Drawn {
    let metric = metric_title(comparison.metric);
    for percent in frame.range.ticks() {
        let column = at(frame, f64::from(percent) / 100.0, 0.0).0;
        let upright = vec![(column, frame.top), (column, frame.bottom)];
        line(canvas, upright, GRID.into(), 1)?;
        frame.tick(canvas, &percent.to_string(), column)?;
    }
    frame.draw(canvas)?;
    frame.name(
        canvas,
        &format!("{metric} on {} [%]", comparison.targets[target]),
    )?;
    frame.name_under(canvas, &format!("{metric} on {} [%]", comparison.source))?;
    if let Some([from, to]) = loss_line(0.0, frame.range) {
        line(
            canvas,
            vec![at(frame, from.0, from.1), at(frame, to.0, to.1)],
            FAINT.into(),
            1,
        )?;
    }
    let gap = comparison
        .method(Method::Model)
        .and_then(|result| result.targets()[target].gap);
    if let Some([from, to]) = gap.and_then(|gap| loss_line(gap.value, frame.range)) {
        dashed(
            canvas,
            at(frame, from.0, from.1),
            at(frame, to.0, to.1),
            colour(Method::Model),
        )?;
    }
    for (_, found) in fitted(comparison).filter(|(place, _)| *place == target) {
        let course = course(found).into_iter();
        let pixels = course.map(|(source, target)| at(frame, source, target));
        line(canvas, pixels.collect(), colour(Method::Model).into(), 1)?;
    }
    for (_, point) in passed(comparison).filter(|(place, _)| *place == target) {
        checkpoint(canvas, at(frame, point.source, point.target))?;
    }
    for result in &comparison.methods {
        points(canvas, result, target, frame)?;
    }
    Ok(())
}

/// Where the line on which so much is lost enters and leaves a square of scores; `None` where it
/// passes by.
fn loss_line(gap: f64, range: Range) -> Option<[(f64, f64); 2]> {
    let [low, high] = range.ends();
    let (from, to) = (low.max(low + gap), high.min(high + gap));
    (from < to).then_some([(from, from - gap), (to, to - gap)])
}

fn points(canvas: &Canvas, result: &MethodResult, target: usize, frame: &Frame) -> Drawn {
    let (source, target): (&DomainScore, &DomainScore) =
        (result.source(), &result.targets()[target]);
    let colour = colour(result.method);
    if result.seeds.len() > 1 {
        for (source, target) in source.by_seed.iter().zip(&target.by_seed) {
            marker(canvas, result.method, at(frame, *source, *target), 2)?;
        }
    }
    let mean = at(frame, source.score.value, target.score.value);
    let (across, upright) = (source.score.interval, target.score.interval);
    interval(
        canvas,
        mean.0,
        frame.row(upright.high),
        frame.row(upright.low),
        colour,
    )?;
    interval_across(
        canvas,
        mean.1,
        at(frame, across.low, 0.0).0,
        at(frame, across.high, 0.0).0,
        colour,
    )?;
    marker(canvas, result.method, mean, 5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fitted_line_ends_with_its_points() {
        let mut run = 0;
        let points = [0.3, 0.4, 0.5, 0.6, 0.7, 0.8].map(|source| {
            run += 1;
            robustness::Point {
                source,
                target: source - 0.1,
                run,
            }
        });
        let line = robustness::fit(&points).expect("six points");
        let course = course(&line);
        assert_eq!(course.len(), 25);
        assert_eq!((course[0].0, course[24].0), (0.3, 0.8));
        assert!(course.windows(2).all(|pair| pair[0].1 < pair[1].1));
    }

    #[test]
    fn lines_of_equal_loss_stay_in_the_square() {
        let range = Range::around([0.1, 0.75]);
        let [low, high] = range.ends();
        assert_eq!([low, high], [0.0, 0.8]);
        assert_eq!(loss_line(0.0, range), Some([(0.0, 0.0), (0.8, 0.8)]));
        let [from, to] = loss_line(0.25, range).expect("it crosses");
        assert_eq!((from, to.0), ((0.25, 0.0), 0.8));
        assert!((to.1 - 0.55).abs() < 1e-12);
        assert_eq!(
            loss_line(-0.25, range).map(|ends| ends[0]),
            Some((0.0, 0.25))
        );
        assert_eq!(loss_line(0.9, range), None);
    }
}
