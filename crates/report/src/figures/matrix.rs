//! A square of shades: how like each other the rows of a matrix are.

use plotters::prelude::Rectangle;
use plotters::style::{Color, RGBColor, WHITE};

use super::Drawn;
use super::style::{Anchor, Canvas, FAINT, INK, text, width};

/// Pixels above the square.
const TOP: i32 = 60;

const NAME: i32 = 12;

/// Pixels left of the square: the longest name has room there.
fn left(names: &[(usize, String)]) -> i32 {
    let widest = names.iter().map(|(_, name)| width(name, NAME)).max();
    (widest.unwrap_or(0) + 22).max(120)
}

/// Pixels a row, so that a hundred rows still fit on a page.
fn side(rows: usize) -> i32 {
    (480 / rows.max(1) as i32).clamp(3, 40)
}

/// The figure's size for so many rows.
pub(super) fn size(rows: usize, names: &[(usize, String)]) -> (u32, u32) {
    let square = side(rows) * rows as i32;
    (
        (left(names) + square + 120) as u32,
        (TOP + square + 30) as u32,
    )
}

pub(super) fn draw(
    canvas: &Canvas,
    title: &str,
    rows: &[Vec<f64>],
    names: &[(usize, String)],
) -> Drawn {
    canvas.fill(&WHITE)?;
    text(canvas, title, (16, 24), 16, INK, Anchor::Left)?;
    let (side, left) = (side(rows.len()), left(names));
    for (y, row) in (0_i32..).zip(rows) {
        for (x, value) in (0_i32..).zip(row) {
            let corner = (left + side * x, TOP + side * y);
            let far = (corner.0 + side, corner.1 + side);
            canvas.draw(&Rectangle::new([corner, far], shade(*value).filled()))?;
        }
    }
    for (row, name) in names {
        let at = (left - 6, TOP + side * *row as i32 + side / 2);
        text(canvas, name, at, NAME, INK, Anchor::Right)?;
    }
    let right = left + side * rows.len() as i32 + 24;
    for (step, value) in [1.0, 0.5, 0.0, -0.5, -1.0].into_iter().enumerate() {
        let top = TOP + 22 * step as i32;
        let corners = [(right, top), (right + 20, top + 20)];
        canvas.draw(&Rectangle::new(corners, shade(value).filled()))?;
        let words = format!("{value:.1}").replace('-', "−");
        text(
            canvas,
            &words,
            (right + 28, top + 10),
            12,
            FAINT,
            Anchor::Left,
        )?;
    }
    Ok(())
}

/// From orange (−1) over white (0) to blue (1): the two that colour-blind readers tell apart best.
fn shade(value: f64) -> RGBColor {
    let end = match value < 0.0 {
        true => [213.0, 94.0, 0.0],
        false => [0.0, 114.0, 178.0],
    };
    let part = value.abs().clamp(0.0, 1.0);
    let [red, green, blue] = end.map(|full: f64| (255.0 + part * (full - 255.0)).round() as u8);
    // White itself is a figure's ground, which turns dark on a dark screen; a shade does not.
    match (red, green, blue) {
        (255, 255, 255) => RGBColor(254, 254, 254),
        (red, green, blue) => RGBColor(red, green, blue),
    }
}
