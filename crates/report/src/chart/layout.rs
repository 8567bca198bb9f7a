//! The layout of a chart's panels, and positions of values within a panel.

use super::style::{width, wrap};
use super::{Axis, Chart, Panel, Scale};

pub(super) const NAME: f64 = 13.0;
pub(super) const TICK: f64 = 12.0;
/// The line height as a multiple of the font size.
pub(super) const LEADING: f64 = 1.3;

/// A rectangle of pixels.
#[derive(Clone, Copy)]
pub(super) struct Frame {
    pub left: f64,
    pub top: f64,
    pub width: f64,
    pub height: f64,
}

impl Frame {
    pub fn right(self) -> f64 {
        self.left + self.width
    }

    pub fn bottom(self) -> f64 {
        self.top + self.height
    }
}

/// The plot area with the scales of its axes.
pub(super) struct Plot {
    pub frame: Frame,
    pub x: Scale,
    pub y: Scale,
}

impl Plot {
    pub fn x(&self, value: f64) -> f64 {
        self.frame.left + self.x.share(value) * self.frame.width
    }

    pub fn y(&self, value: f64) -> f64 {
        let share = self.y.share(value);
        match self.y {
            Scale::Places(_) => self.frame.top + share * self.frame.height,
            _ => self.frame.bottom() - share * self.frame.height,
        }
    }
}

/// The dimensions that all panels of a chart share, in pixels.
pub(super) struct Layout {
    /// Space left of the plot, for tick labels.
    pub left: f64,
    /// Space right of the plot, for half of the last tick's label.
    pub right: f64,
    /// Lines above the plot, for the title of the vertical axis.
    pub above: usize,
    /// Lines below the plot, for tick labels and the title of the horizontal axis.
    pub below: usize,
    pub under: usize,
}

impl Layout {
    pub fn of(chart: &Chart) -> Layout {
        let widest = |axis: &Axis| {
            let all = axis.ticks.iter().map(|(_, name)| width(name, TICK));
            all.fold(0.0, f64::max)
        };
        let left = (chart.panels.iter().map(|panel| widest(&panel.y))).fold(14.0, f64::max) + 12.0;
        let most = |of: &dyn Fn(&Panel) -> usize| chart.panels.iter().map(of).max().unwrap_or(0);
        let lines = |name: &str, size: f64, room: f64| match name {
            "" => 0,
            name => wrap(name, size, room).len(),
        };
        let right = 18.0;
        Layout {
            left,
            right,
            above: most(&|panel| lines(&panel.y.name, TICK, left + chart.plot.0)),
            below: most(&|panel| {
                let room = tick_room(&panel.x, chart.plot.0);
                let names = panel.x.ticks.iter();
                names
                    .map(|(_, name)| lines(name, TICK, room))
                    .max()
                    .unwrap_or(0)
            }),
            under: most(&|panel| lines(&panel.x.name, NAME, left + chart.plot.0)),
        }
    }

    pub fn top(&self) -> f64 {
        12.0 + self.above as f64 * TICK * LEADING
    }

    /// A panel's height, including the space above and below its plot.
    pub fn height(&self, chart: &Chart) -> f64 {
        let ticks = self.below as f64 * TICK * LEADING;
        let name = self.under as f64 * NAME * LEADING;
        self.top() + chart.plot.1 + 8.0 + ticks + 4.0 + name + 14.0
    }
}

/// The greatest width of a tick's label; numbers are not wrapped.
pub(super) fn tick_room(axis: &Axis, plot: f64) -> f64 {
    match axis.scale {
        Scale::Places(count) => plot / count.max(1) as f64 - 6.0,
        _ => f64::INFINITY,
    }
}
