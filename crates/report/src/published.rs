//! Scores that the paper has for the same transfers: Lester et al. 2021, *The Power of Scale for
//! Parameter-Efficient Prompt Tuning* (arXiv 2104.08691), tables 1 and 2, T5-XXL, zero-shot, mean and
//! standard deviation of three runs.
//!
//! These numbers were written down from memory and are not checked against the paper's text yet:
//! whoever shows them says so.

/// The scores of both methods on one domain, in percent as printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// The domain trained on.
    pub source: &'static str,
    /// The domain scored; the source itself for its own score.
    pub domain: &'static str,
    /// The metric's name in records.
    pub metric: &'static str,
    /// Prompt tuning's mean and deviation.
    pub prompt: &'static str,
    /// Model tuning's mean and deviation.
    pub model: &'static str,
}

/// The model that the paper's numbers are of.
pub const MODEL: &str = "T5-XXL, 11 billion parameters";

/// Where the numbers stand in the paper.
pub fn place(source: &str) -> &'static str {
    match source {
        "squad" => "table 1",
        _ => "table 2",
    }
}

/// What the paper has on a domain after training on a source.
pub fn find(source: &str, domain: &str, metric: &str) -> Option<&'static Published> {
    PUBLISHED.iter().find(|published| {
        (published.source, published.domain, published.metric) == (source, domain, metric)
    })
}

const fn row(
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
    row("squad", "squad", "f1", "94.9 ± 0.2", "94.8 ± 0.1"),
    row("squad", "textbookqa", "f1", "54.3 ± 3.7", "66.8 ± 2.9"),
    row("squad", "bioasq", "f1", "77.9 ± 0.4", "79.1 ± 0.3"),
    row("squad", "race", "f1", "59.8 ± 0.6", "60.7 ± 0.5"),
    row(
        "squad",
        "relation_extraction",
        "f1",
        "88.4 ± 0.1",
        "88.8 ± 0.2",
    ),
    row("squad", "duorc", "f1", "68.9 ± 0.7", "67.7 ± 1.1"),
    row("squad", "drop", "f1", "68.9 ± 1.7", "67.1 ± 1.9"),
    row("qqp", "mrpc", "accuracy", "73.1 ± 0.9", "76.3 ± 0.1"),
    row("qqp", "mrpc", "f1", "81.2 ± 2.1", "84.3 ± 0.3"),
    row("mrpc", "qqp", "accuracy", "74.9 ± 1.3", "75.4 ± 0.8"),
    row("mrpc", "qqp", "f1", "70.9 ± 1.2", "69.7 ± 0.3"),
];
