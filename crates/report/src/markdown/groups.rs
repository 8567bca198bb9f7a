//! Scores of groups of examples.

use super::absent;
use super::table::{TextTable, UNDEFINED};
use crate::comparison::Comparison;
use crate::number::{capital, gap, list, metric_title, percent, whole};
use crate::statistics::groups::{By, DomainGroups, FEWEST_EXAMPLES, Group};
use promptshift_numbers::recipe::Method;

const TUNED: [Method; 2] = [Method::Prompt, Method::Model];

/// The section: the worst domain in the open, the table folded; empty without tuned methods.
pub fn section(comparison: &Comparison) -> String {
    if comparison.tuned().next().is_none() {
        return String::new();
    }
    let mut text = format!("## The worst\n\n{}\n\n", worst(comparison));
    let groups = &comparison.statistics.groups;
    let mut every = groups.iter().flat_map(|domain| &domain.groups);
    if groups.is_empty() {
        return text;
    }
    if every.any(|group| group.scores.iter().any(Option::is_some)) {
        text.push_str(&format!(
            "<details><summary>Every group, with its examples</summary>\n\n{}\n[low, high] holds other passages with \
             these runs, not other seeds; – marks groups of fewer than {FEWEST_EXAMPLES} examples or of a \
             single passage. Lengths are in tokens, in thirds of the domain's examples; positions are where \
             the first right answer ends in the whole input.{}\n\n</details>\n\n",
            table(comparison, groups).markdown(),
            unrecorded(groups)
        ));
    } else {
        text.push_str(&format!(
            "Groups of examples (by input length and the like) are not scored: none has {FEWEST_EXAMPLES} examples on \
             several passages.\n\n"
        ));
    }
    text
}

/// Each tuned method's worst target and worst group.
fn worst(comparison: &Comparison) -> String {
    let metric = metric_title(comparison.metric);
    let sentences: Vec<String> = comparison
        .tuned()
        .filter_map(|result| {
            let (target, score) = result
                .targets()
                .iter()
                .enumerate()
                .min_by(|a, b| a.1.score.value.total_cmp(&b.1.score.value))?;
            let domain = &comparison.domains[target + 1];
            let mut sentence = format!(
                "**{}** scores lowest on {}, {} {metric} ({} examples)",
                capital(result.title.as_str()),
                domain.name,
                gap(score.score),
                whole(domain.examples as f64)
            );
            if let Some((groups, group, value)) = worst_group(comparison, result.method) {
                sentence.push_str(&format!(
                    "; of all groups of targets' examples lowest on {} with {} *{}*, {} ({} examples)",
                    comparison.domains[groups.domain].name,
                    groups.by.title(),
                    group.name,
                    percent(value),
                    whole(group.examples as f64)
                ));
            }
            Some(sentence)
        })
        .collect();
    format!(
        "{}. The lowest of several is low by chance too.",
        sentences.join(". ")
    )
}

fn worst_group(comparison: &Comparison, method: Method) -> Option<(&DomainGroups, &Group, f64)> {
    comparison
        .statistics
        .groups
        .iter()
        .filter(|groups| groups.domain > 0)
        .flat_map(|groups| groups.groups.iter().map(move |group| (groups, group)))
        .filter_map(|(groups, group)| Some((groups, group, group.scores[method as usize]?.value)))
        .min_by(|a, b| a.2.total_cmp(&b.2))
}

fn table(comparison: &Comparison, groups: &[DomainGroups]) -> TextTable {
    let mut header = vec![
        "domain".to_owned(),
        "group".to_owned(),
        "examples".to_owned(),
    ];
    header.extend(TUNED.map(|method| format!("{} [95 %]", comparison.title(method))));
    let mut rows = Vec::new();
    for domain in groups {
        for group in &domain.groups {
            let mut row = vec![
                comparison.domains[domain.domain].name.clone(),
                format!("{}: {}", domain.by.title(), group.name),
                whole(group.examples as f64),
            ];
            row.extend(TUNED.map(|method| match comparison.method(method) {
                None => absent::of_method(comparison, method).to_owned(),
                Some(_) => group.scores[method as usize].map_or(UNDEFINED.to_owned(), gap),
            }));
            rows.push(row);
        }
    }
    TextTable {
        words: &[0, 1],
        header,
        rows,
    }
}

/// What older records cannot be grouped by.
fn unrecorded(groups: &[DomainGroups]) -> String {
    let absent: Vec<&str> = [By::QuestionWord, By::AnswerPosition]
        .into_iter()
        .filter(|by| groups.iter().all(|domain| domain.by != *by))
        .map(By::title)
        .collect();
    if absent.is_empty() {
        String::new()
    } else {
        format!(" Not recorded, or the same for all: {}.", list(&absent))
    }
}
