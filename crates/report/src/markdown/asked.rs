//! How the models were asked, where that is not the paper's way, and the same transfer asked in
//! several ways side by side.

use super::table::{TextTable, UNDEFINED};
use super::text::plain;
use crate::comparison::Comparison;
use crate::number::{capital, gap, metric_title, percent};
use promptshift_text::domain::wording::{Aggregate, Opening, ScoreBy, Wording};

/// A sentence under the scores; nothing for the paper's way.
pub fn caption(comparison: &Comparison) -> Option<String> {
    let wording = &comparison.wording;
    if wording.is_default() {
        return None;
    }
    let mut sentences = vec![
        match wording.score_by {
            ScoreBy::Generation => "Answers are what the model writes.",
            ScoreBy::Likelihood => {
                "Answers are the class whose words are the most probable (`--score-by likelihood`)."
            }
            ScoreBy::Calibrated => {
                "Answers are the class whose words are the most probable beside how probable they \
                 are for inputs without content (`--score-by calibrated`; Zhao et al. 2021)."
            }
        }
        .to_owned(),
    ];
    sentences.extend(words(wording));
    if let Some(template) = &wording.template {
        sentences.push(format!(
            "Inputs are written `{}` (template {}).",
            template.text.replace('`', "'"),
            plain(&template.name)
        ));
    }
    if wording.opening == Opening::Sentinel {
        sentences.push(
            "Answers begin with a sentinel, in training and when the model writes them.".to_owned(),
        );
    }
    Some(sentences.join(" "))
}

fn words(wording: &Wording) -> Option<String> {
    let verbalizer = wording.verbalizer.as_ref()?;
    let classes: Vec<String> = (verbalizer.classes.iter())
        .map(|class| {
            format!(
                "{}: {}",
                plain(&class.label),
                plain(&class.words.join(", "))
            )
        })
        .collect();
    let ranks = wording.score_by.ranks();
    let together = match (verbalizer.most_words(), verbalizer.aggregate) {
        (0 | 1, _) => "",
        _ if !ranks => "; the first is trained, and any of them is read as the class",
        (_, Aggregate::Sum) => "; the probabilities of a class's words are added",
        (_, Aggregate::Mean) => "; the probabilities of a class's words are averaged",
    };
    Some(format!(
        "Words for the classes (verbalizer {}): {}{together}.",
        plain(&verbalizer.name),
        classes.join("; ")
    ))
}

/// What confidence means where classes are ranked or not.
pub fn confidence(comparison: &Comparison) -> &'static str {
    match comparison.wording.score_by.ranks() {
        true => "An answer's confidence is its class's share of the probability of all classes",
        false => "An answer's confidence is the probability of its tokens",
    }
}

/// A table for each transfer that was asked in several ways; empty where none was.
pub fn section(comparisons: &[Comparison]) -> String {
    let mut groups: Vec<Vec<&Comparison>> = Vec::new();
    for comparison in comparisons {
        match groups.iter_mut().find(|group| alike(group[0], comparison)) {
            Some(group) => group.push(comparison),
            None => groups.push(vec![comparison]),
        }
    }
    groups.retain(|group| {
        let first = &group[0].wording;
        group.iter().any(|other| other.wording != *first)
    });
    groups.iter().map(|group| side_by_side(group)).collect()
}

fn alike(one: &Comparison, other: &Comparison) -> bool {
    let key = |comparison: &Comparison| {
        (
            comparison.source.clone(),
            comparison.targets.clone(),
            comparison.model.clone(),
            comparison.suite.clone(),
            comparison.answers,
        )
    };
    key(one) == key(other)
}

fn side_by_side(group: &[&Comparison]) -> String {
    let first = group[0];
    let metric = metric_title(first.metric);
    let header = [
        "",
        "asked by",
        &format!("{} (source) {metric}", first.source),
        &format!("targets {metric}, mean"),
        "gap, mean [95 %]",
        "confidence − right, source",
    ]
    .map(str::to_owned);
    let mut rows = Vec::new();
    for comparison in group {
        for result in &comparison.methods {
            let calibration = &comparison.statistics.calibration;
            let of_method = calibration.iter().find(|one| one.method == result.method);
            let over = of_method.and_then(|one| {
                let source = &one.domains.first()?.by_seed;
                crate::statistics::answers::over_seeds(source, |c| c.confidence - c.accuracy)
            });
            rows.push((
                result.method,
                vec![
                    result.title.clone(),
                    plain(&comparison.wording.title()),
                    percent(result.source().score.value),
                    (result.mean_target).map_or(UNDEFINED.to_owned(), |mean| percent(mean.value)),
                    result.mean_gap.map_or(UNDEFINED.to_owned(), gap),
                    over.map_or(UNDEFINED.to_owned(), percent),
                ],
            ));
        }
    }
    rows.sort_by_key(|(method, _)| *method);
    let table = TextTable {
        words: &[0, 1],
        header: header.to_vec(),
        rows: rows.into_iter().map(|(_, row)| row).collect(),
    };
    format!(
        "# {} → {}, asked in several ways\n\n{}\n{} in percent, means over seeds. The runs of a row \
         were trained, and their best step chosen, in the row's own way. Each way has a section \
         below.\n\n",
        first.source,
        first.targets.join(", "),
        table.markdown(),
        capital(metric)
    )
}
