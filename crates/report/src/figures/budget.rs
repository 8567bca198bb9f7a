//! The expected best score on source validation against the number of trials.

use plotters::style::WHITE;

use super::Drawn;
use super::axis::{Frame, Range};
use super::legend::{self, Entry};
use super::style::{Anchor, Canvas, INK, Point, colour, line, marker, text};
use crate::comparison::Comparison;
use crate::number::metric_title;

const TITLE: i32 = 50;
const MARGIN: i32 = 16;

/// The figure's right edge.
const RIGHT: i32 = 616;

fn entries(comparison: &Comparison) -> Vec<Entry> {
    let searches = &comparison.statistics.searches;
    searches
        .iter()
        .map(|one| Entry::of(comparison, one.method))
        .collect()
}

fn head(comparison: &Comparison) -> i32 {
    TITLE + legend::height(MARGIN, RIGHT, &entries(comparison))
}

/// The figure's width and height.
pub(super) fn size(comparison: &Comparison) -> (u32, u32) {
    let height = head(comparison) + 330;
    ((RIGHT + MARGIN).unsigned_abs(), height.unsigned_abs())
}

pub(super) fn draw(canvas: &Canvas, comparison: &Comparison) -> Drawn {
    canvas.fill(&WHITE)?;
    let searches = &comparison.statistics.searches;
    let title = "What a search of so many trials is expected to find";
    text(canvas, title, (MARGIN, 22), 17, INK, Anchor::Left)?;
    let top = head(comparison) + 30;
    legend::draw(canvas, (MARGIN, TITLE), RIGHT, &entries(comparison))?;
    let scores = searches.iter().flat_map(|one| one.expected.iter().copied());
    let frame = Frame {
        left: 50,
        right: RIGHT - 4,
        top,
        bottom: top + 240,
        range: Range::around(scores),
    };
    frame.draw(canvas)?;
    let (metric, source) = (metric_title(comparison.metric), &comparison.source);
    let name = format!("best {metric} on {source} validation, expected [%]");
    frame.name(canvas, &name)?;
    let most = (searches.iter().map(|one| one.expected.len()))
        .max()
        .unwrap_or(1);
    // The trials stand in the middle of equal parts of the width.
    let column = |trial: usize| frame.column((trial as f64 + 0.5) / most as f64);
    for trial in 0..most {
        frame.tick(canvas, &(trial + 1).to_string(), column(trial))?;
    }
    frame.name_under(canvas, "trials")?;
    for one in searches {
        let points: Vec<Point> = (one.expected.iter().enumerate())
            .map(|(trial, score)| (column(trial), frame.row(*score)))
            .collect();
        line(canvas, points.clone(), colour(one.method).into(), 2)?;
        for point in points {
            marker(canvas, one.method, point, 5)?;
        }
    }
    Ok(())
}
