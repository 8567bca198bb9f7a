//! How inputs were worded and answers read, if not as in the paper, and a comparison of several wordings of one
//! transfer.

use super::calibration::{MethodCalibration, over_seeds};
use crate::document::{Block, Table, or_dash, plain};
use crate::number::{capital, gap, metric_title, percent};
use crate::results::Results;
use promptshift_text::domain::wording::{Aggregate, Opening, ScoreBy, Wording};

/// Sentences on the wording; `None` for the paper's wording.
pub fn caption(results: &Results) -> Option<String> {
    let wording = &results.wording;
    if wording.is_default() {
        return None;
    }
    let mut sentences = vec![
        match wording.score_by {
            ScoreBy::Generation => "Answers are generated.",
            ScoreBy::Likelihood => {
                "The answer is the class whose words are most probable (`--score-by likelihood`)."
            }
            ScoreBy::Calibrated => {
                "The answer is the class whose words are most probable relative to content-free inputs \
                 (`--score-by calibrated`; Zhao et al. 2021)."
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
        sentences.push("Answers begin with a sentinel, in training and in generation.".to_owned());
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
        _ if !ranks => "; the first is used in training, and any of them is read as the class",
        (_, Aggregate::Sum) => "; the probabilities of a class's words are added",
        (_, Aggregate::Mean) => "; the probabilities of a class's words are averaged",
    };
    Some(format!(
        "Words for the classes (verbalizer {}): {}{together}.",
        plain(&verbalizer.name),
        classes.join("; ")
    ))
}

/// A study's results with their calibration.
pub type Worded<'a> = (&'a Results, &'a [MethodCalibration]);

/// A table for each transfer that was evaluated with several wordings.
pub fn side_by_side(all: &[Worded]) -> Vec<Block> {
    let mut groups: Vec<Vec<Worded>> = Vec::new();
    for one in all {
        match groups
            .iter_mut()
            .find(|group| key(group[0].0) == key(one.0))
        {
            Some(group) => group.push(*one),
            None => groups.push(vec![*one]),
        }
    }
    groups.retain(|group| {
        let first = &group[0].0.wording;
        group.iter().any(|(other, _)| other.wording != *first)
    });
    groups.iter().flat_map(|group| table(group)).collect()
}

/// The key of studies of one transfer.
fn key(results: &Results) -> impl PartialEq {
    (
        results.source.clone(),
        results.targets.clone(),
        results.model_title.clone(),
        results.suite.clone(),
        results.answers,
    )
}

fn table(group: &[Worded]) -> [Block; 3] {
    let first = group[0].0;
    let metric = metric_title(first.metric);
    let header = [
        String::new(),
        "wording".to_owned(),
        format!("{} (source) {metric}", first.source),
        format!("targets {metric}, mean"),
        "gap, mean [95 %]".to_owned(),
        "confidence − accuracy, source".to_owned(),
    ];
    let mut rows = Vec::new();
    for (results, calibration) in group {
        for result in &results.methods {
            let of_method = calibration.iter().find(|one| one.method == result.method);
            let over = of_method.and_then(|one| {
                let source = &one.domains.first()?.by_seed;
                over_seeds(source, |c| c.confidence - c.accuracy)
            });
            let row = vec![
                result.title.clone(),
                plain(&results.wording.title()),
                percent(result.source().score.value),
                or_dash(result.mean_target, |mean| percent(mean.value)),
                or_dash(result.mean_gap, gap),
                or_dash(over, percent),
            ];
            rows.push((result.method, row));
        }
    }
    rows.sort_by_key(|(method, _)| *method);
    [
        Block::Title(format!("{}, several wordings", first.transfer())),
        Table::new(header)
            .words(&[0, 1])
            .rows(rows.into_iter().map(|(_, row)| row))
            .into(),
        Block::text(format!(
            "{} in percent, means over seeds. Runs were trained, and their best step was chosen, with the wording of \
             their row. Each wording has its own report below.",
            capital(metric)
        )),
    ]
}
