//! What to mind when reading a comparison, computed from its numbers.

use std::collections::BTreeSet;

use super::comparison::{Comparison, Domain, Learned, MethodResult};
use super::number::{capital, count, difference, list, percent, share};
use super::study::Study;
use crate::record::Stop;
use crate::stats::estimate::median;

/// Inputs cut beyond this share are worth a word.
const CUT_SHARE: f64 = 0.01;

/// A seed below this share of its method's median source score has collapsed.
const COLLAPSED: f64 = 0.5;

/// Fewer passages than this make a percentile interval doubtful.
const FEW_PASSAGES: usize = 50;

/// All cautions, the gravest first.
pub fn cautions(study: &Study, comparison: &Comparison) -> Vec<String> {
    let mut cautions = Vec::new();
    for result in comparison.tuned() {
        cautions.extend(not_learned(comparison, result));
        cautions.extend(below_floor(comparison, result));
        cautions.extend(collapsed(result));
        cautions.extend(unfinished(study, result));
    }
    cautions.extend(unequal_sources(comparison));
    cautions.extend(seeds(comparison));
    cautions.extend(few_passages(comparison));
    cautions.extend(many_intervals(comparison));
    cautions.extend(cut(study, comparison));
    cautions.extend(rows(study));
    cautions.extend(programs(study));
    cautions.extend(seen_in_pretraining(comparison));
    cautions.push(
        "A gap mixes two things: the shift, and how hard the target is for anyone. Telling them \
         apart takes a model trained on the target, which this study does not have."
            .to_owned(),
    );
    cautions
}

fn not_learned(comparison: &Comparison, result: &MethodResult) -> Option<String> {
    let (method, source) = (result.method.title(), &comparison.source);
    let reason = match result.learned(&comparison.domains[0]) {
        Learned::Yes => return None,
        Learned::NotAboveUntuned => format!(
            "its source score is not clearly above the untuned backbone's (difference {} points)",
            result
                .above_untuned
                .map_or("unknown".to_owned(), difference)
        ),
        Learned::NotAboveFloor => "its source score is not clearly above the floor".to_owned(),
    };
    Some(format!(
        "**{} did not learn {source}**: {reason}. Its gap says nothing about robustness; train it \
         longer or mend its recipe first.",
        capital(method)
    ))
}

fn below_floor(comparison: &Comparison, result: &MethodResult) -> Option<String> {
    let targets: Vec<String> = comparison
        .domains
        .iter()
        .enumerate()
        .skip(1)
        .filter(|(index, _)| comparison.at_floor(*index).contains(&result.method))
        .filter_map(|(index, domain)| {
            let score = percent(result.scores[index].score.value);
            Some(format!(
                "{} ({score} against {})",
                domain.name,
                percent(domain.floor?)
            ))
        })
        .collect();
    (!targets.is_empty()).then(|| {
        format!(
            "{} is not clearly above the floor on {}: nothing is left to lose there, so its gap \
             measures the source score and not robustness.",
            capital(result.method.title()),
            list(&targets)
        )
    })
}

fn collapsed(result: &MethodResult) -> Option<String> {
    let scores = &result.source().by_seed;
    let middle = median(scores)?;
    let seeds: Vec<String> = result
        .seeds
        .iter()
        .zip(scores)
        .filter(|(_, score)| **score < COLLAPSED * middle)
        .map(|(seed, score)| format!("{seed} ({})", percent(*score)))
        .collect();
    (!seeds.is_empty()).then(|| {
        format!(
            "{} collapsed on the source with seed {}; it is in every mean and interval all the same.",
            capital(result.method.title()),
            list(&seeds)
        )
    })
}

/// Runs whose best step was their last.
fn unfinished(study: &Study, result: &MethodResult) -> Option<String> {
    let seeds: Vec<String> = study
        .of(result.method)
        .iter()
        .filter_map(|stored| Some((stored.record.cell.seed, stored.record.training.as_ref()?)))
        .filter(|(_, training)| {
            training.stop == Stop::Budget && training.best_step == training.steps
        })
        .map(|(seed, _)| seed.to_string())
        .collect();
    (!seeds.is_empty()).then(|| {
        format!(
            "{} was best at its last step with seed {}: it may not have finished learning, and \
             more steps may change the comparison.",
            capital(result.method.title()),
            list(&seeds)
        )
    })
}

fn unequal_sources(comparison: &Comparison) -> Option<String> {
    let source = comparison.difference.as_ref()?.scores[0];
    source.interval.excludes(0.0).then(|| {
        format!(
            "The methods do not start level: on {} itself prompt tuning − model tuning is {} points. \
             A method that has less to lose tends to lose less; read the target scores beside the gaps.",
            comparison.source,
            difference(source)
        )
    })
}

fn seeds(comparison: &Comparison) -> Vec<String> {
    let mut cautions = Vec::new();
    let sets: BTreeSet<&Vec<u64>> = comparison.tuned().map(|result| &result.seeds).collect();
    if sets.len() > 1 {
        cautions.push(
            "The methods were run with different seeds, so seeds are drawn for each by itself."
                .to_owned(),
        );
    }
    let single: Vec<&str> = comparison
        .tuned()
        .filter(|result| result.seeds.len() == 1)
        .map(|result| result.method.title())
        .collect();
    if !single.is_empty() {
        let verb = if single.len() == 1 { "has" } else { "have" };
        cautions.push(format!(
            "{} one seed: the intervals hold the sampling of passages only, and another seed may \
             land outside them.",
            capital(&format!("{} {verb}", list(&single)))
        ));
    }
    let fewest = comparison
        .tuned()
        .map(|result| result.seeds.len())
        .filter(|n| *n > 1)
        .min();
    if let Some(fewest) = fewest.filter(|fewest| *fewest < 5) {
        cautions.push(format!(
            "{} are few. In simulated studies with 2, 3 or 5 seeds, intervals made in this way held the \
             truth in 94 or more of 100 cases, but to do so they are wide: with two seeds that differ, \
             six times as wide as with many, with three twice. More seeds make them narrower than more \
             test examples do.",
            capital(&count(fewest, "seed"))
        ));
    }
    cautions
}

fn few_passages(comparison: &Comparison) -> Option<String> {
    let domains: Vec<String> = comparison
        .domains
        .iter()
        .filter(|domain| domain.passages < FEW_PASSAGES)
        .map(|domain| format!("{} ({})", domain.name, domain.passages))
        .collect();
    (!domains.is_empty()).then(|| {
        format!(
            "Few passages: resampling so few says little about the shape of an interval: {}.",
            list(&domains)
        )
    })
}

fn many_intervals(comparison: &Comparison) -> Option<String> {
    let targets = comparison.targets.len();
    (targets > 1).then(|| {
        format!(
            "Each interval holds 95 % by itself. Of {targets} targets one may well stand apart by \
             chance; p values are adjusted for that, intervals are not. The average over targets is the \
             safer comparison, and says nothing about targets that were not tried."
        )
    })
}

fn cut(study: &Study, comparison: &Comparison) -> Option<String> {
    let long = |cut: usize, all: usize| all > 0 && cut as f64 / all as f64 > CUT_SHARE;
    let describe =
        |name: &str, cut: usize, all: usize| format!("{name} ({})", share(cut as f64 / all as f64));
    let training = study
        .records()
        .iter()
        .filter_map(|stored| stored.record.training.as_ref())
        .find(|training| long(training.cut_inputs, training.examples))
        .map(|training| {
            let name = format!("{} in training", comparison.source);
            describe(&name, training.cut_inputs, training.examples)
        });
    let evaluated = comparison
        .domains
        .iter()
        .filter(|domain| long(domain.cut_inputs, domain.examples))
        .map(|domain: &Domain| describe(&domain.name, domain.cut_inputs, domain.examples));
    let all: Vec<String> = training.into_iter().chain(evaluated).collect();
    (!all.is_empty()).then(|| {
        format!(
            "Inputs longer than the limit were cut, and answers beyond the cut cannot be found: {}.",
            list(&all)
        )
    })
}

/// Where a file served as more than one split.
fn rows(study: &Study) -> Vec<String> {
    let notes = &study.records()[0].record.notes;
    notes
        .iter()
        .map(|note| format!("Rows of {note}."))
        .collect()
}

/// Records of more than one program or of one that cannot be made again.
fn programs(study: &Study) -> Vec<String> {
    let of = |field: fn(&crate::record::Provenance) -> String| -> BTreeSet<String> {
        study
            .records()
            .iter()
            .map(|stored| field(&stored.record.provenance))
            .collect()
    };
    let revisions: Vec<String> = of(|origin| origin.revision.clone()).into_iter().collect();
    let machines: Vec<String> = of(|origin| format!("{} ({})", origin.processor, origin.device))
        .into_iter()
        .collect();
    let mut cautions = Vec::new();
    if revisions.len() > 1 {
        cautions.push(format!(
            "The records come from several revisions: {}.",
            list(&revisions)
        ));
    }
    if revisions
        .iter()
        .any(|revision| revision.ends_with("-dirty"))
    {
        cautions.push(
            "The program was built from a tree with uncommitted changes, so its revision does not \
             say all of what ran."
                .to_owned(),
        );
    }
    if machines.len() > 1 {
        cautions.push(format!(
            "The records come from several machines, so times do not compare: {}.",
            list(&machines)
        ));
    }
    cautions
}

fn seen_in_pretraining(comparison: &Comparison) -> Option<String> {
    if comparison.model != "nano" {
        return None;
    }
    Some(if comparison.suite == "mini" {
        "The backbone `nano` was pre-trained on generated text of all miniature domains, with \
         question–answer notes in other formats among it: targets are unseen in tuning, not in \
         pre-training. `models/nano/README.md` says what the text holds."
            .to_owned()
    } else {
        "The backbone `nano` is a miniature that has only ever read generated text: low scores on \
         real text are what to expect of it, and its gaps say little about a real T5."
            .to_owned()
    })
}
