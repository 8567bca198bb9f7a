//! Effective robustness: against the line of model tuning.

use super::table::{TextTable, UNDEFINED};
use crate::comparison::Comparison;
use crate::number::{count, difference, gap};
use crate::statistics::line::Robustness;

/// The section; empty where there is no difference to look into.
pub fn section(comparison: &Comparison) -> String {
    let all = &comparison.statistics.robustness;
    let Some(first) = all.first() else {
        return String::new();
    };
    let through = match first.checkpoints.is_empty() {
        true => "runs of model tuning",
        false => "runs of model tuning and their checkpoints",
    };
    let question = format!(
        "Does prompt tuning keep more than model tuning would from the same source score? For that a line is fitted \
         through {through}, logit of target score against logit of source score (Taori et al. 2020, Miller et al. \
         2021), and prompt tuning is held against it"
    );
    let about = about(first);
    // With the same runs on every target, one reason mostly holds for all.
    let same = all.iter().all(|target| target.reason == first.reason);
    if let (Some(reason), true) = (&first.reason, same) {
        return format!(
            "## Effective robustness\n\n{question}. Here it cannot be: {reason}.{about}\n\n"
        );
    }
    format!(
        "## Effective robustness\n\n{question}.\n\n{}\nExpected: the line at prompt tuning's source score, with its \
         95 % band. Above: prompt tuning's target score − expected, in points.{}{about}\n\n",
        table(comparison, all).markdown(),
        reasons(comparison, all)
    )
}

/// What the points are, and what is to be minded with them.
fn about(found: &Robustness) -> String {
    if found.checkpoints.is_empty() {
        return String::new();
    }
    format!(
        " Of the {} points {} are checkpoints: runs in the middle of their training, scored on at most {} examples of \
         each test split. Points of one run are no independent ones, so the band comes from leaving out one run at a \
         time and is as wide as {} can tell. The sources fit many models that were trained each by itself; one \
         model's way may lie higher than where it ends (Andreassen et al. 2021), so that this line can be the higher \
         bar.",
        found.points.len() + found.checkpoints.len(),
        found.checkpoints.len(),
        found.checkpoint_examples,
        count(found.points.len(), "run"),
    )
}

fn table(comparison: &Comparison, all: &[Robustness]) -> TextTable {
    let header = [
        "",
        "runs",
        "checkpoints",
        "slope",
        "intercept",
        "R²",
        "source scores",
        "expected [95 %]",
        "above [95 %]",
    ];
    let rows = comparison
        .targets
        .iter()
        .zip(all)
        .map(|(name, found)| {
            let line = |show: &dyn Fn(&promptshift_numbers::stats::robustness::Line) -> String| {
                found.line.as_ref().map_or(UNDEFINED.to_owned(), show)
            };
            vec![
                name.clone(),
                found.points.len().to_string(),
                found.checkpoints.len().to_string(),
                line(&|line| format!("{:.2}", line.slope)),
                line(&|line| format!("{:.2}", line.intercept)),
                line(&|line| format!("{:.2}", line.r_squared)),
                line(&|line| format!("{:.1} to {:.1}", 100.0 * line.low, 100.0 * line.high)),
                found.expected.map_or(UNDEFINED.to_owned(), gap),
                found.above.map_or(UNDEFINED.to_owned(), difference),
            ]
        })
        .collect();
    TextTable {
        words: &[0],
        header: header.map(str::to_owned).to_vec(),
        rows,
    }
}

fn reasons(comparison: &Comparison, all: &[Robustness]) -> String {
    comparison
        .targets
        .iter()
        .zip(all)
        .filter_map(|(name, found)| Some(format!(" {name}: {}.", found.reason.as_ref()?)))
        .collect()
}
