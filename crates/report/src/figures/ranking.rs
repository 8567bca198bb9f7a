//! Many methods, a row each: the score on the source and the mean over targets, which the gap joins. The rows stand
//! in the order of what is trained, the most first, so that the eye can follow whether tuning less loses less.

use plotters::element::Circle;
use plotters::style::{Color, WHITE};

use super::Drawn;
use super::axis::Range;
use super::legend::interval_across;
use super::style::{Anchor, Canvas, FAINT, GRID, INK, Point, colour, line, text};
use crate::comparison::Comparison;
use crate::number::{metric_title, whole};
use promptshift_numbers::recipe::Method;

const LEFT: i32 = 300;
const RIGHT: i32 = 860;
const TOP: i32 = 92;
const ROW: i32 = 24;
const MARGIN: i32 = 16;

/// The figure's width and height.
pub(super) fn size(comparison: &Comparison) -> (u32, u32) {
    let height = TOP + ROW * comparison.methods.len() as i32 + 56;
    ((RIGHT + MARGIN).unsigned_abs(), height.unsigned_abs())
}

pub(super) fn draw(canvas: &Canvas, comparison: &Comparison) -> Drawn {
    canvas.fill(&WHITE)?;
    let metric = metric_title(comparison.metric);
    let title = format!("{metric} on {} and under shift", comparison.source);
    text(canvas, &title, (MARGIN, 22), 17, INK, Anchor::Left)?;
    legend(canvas, comparison)?;
    let results = comparison.by_parameters();
    let of_source = results.iter().map(|result| result.source().score);
    let shown = of_source.chain(results.iter().filter_map(|result| result.mean_target));
    let range = Range::around(shown.flat_map(|score| [score.interval.low, score.interval.high]));
    let column =
        |score: f64| LEFT + (range.share(score) * f64::from(RIGHT - MARGIN - LEFT)).round() as i32;
    let bottom = TOP + ROW * results.len() as i32;
    for tick in range.ticks() {
        let at = column(f64::from(tick) / 100.0);
        line(canvas, vec![(at, TOP - 8), (at, bottom)], GRID.into(), 1)?;
        text(
            canvas,
            &tick.to_string(),
            (at, bottom + 14),
            12,
            FAINT,
            Anchor::Middle,
        )?;
    }
    let below: Point = ((LEFT + RIGHT) / 2, bottom + 38);
    text(
        canvas,
        &format!("{metric} [%]"),
        below,
        13,
        INK,
        Anchor::Middle,
    )?;
    let trained: Point = (LEFT - 16, TOP - 16);
    text(canvas, "trainable", trained, 12, FAINT, Anchor::Right)?;
    for (at, result) in results.into_iter().enumerate() {
        let row = TOP + ROW * at as i32 + ROW / 2 - 4;
        let count = whole(result.trainable() as f64);
        text(
            canvas,
            result.title.as_str(),
            (MARGIN, row),
            13,
            INK,
            Anchor::Left,
        )?;
        text(canvas, &count, (LEFT - 16, row), 12, FAINT, Anchor::Right)?;
        let colour = row_colour(result.method);
        let source = result.source().score.value;
        let Some(target) = result.mean_target else {
            continue;
        };
        let gap = vec![(column(source), row), (column(target.value), row)];
        line(canvas, gap, GRID.into(), 4)?;
        let ends = target.interval;
        interval_across(canvas, row, column(ends.low), column(ends.high), colour)?;
        canvas.draw(&Circle::new(
            (column(target.value), row),
            5,
            colour.filled(),
        ))?;
        canvas.draw(&Circle::new((column(source), row), 5, WHITE.filled()))?;
        canvas.draw(&Circle::new(
            (column(source), row),
            5,
            colour.stroke_width(2),
        ))?;
    }
    Ok(())
}

/// The paper's two methods in their colours, all others in one.
fn row_colour(method: Method) -> plotters::style::RGBColor {
    match method {
        Method::Prompt | Method::Model => colour(method),
        _ => FAINT,
    }
}

fn legend(canvas: &Canvas, comparison: &Comparison) -> Drawn {
    let targets = match comparison.targets.as_slice() {
        [one] => one.clone(),
        many => format!("mean of {} targets, with its 95 % interval", many.len()),
    };
    canvas.draw(&Circle::new((LEFT + 5, 50), 5, FAINT.stroke_width(2)))?;
    let source = format!("{} (source)", comparison.source);
    text(canvas, &source, (LEFT + 18, 50), 13, INK, Anchor::Left)?;
    let next = LEFT + 18 + super::style::width(&source, 13) + 22;
    canvas.draw(&Circle::new((next, 50), 5, FAINT.filled()))?;
    text(canvas, &targets, (next + 13, 50), 13, INK, Anchor::Left)
}
