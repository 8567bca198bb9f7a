//! A row of markers with their names.

use plotters::element::Rectangle;
use plotters::style::{Color, RGBColor};

use super::Drawn;
use super::style::{
    Anchor, Canvas, FAINT, INK, Point, colour, dashes, line, marker, ring, text, width,
};
use crate::comparison::Comparison;
use promptshift_numbers::recipe::Method;

/// One entry of a legend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    /// A method's line and marker, with its title.
    Method(Method, String),
    /// The floor's dashes.
    Floor,
    /// The thin line of one seed.
    Seed,
    /// The bar of an interval.
    Interval,
    /// The line on which target and source score are equal.
    NothingLost,
    /// The line on which as much is lost as by a method.
    SameLoss(Method),
    /// The ring and the line of the Pareto front.
    Front,
    /// The thin line at the temperature of source validation.
    Scaled,
    /// The dot of a run in the middle of its training.
    Checkpoint,
    /// The line fitted through runs of model tuning.
    Fitted,
    /// The dashes on which answers are as often right as they are confident.
    Calibrated,
}

const SIZE: i32 = 13;
const SAMPLE: i32 = 26;
const ROW: i32 = 21;

impl Entry {
    /// A method of a comparison.
    pub fn of(comparison: &Comparison, method: Method) -> Self {
        Entry::Method(method, comparison.title(method).to_owned())
    }

    fn name(&self) -> &str {
        match self {
            Entry::Method(_, title) => title,
            Entry::Floor => "floor",
            Entry::Seed => "one seed",
            Entry::Interval => "95 % interval",
            Entry::NothingLost => "nothing lost",
            Entry::SameLoss(Method::Model) => "as much lost as by model tuning",
            Entry::SameLoss(_) => "as much lost",
            Entry::Front => "Pareto front",
            Entry::Scaled => "at the temperature of source validation",
            Entry::Checkpoint => "model tuning on its way",
            Entry::Fitted => "line through runs of model tuning",
            Entry::Calibrated => "as sure as right",
        }
    }

    fn sample(&self, canvas: &Canvas, (x, y): Point) -> Drawn {
        let middle = x + SAMPLE / 2;
        let across = vec![(x, y), (x + SAMPLE, y)];
        match self {
            Entry::Method(method, _) => {
                line(canvas, across, colour(*method).into(), 3)?;
                marker(canvas, *method, (middle, y), 5)
            }
            Entry::Floor | Entry::Calibrated => dashes(canvas, x, x + SAMPLE, y, FAINT),
            Entry::Seed | Entry::Scaled => line(canvas, across, RGBColor::mix(&FAINT, 0.7), 1),
            Entry::Interval => interval(canvas, middle, y - 7, y + 7, FAINT),
            Entry::Checkpoint => checkpoint(canvas, (middle, y)),
            Entry::NothingLost => line(canvas, across, FAINT.into(), 1),
            Entry::Fitted => line(canvas, across, colour(Method::Model).into(), 1),
            Entry::SameLoss(method) => dashes(canvas, x, x + SAMPLE, y, colour(*method)),
            Entry::Front => {
                dashes(canvas, x, x + SAMPLE, y, FAINT)?;
                ring(canvas, (middle, y))
            }
        }
    }
}

/// A run of model tuning in the middle of its training: smaller than any run's end, and pale.
pub(super) fn checkpoint(canvas: &Canvas, at: Point) -> Drawn {
    let pale = RGBColor::mix(&colour(Method::Model), 0.8);
    let (x, y) = at;
    let square = [(x - 1, y - 1), (x + 2, y + 2)];
    Ok(canvas.draw(&Rectangle::new(square, pale.filled()))?)
}

/// A vertical bar with short ends.
pub(super) fn interval(canvas: &Canvas, x: i32, top: i32, bottom: i32, colour: RGBColor) -> Drawn {
    line(canvas, vec![(x, top), (x, bottom)], colour.into(), 2)?;
    for y in [top, bottom] {
        line(canvas, vec![(x - 4, y), (x + 4, y)], colour.into(), 2)?;
    }
    Ok(())
}

/// A horizontal bar with short ends.
pub(super) fn interval_across(
    canvas: &Canvas,
    y: i32,
    left: i32,
    right: i32,
    colour: RGBColor,
) -> Drawn {
    line(canvas, vec![(left, y), (right, y)], colour.into(), 2)?;
    for x in [left, right] {
        line(canvas, vec![(x, y - 4), (x, y + 4)], colour.into(), 2)?;
    }
    Ok(())
}

/// Where entries stand: each one's place, from left to right and into a new row where the width is
/// used up.
fn places((left, top): Point, right: i32, entries: &[Entry]) -> Vec<Point> {
    let (mut x, mut y) = (left, top);
    let mut places = Vec::with_capacity(entries.len());
    for entry in entries {
        let wide = SAMPLE + 7 + width(entry.name(), SIZE) + 14;
        if x + wide > right && x > left {
            (x, y) = (left, y + ROW);
        }
        places.push((x, y));
        x += wide;
    }
    places
}

/// The pixels that the rows of a legend take.
pub(super) fn height(left: i32, right: i32, entries: &[Entry]) -> i32 {
    let last = places((left, 0), right, entries)
        .last()
        .map_or(0, |at| at.1);
    last + ROW
}

/// Draws entries from left to right, into a new row where the width is used up.
pub(super) fn draw(canvas: &Canvas, at: Point, right: i32, entries: &[Entry]) -> Drawn {
    for (entry, (x, y)) in entries.iter().zip(places(at, right, entries)) {
        entry.sample(canvas, (x, y))?;
        let words = (x + SAMPLE + 7, y);
        text(canvas, entry.name(), words, SIZE, INK, Anchor::Left)?;
    }
    Ok(())
}
