//! What share of its source score a method keeps.

use super::table::{TextTable, UNDEFINED};
use crate::comparison::Comparison;
use crate::number::gap;
use crate::statistics::Retention;
use promptshift_numbers::stats::estimate::Estimate;

/// The section, empty without tuned methods.
pub fn section(comparison: &Comparison) -> String {
    let kept: Vec<&Retention> = comparison
        .tuned()
        .filter_map(|result| {
            let all = &comparison.statistics.retention;
            all.iter()
                .find(|retention| retention.method == result.method)
        })
        .collect();
    if kept.is_empty() {
        return String::new();
    }
    format!(
        "## What is kept\n\n{}\nTarget score over source score in percent, with its 95 % interval: 100 where \
         nothing is lost.\n\n",
        table(comparison, &kept).markdown()
    )
}

fn table(comparison: &Comparison, kept: &[&Retention]) -> TextTable {
    let mut header = vec!["retention [95 %]".to_owned()];
    header.extend(
        kept.iter()
            .map(|retention| comparison.title(retention.method).to_owned()),
    );
    let cell = |estimate: Option<Estimate>| estimate.map_or(UNDEFINED.to_owned(), gap);
    let mut rows: Vec<Vec<String>> = comparison
        .targets
        .iter()
        .enumerate()
        .map(|(target, name)| {
            let mut row = vec![name.clone()];
            row.extend(kept.iter().map(|retention| cell(retention.targets[target])));
            row
        })
        .collect();
    if comparison.targets.len() > 1 {
        let mut row = vec!["**mean of targets**".to_owned()];
        row.extend(kept.iter().map(|retention| cell(retention.mean)));
        rows.push(row);
    }
    TextTable {
        words: &[0],
        header,
        rows,
    }
}
