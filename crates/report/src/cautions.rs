//! What to mind when reading a comparison, computed from its numbers.

use std::collections::BTreeSet;

use serde::Serialize;

use super::comparison::{Comparison, Domain, Learned, MethodResult};
use super::markdown::text::{plain, quoted};
use super::number::{capital, count, difference, list, percent, share};
use super::stall::{self, Stall};
use super::study::Study;
use promptshift_numbers::recipe::{Before, Method};
use promptshift_numbers::record::Stop;
use promptshift_numbers::record::folder::End;
use promptshift_numbers::stats::estimate::median;

/// Inputs cut beyond this share are worth a word.
const CUT_SHARE: f64 = 0.01;

/// A seed below this share of its method's median source score has collapsed.
const COLLAPSED: f64 = 0.5;

/// Fewer passages than this make a percentile interval doubtful.
const FEW_PASSAGES: usize = 50;

/// Something that a comparison may not show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Caution {
    /// What it is about, in a word or two.
    pub about: &'static str,
    /// What was seen, and what it means for the reader. Markdown.
    pub seen: String,
    /// What would help; empty where nothing would. Markdown.
    pub remedy: String,
}

impl Caution {
    fn new(about: &'static str, seen: impl Into<String>, remedy: impl Into<String>) -> Self {
        Caution {
            about,
            seen: seen.into(),
            remedy: remedy.into(),
        }
    }
}

/// All cautions, the gravest first.
pub fn cautions(study: &Study, comparison: &Comparison) -> Vec<Caution> {
    let mut cautions = Vec::new();
    for result in comparison.tuned() {
        cautions.extend(not_learned(comparison, result));
        cautions.extend(stalled(study, result));
        cautions.extend(below_floor(comparison, result));
        cautions.extend(collapsed(result));
        cautions.extend(unfinished(study, result));
    }
    cautions.extend(not_zero_shot(study, comparison));
    cautions.extend(elsewhere(study, comparison));
    cautions.extend(failed(comparison));
    cautions.extend(begun(comparison));
    cautions.extend(not_adapted(comparison));
    cautions.extend(unequal_budgets(comparison));
    cautions.extend(unequal_sources(comparison));
    cautions.extend(seeds(comparison));
    cautions.extend(few_passages(comparison));
    cautions.extend(many_intervals(comparison));
    cautions.extend(cut(study, comparison));
    cautions.extend(rows(study));
    cautions.extend(model(study));
    cautions.extend(head(study, comparison));
    cautions.extend(programs(study));
    cautions.push(seen_in_pretraining(comparison));
    cautions.push(Caution::new(
        "shift or hardness",
        "A gap mixes two things: the shift, and how hard the target is for anyone.",
        "a model trained on the target, which this study does not have",
    ));
    cautions
}

/// Methods whose start has seen training rows of a target, or may have.
fn not_zero_shot(study: &Study, comparison: &Comparison) -> Option<Caution> {
    let starts: BTreeSet<String> = (comparison.tuned())
        .flat_map(|result| study.of(result.method))
        .filter_map(|stored| {
            let cell = &stored.record.cell;
            let title = cell.title();
            match cell.recipe.as_ref()?.before() {
                Before::Nothing => None,
                Before::Unknown => Some(format!(
                    "{title} started from a prompt of which it isn't known what it was tuned on"
                )),
                Before::Domains(domains) => {
                    let seen = domains
                        .iter()
                        .filter(|domain| cell.setting.targets.contains(domain));
                    let seen: BTreeSet<&str> = seen.map(String::as_str).collect();
                    let seen: Vec<&str> = seen.into_iter().collect();
                    (!seen.is_empty())
                        .then(|| format!("{title} started from what was tuned on {}", list(&seen)))
                }
            }
        })
        .collect();
    (!starts.is_empty()).then(|| {
        let starts: Vec<String> = starts.into_iter().collect();
        Caution::new(
            "not zero-shot",
            format!(
                "{}: scores there are not those of a domain that training never saw.",
                capital(&starts.join("; "))
            ),
            "a start that was tuned on other domains",
        )
    })
}

/// What was tuned elsewhere, of which nobody here knows how.
fn elsewhere(study: &Study, comparison: &Comparison) -> Option<Caution> {
    let result = comparison.method(Method::Elsewhere)?;
    let forms: BTreeSet<&str> = (study.of(Method::Elsewhere).iter())
        .filter_map(|stored| {
            let given = stored.record.cell.elsewhere.as_ref()?;
            Some(given.found.as_ref()?.form.title())
        })
        .collect();
    let forms: Vec<&str> = forms.into_iter().collect();
    let one = match result.seeds.as_slice() {
        [_] => " It is one run: its intervals hold the sampling of passages only.",
        _ => "",
    };
    Some(Caution::new(
        "tuned elsewhere",
        format!(
            "**{}** ({}) was not tuned here: its recipe, the rows that it was trained on and how it was selected are \
             not known. It may have seen rows of {}, test rows among them, so that its scores are no zero-shot claim; \
             tests against it say whether scores differ, not which way of tuning is better.{one}",
            plain(&result.title),
            list(&forms),
            list(&comparison.targets),
        ),
        "the same method tuned here, on the source alone",
    ))
}

/// Runs that look as if they had not learned, and the knob to turn.
fn stalled(study: &Study, result: &MethodResult) -> Option<Caution> {
    let runs: Vec<String> = study
        .of(result.method)
        .iter()
        .flat_map(|stored| {
            stall::stalls(stored)
                .into_iter()
                .map(|stall| format!("seed {}: {}", stored.record.cell.seed, told(&stall)))
        })
        .collect();
    (!runs.is_empty()).then(|| {
        Caution::new(
            "stalled runs",
            format!(
                "{} stalled. {}.",
                capital(result.title.as_str()),
                capital(&runs.join("; "))
            ),
            stall::knob(result.method),
        )
    })
}

fn told(stall: &Stall) -> String {
    match stall {
        Stall::NeverBetter => "no step scored above the start on source validation".to_owned(),
        Stall::LossStands { first, last } => {
            format!("the loss did not move ({first:.2} to {last:.2}), nor did source validation")
        }
        Stall::NormStands { change } => {
            let moved = change.map_or("stayed at zero".to_owned(), |change| {
                format!("moved by {} of its norm", share(change))
            });
            format!("what was trained {moved}, and source validation did not move either")
        }
        Stall::Constant { answer, share: of } => format!(
            "{} of the source's examples got the same answer, {}",
            share(*of),
            quoted(answer)
        ),
    }
}

fn not_adapted(comparison: &Comparison) -> Option<Caution> {
    comparison.method(Method::Prompt)?;
    stall::span_corruption_alone(&comparison.model).then(|| {
        Caution::new(
            "the backbone",
            format!(
                "{} is, by its name, a T5 v1.1 that has only ever filled spans and ended them in \
                 sentinels. Prompt tuning of such a frozen model is known to fail (Lester et al. \
                 2021, §3.3), so that the comparison may say more about pre-training than about tuning.",
                plain(&comparison.model)
            ),
            "its LM-adapted sister, such as `google/t5-small-lm-adapt`",
        )
    })
}

fn not_learned(comparison: &Comparison, result: &MethodResult) -> Option<Caution> {
    let (method, source) = (result.title.as_str(), &comparison.source);
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
    Some(Caution::new(
        "learning",
        format!(
            "**{} {} {source}**: {reason}. Its gap says nothing about robustness.",
            capital(method),
            match result.method {
                Method::Elsewhere => "does not answer",
                _ => "did not learn",
            }
        ),
        stall::knob(result.method),
    ))
}

fn below_floor(comparison: &Comparison, result: &MethodResult) -> Option<Caution> {
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
        Caution::new(
            "the floor",
            format!(
                "{} is not clearly above the floor on {}: nothing is left to lose there, so its \
                 gap measures the source score and not robustness.",
                capital(result.title.as_str()),
                list(&targets)
            ),
            "a larger backbone, or targets nearer to the source",
        )
    })
}

fn collapsed(result: &MethodResult) -> Option<Caution> {
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
        Caution::new(
            "collapsed runs",
            format!(
                "{} collapsed on the source with seed {}; it is in every mean and interval all \
                 the same.",
                capital(result.title.as_str()),
                list(&seeds)
            ),
            "more seeds; a lower learning rate",
        )
    })
}

/// Runs that failed, method by method.
fn failed(comparison: &Comparison) -> Vec<Caution> {
    let of_method = |method: Method| {
        let runs: Vec<String> = comparison
            .without_record(method)
            .filter_map(|run| match &run.end {
                End::Failed { reason } => Some(format!("seed {} ({})", run.seed, plain(reason))),
                End::Missing => None,
            })
            .collect();
        (!runs.is_empty()).then(|| {
            Caution::new(
                "failed runs",
                format!(
                    "**{} failed** with {}. Failed runs are in no mean and no interval, which flatters a \
                     method that fails.",
                    capital(comparison.title(method)),
                    list(&runs)
                ),
                stall::knob(method),
            )
        })
    };
    Method::ALL.into_iter().filter_map(of_method).collect()
}

/// Runs that are under way, or whose process was killed.
fn begun(comparison: &Comparison) -> Option<Caution> {
    let runs: Vec<String> = (comparison.unfinished.iter())
        .filter(|run| run.end == End::Missing)
        .map(|run| format!("{} with seed {}", comparison.title(run.method), run.seed))
        .collect();
    (!runs.is_empty()).then(|| {
        Caution::new(
            "unfinished runs",
            format!(
                "Begun and without a record, under way or broken off: {}. They are in no number here.",
                list(&runs)
            ),
            "the same command again, which goes on from complete records",
        )
    })
}

/// Runs whose best step was their last.
fn unfinished(study: &Study, result: &MethodResult) -> Option<Caution> {
    let seeds: Vec<String> = (study.trainings(result.method).into_iter())
        .filter(|(_, training)| {
            training.stop == Stop::Budget && training.best_step == training.steps
        })
        .map(|(seed, _)| seed.to_string())
        .collect();
    (!seeds.is_empty()).then(|| {
        Caution::new(
            "unfinished",
            format!(
                "{} was best at its last step with seed {}: it may not have finished learning.",
                capital(result.title.as_str()),
                list(&seeds)
            ),
            "more `--steps`, which may change the comparison",
        )
    })
}

fn unequal_budgets(comparison: &Comparison) -> Option<Caution> {
    let trials: BTreeSet<usize> = (comparison.trials().into_iter())
        .map(|(_, count)| count)
        .collect();
    (trials.len() > 1).then(|| {
        Caution::new(
            "unequal budgets",
            "The methods' recipes were not searched for equally long: the one with more trials had more \
             chances to look good.",
            "the same `--trials` for every method",
        )
    })
}

fn unequal_sources(comparison: &Comparison) -> Option<Caution> {
    let source = comparison.difference.as_ref()?.scores[0];
    source.interval.excludes(0.0).then(|| {
        Caution::new(
            "unequal starts",
            format!(
                "The methods do not start level: on {} itself prompt tuning − model tuning is {} \
                 points. A method that has less to lose tends to lose less.",
                comparison.source,
                difference(source)
            ),
            "reading the target scores beside the gaps",
        )
    })
}

fn seeds(comparison: &Comparison) -> Vec<Caution> {
    let mut cautions = Vec::new();
    // What was tuned elsewhere has runs, and a caution of its own.
    let ours = || (comparison.tuned()).filter(|result| result.method != Method::Elsewhere);
    let sets: BTreeSet<&Vec<u64>> = ours().map(|result| &result.seeds).collect();
    if sets.len() > 1 {
        cautions.push(Caution::new(
            "seeds",
            "The methods were run with different seeds, so seeds are drawn for each by itself.",
            "the same `--seeds` for every method",
        ));
    }
    let single: Vec<&str> = ours()
        .filter(|result| result.seeds.len() == 1)
        .map(|result| result.title.as_str())
        .collect();
    if !single.is_empty() {
        let verb = if single.len() == 1 { "has" } else { "have" };
        cautions.push(Caution::new(
            "seeds",
            format!(
                "{} one seed: the intervals hold the sampling of passages only, and another seed \
                 may land outside them.",
                capital(&format!("{} {verb}", list(&single)))
            ),
            "`--seeds 5`",
        ));
    }
    let fewest = ours()
        .map(|result| result.seeds.len())
        .filter(|n| *n > 1)
        .min();
    if let Some(fewest) = fewest.filter(|fewest| *fewest < 5) {
        cautions.push(Caution::new(
            "seeds",
            format!(
                "{} are few. In simulated studies with 2, 3 or 5 seeds, intervals made in this way held \
                 the truth in 94 or more of 100 cases, but to do so they are wide: with two seeds that \
                 differ, six times as wide as with many, with three twice. More seeds make them narrower \
                 than more test examples do.",
                capital(&count(fewest, "seed"))
            ),
            "`--seeds 5`",
        ));
    }
    cautions
}

fn few_passages(comparison: &Comparison) -> Option<Caution> {
    let domains: Vec<String> = comparison
        .domains
        .iter()
        .filter(|domain| domain.passages < FEW_PASSAGES)
        .map(|domain| format!("{} ({})", domain.name, domain.passages))
        .collect();
    (!domains.is_empty()).then(|| {
        Caution::new(
            "passages",
            format!(
                "Few passages: resampling so few says little about the shape of an interval: {}.",
                list(&domains)
            ),
            "more rows of these domains",
        )
    })
}

fn many_intervals(comparison: &Comparison) -> Option<Caution> {
    let targets = comparison.targets.len();
    (targets > 1).then(|| {
        Caution::new(
            "many intervals",
            format!(
                "Each interval holds 95 % by itself. Of {targets} targets one may well stand apart \
                 by chance; p values are adjusted for that, intervals are not. None says anything about \
                 targets that were not tried."
            ),
            "reading the average over targets first",
        )
    })
}

fn cut(study: &Study, comparison: &Comparison) -> Option<Caution> {
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
        Caution::new(
            "cut inputs",
            format!(
                "Inputs longer than the limit were cut, and answers beyond the cut cannot be \
                 found: {}.",
                list(&all)
            ),
            "",
        )
    })
}

/// Where a file served as more than one split.
fn rows(study: &Study) -> Vec<Caution> {
    let notes = &study.records()[0].record.notes;
    notes
        .iter()
        .map(|note| Caution::new("the rows", format!("Rows of {}.", plain(note)), ""))
        .collect()
}

/// What records say of their models.
fn model(study: &Study) -> Vec<Caution> {
    let notes: BTreeSet<&String> = (study.records().iter())
        .flat_map(|stored| &stored.record.model_notes)
        .collect();
    let caution = |note| Caution::new("the model", format!("Of the model: {}.", plain(note)), "");
    notes
        .into_iter()
        .map(|note: &String| caution(note))
        .collect()
}

/// Where the model has no head of its own for the task.
fn head(study: &Study, comparison: &Comparison) -> Option<Caution> {
    let recipes = study
        .records()
        .iter()
        .filter_map(|stored| stored.record.cell.recipe.as_ref());
    recipes.into_iter().any(|recipe| recipe.head.is_some()).then(|| {
        Caution::new(
            "the head",
            format!(
                "{} has no head for this task. Each seed draws one, the same for every method, and every \
                 method trains it; untuned is the model as it was pre-trained under the head that seed 0 \
                 draws, which answers by chance.",
                plain(&comparison.model)
            ),
            "",
        )
    })
}

/// Records of more than one program or of one that cannot be made again.
fn programs(study: &Study) -> Vec<Caution> {
    let of = |field: fn(&promptshift_numbers::record::Provenance) -> String| -> BTreeSet<String> {
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
        cautions.push(Caution::new(
            "several programs",
            format!(
                "The records come from several revisions: {}.",
                list(&revisions)
            ),
            "running all of them with one program",
        ));
    }
    if revisions
        .iter()
        .any(|revision| revision.ends_with("-dirty"))
    {
        cautions.push(Caution::new(
            "uncommitted changes",
            "The program was built from a tree with uncommitted changes, so its revision does not \
             say all of what ran.",
            "",
        ));
    }
    if machines.len() > 1 {
        cautions.push(Caution::new(
            "several machines",
            format!(
                "The records come from several machines, so times do not compare: {}.",
                list(&machines)
            ),
            "",
        ));
    }
    cautions
}

fn seen_in_pretraining(comparison: &Comparison) -> Caution {
    if comparison.model != "nano" {
        return Caution::new(
            "pre-training",
            format!(
                "What `{}` read before it was tuned is not known here: texts or answers of the source \
                 or of a target may have been among it, so that \"zero-shot\" speaks of the tuning \
                 alone.",
                comparison.model
            ),
            "a model whose pre-training text is published and searched for the rows",
        );
    }
    if comparison.suite == "mini" {
        Caution::new(
            "pre-training",
            "The backbone `nano` was pre-trained on generated text of all miniature domains, with \
             question–answer notes in other formats among it: targets are unseen in tuning, not in \
             pre-training. `models/nano/README.md` says what the text holds.",
            "",
        )
    } else {
        Caution::new(
            "the backbone",
            "The backbone `nano` is a miniature that has only ever read generated text: low scores \
             on real text are what to expect of it, and its gaps say little about a real T5.",
            "a pre-trained T5 (`--model`)",
        )
    }
}
