//! What the search for each method's recipe found, and what a shorter one would have.

use serde::Serialize;

use crate::study::Study;
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::search::Search;
use promptshift_numbers::stats::budget::expected_best;

/// The search for one method's recipe. Scores are on source validation, in [0, 1].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MethodSearch {
    /// The method.
    pub method: Method,
    /// Its trials.
    pub search: Search,
    /// The expected best score after one trial, two, and so on; a failed trial counts as a score of 0.
    pub expected: Vec<f64>,
}

/// The searches of the methods that have one.
pub(super) fn searches(study: &Study) -> Vec<MethodSearch> {
    let of_method = |method: Method| {
        let search =
            (study.of(method).into_iter()).find_map(|stored| stored.record.search.clone())?;
        let scores: Vec<f64> = (search.trials.iter())
            .map(|trial| trial.validation_score().unwrap_or(0.0))
            .collect();
        Some(MethodSearch {
            method,
            expected: expected_best(&scores),
            search,
        })
    };
    Method::ALL.into_iter().filter_map(of_method).collect()
}
