//! Time a token against the length of the input.

use std::collections::BTreeMap;

use plotters::style::{Color, WHITE};

use super::Drawn;
use super::style::{Anchor, Canvas, FAINT, GRID, INK, colour, line, marker, text};
use promptshift_numbers::recipe::Method;

pub(super) const SIZE: (u32, u32) = (640, 360);

const LEFT: i32 = 60;
const RIGHT: i32 = 540;
const TOP: i32 = 60;
const BOTTOM: i32 = 300;

/// Input tokens, and what each of them takes, by model.
pub(super) type Lines = BTreeMap<String, Vec<(usize, f64)>>;

/// A line for each model: input tokens, and microseconds a token as a multiple of the shortest
/// input's; beside it, thin, how the arithmetic grows.
pub(super) fn draw(canvas: &Canvas, lines: &Lines, operations: &Lines) -> Drawn {
    canvas.fill(&WHITE)?;
    let title = "Time a token against input length, the shortest input's as 1";
    text(canvas, title, (16, 24), 17, INK, Anchor::Left)?;
    let lengths: Vec<f64> = lines.values().flatten().map(|(l, _)| *l as f64).collect();
    let shortest = lengths.iter().copied().fold(f64::INFINITY, f64::min);
    let longest = lengths.iter().copied().fold(0.0, f64::max);
    let multiples = lines
        .values()
        .flat_map(|line| line.iter().map(|(_, time)| time / line[0].1));
    let highest = multiples.fold(1.0, f64::max).ceil();
    let x = |length: usize| {
        let share = (length as f64 / shortest).ln() / (longest / shortest).ln().max(1e-9);
        LEFT + (share * f64::from(RIGHT - LEFT)).round() as i32
    };
    let y = |multiple: f64| BOTTOM - (multiple / highest * f64::from(BOTTOM - TOP)).round() as i32;
    for tick in 0..=highest as i32 {
        let at = y(f64::from(tick));
        line(canvas, vec![(LEFT, at), (RIGHT, at)], GRID.into(), 1)?;
        text(
            canvas,
            &tick.to_string(),
            (LEFT - 8, at),
            13,
            FAINT,
            Anchor::Right,
        )?;
    }
    for (place, (name, points)) in lines.iter().enumerate() {
        // The figure's two lines have the two colours that differ most.
        let method = [Method::Prompt, Method::Model][place % 2];
        let first = points[0].1;
        let path: Vec<_> = points
            .iter()
            .map(|(length, time)| (x(*length), y(time / first)))
            .collect();
        for (at, (length, _)) in path.iter().zip(points) {
            marker(canvas, method, *at, 5)?;
            let below = (at.0, BOTTOM + 16);
            text(
                canvas,
                &length.to_string(),
                below,
                13,
                FAINT,
                Anchor::Middle,
            )?;
        }
        if let Some(last) = path.last() {
            text(canvas, name, (last.0 + 10, last.1), 14, INK, Anchor::Left)?;
        }
        line(canvas, path, colour(method).to_rgba(), 2)?;
        if let Some(counted) = operations.get(name) {
            let least = counted.first().map_or(1.0, |(_, operations)| *operations);
            let path = counted
                .iter()
                .map(|(length, operations)| (x(*length), y(operations / least)))
                .collect();
            line(canvas, path, colour(method).mix(0.45), 1)?;
        }
    }
    text(
        canvas,
        "thin: operations a token, counted",
        (LEFT + 120, BOTTOM + 40),
        13,
        FAINT,
        Anchor::Left,
    )?;
    text(
        canvas,
        "input tokens",
        (LEFT, BOTTOM + 40),
        13,
        INK,
        Anchor::Left,
    )
}
