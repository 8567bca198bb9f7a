//! Every seed's numbers.

use super::absent;
use super::table::{TextTable, UNDEFINED};
use crate::comparison::{Comparison, MethodResult};
use crate::number::percent;
use crate::study::Study;
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::Stop;

/// A row for each method and seed of the plan, with a word where it has no record.
pub fn table(study: &Study, comparison: &Comparison) -> TextTable {
    let mut header = vec!["method, seed".to_owned()];
    header.extend(comparison.domains.iter().map(|domain| domain.name.clone()));
    header.extend(["best step".to_owned(), "ended".to_owned()]);
    let mut rows = Vec::new();
    for method in comparison.told() {
        // The runs of what was tuned elsewhere are counted, and have no seeds.
        let (runs, run) = match (method, comparison.method(method)) {
            (Method::Elsewhere, Some(result)) => (result.seeds.iter().copied().collect(), "run "),
            _ => (study.seeds(), ""),
        };
        for seed in runs {
            let mut row = vec![format!("{}, {run}{seed}", comparison.title(method))];
            let numbers = comparison
                .method(method)
                .and_then(|result| numbers(study, result, seed))
                .unwrap_or_else(|| {
                    let word = absent::of_run(comparison, method, seed);
                    vec![word.to_owned(); header.len() - 1]
                });
            row.extend(numbers);
            rows.push(row);
        }
    }
    TextTable {
        words: &[0],
        header,
        rows,
    }
}

fn numbers(study: &Study, result: &MethodResult, seed: u64) -> Option<Vec<String>> {
    let place = result.seeds.iter().position(|found| *found == seed)?;
    let mut row: Vec<String> = result
        .scores
        .iter()
        .map(|scores| percent(scores.by_seed[place]))
        .collect();
    let records = study.of(result.method);
    match records[place].record.training.as_ref() {
        Some(training) if training.steps > 0 => {
            row.push(format!("{} of {}", training.best_step, training.steps));
            row.push(match training.stop {
                Stop::Budget => "all steps taken".to_owned(),
                Stop::Patience => "no better for a while".to_owned(),
            });
        }
        _ => row.extend([UNDEFINED.to_owned(), UNDEFINED.to_owned()]),
    }
    Some(row)
}
