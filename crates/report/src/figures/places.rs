//! Scores against what was varied: one frame above the other, a line or a row of points for each
//! series, with their intervals.

use plotters::prelude::Circle;
use plotters::style::{Color, RGBColor, WHITE};

use super::axis::{Frame, Range};
use super::legend::interval;
use super::style::{Anchor, Canvas, FAINT, INK, dashes, line, series, text, width};
use super::{Drawn, Figure, picture};
use crate::error::ReportError;
use crate::number::percent;
use promptshift_numbers::stats::estimate::Estimate;

/// What stands under the frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Axis {
    /// What is varied: `prompt vectors`.
    pub name: String,
    /// Its values in words, from left to right, at even distances.
    pub places: Vec<String>,
    /// Whether they have an order.
    pub order: Order,
}

/// Whether places have an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Amounts: points are joined.
    Amounts,
    /// Kinds: they are not.
    Kinds,
}

/// One series.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// Its score at each place, in [0, 1]; `None` where there is none.
    pub points: Vec<Option<Estimate>>,
    /// The single runs' scores at each place, in [0, 1]; empty where they are not shown.
    pub runs: Vec<Vec<f64>>,
}

/// One frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    /// What is scored: `squad (source), F1`.
    pub name: String,
    /// Its lines, the same in every frame.
    pub series: Vec<Series>,
    /// The score that needs no understanding.
    pub floor: Option<f64>,
}

const WIDTH: u32 = 660;
/// Where the legend begins, and how far its lines are apart.
const LEGEND: i32 = 48;
const LINE: i32 = 20;
const FRAME: i32 = 190;
const BETWEEN: i32 = 84;

/// The figure.
///
/// # Errors
/// The drawing library fails.
pub fn draw(
    name: &str,
    heading: &str,
    axis: &Axis,
    frames: &[Scores],
) -> Result<Figure, ReportError> {
    let count = i32::try_from(frames.len()).unwrap_or(1);
    let height = top(&Legend::of(frames)) + count * (FRAME + BETWEEN);
    picture(
        name.to_owned(),
        words(heading, axis, frames),
        (WIDTH, height as u32),
        |canvas| figure(canvas, heading, axis, frames),
    )
}

fn figure(canvas: &Canvas, heading: &str, axis: &Axis, frames: &[Scores]) -> Drawn {
    canvas.fill(&WHITE)?;
    text(canvas, heading, (16, 22), 17, INK, Anchor::Left)?;
    let legend = Legend::of(frames);
    let runs = (frames.iter().flat_map(|frame| &frame.series)).any(|line| !line.runs.is_empty());
    legend.draw(canvas, if runs { RUNS } else { "" })?;
    for (place, scores) in (0_i32..).zip(frames) {
        let top = top(&legend) + place * (FRAME + BETWEEN);
        let ends = scores.series.iter().flat_map(|line| &line.points).flatten();
        let ends = ends.flat_map(|point| [point.interval.low, point.interval.high]);
        let runs = scores
            .series
            .iter()
            .flat_map(|line| line.runs.iter().flatten());
        let ends = ends.chain(runs.copied());
        let frame = Frame {
            left: 52,
            right: WIDTH as i32 - 24,
            top,
            bottom: top + FRAME,
            range: Range::around(ends.chain(scores.floor).map(|end| end.clamp(0.0, 1.0))),
        };
        frame.draw(canvas)?;
        frame.name(canvas, &format!("{} [%]", scores.name))?;
        if let Some(floor) = scores.floor {
            dashes(canvas, frame.left, frame.right, frame.row(floor), FAINT)?;
        }
        for (number, one) in scores.series.iter().enumerate() {
            draw_series(canvas, &frame, axis, one, (number, scores.series.len()))?;
        }
        for (at, name) in axis.places.iter().enumerate() {
            frame.tick(canvas, name, column(&frame, axis, at))?;
        }
        frame.name_under(canvas, &axis.name)?;
    }
    Ok(())
}

/// The middle of a place, in pixels.
fn column(frame: &Frame, axis: &Axis, at: usize) -> i32 {
    frame.column((at as f64 + 0.5) / axis.places.len() as f64)
}

fn draw_series(
    canvas: &Canvas,
    frame: &Frame,
    axis: &Axis,
    series_of: &Series,
    (number, count): (usize, usize),
) -> Drawn {
    let colour = series(number);
    // Lines stand a little beside each other, so that their intervals can be told apart.
    let aside = (9.0 * (number as f64 - 0.5 * (count as f64 - 1.0))).round() as i32;
    let mut path = Vec::new();
    for (at, point) in series_of.points.iter().enumerate() {
        let Some(point) = point else { continue };
        let x = column(frame, axis, at) + aside;
        let [low, high] = [point.interval.low, point.interval.high]
            .map(|end| frame.row(end.clamp(frame.range.ends()[0], frame.range.ends()[1])));
        interval(canvas, x, high, low, colour)?;
        for score in series_of.runs.get(at).into_iter().flatten() {
            let run = (x + 7, frame.row(*score));
            canvas.draw(&Circle::new(run, 2, colour.mix(0.6).filled()))?;
        }
        let centre = (x, frame.row(point.value));
        canvas.draw(&Circle::new(centre, 5, colour.filled()))?;
        path.push(centre);
    }
    match axis.order {
        Order::Amounts => line(canvas, path, colour.into(), 2),
        Order::Kinds => Ok(()),
    }
}

/// What the legend says where single runs are shown.
const RUNS: &str = " Small dots: single runs.";

/// The names of the series, in as many lines as they need.
struct Legend<'a> {
    /// Each name, with the number of its line and where on it its mark begins.
    names: Vec<(&'a str, i32, i32)>,
    lines: i32,
}

impl<'a> Legend<'a> {
    fn of(frames: &'a [Scores]) -> Self {
        let series = frames.first().into_iter().flat_map(|frame| &frame.series);
        let (mut x, mut on) = (16, 0);
        let mut names = Vec::new();
        for one in series {
            let wide = 29 + width(&one.name, 13);
            if x > 16 && x + wide > WIDTH as i32 - 16 {
                (x, on) = (16, on + 1);
            }
            names.push((one.name.as_str(), on, x));
            x += wide + 14;
        }
        Legend {
            names,
            lines: on + 1,
        }
    }

    fn draw(&self, canvas: &Canvas, runs: &str) -> Drawn {
        for (number, &(name, on, x)) in self.names.iter().enumerate() {
            let colour: RGBColor = series(number);
            let y = LEGEND + on * LINE;
            line(canvas, vec![(x, y), (x + 22, y)], colour.into(), 3)?;
            canvas.draw(&Circle::new((x + 11, y), 5, colour.filled()))?;
            text(canvas, name, (x + 29, y), 13, INK, Anchor::Left)?;
        }
        let words = "Bars: 95 % intervals. Dashes: the score that needs no understanding.";
        let under = (16, LEGEND + self.lines * LINE);
        text(
            canvas,
            &format!("{words}{runs}"),
            under,
            12,
            FAINT,
            Anchor::Left,
        )
    }
}

/// Where the first frame begins.
fn top(legend: &Legend) -> i32 {
    LEGEND + legend.lines * LINE + 40
}

/// What the figure shows, for readers who cannot see it.
fn words(heading: &str, axis: &Axis, frames: &[Scores]) -> String {
    let frames: Vec<String> = frames
        .iter()
        .map(|frame| {
            let lines: Vec<String> = frame.series.iter().map(|one| in_words(one, axis)).collect();
            format!("{}: {}", frame.name, lines.join("; "))
        })
        .collect();
    format!("{heading}. {}.", frames.join(". "))
}

fn in_words(series: &Series, axis: &Axis) -> String {
    let points: Vec<String> = (series.points.iter().zip(&axis.places))
        .filter_map(|(point, place)| Some(format!("{} at {place}", percent(point.as_ref()?.value))))
        .collect();
    format!("{} {}", series.name, points.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_legend_takes_as_many_lines_as_its_names_need() {
        let series = |name: &str| Series {
            name: name.to_owned(),
            points: Vec::new(),
            runs: Vec::new(),
        };
        let names: Vec<String> = (0..12).map(|at| format!("a method's name, {at}")).collect();
        let frames = [Scores {
            name: String::new(),
            series: names.iter().map(|name| series(name)).collect(),
            floor: None,
        }];
        let legend = Legend::of(&frames);
        assert!(legend.lines > 2 && legend.lines < 12, "{}", legend.lines);
        for window in legend.names.windows(2) {
            let [(name, on, x), (_, next_on, next_x)] = [window[0], window[1]];
            let end = x + 29 + width(name, 13);
            assert!(end <= WIDTH as i32 - 16, "{name} ends at {end}");
            assert!(on + 1 == next_on || on == next_on && end < next_x);
        }
    }
}
