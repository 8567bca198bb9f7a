//! The word that stands where a number has no record behind it: never a zero.

use super::table::MISSING;
use crate::comparison::{Comparison, UnfinishedRun};
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::folder::End;

/// Instead of a method's numbers: whether any of its runs failed, or was begun at least.
pub fn of_method(comparison: &Comparison, method: Method) -> &'static str {
    let runs: Vec<&UnfinishedRun> = comparison.without_record(method).collect();
    let failed = runs.iter().find(|run| run.end != End::Missing);
    word(failed.or(runs.first()).copied())
}

/// Instead of one run's numbers.
pub fn of_run(comparison: &Comparison, method: Method, seed: u64) -> &'static str {
    word(
        comparison
            .without_record(method)
            .find(|run| run.seed == seed),
    )
}

fn word(run: Option<&UnfinishedRun>) -> &'static str {
    match run.map(|run| &run.end) {
        None => MISSING,
        Some(End::Failed { .. }) => "failed",
        Some(End::Missing) => "unfinished",
    }
}
