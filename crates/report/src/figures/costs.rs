//! Target score against what a method costs: parameters, time, memory.

use plotters::style::WHITE;

use super::Drawn;
use super::axis::{Frame, Range};
use super::legend::{self, Entry, interval};
use super::scale::{Scale, short};
use super::style::{
    Anchor, Canvas, FAINT, GRID, INK, Point, colour, dashed, line, marker, ring, text,
};
use crate::comparison::{Comparison, MethodResult};
use crate::cost::{Resource, TrainingCost, front};
use crate::number::metric_title;
use promptshift_numbers::stats::estimate::Estimate;

const WIDTH: u32 = 992;
const MARGIN: i32 = 16;
/// Pixels above the legend.
const TITLE: i32 = 50;

/// Pixels above the panels: title and legend.
fn head(comparison: &Comparison) -> i32 {
    TITLE + legend::height(MARGIN, WIDTH as i32 - MARGIN, &entries(comparison))
}

/// The figure's width and height.
pub(super) fn size(comparison: &Comparison) -> (u32, u32) {
    (WIDTH, head(comparison).unsigned_abs() + 301)
}

fn entries(comparison: &Comparison) -> Vec<Entry> {
    let priced = comparison.tuned().filter_map(price);
    let methods = priced.map(|priced| Entry::of(comparison, priced.result.method));
    methods.chain([Entry::Interval, Entry::Front]).collect()
}

/// A tuned method with what it scores and costs.
struct Priced<'a> {
    result: &'a MethodResult,
    score: Estimate,
    cost: &'a TrainingCost,
}

pub(super) fn draw(canvas: &Canvas, comparison: &Comparison) -> Drawn {
    canvas.fill(&WHITE)?;
    let metric = metric_title(comparison.metric);
    let place = match comparison.targets.as_slice() {
        [one] => format!("on {one}"),
        many => format!("over {} targets", many.len()),
    };
    let mean = if comparison.targets.len() == 1 {
        ""
    } else {
        "mean "
    };
    let title = format!("{metric} {place} against the cost of training");
    text(canvas, &title, (MARGIN, 22), 17, INK, Anchor::Left)?;
    let priced: Vec<Priced> = comparison.tuned().filter_map(price).collect();
    let right = WIDTH as i32 - MARGIN;
    legend::draw(canvas, (MARGIN, TITLE), right, &entries(comparison))?;
    let ends = priced.iter().flat_map(|priced| {
        let range = priced.score.interval;
        [range.low, range.high, priced.score.value]
    });
    let range = Range::around(ends);
    for (index, resource) in Resource::ALL.into_iter().enumerate() {
        let left = MARGIN + 320 * index as i32;
        let frame = Frame {
            left: left + 34,
            right: left + 300,
            top: head(comparison) + 30,
            bottom: size(comparison).1 as i32 - 52,
            range,
        };
        frame.draw(canvas)?;
        frame.name(canvas, &format!("{mean}{metric} {place} [%]"))?;
        panel(canvas, &priced, resource, &frame)?;
    }
    Ok(())
}

fn price(result: &MethodResult) -> Option<Priced<'_>> {
    Some(Priced {
        result,
        score: result.mean_target?,
        cost: result.cost.as_ref()?.training.as_ref()?,
    })
}

fn panel(canvas: &Canvas, priced: &[Priced], resource: Resource, frame: &Frame) -> Drawn {
    let amounts: Vec<f64> = priced
        .iter()
        .map(|priced| resource.amount(priced.cost))
        .collect();
    let (divisor, name) = resource.axis(amounts.iter().copied().fold(0.0, f64::max));
    let scale = Scale::of(amounts.iter().map(|amount| amount / divisor));
    let column = |amount: f64| frame.column(scale.share(amount));
    for tick in scale.ticks() {
        let upright = vec![(column(tick), frame.top), (column(tick), frame.bottom)];
        line(canvas, upright, GRID.into(), 1)?;
        frame.tick(canvas, &short(tick), column(tick))?;
    }
    frame.name_under(canvas, name)?;
    let points: Vec<(f64, f64)> = amounts
        .iter()
        .zip(priced)
        .map(|(amount, priced)| (*amount, priced.score.value))
        .collect();
    let at = |index: usize| -> Point {
        let (amount, score) = points[index];
        (column(amount / divisor), frame.row(score))
    };
    let front = front(&points);
    // What can be had for a given cost: level up to the next method of the front.
    for pair in front.windows(2) {
        let (one, other) = (at(pair[0]), at(pair[1]));
        let corner = (other.0, one.1);
        dashed(canvas, one, corner, FAINT)?;
        dashed(canvas, corner, other, FAINT)?;
    }
    for (index, priced) in priced.iter().enumerate() {
        let range = priced.score.interval;
        let place = at(index);
        interval(
            canvas,
            place.0,
            frame.row(range.high),
            frame.row(range.low),
            colour(priced.result.method),
        )?;
        marker(canvas, priced.result.method, place, 5)?;
        if front.contains(&index) {
            ring(canvas, place)?;
        }
    }
    Ok(())
}
