//! Colours, markers and text, the same in every figure.
//!
//! Colours are Okabe & Ito's (2008, *Color universal design*), which colour-blind readers can tell
//! apart; each method has a marker of its own as well. Where a reader's screen is dark, [`night`]
//! has lighter ones of the same palette.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::Drawn;
use promptshift_numbers::recipe::Method;

pub(super) type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;

pub(super) const INK: RGBColor = RGBColor(40, 40, 40);
pub(super) const FAINT: RGBColor = RGBColor(110, 110, 110);
pub(super) const GRID: RGBColor = RGBColor(225, 225, 225);

pub(super) fn colour(method: Method) -> RGBColor {
    match method {
        Method::Prompt => RGBColor(0, 114, 178),
        Method::Model => RGBColor(213, 94, 0),
        Method::Untuned => RGBColor(90, 90, 90),
        other => OTHERS[other as usize % OTHERS.len()],
    }
}

/// The colour of the line of this number, in a figure whose lines are no methods.
pub(super) fn series(number: usize) -> RGBColor {
    match number {
        0 => colour(Method::Prompt),
        1 => colour(Method::Model),
        other => OTHERS[(other - 2) % OTHERS.len()],
    }
}

/// The palette's other colours, in turn.
const OTHERS: [RGBColor; 5] = [
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
];

/// Every colour of a figure, and what it becomes on a dark screen.
const NIGHT: [(RGBColor, RGBColor); 12] = [
    (WHITE, RGBColor(22, 25, 29)),
    (INK, RGBColor(230, 232, 234)),
    (FAINT, RGBColor(164, 173, 182)),
    (GRID, RGBColor(52, 58, 66)),
    (RGBColor(0, 114, 178), RGBColor(86, 180, 233)),
    (RGBColor(213, 94, 0), RGBColor(230, 159, 0)),
    (RGBColor(90, 90, 90), RGBColor(190, 190, 190)),
    (OTHERS[0], RGBColor(64, 214, 168)),
    (OTHERS[1], RGBColor(230, 160, 200)),
    (OTHERS[2], RGBColor(250, 220, 90)),
    (OTHERS[3], RGBColor(190, 200, 255)),
    (OTHERS[4], RGBColor(245, 245, 245)),
];

/// Rules that give a figure its dark colours. On paper it keeps the light ones.
pub(super) fn night() -> String {
    let rules: String = NIGHT
        .iter()
        .map(|(day, night)| {
            let (day, night) = (hexadecimal(*day), hexadecimal(*night));
            format!(
                "svg [fill=\"{day}\"]{{fill:{night}}}svg [stroke=\"{day}\"]{{stroke:{night}}}\n"
            )
        })
        .collect();
    format!("<style>\n@media screen and (prefers-color-scheme: dark) {{\n{rules}}}\n</style>\n")
}

/// A colour as the drawing library writes it.
fn hexadecimal(colour: RGBColor) -> String {
    let RGBColor(red, green, blue) = colour;
    format!("#{red:02X}{green:02X}{blue:02X}")
}

/// A point in pixels.
pub(super) type Point = (i32, i32);

/// The method's marker: a circle, a square, a hollow diamond, one of four shapes for the others. Five colours and
/// four shapes in turn tell twenty methods apart.
pub(super) fn marker(canvas: &Canvas, method: Method, at: Point, size: i32) -> Drawn {
    let (x, y) = at;
    let colour = colour(method);
    let fill = colour.filled();
    let diamond = |size: i32| {
        [
            (x, y - size),
            (x + size, y),
            (x, y + size),
            (x - size, y),
            (x, y - size),
        ]
    };
    match method {
        Method::Prompt => canvas.draw(&Circle::new(at, size, fill))?,
        Method::Model => {
            let corners = [(x - size, y - size), (x + size, y + size)];
            canvas.draw(&Rectangle::new(corners, fill))?;
        }
        Method::Untuned => {
            canvas.draw(&Polygon::new(diamond(size), WHITE.filled()))?;
            canvas.draw(&PathElement::new(diamond(size), colour.stroke_width(2)))?;
        }
        other => match other as usize % 4 {
            0 => {
                let corners = [(x, y - size), (x + size, y + size), (x - size, y + size)];
                canvas.draw(&Polygon::new(corners, fill))?;
            }
            1 => {
                let corners = [(x, y + size), (x + size, y - size), (x - size, y - size)];
                canvas.draw(&Polygon::new(corners, fill))?;
            }
            2 => canvas.draw(&Polygon::new(diamond(size + 1), fill))?,
            _ => {
                for (from, to) in [(-size, size), (size, -size)] {
                    let stroke = vec![(x - size, y + from), (x + size, y + to)];
                    line(canvas, stroke, colour.into(), 3)?;
                }
            }
        },
    }
    Ok(())
}

/// A ring around a marker.
pub(super) fn ring(canvas: &Canvas, at: Point) -> Drawn {
    Ok(canvas.draw(&Circle::new(at, 10, INK.stroke_width(2)))?)
}

pub(super) fn line(canvas: &Canvas, points: Vec<Point>, colour: RGBAColor, width: u32) -> Drawn {
    Ok(canvas.draw(&PathElement::new(points, colour.stroke_width(width)))?)
}

/// A horizontal line of dashes.
pub(super) fn dashes(canvas: &Canvas, from: i32, to: i32, y: i32, colour: RGBColor) -> Drawn {
    dashed(canvas, (from, y), (to, y), colour)
}

/// A line of dashes between two points.
pub(super) fn dashed(canvas: &Canvas, from: Point, to: Point, colour: RGBColor) -> Drawn {
    let across = [f64::from(to.0 - from.0), f64::from(to.1 - from.1)];
    let length = across[0].hypot(across[1]);
    let at = |along: f64| -> Point {
        let share = (along / length).min(1.0);
        (
            from.0 + (share * across[0]).round() as i32,
            from.1 + (share * across[1]).round() as i32,
        )
    };
    let mut along = 0.0;
    while along < length {
        line(canvas, vec![at(along), at(along + 5.0)], colour.into(), 2)?;
        along += 8.0;
    }
    Ok(())
}

/// Where a text stands relative to its point.
#[derive(Debug, Clone, Copy)]
pub(super) enum Anchor {
    Left,
    Middle,
    Right,
}

/// The drawing library divides sizes by this before it writes them: with it, a size is in pixels.
const POINTS: f64 = 1.24;

pub(super) fn text(
    canvas: &Canvas,
    words: &str,
    at: Point,
    size: i32,
    colour: RGBColor,
    anchor: Anchor,
) -> Drawn {
    let horizontal = match anchor {
        Anchor::Left => HPos::Left,
        Anchor::Middle => HPos::Center,
        Anchor::Right => HPos::Right,
    };
    let style = ("sans-serif", f64::from(size) * POINTS)
        .into_font()
        .color(&colour)
        .pos(Pos::new(horizontal, VPos::Center));
    Ok(canvas.draw(&Text::new(words.to_owned(), at, style))?)
}

/// About how wide a text is, in pixels: readers' fonts differ.
pub(super) fn width(words: &str, size: i32) -> i32 {
    (0.58 * f64::from(size) * words.chars().count() as f64).ceil() as i32
}

/// Moves labels apart: keeps their order and puts at least `gap` between neighbours, as near to
/// where they want to be as one pass down and one pass up get them.
pub(super) fn spread(wanted: &[i32], gap: i32) -> Vec<i32> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by_key(|index| wanted[*index]);
    let mut placed = wanted.to_vec();
    for pair in order.windows(2) {
        let least = placed[pair[0]] + gap;
        placed[pair[1]] = placed[pair[1]].max(least);
    }
    let shift: i32 = order
        .iter()
        .map(|index| placed[*index] - wanted[*index])
        .sum();
    let back = shift / i32::try_from(wanted.len().max(1)).unwrap_or(1);
    placed.iter().map(|place| place - back).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_keep_their_order_and_distance() {
        assert_eq!(spread(&[100, 50], 14), [100, 50]);
        assert_eq!(spread(&[50, 50], 14), [43, 57]);
        assert_eq!(spread(&[], 14), Vec::<i32>::new());
    }
}
