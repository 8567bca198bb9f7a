//! What limits a comparison, computed from its numbers.

use std::collections::BTreeSet;

use serde::Serialize;

use super::differences::Difference;
use super::search::{MethodSearch, trials};
use crate::diagnosis::{self, Stall};
use crate::document::{Block, Table, UNDEFINED, plain, quoted};
use crate::number::{capital, count, difference, list, percent, share};
use crate::results::{Learned, MethodResult, Results};
use crate::study::Study;
use promptshift_numbers::recipe::{Before, Method};
use promptshift_numbers::record::folder::End;
use promptshift_numbers::record::{Cell, Provenance, Stop};
use promptshift_numbers::stats::estimate::median;

/// A larger share of truncated inputs is a caution.
const CUT_SHARE: f64 = 0.01;

/// A seed below this share of its method's median source score has collapsed.
const COLLAPSED: f64 = 0.5;

/// With fewer passages than this a percentile interval is doubtful.
const FEW_PASSAGES: usize = 50;

/// A limit of a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Caution {
    /// What it is about, in a word or two.
    pub about: &'static str,
    /// What was seen, and what it means for the reader. Markdown.
    pub seen: String,
    /// What would help; empty where nothing would. Markdown.
    pub remedy: String,
}

fn caution(about: &'static str, seen: impl Into<String>, remedy: impl Into<String>) -> Caution {
    Caution {
        about,
        seen: seen.into(),
        remedy: remedy.into(),
    }
}

/// The table of all cautions.
pub fn blocks(cautions: &[Caution]) -> Vec<Block> {
    let rows = cautions.iter().map(|one| {
        let remedy = match one.remedy.as_str() {
            "" => UNDEFINED,
            remedy => remedy,
        };
        vec![one.about.to_owned(), one.seen.clone(), remedy.to_owned()]
    });
    let table = Table::new(["about", "limitation", "what would help"]);
    vec![
        Block::heading("Cautions"),
        table.words(&[0, 1, 2]).rows(rows).into(),
    ]
}

/// All cautions, the gravest first.
pub fn cautions(
    study: &Study,
    results: &Results,
    difference: Option<&Difference>,
    searches: &[MethodSearch],
) -> Vec<Caution> {
    let mut cautions = Vec::new();
    for result in results.tuned() {
        cautions.extend(not_learned(results, result));
        cautions.extend(stalled(study, result));
        cautions.extend(at_floor(results, result));
        cautions.extend(collapsed(result));
        cautions.extend(undertrained(study, result));
    }
    cautions.extend(not_zero_shot(study, results));
    cautions.extend(elsewhere(study, results));
    cautions.extend(without_record(results));
    cautions.extend(not_adapted(results));
    let trials = trials(results, searches);
    let trials: BTreeSet<usize> = trials.into_iter().map(|(_, count)| count).collect();
    if trials.len() > 1 {
        cautions.push(caution(
            "unequal budgets",
            "The methods' recipes had different numbers of trials; more trials give a better best one.",
            "the same `--trials` for every method",
        ));
    }
    cautions.extend(unequal_sources(results, difference));
    cautions.extend(seeds(results));
    cautions.extend(few_passages(results));
    let targets = results.targets.len();
    if targets > 1 {
        let seen = format!(
            "Each interval covers 95 % by itself: of {targets} targets one may differ by chance. p values are adjusted \
             for that, intervals are not. Nothing here is about targets that were not tried."
        );
        cautions.push(caution(
            "many intervals",
            seen,
            "reading the average over targets first",
        ));
    }
    cautions.extend(cut(study, results));
    cautions.extend(notes(study));
    cautions.extend(head(study, results));
    cautions.extend(programs(study));
    cautions.push(pretraining(results));
    cautions.push(caution(
        "shift or difficulty",
        "A gap mixes the shift with the difficulty of the target.",
        "a model trained on the target, which this study does not have",
    ));
    cautions
}

fn not_learned(results: &Results, result: &MethodResult) -> Option<Caution> {
    let reason = match result.learned(&results.domains[0]) {
        Learned::Yes => return None,
        Learned::NotAboveUntuned => format!(
            "its source score is not clearly above the untuned backbone's (difference {} points)",
            (result.above_untuned).map_or("unknown".to_owned(), difference)
        ),
        Learned::NotAboveFloor => "its source score is not clearly above the floor".to_owned(),
    };
    let seen = format!(
        "**{} did not clearly beat the baselines on {}**: {reason}. Its gap is not informative.",
        capital(&result.title),
        results.source
    );
    Some(caution("learning", seen, diagnosis::knob(result.method)))
}

/// Runs that look as if they had not learned, and what to change.
fn stalled(study: &Study, result: &MethodResult) -> Option<Caution> {
    let records = study.of(result.method).into_iter();
    let runs: Vec<String> = records
        .flat_map(|stored| {
            let seed = stored.record.cell.seed;
            let stalls = diagnosis::stalls(stored).into_iter();
            stalls.map(move |stall| format!("seed {seed}: {}", symptom(&stall)))
        })
        .collect();
    (!runs.is_empty()).then(|| {
        let seen = format!(
            "{} stalled. {}.",
            capital(&result.title),
            capital(&runs.join("; "))
        );
        caution("stalled runs", seen, diagnosis::knob(result.method))
    })
}

fn symptom(stall: &Stall) -> String {
    match stall {
        Stall::NeverBetter => {
            "no step scored above the initial one on source validation".to_owned()
        }
        Stall::LossStands { first, last } => format!(
            "neither the loss ({first:.2} to {last:.2}) nor the score on source validation changed"
        ),
        Stall::NormStands { change } => {
            let moved = change.map_or("stayed at zero".to_owned(), |change| {
                format!("changed by {} of their norm", share(change))
            });
            format!("the trained parameters {moved}, and source validation did not change")
        }
        Stall::Constant { answer, share: of } => format!(
            "{} of the source's examples got the same answer, {}",
            share(*of),
            quoted(answer)
        ),
    }
}

fn at_floor(results: &Results, result: &MethodResult) -> Option<Caution> {
    let targets: Vec<String> = (results.domains.iter().enumerate().skip(1))
        .filter(|(index, _)| results.at_floor(*index).contains(&result.method))
        .filter_map(|(index, domain)| {
            let score = percent(result.scores[index].score.value);
            let floor = percent(domain.floor?);
            Some(format!("{} ({score} against {floor})", domain.name))
        })
        .collect();
    (!targets.is_empty()).then(|| {
        let seen = format!(
            "{} is not clearly above the floor on {}: it has nothing left to lose there, so its gap measures the \
             source score only.",
            capital(&result.title),
            list(&targets)
        );
        let remedy = "a larger backbone, or targets closer to the source";
        caution("the floor", seen, remedy)
    })
}

fn collapsed(result: &MethodResult) -> Option<Caution> {
    let scores = &result.source().by_seed;
    let middle = median(scores)?;
    let seeds: Vec<String> = (result.seeds.iter().zip(scores))
        .filter(|(_, score)| **score < COLLAPSED * middle)
        .map(|(seed, score)| format!("{seed} ({})", percent(*score)))
        .collect();
    (!seeds.is_empty()).then(|| {
        let seen = format!(
            "{} collapsed on the source with seed {}, which every mean and interval includes.",
            capital(&result.title),
            list(&seeds)
        );
        caution("collapsed runs", seen, "more seeds; a lower learning rate")
    })
}

/// Runs whose best step was their last.
fn undertrained(study: &Study, result: &MethodResult) -> Option<Caution> {
    let seeds: Vec<String> = (study.trainings(result.method).into_iter())
        .filter(|(_, training)| {
            training.stop == Stop::Budget && training.best_step == training.steps
        })
        .map(|(seed, _)| seed.to_string())
        .collect();
    (!seeds.is_empty()).then(|| {
        let seen = format!(
            "{} was best at its last step with seed {}: longer training may score higher.",
            capital(&result.title),
            list(&seeds)
        );
        caution(
            "undertrained",
            seen,
            "more `--steps`, which may change the comparison",
        )
    })
}

/// Methods whose initialisation was tuned on a target, or may have been.
fn not_zero_shot(study: &Study, results: &Results) -> Option<Caution> {
    let tuned_on = |cell: &Cell| match cell.recipe.as_ref()?.before() {
        Before::Nothing => None,
        Before::Unknown => Some(format!(
            "{} was initialised from a prompt, and it is not known what that was tuned on",
            cell.title()
        )),
        Before::Domains(domains) => {
            let targets = &cell.setting.targets;
            let seen: BTreeSet<&String> = domains
                .iter()
                .filter(|domain| targets.contains(domain))
                .collect();
            let seen: Vec<&String> = seen.into_iter().collect();
            (!seen.is_empty()).then(|| {
                let title = cell.title();
                format!(
                    "{title} was initialised from what was tuned on {}",
                    list(&seen)
                )
            })
        }
    };
    let starts: BTreeSet<String> = (results.tuned())
        .flat_map(|result| study.of(result.method))
        .filter_map(|stored| tuned_on(&stored.record.cell))
        .collect();
    let starts: Vec<String> = starts.into_iter().collect();
    (!starts.is_empty()).then(|| {
        let seen = format!(
            "{}: scores there are not zero-shot.",
            capital(&starts.join("; "))
        );
        caution(
            "not zero-shot",
            seen,
            "an initialisation that was tuned on other domains",
        )
    })
}

/// What was tuned elsewhere: how is not known here.
fn elsewhere(study: &Study, results: &Results) -> Option<Caution> {
    let result = results.method(Method::Elsewhere)?;
    let forms: BTreeSet<&str> = (study.of(Method::Elsewhere).iter())
        .filter_map(|stored| {
            let given = stored.record.cell.elsewhere.as_ref()?;
            Some(given.found.as_ref()?.form.title())
        })
        .collect();
    let one = match result.seeds.as_slice() {
        [_] => " It is one run: its intervals cover the sampling of passages only.",
        _ => "",
    };
    let seen = format!(
        "**{}** ({}) was not tuned here: its recipe, its training rows and how it was selected are not known. It may \
         have seen rows of {}, test rows included, so its scores are no zero-shot claim; tests against it say whether \
         scores differ, not which way of tuning is better.{one}",
        plain(&result.title),
        list(&forms.into_iter().collect::<Vec<_>>()),
        list(&results.targets),
    );
    let remedy = "the same method tuned here, on the source alone";
    Some(caution("tuned elsewhere", seen, remedy))
}

/// Runs that failed, method by method, and runs that are under way or were interrupted.
fn without_record(results: &Results) -> Vec<Caution> {
    let mut cautions = Vec::new();
    for method in Method::ALL {
        let failed = results
            .without_record(method)
            .filter_map(|run| match &run.end {
                End::Failed { reason } => Some(format!("seed {} ({})", run.seed, plain(reason))),
                End::Missing => None,
            });
        let failed: Vec<String> = failed.collect();
        if !failed.is_empty() {
            let seen = format!(
                "**{} failed** with {}. Failed runs are excluded from means and intervals, which flatters a method \
                 that fails.",
                capital(results.title(method)),
                list(&failed)
            );
            cautions.push(caution("failed runs", seen, diagnosis::knob(method)));
        }
    }
    let begun: Vec<String> = (results.unfinished.iter())
        .filter(|run| run.end == End::Missing)
        .map(|run| format!("{} with seed {}", results.title(run.method), run.seed))
        .collect();
    if !begun.is_empty() {
        let seen = format!(
            "Running or interrupted, without a record: {}. They are in no number here.",
            list(&begun)
        );
        let remedy = "the same command again, which resumes from complete records";
        cautions.push(caution("unfinished runs", seen, remedy));
    }
    cautions
}

fn not_adapted(results: &Results) -> Option<Caution> {
    results.method(Method::Prompt)?;
    diagnosis::span_corruption_alone(&results.model).then(|| {
        let seen = format!(
            "{} is, by its name, a T5 v1.1 without LM adaptation, pre-trained by span corruption alone. Prompt tuning \
             of such a frozen model is known to fail (Lester et al. 2021, §3.3), so the comparison may be about \
             pre-training rather than tuning.",
            plain(&results.model)
        );
        let remedy = "its LM-adapted version, such as `google/t5-small-lm-adapt`";
        caution("the backbone", seen, remedy)
    })
}

fn unequal_sources(results: &Results, of: Option<&Difference>) -> Option<Caution> {
    let source = of?.scores[0];
    source.interval.excludes(0.0).then(|| {
        let seen = format!(
            "The methods' source scores differ: prompt tuning − model tuning is {} points on {}. A method with a \
             lower source score has less to lose.",
            difference(source),
            results.source
        );
        caution("unequal source scores", seen, "reading the target scores beside the gaps")
    })
}

fn seeds(results: &Results) -> Vec<Caution> {
    let mut cautions = Vec::new();
    // What was tuned elsewhere has runs, and a caution of its own.
    let ours = || (results.tuned()).filter(|result| result.method != Method::Elsewhere);
    let sets: BTreeSet<&Vec<u64>> = ours().map(|result| &result.seeds).collect();
    if sets.len() > 1 {
        cautions.push(caution(
            "seeds",
            "The methods were run with different seeds, so seeds are resampled for each method separately.",
            "the same `--seeds` for every method",
        ));
    }
    let single: Vec<&str> = ours()
        .filter(|result| result.seeds.len() == 1)
        .map(|result| result.title.as_str())
        .collect();
    if !single.is_empty() {
        let verb = if single.len() == 1 { "has" } else { "have" };
        let seen = format!(
            "{} one seed: the intervals cover the sampling of passages only, and another seed may fall outside them.",
            capital(&format!("{} {verb}", list(&single)))
        );
        cautions.push(caution("seeds", seen, "`--seeds 5`"));
    }
    let several = ours().map(|result| result.seeds.len()).filter(|n| *n > 1);
    if let Some(fewest) = several.min().filter(|fewest| *fewest < 5) {
        let seen = format!(
            "{} are few. In simulated studies with 2, 3 or 5 seeds such intervals covered the truth in at least 94 of \
             100 cases, but they are wide: with two seeds that differ, six times as wide as with many, with three twice. \
             More seeds narrow them more than more test examples do.",
            capital(&count(fewest, "seed"))
        );
        cautions.push(caution("seeds", seen, "`--seeds 5`"));
    }
    cautions
}

fn few_passages(results: &Results) -> Option<Caution> {
    let few = results
        .domains
        .iter()
        .filter(|domain| domain.passages < FEW_PASSAGES);
    let few: Vec<String> = few
        .map(|domain| format!("{} ({})", domain.name, domain.passages))
        .collect();
    (!few.is_empty()).then(|| {
        let seen = format!(
            "Percentile intervals are unreliable with few passages: {}.",
            list(&few)
        );
        caution("passages", seen, "more rows of these domains")
    })
}

fn cut(study: &Study, results: &Results) -> Option<Caution> {
    let described = |name: String, cut: usize, all: usize| {
        let of_all = cut as f64 / all.max(1) as f64;
        (of_all > CUT_SHARE).then(|| format!("{name} ({})", share(of_all)))
    };
    let mut trainings =
        (study.records().iter()).filter_map(|stored| stored.record.training.as_ref());
    let training = trainings.find_map(|training| {
        let name = format!("{} in training", results.source);
        described(name, training.cut_inputs, training.examples)
    });
    let evaluated = results
        .domains
        .iter()
        .filter_map(|domain| described(domain.name.clone(), domain.cut_inputs, domain.examples));
    let all: Vec<String> = training.into_iter().chain(evaluated).collect();
    (!all.is_empty()).then(|| {
        let seen = format!(
            "Inputs longer than the limit were truncated, and answers after the cut cannot be found: {}.",
            list(&all)
        );
        caution("cut inputs", seen, "")
    })
}

/// What records say of their rows and models.
fn notes(study: &Study) -> Vec<Caution> {
    let rows = study.records()[0].record.notes.iter();
    let rows = rows.map(|note| caution("the rows", format!("Rows of {}.", plain(note)), ""));
    let models = study
        .records()
        .iter()
        .flat_map(|stored| &stored.record.model_notes);
    let models: BTreeSet<&String> = models.collect();
    let models = models.into_iter();
    rows.chain(models.map(|note| {
        let seen = format!("Of the model: {}.", plain(note));
        caution("the model", seen, "")
    }))
    .collect()
}

/// Where the model has no head of its own for the task.
fn head(study: &Study, results: &Results) -> Option<Caution> {
    let mut recipes =
        (study.records().iter()).filter_map(|stored| stored.record.cell.recipe.as_ref());
    recipes.any(|recipe| recipe.head.is_some()).then(|| {
        let seen = format!(
            "{} has no head for this task. Each seed draws one, the same for every method, and every method trains it; \
             untuned is the pre-trained model under the head of seed 0, which answers at chance.",
            plain(&results.model)
        );
        caution("the head", seen, "")
    })
}

/// Records of several programs or machines, or of a program that cannot be rebuilt.
fn programs(study: &Study) -> Vec<Caution> {
    let of = |field: fn(&Provenance) -> String| -> Vec<String> {
        let records = study.records().iter();
        let values: BTreeSet<String> = records
            .map(|stored| field(&stored.record.provenance))
            .collect();
        values.into_iter().collect()
    };
    let revisions = of(|origin| origin.revision.clone());
    let machines = of(|origin| format!("{} ({})", origin.processor, origin.device));
    let mut cautions = Vec::new();
    if revisions.len() > 1 {
        let seen = format!(
            "The records come from several revisions: {}.",
            list(&revisions)
        );
        cautions.push(caution(
            "several programs",
            seen,
            "running all of them with one program",
        ));
    }
    if revisions
        .iter()
        .any(|revision| revision.ends_with("-dirty"))
    {
        cautions.push(caution(
            "uncommitted changes",
            "The program was built with uncommitted changes, so its revision does not identify it.",
            "",
        ));
    }
    if machines.len() > 1 {
        let seen = format!(
            "The records come from several machines, so times do not compare: {}.",
            list(&machines)
        );
        cautions.push(caution("several machines", seen, ""));
    }
    cautions
}

fn pretraining(results: &Results) -> Caution {
    match (results.model.as_str(), results.suite.as_str()) {
        ("nano", "mini") => caution(
            "pre-training",
            "The backbone `nano` was pre-trained on generated text of all miniature domains, including question–answer \
             notes in other formats: targets are unseen in tuning, not in pre-training. `models/nano/README.md` \
             describes that text.",
            "",
        ),
        ("nano", _) => caution(
            "the backbone",
            "The backbone `nano` is a miniature pre-trained on generated text only: expect low scores on real text; \
             its gaps say little about a real T5.",
            "a pre-trained T5 (`--model`)",
        ),
        (model, _) => {
            let seen = format!(
                "The pre-training data of `{model}` are not known here and may include texts or answers of the source \
                 or a target; \"zero-shot\" refers to tuning only."
            );
            let remedy = "a model whose pre-training text is published and searched for the rows";
            caution("pre-training", seen, remedy)
        }
    }
}
