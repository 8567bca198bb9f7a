//! The paper's scores for the same transfers: Lester et al. 2021, *The Power of Scale for Parameter-Efficient Prompt
//! Tuning* (arXiv 2104.08691), tables 1 and 2, T5-XXL, zero-shot, mean and standard deviation of three runs. Checked
//! against transcriptions of the paper's text.

pub mod models;

use crate::document::{Block, Table, plain};
use crate::number::{metric_title, spread};
use crate::results::Results;
use promptshift_numbers::recipe::Method;

/// The section; empty for transfers that the paper does not include.
pub fn blocks(results: &Results) -> Vec<Block> {
    let known = |domain: &str, metric: &str| find(&results.source, domain, metric);
    let metrics = [results.metric, results.second_metric];
    let has_target = |target: &String| metrics.iter().any(|metric| known(target, metric).is_some());
    if !results.targets.iter().any(has_target) {
        return Vec::new();
    }
    let mut rows = Vec::new();
    for (index, metric) in metrics.into_iter().enumerate() {
        for (place, domain) in results.domains.iter().enumerate() {
            if let Some(published) = known(&domain.name, metric) {
                rows.push(row(results, place, index, published));
            }
        }
    }
    let header = " | prompt tuning: here | published | model tuning: here | published";
    let other_text = match results.suite.as_str() {
        "mini" => {
            " **The published scores are for the real domains and a real T5. The scores here are for generated text \
             that is only named after them, and for a miniature model: they neither confirm nor contradict the \
             paper.**"
                .to_owned()
        }
        "hub" | "mrqa" => String::new(),
        folder => format!(
            " They are for the paper's rows of these domains; the rows of '{}' may differ.",
            plain(folder)
        ),
    };
    let words = format!(
        "Published: Lester et al. 2021 (arXiv 2104.08691), {}, {MODEL}, mean ± standard deviation of three runs; \
         here: {}.{other_text}",
        place(&results.source),
        plain(&results.model)
    );
    let table = Table::of(header).rows(rows);
    Block::section("Comparison with the paper", table, words).to_vec()
}

fn row(results: &Results, domain: usize, metric: usize, published: &Published) -> Vec<String> {
    let here = |method: Method| {
        results.cell(method, |result| {
            let scores = &result.scores[domain];
            match metric {
                0 => spread(scores.score.value, scores.deviation),
                _ => spread(scores.second, scores.second_deviation),
            }
        })
    };
    let metric = metric_title(published.metric);
    vec![
        format!("{} {metric}", results.domains[domain].name),
        here(Method::Prompt),
        published.prompt.to_owned(),
        here(Method::Model),
        published.model.to_owned(),
    ]
}

/// The scores of both methods on one domain, in percent as printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Published {
    /// The domain trained on.
    source: &'static str,
    /// The domain scored; the source itself for its own score.
    domain: &'static str,
    /// The metric's name in records.
    metric: &'static str,
    /// Prompt tuning's mean and deviation.
    prompt: &'static str,
    /// Model tuning's mean and deviation.
    model: &'static str,
}

/// The model of the paper's scores.
const MODEL: &str = "T5-XXL, 11 billion parameters";

/// The table of the paper.
fn place(source: &str) -> &'static str {
    match source {
        "squad" => "table 1",
        _ => "table 2",
    }
}

/// The paper's scores on a domain after training on a source.
fn find(source: &str, domain: &str, metric: &str) -> Option<&'static Published> {
    PUBLISHED.iter().find(|published| {
        (published.source, published.domain, published.metric) == (source, domain, metric)
    })
}

const fn published(
    source: &'static str,
    domain: &'static str,
    metric: &'static str,
    model: &'static str,
    prompt: &'static str,
) -> Published {
    Published {
        source,
        domain,
        metric,
        prompt,
        model,
    }
}

const PUBLISHED: &[Published] = &[
    published("squad", "squad", "f1", "94.9 ± 0.2", "94.8 ± 0.1"),
    published("squad", "textbookqa", "f1", "54.3 ± 3.7", "66.8 ± 2.9"),
    published("squad", "bioasq", "f1", "77.9 ± 0.4", "79.1 ± 0.3"),
    published("squad", "race", "f1", "59.8 ± 0.6", "60.7 ± 0.5"),
    published(
        "squad",
        "relation_extraction",
        "f1",
        "88.4 ± 0.1",
        "88.8 ± 0.2",
    ),
    published("squad", "duorc", "f1", "68.9 ± 0.7", "67.7 ± 1.1"),
    published("squad", "drop", "f1", "68.9 ± 1.7", "67.1 ± 1.9"),
    published("qqp", "mrpc", "accuracy", "73.1 ± 0.9", "76.3 ± 0.1"),
    published("qqp", "mrpc", "f1", "81.2 ± 2.1", "84.3 ± 0.3"),
    published("mrpc", "qqp", "accuracy", "74.9 ± 1.3", "75.4 ± 0.8"),
    published("mrpc", "qqp", "f1", "70.9 ± 1.2", "69.7 ± 0.3"),
];
