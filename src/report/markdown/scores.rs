//! The main table: a row a method for one target, a row a domain for several.

use super::table::{MISSING, TextTable, UNDEFINED};
use crate::recipe::Method;
use crate::report::comparison::{Comparison, Domain, DomainScore, MethodResult};
use crate::report::number::{capital, count, gap, list, metric_title, percent, spread};
use crate::stats::estimate::mean;

/// Columns that are still read at a glance: those of three methods with their gaps.
const WIDEST: usize = 9;

/// Scores and gaps of the main metric.
pub fn table(comparison: &Comparison) -> TextTable {
    if comparison.targets.len() == 1 {
        by_method(comparison)
    } else {
        by_domain(comparison)
    }
}

fn by_method(comparison: &Comparison) -> TextTable {
    let metric = metric_title(comparison.metric);
    let header = vec![
        String::new(),
        format!("{} (source) {metric}", comparison.source),
        format!("{} (target) {metric}", comparison.targets[0]),
        "gap [95 %]".to_owned(),
    ];
    let mut rows: Vec<Vec<String>> = comparison
        .told()
        .into_iter()
        .chain([Method::Untuned])
        .map(|method| match comparison.method(method) {
            None => {
                let mut row = vec![method.title().to_owned()];
                row.resize(header.len(), MISSING.to_owned());
                row
            }
            Some(result) => vec![
                named(result),
                score(result.source()),
                score(&result.targets()[0]),
                result.targets()[0].gap.map_or(UNDEFINED.to_owned(), gap),
            ],
        })
        .collect();
    let mut floor = vec!["floor".to_owned()];
    floor.extend(
        comparison
            .domains
            .iter()
            .map(|domain| optional(domain.floor)),
    );
    floor.push(UNDEFINED.to_owned());
    rows.push(floor);
    TextTable {
        words: &[0],
        header,
        rows,
    }
}

fn named(result: &MethodResult) -> String {
    match result.method {
        Method::Untuned => result.method.title().to_owned(),
        method => format!(
            "**{}**, {}",
            method.title(),
            count(result.seeds.len(), "seed")
        ),
    }
}

fn by_domain(comparison: &Comparison) -> TextTable {
    let metric = metric_title(comparison.metric);
    let mut header = vec![metric.to_owned()];
    let tuned = comparison.told();
    for method in &tuned {
        header.push(method.title().to_owned());
        header.push("gap [95 %]".to_owned());
    }
    header.extend(["untuned".to_owned(), "floor".to_owned()]);
    let mut rows: Vec<Vec<String>> = comparison
        .domains
        .iter()
        .enumerate()
        .map(|(index, domain)| {
            let name = if index == 0 {
                format!("{} (source)", domain.name)
            } else {
                domain.name.clone()
            };
            let mut row = vec![name];
            for method in &tuned {
                let scores = comparison
                    .method(*method)
                    .map(|result| &result.scores[index]);
                row.push(scores.map_or(MISSING.to_owned(), score));
                row.push(match scores {
                    None => MISSING.to_owned(),
                    Some(scores) => scores.gap.map_or(UNDEFINED.to_owned(), gap),
                });
            }
            let untuned = comparison
                .method(Method::Untuned)
                .map(|result| &result.scores[index]);
            row.push(untuned.map_or(MISSING.to_owned(), score));
            row.push(optional(domain.floor));
            row
        })
        .collect();
    rows.push(averages(comparison));
    TextTable {
        words: &[0],
        header,
        rows,
    }
    .no_wider_than(WIDEST)
}

/// The last row: means over targets.
fn averages(comparison: &Comparison) -> Vec<String> {
    let mut row = vec!["**mean of targets**".to_owned()];
    let value = |method: Method| {
        let estimate = comparison
            .method(method)
            .and_then(|result| result.mean_target);
        estimate.map_or(MISSING.to_owned(), |estimate| percent(estimate.value))
    };
    for method in comparison.told() {
        row.push(value(method));
        let estimate = comparison.method(method).and_then(|result| result.mean_gap);
        row.push(estimate.map_or(MISSING.to_owned(), gap));
    }
    row.push(value(Method::Untuned));
    let floors: Option<Vec<f64>> = comparison.domains[1..]
        .iter()
        .map(|domain| domain.floor)
        .collect();
    row.push(optional(floors.and_then(|floors| mean(&floors))));
    row
}

fn score(scores: &DomainScore) -> String {
    spread(scores.score.value, scores.deviation)
}

fn optional(ratio: Option<f64>) -> String {
    ratio.map_or(UNDEFINED.to_owned(), percent)
}

/// How many examples stand behind the table.
pub fn caption(comparison: &Comparison) -> String {
    let size = |domain: &Domain| {
        let examples = count(domain.examples, "example");
        format!(
            "{examples} on {} ({} split)",
            count(domain.passages, "passage"),
            domain.split
        )
    };
    let first = size(&comparison.domains[0]);
    let scored = if comparison
        .domains
        .iter()
        .all(|domain| size(domain) == first)
    {
        format!("of each domain {first}")
    } else {
        let sizes: Vec<String> = comparison
            .domains
            .iter()
            .map(|domain| format!("{} {}", domain.name, size(domain)))
            .collect();
        list(&sizes)
    };
    format!(
        "{} in percent, mean ± standard deviation over seeds; gap in points, with its 95 % interval. \
         Scored: {scored}.",
        capital(metric_title(comparison.metric)),
    )
}

/// The other metric, without intervals.
pub fn second_table(comparison: &Comparison) -> TextTable {
    let mut header = vec![metric_title(comparison.second_metric).to_owned()];
    let methods: Vec<Method> = (comparison.told().into_iter())
        .chain([Method::Untuned])
        .collect();
    header.extend(methods.iter().map(|method| method.title().to_owned()));
    let rows = comparison
        .domains
        .iter()
        .enumerate()
        .map(|(index, domain)| {
            let mut row = vec![domain.name.clone()];
            row.extend(methods.iter().map(|method| {
                comparison
                    .method(*method)
                    .map_or(MISSING.to_owned(), |result| {
                        let scores = &result.scores[index];
                        spread(scores.second, scores.second_deviation)
                    })
            }));
            row
        })
        .collect();
    TextTable {
        words: &[0],
        header,
        rows,
    }
    .no_wider_than(WIDEST)
}
