//! How the recipes were chosen, and how much that mattered.

use super::table::{TextTable, UNDEFINED};
use crate::comparison::Comparison;
use crate::number::{capital, list, metric_title, percent};
use crate::statistics::budget::MethodSearch;

/// The section; empty where no recipe was searched for.
pub fn section(comparison: &Comparison) -> String {
    let searches = &comparison.statistics.searches;
    let Some(seed) = searches.first().map(|one| one.search.seed) else {
        return String::new();
    };
    format!(
        "## The search for recipes\n\n{}\n{} on {} validation, in percent, at each trial's best step, with \
         seed {seed}; no target was looked at. The best trial's recipe was then trained with the reported \
         seeds. *Expected after k*: the mean of the best of k of these trials (Dodge et al. 2019), a failed one \
         counted as 0: where it still rises, a longer search may change the comparison.\n\n",
        table(searches).markdown(),
        capital(metric_title(comparison.metric)),
        comparison.source
    )
}

fn table(searches: &[MethodSearch]) -> TextTable {
    let most = (searches.iter().map(|one| one.expected.len()))
        .max()
        .unwrap_or(0);
    let mut header = ["", "learning rates tried: score", "taken"]
        .map(str::to_owned)
        .to_vec();
    header.extend((1..=most).map(|k| format!("expected after {k}")));
    let rows = searches
        .iter()
        .map(|one| {
            let trials: Vec<String> = (one.search.trials.iter())
                .map(|trial| {
                    let score = trial
                        .validation_score()
                        .map_or("failed".to_owned(), percent);
                    format!("{}: {score}", trial.learning_rate)
                })
                .collect();
            let taken = one.search.trials.get(one.search.chosen);
            let mut row = vec![
                one.method.title().to_owned(),
                trials.join("; "),
                taken.map_or(UNDEFINED.to_owned(), |trial| {
                    trial.learning_rate.to_string()
                }),
            ];
            row.extend((0..most).map(|k| {
                let expected = one.expected.get(k);
                expected.map_or(UNDEFINED.to_owned(), |score| percent(*score))
            }));
            row
        })
        .collect();
    TextTable {
        words: &[0, 1],
        header,
        rows,
    }
}

/// How many trials each method had, in one sentence.
pub fn budget(comparison: &Comparison) -> String {
    let trials = comparison.trials();
    let mut counts: Vec<usize> = trials.iter().map(|(_, count)| *count).collect();
    counts.sort_unstable();
    counts.dedup();
    match counts.as_slice() {
        [] | [1] => {
            "every method had 1 trial: its recipe as it stands, nothing was searched for".to_owned()
        }
        [same] => format!(
            "every method had {same} trials of its recipe on source validation, and the best one was taken"
        ),
        _ => {
            let each: Vec<String> = (trials.iter())
                .map(|(method, count)| format!("{} {count}", comparison.title(*method)))
                .collect();
            format!("**not the same for all**: trials of {}", list(&each))
        }
    }
}
