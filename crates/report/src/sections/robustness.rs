//! How far do target scores fall below source scores? The share that each method retains, and effective robustness:
//! does prompt tuning score higher on a target than model tuning with the same source score would?

use std::collections::BTreeSet;

use serde::Serialize;

use crate::document::{Block, Table, line, or_dash};
use crate::number::{count, difference, gap, percent};
use crate::resamples::{Resamples, Scored};
use crate::results::Results;
use promptshift_numbers::recipe::Method;
use promptshift_numbers::stats::bootstrap::Draws;
use promptshift_numbers::stats::estimate::Estimate;
use promptshift_numbers::stats::robustness::{Line, Point, Scores, fit};

/// Target score divided by source score: 1 means no loss.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Retention {
    pub method: Method,
    /// The ratio on each target; absent if the source score is zero.
    pub targets: Vec<Option<Estimate>>,
    /// The mean target score divided by the source score.
    pub mean: Option<Estimate>,
}

/// The retained shares of every method.
pub fn retention(resamples: &Resamples) -> Vec<Retention> {
    let of_method = |method: Method| {
        let retained = |target: Option<&Draws>| {
            let ratio = target?.over(resamples.score(0, method)?)?;
            Some(ratio.estimate())
        };
        Retention {
            method,
            targets: (resamples.targets())
                .map(|domain| retained(resamples.score(domain, method)))
                .collect(),
            mean: retained(resamples.mean_target(method).as_ref()),
        }
    };
    resamples.methods().map(of_method).collect()
}

/// Both sections.
pub fn blocks(results: &Results, retained: &[Retention], lines: &[Robustness]) -> Vec<Block> {
    let mut blocks = retained_blocks(results, retained);
    blocks.extend(line_blocks(results, lines));
    blocks
}

/// The retained shares; empty without tuned methods.
fn retained_blocks(results: &Results, retained: &[Retention]) -> Vec<Block> {
    let retained: Vec<&Retention> = (results.tuned())
        .filter_map(|result| retained.iter().find(|one| one.method == result.method))
        .collect();
    if retained.is_empty() {
        return Vec::new();
    }
    Block::section(
        "Retained share of the source score",
        retained_table(results, &retained),
        "Target score divided by source score in percent, with 95 % interval: 100 means no loss.",
    )
    .to_vec()
}

fn retained_table(results: &Results, retained: &[&Retention]) -> Table {
    let titles = retained.iter().map(|one| results.title(one.method));
    let header = line("retained [95 %]", titles);
    let row = |name: &str, of: &dyn Fn(&Retention) -> Option<Estimate>| {
        line(name, retained.iter().map(|one| or_dash(of(one), gap)))
    };
    let targets = results.targets.iter().enumerate();
    let mut rows: Vec<Vec<String>> = targets
        .map(|(target, name)| row(name, &|one| one.targets[target]))
        .collect();
    if results.targets.len() > 1 {
        rows.push(row("**mean of targets**", &|one| one.mean));
    }
    Table::new(header).rows(rows)
}

/// Prompt tuning compared with the line of model tuning on one target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Robustness {
    /// The runs of model tuning at their kept steps and at every checkpoint that all of them have.
    pub points: Vec<Point>,
    /// The line fitted to them.
    pub line: Option<Line>,
    /// The target score that the line predicts at prompt tuning's source score.
    pub expected: Option<f64>,
    /// How far prompt tuning scores above it.
    pub above: Option<Estimate>,
    /// Why prompt tuning cannot be compared with a line.
    pub reason: Option<String>,
}

/// The comparison on every target; empty if prompt tuning or model tuning has no records.
pub fn robustness(resamples: &Resamples) -> Vec<Robustness> {
    (resamples.targets())
        .filter_map(|target| on(resamples, target))
        .collect()
}

fn on(resamples: &Resamples, target: usize) -> Option<Robustness> {
    let scores = |of: Scored| {
        Some(Scores {
            source: resamples.score(0, of)?,
            target: resamples.score(target, of)?,
        })
    };
    let method = scores(Scored::Kept(Method::Prompt))?;
    let kept = scores(Scored::Kept(Method::Model))?;
    let stopped = resamples.steps.iter();
    let baseline: Vec<Scores> = (stopped.filter_map(|step| scores(Scored::Stopped(*step))))
        .chain([kept])
        .collect();
    let points: Vec<Point> = baseline.iter().flat_map(|scores| scores.points()).collect();
    let fitted = fit(&points);
    let above = fitted
        .clone()
        .and_then(|line| line.above(&baseline, method));
    let expected = |line: &Line| Some(line.expected(method.source.value()).ok()?.value);
    Some(Robustness {
        expected: above
            .as_ref()
            .ok()
            .and_then(|_| expected(fitted.as_ref().ok()?)),
        reason: above.as_ref().err().map(ToString::to_string),
        above: above.ok(),
        line: fitted.ok(),
        points,
    })
}

/// The comparison with the line; empty if prompt tuning or model tuning has no records.
fn line_blocks(results: &Results, all: &[Robustness]) -> Vec<Block> {
    let Some(first) = all.first() else {
        return Vec::new();
    };
    let question = "Does prompt tuning score higher on a target than a line through model tuning's runs and \
                    checkpoints predicts, with the logit of the target score as a linear function of the logit of \
                    the source score (Taori et al. 2020, Miller et al. 2021)? The line is used only if it rises, \
                    fits the points (R² at least 0.5) and is not extrapolated; otherwise see the comparison at the \
                    same source score."
        .to_owned();
    let heading = Block::heading("Effective robustness");
    let about = about(first);
    // Since all targets have the same runs, the reason is usually the same for all.
    let same = all.iter().all(|target| target.reason == first.reason);
    if let (Some(reason), true) = (&first.reason, same) {
        let words = format!("{question} Not possible here: {reason}.{about}");
        return vec![heading, Block::text(words)];
    }
    let reasons: String = (results.targets.iter().zip(all))
        .filter_map(|(name, found)| Some(format!(" {name}: {}.", found.reason.as_ref()?)))
        .collect();
    vec![
        heading,
        Block::text(question),
        line_table(results, all).into(),
        Block::text(format!(
            "Expected: the line's value at prompt tuning's source score. Above: prompt tuning's target score − \
             expected, in points; passages, source score and line are resampled together.{reasons}{about}"
        )),
    ]
}

/// The limits of the points.
fn about(found: &Robustness) -> String {
    let runs: BTreeSet<usize> = found.points.iter().map(|point| point.run).collect();
    format!(
        " The {} points are from {}, which limits the line. The cited papers fit many independently trained models; \
         checkpoints may be above the line of finished models (Andreassen et al. 2021), so this line is a stricter \
         baseline.",
        found.points.len(),
        count(runs.len(), "run"),
    )
}

fn line_table(results: &Results, all: &[Robustness]) -> Table {
    let header = " | points | slope | intercept | R² | source scores | expected | above [95 %]";
    let rows = results.targets.iter().zip(all).map(|(name, found)| {
        let line = |show: &dyn Fn(&Line) -> String| or_dash(found.line.as_ref(), show);
        vec![
            name.clone(),
            found.points.len().to_string(),
            line(&|line| format!("{:.2}", line.slope).replace('-', "−")),
            line(&|line| format!("{:.2}", line.intercept).replace('-', "−")),
            line(&|line| format!("{:.2}", line.r_squared)),
            line(&|line| format!("{} to {}", percent(line.low), percent(line.high))),
            or_dash(found.expected, percent),
            or_dash(found.above, difference),
        ]
    });
    Table::of(header).rows(rows)
}
