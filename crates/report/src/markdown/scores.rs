//! The main table: a row a method for one target, a row a domain for several.

use super::absent;
use super::table::{TextTable, UNDEFINED};
use crate::comparison::{Comparison, Domain, DomainScore, MethodResult};
use crate::number::{
    capital, count, difference, gap, list, metric_title, p_value, percent, spread,
};
use crate::statistics::AgainstModel;
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::folder::End;
use promptshift_numbers::stats::estimate::mean;

/// The name of the column of p values.
const P_VALUES: &str = "p (of these runs)";

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
    let mut header = vec![
        String::new(),
        format!("{} (source) {metric}", comparison.source),
        format!("{} (target) {metric}", comparison.targets[0]),
        "gap [95 %]".to_owned(),
    ];
    let compared = !comparison.statistics.against_model.is_empty();
    if compared {
        header.extend([
            format!(
                "− {}, {} [95 %]",
                Method::Model.title(),
                comparison.targets[0]
            ),
            P_VALUES.to_owned(),
        ]);
    }
    let mut rows: Vec<Vec<String>> = comparison
        .told()
        .into_iter()
        .chain([Method::Untuned])
        .map(|method| match comparison.method(method) {
            None => {
                let mut row = vec![comparison.title(method).to_owned()];
                let word = absent::of_method(comparison, method);
                row.resize(header.len(), word.to_owned());
                row
            }
            Some(result) => {
                let mut row = vec![
                    named(comparison, result),
                    score(result.source()),
                    score(&result.targets()[0]),
                    result.targets()[0].gap.map_or(UNDEFINED.to_owned(), gap),
                ];
                if compared {
                    let tests = comparison.statistics.against_model(method);
                    row.extend(against_model(tests, 1));
                }
                row
            }
        })
        .collect();
    let mut floor = vec!["floor".to_owned()];
    floor.extend(
        comparison
            .domains
            .iter()
            .map(|domain| optional(domain.floor)),
    );
    floor.resize(header.len(), UNDEFINED.to_owned());
    rows.push(floor);
    TextTable {
        words: &[0],
        header,
        rows,
    }
}

fn named(comparison: &Comparison, result: &MethodResult) -> String {
    let failed = (comparison.without_record(result.method))
        .filter(|run| run.end != End::Missing)
        .count();
    let failed = match failed {
        0 => String::new(),
        failed => format!(", {failed} failed"),
    };
    match result.method {
        Method::Untuned => result.title.clone(),
        _ => format!("**{}**, {}{failed}", result.title, result.runs()),
    }
}

fn by_domain(comparison: &Comparison) -> TextTable {
    let metric = metric_title(comparison.metric);
    let mut header = vec![metric.to_owned()];
    let tuned = comparison.told();
    for method in &tuned {
        header.push(comparison.title(*method).to_owned());
        header.push("gap [95 %]".to_owned());
        if comparison.statistics.against_model(*method).is_some() {
            header.push(format!("− {} [95 %]", Method::Model.title()));
            header.push(P_VALUES.to_owned());
        }
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
                let word = absent::of_method(comparison, *method);
                row.push(scores.map_or(word.to_owned(), score));
                row.push(match scores {
                    None => word.to_owned(),
                    Some(scores) => scores.gap.map_or(UNDEFINED.to_owned(), gap),
                });
                let tests = comparison.statistics.against_model(*method);
                if tests.is_some() {
                    row.extend(against_model(tests, index));
                }
            }
            let untuned = comparison
                .method(Method::Untuned)
                .map(|result| &result.scores[index]);
            let word = absent::of_method(comparison, Method::Untuned);
            row.push(untuned.map_or(word.to_owned(), score));
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
        let word = absent::of_method(comparison, method);
        estimate.map_or(word.to_owned(), |estimate| percent(estimate.value))
    };
    for method in comparison.told() {
        row.push(value(method));
        let estimate = comparison.method(method).and_then(|result| result.mean_gap);
        let word = absent::of_method(comparison, method);
        row.push(estimate.map_or(word.to_owned(), gap));
        if let Some(tests) = comparison.statistics.against_model(method) {
            row.push(difference(tests.mean.difference));
            row.push(p_values(tests.mean.score_p_value, None));
        }
    }
    row.push(value(Method::Untuned));
    let floors: Option<Vec<f64>> = comparison.domains[1..]
        .iter()
        .map(|domain| domain.floor)
        .collect();
    row.push(optional(floors.and_then(|floors| mean(&floors))));
    row
}

/// The difference to model tuning on one domain, and its p values.
fn against_model(tests: Option<&AgainstModel>, domain: usize) -> [String; 2] {
    let test = tests.and_then(|tests| tests.domains.get(domain));
    test.map_or([UNDEFINED, UNDEFINED].map(str::to_owned), |test| {
        [
            difference(test.difference),
            p_values(test.adjusted, test.runs_adjusted),
        ]
    })
}

/// `0.023 (< 0.001)`: over seeds and passages, and of these runs.
fn p_values(adjusted: Option<f64>, of_runs: Option<f64>) -> String {
    let runs = of_runs.map_or(String::new(), |p| format!(" ({})", p_value(p)));
    format!("{}{runs}", adjusted.map_or(UNDEFINED.to_owned(), p_value))
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
    let chance = match comparison.statistics.against_model.is_empty() {
        true => "",
        false => {
            " p is that of no difference to model tuning over other seeds and passages, in brackets \
             that of these runs alone by a permutation test; both by Holm for the number of targets."
        }
    };
    format!(
        "{} in percent, mean ± standard deviation over seeds; gap in points, with its 95 % \
         interval.{chance} Scored: {scored}.",
        capital(metric_title(comparison.metric)),
    )
}

/// The other metric, without intervals.
pub fn second_table(comparison: &Comparison) -> TextTable {
    let mut header = vec![metric_title(comparison.second_metric).to_owned()];
    let methods: Vec<Method> = (comparison.told().into_iter())
        .chain([Method::Untuned])
        .collect();
    header.extend(
        methods
            .iter()
            .map(|method| comparison.title(*method).to_owned()),
    );
    let rows = comparison
        .domains
        .iter()
        .enumerate()
        .map(|(index, domain)| {
            let mut row = vec![domain.name.clone()];
            row.extend(methods.iter().map(|method| {
                comparison.method(*method).map_or(
                    absent::of_method(comparison, *method).to_owned(),
                    |result| {
                        let scores = &result.scores[index];
                        spread(scores.second, scores.second_deviation)
                    },
                )
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
