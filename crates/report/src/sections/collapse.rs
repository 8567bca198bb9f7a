//! How many runs failed or collapsed, and scores that depend less on a single run than the mean.

use crate::document::{Block, Table, or_dash};
use crate::number::{interval, percent, whole};
use crate::results::{MethodResult, Results};
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::folder::End;
use promptshift_numbers::stats::estimate::{mean, median};
use promptshift_numbers::stats::runs::{Collapse, interquartile_mean};

/// A run has collapsed if its source score is below this fraction of the way from the floor to its method's best run.
const COLLAPSED: f64 = 0.5;

/// The source score below which a run of a method has collapsed; the floor if no run is above it.
pub fn bar(result: &MethodResult, floor: Option<f64>) -> f64 {
    let floor = floor.unwrap_or(0.0);
    let best = (result.source().by_seed.iter()).fold(floor, |best, score| best.max(*score));
    floor + COLLAPSED * (best - floor)
}

/// The outcomes of a method's runs; `None` without runs.
pub fn collapse(results: &Results, method: Method) -> Option<Collapse> {
    let failed = results
        .without_record(method)
        .filter(|run| run.end != End::Missing)
        .count();
    match results.method(method) {
        Some(result) => {
            let bar = bar(result, results.domains[0].floor());
            Collapse::of(&result.source().by_seed, bar, failed)
        }
        None => Collapse::of(&[], 0.0, failed),
    }
}

/// The section; empty if no method has several runs.
pub fn blocks(results: &Results) -> Vec<Block> {
    let all: Vec<(Method, Collapse)> = (results.reported().into_iter())
        .filter_map(|method| Some((method, collapse(results, method)?)))
        .collect();
    if all.iter().all(|(_, found)| found.runs < 2) {
        return Vec::new();
    }
    let header = "method | runs | failed | collapsed | failed or collapsed, in % [95 %] | source: mean | \
        median | middle half | targets: mean | median | middle half";
    let rows = all.iter().map(|(method, found)| {
        let targets = results
            .method(*method)
            .map(mean_targets)
            .unwrap_or_default();
        let scores = [
            found.mean,
            found.median,
            found.interquartile_mean,
            mean(&targets),
            median(&targets),
            interquartile_mean(&targets),
        ];
        let counts = [found.runs, found.failed, found.collapsed];
        let chance = found.chance;
        std::iter::once(results.title(*method).to_owned())
            .chain(counts.map(|count| whole(count as f64)))
            .chain([format!(
                "{} {}",
                percent(chance.value),
                interval(chance.interval)
            )])
            .chain(scores.map(|score| or_dash(score, percent)))
            .collect()
    });
    Block::section(
        "Failed and collapsed runs",
        Table::of(header).rows(rows),
        "A run has collapsed if its source score is less than halfway from the floor to that of its method's best \
         run. The interval of the share is Clopper and Pearson's: none of five is compatible with a rate of one \
         half. Failed runs have no score. *Middle half*: the interquartile mean of the runs (Agarwal et al. 2021), \
         which depends less on a single collapsed run than the mean; *targets*: of each run's mean over targets.",
    )
    .into()
}

/// Each run's mean over targets.
fn mean_targets(result: &MethodResult) -> Vec<f64> {
    let targets = result.targets();
    (0..result.seeds.len())
        .filter_map(|run| {
            let scores: Vec<f64> = targets.iter().map(|scores| scores.by_seed[run]).collect();
            mean(&scores)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Fixture, compared};
    use crate::results::UnfinishedRun;

    #[test]
    fn a_collapsed_run_and_a_failed_one_are_counted() {
        let mut results = compared(&Fixture::one_target().records()).results;
        let prompt = |results: &Results| collapse(results, Method::Prompt).expect("three runs");
        let before = prompt(&results);
        assert_eq!((before.runs, before.failed, before.collapsed), (3, 0, 0));
        let mut methods = results.methods.iter();
        let place = methods.position(|one| one.method == Method::Prompt);
        let place = place.expect("it has records");
        // The floor is 18: halfway to the best run's 60 or so is about 39.
        results.methods[place].scores[0].by_seed[1] = 0.3;
        results.unfinished.push(UnfinishedRun {
            method: Method::Prompt,
            seed: 3,
            end: End::Failed {
                reason: "loss is not a number".to_owned(),
            },
        });
        let found = prompt(&results);
        assert_eq!((found.runs, found.failed, found.collapsed), (4, 1, 1));
        assert_eq!(found.chance.value, 0.5);
        results.methods[place].scores[0].by_seed[1] = 0.45;
        assert_eq!(prompt(&results).collapsed, 0);
    }
}
