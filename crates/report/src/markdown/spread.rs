//! Two spreads that are easily taken for each other: other seeds, other test passages.

use super::table::{TextTable, UNDEFINED};
use crate::comparison::Comparison;
use crate::number::percent;
use crate::statistics::Spread;

/// The section: standard errors of the tuned methods' scores, by where they come from.
pub fn section(comparison: &Comparison) -> String {
    if comparison.tuned().next().is_none() {
        return String::new();
    }
    format!(
        "## Two spreads\n\n{}\nStandard errors in points, of the mean over seeds. *Other seeds*: how far the \
         mean over as many other training runs would be off, beyond what passages explain; – with one \
         seed, which cannot show it. *Other passages*: how far these runs would be off on as many other \
         passages. Neither is the other, and intervals hold both.\n\n",
        table(comparison).markdown()
    )
}

fn table(comparison: &Comparison) -> TextTable {
    let mut header = vec![String::new()];
    let spreads: Vec<(&Spread, usize)> = comparison
        .tuned()
        .filter_map(|result| {
            let spreads = &comparison.statistics.spreads;
            let spread = spreads
                .iter()
                .find(|spread| spread.method == result.method)?;
            Some((spread, result.seeds.len()))
        })
        .collect();
    for (spread, _) in &spreads {
        let method = comparison.title(spread.method);
        header.push(format!("{method}: other seeds"));
        header.push("other passages".to_owned());
    }
    let rows = comparison
        .domains
        .iter()
        .enumerate()
        .map(|(index, domain)| {
            let mut row = vec![domain.name.clone()];
            for (spread, seeds) in &spreads {
                row.push(match seeds {
                    1 => UNDEFINED.to_owned(),
                    _ => percent(spread.seeds[index]),
                });
                row.push(percent(spread.passages[index]));
            }
            row
        })
        .collect();
    TextTable {
        words: &[0],
        header,
        rows,
    }
}
