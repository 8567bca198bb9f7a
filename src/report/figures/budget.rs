//! The expected best score on source validation against the number of trials.

use plotters::style::WHITE;

use super::Drawn;
use super::axis::{Frame, Range};
use super::legend::{self, Entry};
use super::style::{Anchor, Canvas, FAINT, INK, Point, colour, line, marker, text};
use crate::report::comparison::Comparison;
use crate::report::number::metric_title;

pub(super) const SIZE: (u32, u32) = (632, 400);

pub(super) fn draw(canvas: &Canvas, comparison: &Comparison) -> Drawn {
    canvas.fill(&WHITE)?;
    let searches = &comparison.statistics.searches;
    let title = "What a search of so many trials is expected to find";
    text(canvas, title, (16, 22), 17, INK, Anchor::Left)?;
    let entries: Vec<Entry> = (searches.iter())
        .map(|one| Entry::Method(one.method))
        .collect();
    legend::draw(canvas, (16, 48), 616, &entries)?;
    let scores = searches.iter().flat_map(|one| one.expected.iter().copied());
    let frame = Frame {
        left: 50,
        right: 612,
        top: 100,
        bottom: 344,
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
    let note = "Dodge et al. 2019; draws with replacement from the trials made";
    text(canvas, note, (16, 76), 12, FAINT, Anchor::Left)
}
