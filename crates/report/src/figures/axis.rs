//! A frame with scores in percent on its left side.

use super::Drawn;
use super::style::{Anchor, Canvas, FAINT, GRID, INK, Point, line, text};

/// Percent at the bottom and the top of an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    low: i32,
    high: i32,
}

impl Range {
    /// All that a share can be.
    pub(super) const WHOLE: Range = Range { low: 0, high: 100 };

    /// Round tens around scores in [0, 1]; from zero, unless all are far above it.
    pub(super) fn around(scores: impl IntoIterator<Item = f64>) -> Range {
        let (low, high) = scores
            .into_iter()
            .fold((1.0_f64, 0.0_f64), |(low, high), score| {
                (low.min(score), high.max(score))
            });
        let high = ((10.0 * high + 0.3).ceil() as i32 * 10).clamp(20, 100);
        let low = if low < 0.45 {
            0
        } else {
            (10.0 * low - 0.5).floor() as i32 * 10
        };
        Range {
            low: low.min(high - 20),
            high,
        }
    }

    /// Where a score in [0, 1] lies between bottom and top, as a share.
    pub(super) fn share(self, score: f64) -> f64 {
        (100.0 * score - f64::from(self.low)) / f64::from(self.high - self.low)
    }

    /// The percentages that an axis names.
    pub(super) fn ticks(self) -> impl Iterator<Item = i32> {
        (self.low..=self.high).step_by(self.step())
    }

    /// Bottom and top as scores in [0, 1].
    pub(super) fn ends(self) -> [f64; 2] {
        [self.low, self.high].map(|percent| f64::from(percent) / 100.0)
    }

    fn step(self) -> usize {
        if self.high - self.low > 50 { 20 } else { 10 }
    }
}

/// A rectangle of pixels whose height is an axis.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub left: i32,
    pub right: i32,
    pub top: i32,
    pub bottom: i32,
    pub range: Range,
}

impl Frame {
    /// The pixel row of a score in [0, 1].
    pub(super) fn row(&self, score: f64) -> i32 {
        let share = self.range.share(score);
        self.bottom - (share * f64::from(self.bottom - self.top)).round() as i32
    }

    /// The pixel column of a share of the width.
    pub(super) fn column(&self, share: f64) -> i32 {
        self.left + (share * f64::from(self.right - self.left)).round() as i32
    }

    /// Grid lines with their percentages.
    pub(super) fn draw(&self, canvas: &Canvas) -> Drawn {
        for percent in self.range.ticks() {
            let row = self.row(f64::from(percent) / 100.0);
            let colour = if percent == self.range.low {
                FAINT
            } else {
                GRID
            };
            line(
                canvas,
                vec![(self.left, row), (self.right, row)],
                colour.into(),
                1,
            )?;
            text(
                canvas,
                &percent.to_string(),
                (self.left - 8, row),
                12,
                FAINT,
                Anchor::Right,
            )?;
        }
        Ok(())
    }

    /// What the axis counts, above its numbers.
    pub(super) fn name(&self, canvas: &Canvas, words: &str) -> Drawn {
        let at: Point = (self.left - 30, self.top - 18);
        text(canvas, words, at, 12, FAINT, Anchor::Left)
    }

    /// A number under the frame, with a tick.
    pub(super) fn tick(&self, canvas: &Canvas, words: &str, column: i32) -> Drawn {
        let tick = vec![(column, self.bottom), (column, self.bottom + 4)];
        line(canvas, tick, FAINT.into(), 1)?;
        let at: Point = (column, self.bottom + 16);
        text(canvas, words, at, 12, FAINT, Anchor::Middle)
    }

    /// What the numbers under the frame count.
    pub(super) fn name_under(&self, canvas: &Canvas, words: &str) -> Drawn {
        let at: Point = (self.column(0.5), self.bottom + 36);
        text(canvas, words, at, 13, INK, Anchor::Middle)
    }

    /// A word under the frame.
    pub(super) fn under(&self, canvas: &Canvas, words: &str, column: i32) -> Drawn {
        let at: Point = (column, self.bottom + 16);
        text(canvas, words, at, 13, INK, Anchor::Middle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_is_round_and_holds_the_scores() {
        assert_eq!(Range::around([0.12, 0.71]), Range { low: 0, high: 80 });
        assert_eq!(Range::around([0.99]), Range { low: 80, high: 100 });
        assert_eq!(Range::around([0.0, 0.0]), Range { low: 0, high: 20 });
        assert_eq!(Range::around([0.62, 0.81]), Range { low: 50, high: 90 });
    }
}
