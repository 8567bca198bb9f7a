//! How far do target scores fall below source scores: the share that each method retains.

use serde::Serialize;

use crate::document::{Block, Table, or_dash};
use crate::number::gap;
use crate::resamples::Resamples;
use crate::results::Results;
use promptshift_numbers::recipe::Method;
use promptshift_numbers::stats::bootstrap::Draws;
use promptshift_numbers::stats::estimate::Estimate;

/// Target score over source score: 1 where nothing is lost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Retention {
    /// The method.
    pub method: Method,
    /// On each target; absent where the source score is zero.
    pub targets: Vec<Option<Estimate>>,
    /// The mean target score over the source score.
    pub mean: Option<Estimate>,
}

/// Of every method.
pub fn retention(resamples: &Resamples) -> Vec<Retention> {
    let of_method = |method: Method| {
        let retained = |target: Option<&Draws>| {
            let ratio = target?.over(resamples.score(0, method)?)?;
            Some(ratio.estimate())
        };
        Retention {
            method,
            targets: (resamples.targets())
                .map(|domain| retained(resamples.score(domain, method)))
                .collect(),
            mean: retained(resamples.mean_target(method).as_ref()),
        }
    };
    resamples.methods().map(of_method).collect()
}

/// The section; empty without tuned methods.
pub fn blocks(results: &Results, retained: &[Retention]) -> Vec<Block> {
    let retained: Vec<&Retention> = (results.tuned())
        .filter_map(|result| retained.iter().find(|one| one.method == result.method))
        .collect();
    if retained.is_empty() {
        return Vec::new();
    }
    Block::section(
        "Retained share of the source score",
        table(results, &retained),
        "Target score over source score in percent, with its 95 % interval: 100 means that nothing is lost.",
    )
    .to_vec()
}

fn table(results: &Results, retained: &[&Retention]) -> Table {
    let titles = retained.iter().map(|one| results.title(one.method));
    let header = std::iter::once("retained [95 %]").chain(titles);
    let row = |name: &str, of: &dyn Fn(&Retention) -> Option<Estimate>| -> Vec<String> {
        let cells = retained.iter().map(|one| or_dash(of(one), gap));
        std::iter::once(name.to_owned()).chain(cells).collect()
    };
    let targets = results.targets.iter().enumerate();
    let mut rows: Vec<Vec<String>> = targets
        .map(|(target, name)| row(name, &|one| one.targets[target]))
        .collect();
    if results.targets.len() > 1 {
        rows.push(row("**mean of targets**", &|one| one.mean));
    }
    Table::new(header).rows(rows)
}
