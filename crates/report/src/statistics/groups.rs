//! Scores of groups of examples: what a mean over a domain hides.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::study::Study;
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::Prediction;
use promptshift_numbers::record::folder::StoredRecord;
use promptshift_numbers::score::Metric;
use promptshift_numbers::stats::cluster::ratio_estimate;
use promptshift_numbers::stats::estimate::Estimate;
use promptshift_numbers::stats::panel::Sum;

/// A group with fewer examples has no score of its own: its interval would be as wide as the scale.
pub const FEWEST_EXAMPLES: usize = 50;

/// What examples are grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// The domain, in a source of several.
    Domain,
    /// The first question word.
    QuestionWord,
    /// Thirds of the domain's examples by input length.
    InputLength,
    /// Thirds of the input, by where the first right answer ends.
    AnswerPosition,
    /// Whether the input was longer than the limit.
    Cut,
}

impl By {
    /// All of them, in the order of tables.
    pub const ALL: [By; 5] = [
        By::Domain,
        By::QuestionWord,
        By::InputLength,
        By::AnswerPosition,
        By::Cut,
    ];

    /// Its name in a report.
    pub fn title(self) -> &'static str {
        match self {
            By::Domain => "domain",
            By::QuestionWord => "question word",
            By::InputLength => "input length",
            By::AnswerPosition => "answer position",
            By::Cut => "input",
        }
    }
}

/// The groups of one domain.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DomainGroups {
    /// The domain's place.
    pub domain: usize,
    /// What its examples are grouped by.
    pub by: By,
    /// The groups, in the order of their names; of a single group none.
    pub groups: Vec<Group>,
}

/// One group of a domain's examples.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group {
    /// `who`; `longest third`; `cut`.
    pub name: String,
    /// Its examples.
    pub examples: usize,
    /// The methods' scores, in the order of [`Method::ALL`], with intervals over passages alone;
    /// `None` where a method has no records, the group fewer than [`FEWEST_EXAMPLES`] examples, or
    /// its examples share one passage.
    pub scores: Vec<Option<Estimate>>,
}

/// All groups of all domains.
pub(super) fn groups(study: &Study, metric: Metric) -> Vec<DomainGroups> {
    let domains = study.evaluations().len();
    (0..domains)
        .flat_map(|domain| {
            let examples = &study.records()[0].predictions[domain];
            By::ALL.into_iter().filter_map(move |by| {
                let names = names(by, examples)?;
                Some(DomainGroups {
                    domain,
                    by,
                    groups: grouped(study, metric, domain, &names),
                })
            })
        })
        .filter(|domain| domain.groups.len() > 1)
        .collect()
}

/// Each example's group; `None` where that was not recorded.
fn names(by: By, examples: &[Prediction]) -> Option<Vec<String>> {
    match by {
        By::Domain => examples
            .iter()
            .map(|example| example.traits.as_ref()?.domain.clone())
            .collect(),
        By::QuestionWord => examples
            .iter()
            .map(|example| example.traits.as_ref()?.question_word.clone())
            .collect(),
        By::InputLength => {
            let mut lengths: Vec<usize> = examples.iter().map(|e| e.input_tokens).collect();
            lengths.sort_unstable();
            let third = |part: usize| lengths.get(part * lengths.len() / 3).copied();
            let (short, long) = (third(1)?, third(2)?);
            let name = |tokens: usize| match tokens {
                _ if tokens < short => format!("under {short} tokens"),
                _ if tokens < long => format!("{short} to {} tokens", long - 1),
                _ => format!("{long} tokens or more"),
            };
            Some(examples.iter().map(|e| name(e.input_tokens)).collect())
        }
        By::AnswerPosition => {
            let positions: Option<Vec<Option<f64>>> = examples
                .iter()
                .map(|example| Some(example.traits.as_ref()?.answer_position))
                .collect();
            let positions = positions?;
            positions.iter().any(Option::is_some).then(|| {
                let name = |position: &Option<f64>| match *position {
                    None => "not in the passage",
                    Some(at) if at <= 1.0 / 3.0 => "first third",
                    Some(at) if at <= 2.0 / 3.0 => "second third",
                    Some(_) => "third third",
                };
                positions.iter().map(|at| name(at).to_owned()).collect()
            })
        }
        By::Cut => {
            let name = |cut: bool| if cut { "cut" } else { "whole" }.to_owned();
            Some(examples.iter().map(|example| name(example.cut)).collect())
        }
    }
}

fn grouped(study: &Study, metric: Metric, domain: usize, names: &[String]) -> Vec<Group> {
    let mut places: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (place, name) in names.iter().enumerate() {
        places.entry(name).or_default().push(place);
    }
    let mut groups: Vec<(&str, Vec<usize>)> = places.into_iter().collect();
    // Lengths by number, not by letter.
    groups.sort_by_key(|(name, _)| first_number(name));
    groups
        .into_iter()
        .map(|(name, places)| Group {
            name: name.to_owned(),
            examples: places.len(),
            scores: Method::ALL
                .into_iter()
                .map(|method| {
                    (places.len() >= FEWEST_EXAMPLES)
                        .then(|| estimate(&study.of(method), metric, domain, &places))
                        .flatten()
                })
                .collect(),
        })
        .collect()
}

/// The number in `under 95 tokens`, less one; in `95 to 120 tokens` as it is.
fn first_number(name: &str) -> usize {
    let under = usize::from(name.starts_with("under"));
    let number = name.split(' ').find_map(|word| word.parse::<usize>().ok());
    number.map_or(0, |number| number - under)
}

/// The mean over seeds on some examples. Seeds count the same, as each answers all of them.
fn estimate(
    records: &[&StoredRecord],
    metric: Metric,
    domain: usize,
    places: &[usize],
) -> Option<Estimate> {
    let mut passages: BTreeMap<&str, Sum> = BTreeMap::new();
    for stored in records {
        for place in places {
            let prediction = &stored.predictions[domain][*place];
            let share = metric.contribution(&prediction.score);
            let sum = passages.entry(&prediction.passage).or_default();
            sum.numerator += share.numerator;
            sum.denominator += share.denominator;
        }
    }
    let sums: Vec<Sum> = passages.into_values().collect();
    let estimate = ratio_estimate(&sums)?;
    Some(Estimate {
        interval: estimate.interval.clamp(0.0, 1.0),
        ..estimate
    })
}
