//! Right answers run by run.

use super::table::{TextTable, UNDEFINED};
use crate::comparison::Comparison;
use crate::number::{interval, p_value, percent, whole};
use crate::statistics::runs::{RightAnswers, Share};
use promptshift_numbers::recipe::Method;
use promptshift_text::domain::Task;

/// The section, folded, as it is long; empty without tuned methods.
pub fn section(comparison: &Comparison) -> String {
    let runs = &comparison.statistics.runs;
    if runs.shares.is_empty() {
        return String::new();
    }
    let right = match comparison.task {
        Task::ExtractiveQa => "an exact match with a right answer",
        _ => "the right label",
    };
    let mcnemar = match runs.pairs.is_empty() {
        true => "",
        false => {
            " *Alone*: examples on which one of the two runs with that seed is right and the other is not; \
             p is McNemar's, exact, that such examples fall either way alike, adjusted for the number of \
             targets (Holm)."
        }
    };
    format!(
        "<details><summary>Right answers, run by run</summary>\n\n{}\nRight is {right}; [low, high] is Wilson's 95 % \
         interval of a share.{mcnemar} Both take examples for independent and the runs for given: where \
         questions share passages, intervals are somewhat too narrow and p somewhat too small, and \
         neither speaks of other seeds.\n\n</details>\n\n",
        table(comparison, runs).markdown()
    )
}

fn table(comparison: &Comparison, runs: &RightAnswers) -> TextTable {
    let methods: Vec<Method> = comparison.tuned().map(|result| result.method).collect();
    let mut seeds: Vec<u64> = runs.shares.iter().map(|run| run.seed).collect();
    seeds.sort_unstable();
    seeds.dedup();
    let mut header = vec!["domain, seed".to_owned()];
    header.extend(
        methods
            .iter()
            .map(|method| format!("{} [95 %]", comparison.title(*method))),
    );
    if !runs.pairs.is_empty() {
        header.extend(["prompt alone", "model alone", "p"].map(str::to_owned));
    }
    let mut rows = Vec::new();
    for (domain, described) in comparison.domains.iter().enumerate() {
        for seed in &seeds {
            let mut row = vec![format!("{}, {seed}", described.name)];
            row.extend(methods.iter().map(|method| {
                let run =
                    (runs.shares.iter()).find(|run| run.method == *method && run.seed == *seed);
                run.map_or(UNDEFINED.to_owned(), |run| shown(run.domains[domain]))
            }));
            if !runs.pairs.is_empty() {
                let pair = runs.pairs.iter().find(|pair| pair.seed == *seed);
                row.extend(pair.map_or([(); 3].map(|()| UNDEFINED.to_owned()), |pair| {
                    let found = pair.domains[domain];
                    [
                        whole(found.test.first_only as f64),
                        whole(found.test.second_only as f64),
                        p_value(found.adjusted),
                    ]
                }));
            }
            rows.push(row);
        }
    }
    TextTable {
        words: &[0],
        header,
        rows,
    }
}

fn shown(share: Share) -> String {
    let range = share
        .interval
        .map_or(String::new(), |range| format!(" {}", interval(range)));
    format!(
        "{}{range}",
        percent(share.right as f64 / share.examples.max(1) as f64)
    )
}
