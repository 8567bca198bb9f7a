//! On which target and which group of examples does a method score lowest?

use std::collections::BTreeMap;

use serde::Serialize;

use crate::document::{Block, Table, or_dash};
use crate::number::{capital, gap, joined, list, metric_title, percent, whole};
use crate::resamples::Resamples;
use crate::results::Results;
use crate::study::Study;
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::folder::StoredRecord;
use promptshift_numbers::record::{Prediction, Traits};
use promptshift_numbers::score::Metric;
use promptshift_numbers::stats::estimate::Estimate;
use promptshift_numbers::stats::intervals::ratio_estimate;
use promptshift_numbers::stats::panel::Sum;

/// Groups with fewer examples are not scored: their intervals would be too wide.
const FEWEST_EXAMPLES: usize = 50;

/// A property by which examples are grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// The domain, if the source is a mixture.
    Domain,
    /// The values of a column that the domain's card names.
    Card,
    /// The first question word.
    QuestionWord,
    /// Thirds of the domain's examples by input length.
    InputLength,
    /// Thirds of the input, by the end of the first right answer.
    AnswerPosition,
    /// Whether the input was longer than the limit.
    Cut,
}

impl By {
    /// All of them, in the order of tables.
    const ALL: [By; 6] = [
        By::Domain,
        By::Card,
        By::QuestionWord,
        By::InputLength,
        By::AnswerPosition,
        By::Cut,
    ];

    /// Its name in a report.
    fn title(self) -> &'static str {
        match self {
            By::Domain => "domain",
            By::Card => "group",
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
    /// The domain's index.
    pub domain: usize,
    /// The property.
    pub by: By,
    /// The groups, in the order of their names; at least two.
    pub groups: Vec<Group>,
}

/// One group of a domain's examples.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group {
    /// `who`; `longest third`; `cut`.
    pub name: String,
    pub examples: usize,
    /// The methods' scores, in the order of [`Method::ALL`], with intervals over passages only; `None` if a method
    /// has no records, or the group has fewer than `FEWEST_EXAMPLES` examples or a single passage.
    pub scores: Vec<Option<Estimate>>,
}

/// All groups of all domains.
pub fn groups(resamples: &Resamples) -> Vec<DomainGroups> {
    let (study, metric) = (resamples.study, resamples.metric);
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

/// Each example's group; `None` if the property was not recorded.
fn names(by: By, examples: &[Prediction]) -> Option<Vec<String>> {
    let recorded = |of: fn(&Traits) -> &Option<String>| -> Option<Vec<String>> {
        let name = |example: &Prediction| of(example.traits.as_ref()?).clone();
        examples.iter().map(name).collect()
    };
    match by {
        By::Domain => recorded(|traits| &traits.domain),
        By::Card => recorded(|traits| &traits.group),
        By::QuestionWord => recorded(|traits| &traits.question_word),
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
            let positions: Option<Vec<Option<f64>>> = (examples.iter())
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
    // Lengths are sorted by number.
    groups.sort_by_key(|(name, _)| first_number(name));
    (groups.into_iter())
        .map(|(name, places)| Group {
            name: name.to_owned(),
            examples: places.len(),
            scores: Method::ALL
                .map(|method| match places.len() >= FEWEST_EXAMPLES {
                    true => estimate(&study.of(method), metric, domain, &places),
                    false => None,
                })
                .to_vec(),
        })
        .collect()
}

/// The first number in a name; less one for `under 95 tokens`, so that it sorts before `95 to 120 tokens`.
fn first_number(name: &str) -> usize {
    let under = usize::from(name.starts_with("under"));
    let number = name.split(' ').find_map(|word| word.parse::<usize>().ok());
    number.map_or(0, |number| number - under)
}

/// The mean over seeds on some examples. All seeds have equal weight, since each answers all examples.
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
            let sum = passages.entry(&prediction.passage).or_default();
            *sum += metric.contribution(&prediction.score);
        }
    }
    let sums: Vec<Sum> = passages.into_values().collect();
    Some(ratio_estimate(&sums)?.clamp())
}

/// The methods whose groups are shown.
const SHOWN: [Method; 2] = [Method::Prompt, Method::Model];

/// The lowest target and group of each method, and all groups in a collapsed table; empty without tuned methods.
pub fn blocks(results: &Results, groups: &[DomainGroups]) -> Vec<Block> {
    if results.tuned().next().is_none() {
        return Vec::new();
    }
    let mut blocks = vec![
        Block::heading("Worst groups"),
        Block::text(worst(results, groups)),
    ];
    let mut every = groups.iter().flat_map(|domain| &domain.groups);
    if every.any(|group| group.scores.iter().any(Option::is_some)) {
        let words = format!(
            "[low, high] covers passages with these runs held fixed, not seeds; – marks groups with fewer than \
             {FEWEST_EXAMPLES} examples or a single passage. Input lengths, in tokens, divide the domain's examples \
             into thirds; answer positions are where the first right answer ends in the whole input.{}",
            unrecorded(groups)
        );
        blocks.push(Block::Details(
            "Every group of examples".to_owned(),
            vec![table(results, groups).into(), Block::text(words)],
        ));
    } else if !groups.is_empty() {
        blocks.push(Block::text(format!(
            "Groups of examples (by input length and so on) are not scored: none has {FEWEST_EXAMPLES} examples from \
             several passages."
        )));
    }
    blocks
}

fn worst(results: &Results, groups: &[DomainGroups]) -> String {
    let metric = metric_title(results.metric);
    let sentences = results.tuned().filter_map(|result| {
        let (target, score) = (result.targets().iter().enumerate())
            .min_by(|a, b| a.1.score.value.total_cmp(&b.1.score.value))?;
        let domain = &results.domains[target + 1];
        let group = worst_group(groups, result.method).map(|(of, group, value)| {
            format!(
                "; lowest group of target examples: {}, {} *{}*, {} ({} examples)",
                results.domains[of.domain].name,
                of.by.title(),
                group.name,
                percent(value),
                whole(group.examples as f64)
            )
        });
        Some(format!(
            "**{}**: lowest target {}, {} {metric} ({} examples){}",
            capital(result.title.as_str()),
            domain.name,
            gap(score.score),
            whole(domain.examples as f64),
            group.unwrap_or_default()
        ))
    });
    format!(
        "{}. The lowest of several scores is partly low by chance.",
        joined(". ", sentences)
    )
}

/// Of the groups that cards name, as WILDS has it (Koh et al. 2021), or of all groups where no target's card names any.
fn worst_group(all: &[DomainGroups], method: Method) -> Option<(&DomainGroups, &Group, f64)> {
    let of_cards = (all.iter()).any(|groups| groups.domain > 0 && groups.by == By::Card);
    (all.iter())
        .filter(|groups| groups.domain > 0 && (groups.by == By::Card || !of_cards))
        .flat_map(|groups| groups.groups.iter().map(move |group| (groups, group)))
        .filter_map(|(groups, group)| Some((groups, group, group.scores[method as usize]?.value)))
        .min_by(|a, b| a.2.total_cmp(&b.2))
}

fn table(results: &Results, all: &[DomainGroups]) -> Table {
    let header = ["domain", "group", "examples"].map(str::to_owned);
    let titles = SHOWN.map(|method| format!("{} [95 %]", results.title(method)));
    let rows = all.iter().flat_map(|domain| {
        domain.groups.iter().map(|group| {
            let mut row = vec![
                results.domains[domain.domain].name.clone(),
                format!("{}: {}", domain.by.title(), group.name),
                whole(group.examples as f64),
            ];
            let score = |method: Method| or_dash(group.scores[method as usize], gap);
            row.extend(SHOWN.map(|method| results.cell(method, |_| score(method))));
            row
        })
    });
    Table::new(header.into_iter().chain(titles))
        .words(&[0, 1])
        .rows(rows)
}

/// A note on properties that older records do not have.
fn unrecorded(all: &[DomainGroups]) -> String {
    let absent: Vec<&str> = ([By::QuestionWord, By::AnswerPosition].into_iter())
        .filter(|by| all.iter().all(|domain| domain.by != *by))
        .map(By::title)
        .collect();
    match absent.as_slice() {
        [] => String::new(),
        absent => format!(" Not recorded, or the same for all: {}.", list(absent)),
    }
}
