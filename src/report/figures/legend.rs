//! A row of markers with their names.

use plotters::style::{Color, RGBColor};

use super::Drawn;
use super::style::{Anchor, Canvas, FAINT, INK, Point, colour, dashes, line, marker, text, width};
use crate::recipe::Method;

/// One entry of a legend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    /// A method's line and marker.
    Method(Method),
    /// The floor's dashes.
    Floor,
    /// The thin line of one seed.
    Seed,
    /// The bar of an interval.
    Interval,
}

const SIZE: i32 = 13;
const SAMPLE: i32 = 26;

impl Entry {
    fn name(&self) -> &'static str {
        match self {
            Entry::Method(method) => method.title(),
            Entry::Floor => "floor",
            Entry::Seed => "one seed",
            Entry::Interval => "95 % interval",
        }
    }

    fn sample(&self, canvas: &Canvas, (x, y): Point) -> Drawn {
        let middle = x + SAMPLE / 2;
        let across = vec![(x, y), (x + SAMPLE, y)];
        match self {
            Entry::Method(method) => {
                line(canvas, across, colour(*method).into(), 3)?;
                marker(canvas, *method, (middle, y), 5)
            }
            Entry::Floor => dashes(canvas, x, x + SAMPLE, y, FAINT),
            Entry::Seed => line(canvas, across, RGBColor::mix(&FAINT, 0.7), 1),
            Entry::Interval => interval(canvas, middle, y - 7, y + 7, FAINT),
        }
    }
}

/// A vertical bar with short ends.
pub(super) fn interval(canvas: &Canvas, x: i32, top: i32, bottom: i32, colour: RGBColor) -> Drawn {
    line(canvas, vec![(x, top), (x, bottom)], colour.into(), 2)?;
    for y in [top, bottom] {
        line(canvas, vec![(x - 4, y), (x + 4, y)], colour.into(), 2)?;
    }
    Ok(())
}

/// Draws entries from left to right, into a new row where the width is used up.
pub(super) fn draw(canvas: &Canvas, at: Point, right: i32, entries: &[Entry]) -> Drawn {
    let (mut x, mut y) = at;
    for entry in entries {
        let wide = SAMPLE + 7 + width(entry.name(), SIZE) + 14;
        if x + wide > right && x > at.0 {
            (x, y) = (at.0, y + 20);
        }
        entry.sample(canvas, (x, y))?;
        text(
            canvas,
            entry.name(),
            (x + SAMPLE + 7, y),
            SIZE,
            INK,
            Anchor::Left,
        )?;
        x += wide;
    }
    Ok(())
}
