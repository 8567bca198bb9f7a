//! Writes charts as SVG; only here are marks converted to pixels. Colours are CSS classes, so that dark screens have
//! their own.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::layout::{Frame, LEADING, Layout, NAME, Plot, TICK, tick_room};
use super::style::{self, spread, width, wrap};
use super::{Axis, Chart, Colour, Key, Mark, Panel, Scale, Shape, Side, Stroke};
use crate::document::html::escaped;
use crate::number::joined;

const MARGIN: f64 = 16.0;
const TITLE: f64 = 17.0;
/// The size of a legend's sample, and the distances to its label and to the next sample.
const SAMPLE: (f64, f64) = (26.0, 14.0);
const BESIDE: f64 = 7.0;
const APART: f64 = 16.0;

/// The chart as a self-contained SVG file.
pub(super) fn write(chart: &Chart, alt: &str) -> String {
    let mut svg = Svg(String::new());
    let size = svg.chart(chart);
    let alt = escaped(alt);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" \
         height=\"{1}\" role=\"img\" aria-label=\"{alt}\" style=\"--width:{0}px\">\n<title>{alt}</title>\n{2}\
         <rect class=\"paper fill\" width=\"{0}\" height=\"{1}\"/>\n{3}</svg>\n",
        size.0.ceil(),
        size.1.ceil(),
        style::sheet(),
        svg.0
    )
}

/// The position of text relative to its point.
#[derive(Clone, Copy)]
enum Anchor {
    Start,
    Middle,
    End,
}

struct Svg(String);

impl Svg {
    /// Draws the chart and returns its width and height.
    fn chart(&mut self, chart: &Chart) -> (f64, f64) {
        let layout = Layout::of(chart);
        let columns = chart.columns.max(1);
        let cell = layout.left + chart.plot.0 + layout.right;
        // A single narrow panel leaves room for the title.
        let inside = (columns as f64 * cell).max(460.0);
        let mut top = MARGIN;
        for line in wrap(&chart.title, TITLE, inside) {
            self.text(
                (MARGIN, top + 8.0),
                &line,
                TITLE,
                Colour::Ink,
                Anchor::Start,
            );
            top += TITLE * LEADING;
        }
        top = self.legend(&chart.keys, top + 8.0, MARGIN + inside);
        for (place, panel) in chart.panels.iter().enumerate() {
            let (column, row) = (place % columns, place / columns);
            let frame = Frame {
                left: MARGIN + column as f64 * cell + layout.left,
                top: top + row as f64 * layout.height(chart) + layout.top(),
                width: chart.plot.0,
                height: chart.plot.1,
            };
            self.panel(panel, frame, &layout);
        }
        let rows = chart.panels.len().div_ceil(columns) as f64;
        (inside + 2.0 * MARGIN, top + rows * layout.height(chart))
    }

    /// Draws entries from left to right, wrapping into rows, and returns where the last row ends.
    fn legend(&mut self, keys: &[Key], top: f64, right: f64) -> f64 {
        if keys.is_empty() {
            return top;
        }
        let (mut x, mut y) = (MARGIN, top);
        for key in keys {
            let words = width(&key.words, NAME);
            let wide = SAMPLE.0 + BESIDE + words;
            if x + wide > right && x > MARGIN {
                (x, y) = (MARGIN, y + 21.0);
            }
            let scale = match key.sample.first() {
                Some(Mark::Cell(..)) => Scale::Places(1),
                _ => Scale::Linear(0.0, 1.0),
            };
            let sample = Plot {
                frame: Frame {
                    left: x,
                    top: y,
                    width: SAMPLE.0,
                    height: SAMPLE.1,
                },
                x: scale,
                y: scale,
            };
            for mark in &key.sample {
                self.mark(mark, &sample);
            }
            let at = (x + SAMPLE.0 + BESIDE, y + SAMPLE.1 / 2.0);
            self.text(at, &key.words, NAME, Colour::Ink, Anchor::Start);
            x += wide + APART;
        }
        y + 28.0
    }

    fn panel(&mut self, panel: &Panel, frame: Frame, layout: &Layout) {
        let plot = Plot {
            frame,
            x: panel.x.scale,
            y: panel.y.scale,
        };
        let edge = frame.left - layout.left;
        let above = wrap(&panel.y.name, TICK, layout.left + frame.width);
        for (line, words) in above.iter().rev().enumerate() {
            let y = frame.top - 14.0 - line as f64 * TICK * LEADING;
            self.text((edge, y), words, TICK, Colour::Faint, Anchor::Start);
        }
        for (place, (value, name)) in panel.y.ticks.iter().enumerate() {
            let y = plot.y(*value);
            if !matches!(plot.y, Scale::Places(_)) {
                let colour = if place == 0 {
                    Colour::Faint
                } else {
                    Colour::Grid
                };
                self.line(&[(frame.left, y), (frame.right(), y)], 1.0, colour, "");
            }
            self.text(
                (frame.left - 8.0, y),
                name,
                TICK,
                Colour::Faint,
                Anchor::End,
            );
        }
        self.ticks_below(&panel.x, &plot);
        let middle = frame.left + frame.width / 2.0;
        let below = frame.bottom() + 8.0 + layout.below as f64 * TICK * LEADING + 4.0;
        if !panel.x.name.is_empty() {
            let lines = wrap(&panel.x.name, NAME, layout.left + frame.width);
            for (line, words) in lines.iter().enumerate() {
                let y = below + (line as f64 + 0.5) * NAME * LEADING;
                self.text((middle, y), words, NAME, Colour::Ink, Anchor::Middle);
            }
        }
        for mark in &panel.marks {
            self.mark(mark, &plot);
        }
        self.labels(&panel.marks, &plot);
    }

    /// Draws the tick labels below a panel; numbers that would touch the previous label are left out.
    fn ticks_below(&mut self, axis: &Axis, plot: &Plot) {
        let frame = plot.frame;
        let room = tick_room(axis, frame.width);
        let mut free = f64::NEG_INFINITY;
        for (value, name) in &axis.ticks {
            let x = plot.x(*value);
            if !matches!(axis.scale, Scale::Places(_)) {
                self.line(
                    &[(x, frame.top), (x, frame.bottom() + 4.0)],
                    1.0,
                    Colour::Grid,
                    "",
                );
                let half = width(name, TICK) / 2.0;
                if x - half < free {
                    continue;
                }
                free = x + half + 4.0;
            }
            for (line, words) in wrap(name, TICK, room).iter().enumerate() {
                let y = frame.bottom() + 8.0 + (line as f64 + 0.5) * TICK * LEADING;
                self.text((x, y), words, TICK, Colour::Faint, Anchor::Middle);
            }
        }
    }

    /// Draws the labels of a panel; those at the same x and side are moved apart.
    fn labels(&mut self, marks: &[Mark], plot: &Plot) {
        type Label<'a> = (f64, &'a str, Colour);
        let mut groups: BTreeMap<(i64, Side), Vec<Label>> = BTreeMap::new();
        for mark in marks {
            if let Mark::Label((x, y), side, words, colour) = mark {
                let key = (plot.x(*x).round() as i64, *side);
                groups
                    .entry(key)
                    .or_default()
                    .push((plot.y(*y), words, *colour));
            }
        }
        for ((x, side), labels) in groups {
            let wanted: Vec<f64> = labels.iter().map(|(y, ..)| *y).collect();
            let (anchor, beside) = match side {
                Side::Left => (Anchor::End, -10.0),
                Side::Right => (Anchor::Start, 10.0),
            };
            for ((_, words, colour), y) in labels.iter().zip(spread(&wanted, 15.0)) {
                self.text((x as f64 + beside, y), words, NAME, *colour, anchor);
            }
        }
    }

    fn mark(&mut self, mark: &Mark, plot: &Plot) {
        match mark {
            Mark::Line(points, stroke, colour) => {
                let points: Vec<(f64, f64)> = (points.iter())
                    .map(|(x, y)| (plot.x(*x), plot.y(*y)))
                    .collect();
                let (width, more) = match stroke {
                    Stroke::Bold => (3.0, ""),
                    Stroke::Plain => (2.0, ""),
                    Stroke::Thin => (1.0, ""),
                    Stroke::Pale => (1.0, " stroke-opacity=\"0.45\""),
                    Stroke::Dashed => (2.0, " stroke-dasharray=\"5 3\""),
                };
                self.line(&points, width, *colour, more);
            }
            Mark::Dot((x, y), shape, colour) => {
                self.shape((plot.x(*x), plot.y(*y)), *shape, 5.0, *colour);
            }
            Mark::Run((x, y), shape, colour) => {
                self.shape((plot.x(*x), plot.y(*y)), *shape, 2.0, *colour);
            }
            Mark::Upright((x, _), range, colour) => {
                let x = plot.x(*x);
                let [low, high] = [range.low, range.high].map(|end| plot.y(end));
                self.line(&[(x, low), (x, high)], 2.0, *colour, "");
                for y in [low, high] {
                    self.line(&[(x - 4.0, y), (x + 4.0, y)], 2.0, *colour, "");
                }
            }
            Mark::Across((_, y), range, colour) => {
                let y = plot.y(*y);
                let [low, high] = [range.low, range.high].map(|end| plot.x(end));
                self.line(&[(low, y), (high, y)], 2.0, *colour, "");
                for x in [low, high] {
                    self.line(&[(x, y - 4.0), (x, y + 4.0)], 2.0, *colour, "");
                }
            }
            // Labels are drawn last.
            Mark::Label(..) => {}
            Mark::Cell((x, y), value) => self.cell((plot.x(*x), plot.y(*y)), *value, plot),
        }
    }

    /// From orange (−1) through the background (0) to blue (1), which colour-blind readers distinguish best.
    fn cell(&mut self, (x, y): (f64, f64), value: f64, plot: &Plot) {
        let (columns, rows) = match (plot.x, plot.y) {
            (Scale::Places(columns), Scale::Places(rows)) => (columns as f64, rows as f64),
            _ => (1.0, 1.0),
        };
        let (width, height) = (plot.frame.width / columns, plot.frame.height / rows);
        let colour = Colour::Series(usize::from(value < 0.0));
        self.put(format_args!(
            "<rect class=\"{} fill\" x=\"{:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" \
             fill-opacity=\"{:.2}\" shape-rendering=\"crispEdges\"/>",
            colour.class(),
            x - width / 2.0,
            y - height / 2.0,
            value.abs().min(1.0)
        ));
    }

    fn shape(&mut self, (x, y): (f64, f64), shape: Shape, size: f64, colour: Colour) {
        let class = colour.class();
        let diamond = |size: f64| [(x, y - size), (x + size, y), (x, y + size), (x - size, y)];
        match shape {
            Shape::Circle => self.put(format_args!(
                "<circle class=\"{class} fill\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{size}\"/>"
            )),
            Shape::HollowCircle => {
                self.put(format_args!(
                    "<circle class=\"paper fill\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{size}\"/>"
                ));
                self.put(format_args!(
                    "<circle class=\"{class} line\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{size}\" stroke-width=\"2\"/>"
                ));
            }
            Shape::Ring => self.put(format_args!(
                "<circle class=\"{class} line\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{}\" stroke-width=\"2\"/>",
                2.0 * size
            )),
            Shape::Square => self.put(format_args!(
                "<rect class=\"{class} fill\" x=\"{:.1}\" y=\"{:.1}\" width=\"{2}\" height=\"{2}\"/>",
                x - size,
                y - size,
                2.0 * size
            )),
            Shape::Diamond => self.polygon(&diamond(size + 1.0), class, "fill"),
            Shape::HollowDiamond => {
                self.polygon(&diamond(size), "paper", "fill");
                self.polygon(&diamond(size), class, "line");
            }
            Shape::Up => {
                let corners = [(x, y - size), (x + size, y + size), (x - size, y + size)];
                self.polygon(&corners, class, "fill");
            }
            Shape::Down => {
                let corners = [(x, y + size), (x + size, y - size), (x - size, y - size)];
                self.polygon(&corners, class, "fill");
            }
            Shape::Cross => {
                for turn in [size, -size] {
                    self.line(&[(x - size, y - turn), (x + size, y + turn)], 3.0, colour, "");
                }
            }
        }
    }

    fn polygon(&mut self, corners: &[(f64, f64)], class: &str, how: &str) {
        let corners = points(corners);
        self.put(format_args!(
            "<polygon class=\"{class} {how}\" points=\"{corners}\" stroke-width=\"2\"/>"
        ));
    }

    fn line(&mut self, path: &[(f64, f64)], width: f64, colour: Colour, more: &str) {
        let (class, path) = (colour.class(), points(path));
        self.put(format_args!(
            "<polyline class=\"{class} line\" points=\"{path}\" stroke-width=\"{width}\"{more}/>"
        ));
    }

    fn text(&mut self, (x, y): (f64, f64), words: &str, size: f64, colour: Colour, anchor: Anchor) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let (class, words) = (colour.class(), escaped(words));
        self.put(format_args!(
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\" text-anchor=\"{anchor}\">{words}</text>"
        ));
    }

    fn put(&mut self, element: std::fmt::Arguments) {
        writeln!(self.0, "{element}").expect("a string takes everything");
    }
}

fn points(all: &[(f64, f64)]) -> String {
    let all = all.iter().map(|(x, y)| format!("{x:.1},{y:.1}"));
    joined(" ", all)
}
