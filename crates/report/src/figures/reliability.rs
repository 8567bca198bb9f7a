//! Reliability diagrams, a panel a domain: the share of right answers against their confidence.

use plotters::style::{Color, WHITE};

use super::Drawn;
use super::axis::{Frame, Range};
use super::legend::{self, Entry};
use super::style::{Anchor, Canvas, FAINT, GRID, INK, Point, colour, dashed, line, marker, text};
use crate::comparison::Comparison;
use crate::statistics::answers::{MethodCalibration, mean_bins};
use promptshift_numbers::recipe::Method;
use promptshift_numbers::stats::calibration::Bin;

const TITLE: i32 = 50;
const MARGIN: i32 = 16;

/// A panel's width and height.
const PANEL: (i32, i32) = (320, 350);

fn columns(comparison: &Comparison) -> i32 {
    match comparison.domains.len() {
        2 | 4 => 2,
        _ => 3,
    }
}

fn right(comparison: &Comparison) -> i32 {
    columns(comparison) * PANEL.0 + MARGIN
}

fn head(comparison: &Comparison) -> i32 {
    TITLE + legend::height(MARGIN, right(comparison), &entries(comparison))
}

/// The figure's width and height.
pub(super) fn size(comparison: &Comparison) -> (u32, u32) {
    let columns = columns(comparison);
    let rows = comparison
        .domains
        .len()
        .div_ceil(columns.unsigned_abs() as usize) as i32;
    let height = head(comparison) + rows * PANEL.1 + MARGIN;
    (
        (right(comparison) + MARGIN).unsigned_abs(),
        height.unsigned_abs(),
    )
}

/// The tuned methods' calibration.
fn tuned(comparison: &Comparison) -> Vec<&MethodCalibration> {
    let all = &comparison.statistics.calibration;
    all.iter()
        .filter(|one| one.method != Method::Untuned)
        .collect()
}

/// Whether any temperature could be fitted.
fn scaled(comparison: &Comparison) -> bool {
    tuned(comparison)
        .iter()
        .any(|one| one.temperatures.iter().any(Option::is_some))
}

fn entries(comparison: &Comparison) -> Vec<Entry> {
    let mut entries: Vec<Entry> = tuned(comparison)
        .iter()
        .map(|one| Entry::of(comparison, one.method))
        .collect();
    if scaled(comparison) {
        entries.push(Entry::Scaled);
    }
    entries.push(Entry::Calibrated);
    entries
}

pub(super) fn draw(canvas: &Canvas, comparison: &Comparison) -> Drawn {
    canvas.fill(&WHITE)?;
    let title = "Reliability: how many of the answers given with some confidence are right";
    text(canvas, title, (MARGIN, 22), 17, INK, Anchor::Left)?;
    let entries = entries(comparison);
    legend::draw(canvas, (MARGIN, TITLE), right(comparison), &entries)?;
    let columns = columns(comparison);
    for domain in 0..comparison.domains.len() {
        let (column, row) = (domain as i32 % columns, domain as i32 / columns);
        let (left, top) = (MARGIN + column * PANEL.0, head(comparison) + row * PANEL.1);
        let frame = Frame {
            left: left + 34,
            right: left + PANEL.0 - 14,
            top: top + 30,
            bottom: top + PANEL.1 - 48,
            range: Range::WHOLE,
        };
        panel(canvas, comparison, domain, &frame)?;
    }
    Ok(())
}

/// The pixel of a confidence and a share of right answers.
fn at(frame: &Frame, confidence: f64, right: f64) -> Point {
    (
        frame.column(frame.range.share(confidence)),
        frame.row(right),
    )
}

fn panel(canvas: &Canvas, comparison: &Comparison, domain: usize, frame: &Frame) -> Drawn {
    for percent in frame.range.ticks() {
        let column = at(frame, f64::from(percent) / 100.0, 0.0).0;
        let upright = vec![(column, frame.top), (column, frame.bottom)];
        line(canvas, upright, GRID.into(), 1)?;
        frame.tick(canvas, &percent.to_string(), column)?;
    }
    frame.draw(canvas)?;
    let role = if domain == 0 { "source" } else { "target" };
    let name = &comparison.domains[domain].name;
    frame.name(canvas, &format!("right on {name} ({role}) [%]"))?;
    frame.name_under(canvas, "confidence [%]")?;
    dashed(canvas, at(frame, 0.0, 0.0), at(frame, 1.0, 1.0), FAINT)?;
    for one in tuned(comparison) {
        let calibration = &one.domains[domain];
        let points = |bins: &[Bin]| -> Vec<Point> {
            bins.iter()
                .map(|bin| at(frame, bin.confidence, bin.accuracy))
                .collect()
        };
        let colour = colour(one.method);
        let (plain, scaled) = (
            points(&mean_bins(&calibration.by_seed)),
            points(&mean_bins(&calibration.scaled)),
        );
        if !scaled.is_empty() {
            line(canvas, scaled, colour.mix(0.5), 1)?;
        }
        line(canvas, plain.clone(), colour.into(), 2)?;
        for point in plain {
            marker(canvas, one.method, point, 3)?;
        }
    }
    Ok(())
}
