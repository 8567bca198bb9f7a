//! Scores from source to target: one panel a target, one line a method.

use plotters::style::{Color, WHITE};

use super::Drawn;
use super::axis::{Frame, Range};
use super::legend::{self, Entry, interval};
use super::style::{Anchor, Canvas, FAINT, INK, colour, dashes, line, marker, spread, text};
use crate::comparison::{Comparison, DomainScore, MethodResult};
use crate::number::{metric_title, percent};
use promptshift_numbers::recipe::Method;

/// Pixels above the legend.
const TITLE: i32 = 50;
const MARGIN: i32 = 16;

/// Pixels above the panels: title and legend.
fn head(comparison: &Comparison) -> i32 {
    let (columns, width, _) = layout(comparison);
    TITLE + legend::height(MARGIN, columns * width + MARGIN, &entries(comparison))
}

/// Columns of panels and the size of one.
fn layout(comparison: &Comparison) -> (i32, i32, i32) {
    match comparison.targets.len() {
        1 => (1, 600, 380),
        2 | 4 => (2, 400, 300),
        _ => (3, 320, 270),
    }
}

/// The figure's width and height.
pub(super) fn size(comparison: &Comparison) -> (u32, u32) {
    let (columns, width, height) = layout(comparison);
    let rows = comparison
        .targets
        .len()
        .div_ceil(columns.unsigned_abs() as usize);
    (
        columns.unsigned_abs() * width.unsigned_abs() + 2 * MARGIN.unsigned_abs(),
        rows as u32 * height.unsigned_abs()
            + head(comparison).unsigned_abs()
            + MARGIN.unsigned_abs(),
    )
}

pub(super) fn draw(canvas: &Canvas, comparison: &Comparison) -> Drawn {
    canvas.fill(&WHITE)?;
    let (columns, width, height) = layout(comparison);
    let right = columns * width + MARGIN;
    let title = format!(
        "{} on {} and on {}",
        metric_title(comparison.metric),
        comparison.source,
        match comparison.targets.as_slice() {
            [one] => one.clone(),
            many => format!("{} targets", many.len()),
        }
    );
    text(canvas, &title, (MARGIN, 22), 17, INK, Anchor::Left)?;
    legend::draw(canvas, (MARGIN, TITLE), right, &entries(comparison))?;
    let range = range(comparison);
    for target in 0..comparison.targets.len() {
        let (column, row) = (target as i32 % columns, target as i32 / columns);
        let (left, top) = (MARGIN + column * width, head(comparison) + row * height);
        let frame = Frame {
            left: left + 34,
            right: left + width - 10,
            top: top + 30,
            bottom: top + height - 30,
            range,
        };
        panel(canvas, comparison, target, frame)?;
    }
    Ok(())
}

fn entries(comparison: &Comparison) -> Vec<Entry> {
    let tuned = comparison.tuned().map(|result| result.method);
    let untuned = comparison
        .method(Method::Untuned)
        .map(|result| result.method);
    let mut entries: Vec<Entry> = (tuned.chain(untuned))
        .map(|method| Entry::of(comparison, method))
        .collect();
    if comparison.tuned().any(|result| result.seeds.len() > 1) {
        entries.push(Entry::Seed);
    }
    entries.push(Entry::Interval);
    if comparison
        .domains
        .iter()
        .any(|domain| domain.floor.is_some())
    {
        entries.push(Entry::Floor);
    }
    entries
}

fn range(comparison: &Comparison) -> Range {
    let scores = comparison
        .methods
        .iter()
        .flat_map(|result| &result.scores)
        .flat_map(|scores| {
            let ends = [scores.score.interval.low, scores.score.interval.high];
            scores.by_seed.iter().copied().chain(ends)
        });
    let floors = comparison.domains.iter().filter_map(|domain| domain.floor);
    Range::around(scores.chain(floors))
}

/// Where source and target stand, as shares of a panel's width.
const ENDS: [f64; 2] = [0.26, 0.74];

/// Pixels between neighbours of so many methods, which stand side by side, so that intervals do not hide each
/// other.
fn apart(methods: usize) -> i32 {
    (48 / methods.max(1) as i32).min(12)
}

fn panel(canvas: &Canvas, comparison: &Comparison, target: usize, frame: Frame) -> Drawn {
    frame.draw(canvas)?;
    frame.name(canvas, &format!("{} [%]", metric_title(comparison.metric)))?;
    let domains = [0, target + 1];
    for (end, domain) in ENDS.into_iter().zip(domains) {
        frame.under(canvas, &comparison.domains[domain].name, frame.column(end))?;
        if let Some(floor) = comparison.domains[domain].floor {
            let middle = frame.column(end);
            dashes(canvas, middle - 20, middle + 20, frame.row(floor), FAINT)?;
        }
    }
    let methods: Vec<&MethodResult> = comparison.methods.iter().collect();
    let apart = apart(methods.len());
    let aside = |index: usize| apart * index as i32 - apart * (methods.len() as i32 - 1) / 2;
    for (index, result) in methods.iter().enumerate() {
        let columns = ENDS.map(|end| frame.column(end) + aside(index));
        slope(canvas, result, domains, columns, &frame)?;
    }
    labels(canvas, comparison, domains, &frame)
}

fn slope(
    canvas: &Canvas,
    result: &MethodResult,
    domains: [usize; 2],
    columns: [i32; 2],
    frame: &Frame,
) -> Drawn {
    let ends: [&DomainScore; 2] = domains.map(|domain| &result.scores[domain]);
    let colour = colour(result.method);
    let rows = |score: fn(&DomainScore, usize) -> f64, seed: usize| {
        let at = |end: usize| (columns[end], frame.row(score(ends[end], seed)));
        vec![at(0), at(1)]
    };
    if result.seeds.len() > 1 {
        for seed in 0..result.seeds.len() {
            line(
                canvas,
                rows(|scores, seed| scores.by_seed[seed], seed),
                colour.mix(0.4),
                1,
            )?;
        }
    }
    let means = rows(|scores, _| scores.score.value, 0);
    let width = if result.method == Method::Untuned {
        1
    } else {
        3
    };
    line(canvas, means.clone(), colour.into(), width)?;
    for (end, at) in means.into_iter().enumerate() {
        let range = ends[end].score.interval;
        interval(
            canvas,
            at.0,
            frame.row(range.high),
            frame.row(range.low),
            colour,
        )?;
        marker(canvas, result.method, at, 5)?;
    }
    Ok(())
}

/// The tuned methods' means in numbers: the source's to the left, the target's to the right.
fn labels(canvas: &Canvas, comparison: &Comparison, domains: [usize; 2], frame: &Frame) -> Drawn {
    let tuned: Vec<&MethodResult> = comparison.tuned().collect();
    let methods = comparison.methods.len();
    let beside = apart(methods) * (methods as i32 - 1) / 2 + 12;
    for (end, anchor, offset) in [(0, Anchor::Right, -beside), (1, Anchor::Left, beside)] {
        let score = |result: &MethodResult| result.scores[domains[end]].score.value;
        let wanted: Vec<i32> = tuned
            .iter()
            .map(|result| frame.row(score(result)))
            .collect();
        for (result, row) in tuned.iter().zip(spread(&wanted, 15)) {
            let at = (frame.column(ENDS[end]) + offset, row);
            text(
                canvas,
                &percent(score(result)),
                at,
                13,
                colour(result.method),
                anchor,
            )?;
        }
    }
    Ok(())
}
