//! Scores with a few examples of each target, beside zero-shot.

use super::table::TextTable;
use crate::comparison::Comparison;
use crate::k_shot::{KShots, Point};
use crate::number::{count, interval, metric_title, percent, spread, whole};

/// The section; empty where tuning did not go on.
pub fn section(comparison: &Comparison) -> String {
    let Some(found) = &comparison.k_shots else {
        return String::new();
    };
    format!(
        "## With a few examples of the target\n\nNot zero-shot: from what was tuned on {source}, tuning goes on with \
         K examples of the target's training split for {steps}, at the recipe's learning rate held constant, \
         with a fresh optimiser. The last step is kept: no validation is looked at and nothing is selected by a \
         target's rows. Each seed draws its own examples, the same for every method, those of a smaller K within \
         those of a larger.\n\n{table}\n{metric} ± standard deviation over seeds, which here draw other examples \
         too, and its 95 % interval over seeds and passages; K = 0 is zero-shot, as above. Methods that train \
         nothing have no curve. Run by run:\n\n{runs}\n",
        source = comparison.source,
        steps = count(found.tune_on.steps, "step"),
        metric = metric_title(comparison.metric),
        table = table(comparison, found, &|point: &Point| {
            format!(
                "{} {}",
                spread(point.score.value, point.deviation),
                interval(point.score.interval)
            )
        })
        .markdown(),
        runs = table(comparison, found, &|point: &Point| {
            let scores: Vec<String> = point.by_seed.iter().copied().map(percent).collect();
            scores.join(", ")
        })
        .markdown(),
    )
}

fn table(comparison: &Comparison, found: &KShots, show: &dyn Fn(&Point) -> String) -> TextTable {
    let mut header = vec!["target".to_owned(), "method".to_owned()];
    let counts = found.counts().into_iter();
    header.extend(counts.map(|count| format!("K = {}", whole(count as f64))));
    let mut rows = Vec::new();
    for (target, curves) in comparison.targets.iter().zip(&found.curves) {
        for (method, curve) in found.methods.iter().zip(curves) {
            let mut row = vec![target.clone(), comparison.title(*method).to_owned()];
            row.extend(curve.points.iter().map(show));
            rows.push(row);
        }
    }
    TextTable {
        words: &[0, 1],
        header,
        rows,
    }
}
