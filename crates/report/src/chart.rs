//! Charts as data: panels with axes and marks in data units, and a legend. Only `svg` converts them to pixels.

mod axis;
mod layout;
mod style;
mod svg;

pub use axis::{Axis, Scale};
pub use style::{Colour, Shape};

use crate::document::Figure;
use promptshift_numbers::recipe::Method;
use promptshift_numbers::stats::estimate::{Estimate, Interval};

/// A point in the units of a panel's axes.
pub type Point = (f64, f64);

/// A chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    pub title: String,
    /// The legend.
    pub keys: Vec<Key>,
    /// The panels, row by row.
    pub panels: Vec<Panel>,
    /// The number of panels in a row.
    pub columns: usize,
    /// Width and height of the area inside a panel's axes, in pixels.
    pub plot: (f64, f64),
}

/// One pair of axes.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis; places run from top to bottom, numbers from bottom to top.
    pub y: Axis,
    /// The marks, in the order in which they are drawn.
    pub marks: Vec<Mark>,
}

/// An entry of the legend, whose sample is drawn in a box with axes from 0 to 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    /// The label.
    pub words: String,
    pub sample: Vec<Mark>,
}

/// A mark.
#[derive(Debug, Clone, PartialEq)]
pub enum Mark {
    /// A line through points.
    Line(Vec<Point>, Stroke, Colour),
    Dot(Point, Shape, Colour),
    /// A small point: one run of several.
    Run(Point, Shape, Colour),
    /// An interval of y at a point.
    Upright(Point, Interval, Colour),
    /// An interval of x at a point.
    Across(Point, Interval, Colour),
    /// A label beside a point; labels at the same x and side are moved apart.
    Label(Point, Side, String, Colour),
    /// A square of a matrix, with a value in [-1, 1] as its shade.
    Cell(Point, f64),
}

/// The style of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stroke {
    /// The main line of a panel.
    Bold,
    /// An ordinary line.
    Plain,
    /// A reference line.
    Thin,
    /// One of many runs.
    Pale,
    /// A bound or an expectation.
    Dashed,
}

/// The side of a point on which a label is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// Left of the point.
    Left,
    /// Right of the point.
    Right,
}

impl Chart {
    /// The chart as a figure; `alt` describes it in words.
    pub fn figure(&self, name: impl Into<String>, alt: impl Into<String>) -> Figure {
        let (name, alt) = (name.into(), alt.into());
        let svg = svg::write(self, &alt);
        Figure { name, alt, svg }
    }
}

/// The number of panels in a row, for `count` panels.
pub fn columns(count: usize) -> usize {
    match count {
        1 => 1,
        2 | 4 => 2,
        _ => 3,
    }
}

impl Mark {
    /// A score with its interval: the interval's bar and the point.
    pub fn estimate(x: f64, score: Estimate, shape: Shape, colour: Colour) -> [Mark; 2] {
        let at = (x, score.value);
        [
            Mark::Upright(at, score.interval, colour),
            Mark::Dot(at, shape, colour),
        ]
    }
}

const LEFT: Point = (0.0, 0.5);
const MIDDLE: Point = (0.5, 0.5);
const RIGHT: Point = (1.0, 0.5);

impl Key {
    fn new(words: impl Into<String>, sample: impl IntoIterator<Item = Mark>) -> Key {
        Key {
            words: words.into(),
            sample: sample.into_iter().collect(),
        }
    }

    /// A line with a point.
    pub fn series(words: impl Into<String>, shape: Shape, colour: Colour) -> Key {
        let line = Mark::Line(vec![LEFT, RIGHT], Stroke::Bold, colour);
        Key::new(words, [line, Mark::Dot(MIDDLE, shape, colour)])
    }

    /// A method's line and point with its title.
    pub fn method(title: impl Into<String>, method: Method) -> Key {
        Key::series(title, Shape::of(method), Colour::of(method))
    }

    /// A point.
    pub fn dot(words: impl Into<String>, shape: Shape, colour: Colour) -> Key {
        Key::new(words, [Mark::Dot(MIDDLE, shape, colour)])
    }

    /// A small point.
    pub fn run(words: impl Into<String>, shape: Shape, colour: Colour) -> Key {
        Key::new(words, [Mark::Run(MIDDLE, shape, colour)])
    }

    /// A line with a small point.
    pub fn passed(words: impl Into<String>, colour: Colour) -> Key {
        let line = Mark::Line(vec![LEFT, RIGHT], Stroke::Plain, colour);
        let run = Mark::Run(MIDDLE, Shape::HollowCircle, colour);
        Key::new(words, [line, run])
    }

    /// A line alone.
    pub fn line(words: impl Into<String>, stroke: Stroke, colour: Colour) -> Key {
        Key::new(words, [Mark::Line(vec![LEFT, RIGHT], stroke, colour)])
    }

    /// An interval.
    pub fn interval() -> Key {
        let (low, high) = (0.0, 1.0);
        let all = Interval { low, high };
        Key::new("95 % interval", [Mark::Upright(MIDDLE, all, Colour::Faint)])
    }

    /// The floor's dashed line.
    pub fn floor() -> Key {
        Key::line("floor", Stroke::Dashed, Colour::Faint)
    }

    /// A shade of a matrix cell.
    pub fn shade(value: f64) -> Key {
        let words = format!("{value:.1}").replace('-', "−");
        Key::new(words, [Mark::Cell((0.0, 0.0), value)])
    }
}

/// A heat map of a square matrix with values from −1 to 1; `names` label some of its rows.
pub fn matrix(title: &str, rows: &[Vec<f64>], names: &[(usize, String)]) -> Chart {
    let ticks = names.iter().map(|(row, name)| (*row as f64, name.clone()));
    let scale = Scale::Places(rows.len());
    let cells = rows.iter().enumerate().flat_map(|(y, row)| {
        let cell = move |(x, value): (usize, &f64)| Mark::Cell((x as f64, y as f64), *value);
        row.iter().enumerate().map(cell)
    });
    // A hundred rows fit on a page, and a few rows leave room for a name each.
    let side = rows.len() as f64 * (480.0 / rows.len().max(1) as f64).clamp(3.0, 40.0);
    Chart {
        title: title.to_owned(),
        keys: [1.0, 0.5, 0.0, -0.5, -1.0].map(Key::shade).to_vec(),
        panels: vec![Panel {
            x: Axis::new("", scale, Vec::new()),
            y: Axis::new("", scale, ticks.collect()),
            marks: cells.collect(),
        }],
        columns: 1,
        plot: (side, side),
    }
}

#[cfg(test)]
mod tests;
