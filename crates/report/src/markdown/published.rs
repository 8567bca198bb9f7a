//! The paper's scores beside these.

use super::absent;
use super::table::TextTable;
use super::text::plain;
use crate::comparison::Comparison;
use crate::number::{metric_title, spread};
use crate::published::{MODEL, Published, find, place};
use promptshift_numbers::recipe::Method;

/// The section; nothing for transfers that the paper does not have.
pub fn section(comparison: &Comparison) -> String {
    let known = |domain: &str, metric: &str| find(&comparison.source, domain, metric);
    let metrics = [comparison.metric, comparison.second_metric];
    let any = comparison
        .targets
        .iter()
        .any(|target| metrics.iter().any(|metric| known(target, metric).is_some()));
    if !any {
        return String::new();
    }
    let mut rows = Vec::new();
    for (index, metric) in metrics.into_iter().enumerate() {
        for (place, domain) in comparison.domains.iter().enumerate() {
            if let Some(published) = known(&domain.name, metric) {
                rows.push(row(comparison, place, index, published));
            }
        }
    }
    let table = TextTable {
        words: &[0],
        header: vec![
            String::new(),
            "prompt tuning: here".to_owned(),
            "published".to_owned(),
            "model tuning: here".to_owned(),
            "published".to_owned(),
        ],
        rows,
    };
    let generated = match comparison.suite.as_str() {
        "mini" => {
            " **They are of the real domains and of a real T5. The numbers here are of generated text \
             that is only named after them, and of a miniature: they neither confirm nor contradict \
             the paper.**"
                .to_owned()
        }
        "hub" | "mrqa" => String::new(),
        folder => format!(
            " They are of the paper's own rows of these domains; those of '{}' need not be the same.",
            plain(folder)
        ),
    };
    format!(
        "## Beside the paper\n\n{}\nPublished: Lester et al. 2021 (arXiv 2104.08691), {}, {MODEL}, \
         mean ± standard deviation of three runs; here: {}. \\[MEM\\] The published numbers were \
         written down from memory and are not checked against the paper's text.{generated}\n\n",
        table.markdown(),
        place(&comparison.source),
        plain(&comparison.model)
    )
}

fn row(
    comparison: &Comparison,
    domain: usize,
    metric: usize,
    published: &Published,
) -> Vec<String> {
    let here = |method: Method| {
        comparison.method(method).map_or(
            absent::of_method(comparison, method).to_owned(),
            |result| {
                let scores = &result.scores[domain];
                match metric {
                    0 => spread(scores.score.value, scores.deviation),
                    _ => spread(scores.second, scores.second_deviation),
                }
            },
        )
    };
    let there = |score: &str| format!("{score} \\[MEM\\]");
    vec![
        format!(
            "{} {}",
            comparison.domains[domain].name,
            metric_title(published.metric)
        ),
        here(Method::Prompt),
        there(published.prompt),
        here(Method::Model),
        there(published.model),
    ]
}
