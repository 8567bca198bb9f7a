//! Cautions about runs: those that did not learn, collapsed or failed, and the number of seeds.

use std::collections::BTreeSet;

use super::{Caution, about, caution};
use crate::baselines::{Above, Baseline, Standing, decisive};
use crate::diagnosis::{self, Stall};
use crate::document::{plain, quoted};
use crate::number::{capital, count, difference, list, percent, share};
use crate::results::{MethodResult, Results};
use crate::sections::{collapse, verdict};
use crate::study::Study;
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::folder::End;
use promptshift_numbers::record::{Stop, Training};
use promptshift_numbers::stats::bootstrap::Weakness;

pub(super) fn not_learned(
    study: &Study,
    results: &Results,
    result: &MethodResult,
) -> Option<Caution> {
    let knob = &remedy(study, result.method);
    let remedy = match result.learned() {
        Standing::Above => return None,
        Standing::NotAbove => knob.to_owned(),
        Standing::Open => format!(
            "more seeds and more scored rows of {}; {knob}",
            results.source
        ),
    };
    let learning = capital(&verdict::learning(results, result.method));
    let seen = match learning.split_once(": ") {
        Some((state, apart)) => format!("**{state}**: {apart}. Its gap is not informative."),
        None => format!("**{learning}**."),
    };
    Some(caution("learning", seen, remedy))
}

/// Runs with symptoms of not learning, and what to change.
pub(super) fn stalled(study: &Study, result: &MethodResult) -> Option<Caution> {
    let records = study.of(result.method).into_iter();
    let runs = records.flat_map(|stored| {
        let seed = stored.record.cell.seed;
        let stalls = diagnosis::stalls(stored).into_iter();
        stalls.map(move |stall| format!("seed {seed}: {}", symptom(&stall)))
    });
    let runs: Vec<String> = runs.collect();
    let seen = format!("{} stalled: {}.", capital(&result.title), runs.join("; "));
    let remedy = remedy(study, result.method);
    about(runs, "stalled runs", &remedy, |_| seen)
}

/// What to change about a method that did not learn, and how to find out which of it helps.
fn remedy(study: &Study, method: Method) -> String {
    let knob = diagnosis::knob(method);
    let setting = (study.of(method).first()).map(|stored| &stored.record.cell.setting);
    match setting.and_then(|setting| diagnosis::probe(method, setting)) {
        Some(probe) => format!("{knob}; {probe}"),
        None => knob.to_owned(),
    }
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

/// Targets on which a method is shown to be at the floor, or is not shown to be above it.
pub(super) fn at_floor(results: &Results, result: &MethodResult) -> Vec<Caution> {
    let targets = |wanted: Standing| -> Vec<String> {
        (results.domains.iter().zip(&result.scores).skip(1))
            .filter(|(_, score)| score.above_floor() == Some(wanted))
            .filter_map(|(domain, score)| Some(against(&domain.name, decisive(score.floors())?)))
            .collect()
    };
    let title = &result.title;
    let remedy = "a larger backbone, or targets closer to the source";
    let shown = about(
        targets(Standing::NotAbove),
        "the floor",
        remedy,
        |targets| {
            format!(
                "{} is shown to be at the floor on {targets}: it cannot lose more there, so its gap measures only \
                 the source score.",
                capital(title)
            )
        },
    );
    let remedy = "more seeds and more scored rows of these targets";
    let open = about(targets(Standing::Open), "the floor", remedy, |targets| {
        format!(
            "It is inconclusive whether {title} is above the floor on {targets}: its gap there may measure only the \
             source score."
        )
    });
    shown.into_iter().chain(open).collect()
}

/// `textbookqa (+1.2 [−0.4, 2.8] points against a random fact of the passage)`.
fn against(domain: &str, above: &Above) -> String {
    let apart = difference(above.difference);
    format!(
        "{domain} ({apart} points against {})",
        above.baseline.title()
    )
}

/// Targets on which learning the source is not shown to help.
pub(super) fn not_above_untuned(results: &Results, result: &MethodResult) -> Option<Caution> {
    if result.learned() != Standing::Above {
        return None;
    }
    let targets =
        (results.domains.iter().zip(&result.scores).skip(1)).filter_map(|(one, score)| {
            let is_untuned = |above: &&Above| above.baseline == Baseline::Untuned;
            let above = score.above.iter().find(is_untuned)?;
            let is_shown = above.difference.interval.low > 0.0;
            (!is_shown).then(|| against(&one.name, above))
        });
    about(targets.collect(), "the untuned backbone", "", |targets| {
        format!(
            "{} learned {} but is not shown to score higher than the untuned backbone on {targets}.",
            capital(&result.title),
            results.source
        )
    })
}

pub(super) fn collapsed(results: &Results, result: &MethodResult) -> Option<Caution> {
    let bar = collapse::bar(result, results.domains[0].floor());
    let seeds = (result.seeds.iter().zip(&result.source().by_seed))
        .filter(|(_, score)| **score < bar)
        .map(|(seed, score)| format!("{seed} ({})", percent(*score)));
    let remedy = "more seeds; a lower learning rate";
    about(seeds.collect(), "collapsed runs", remedy, |seeds| {
        let title = capital(&result.title);
        format!(
            "{title} collapsed on the source with seed {seeds}; means include these runs. Intervals of means cover \
             the truth less often if runs collapse: in 74 of 100 simulated studies with five seeds, in 88 with ten."
        )
    })
}

/// Runs whose best step was the last.
pub(super) fn undertrained(study: &Study, result: &MethodResult) -> Option<Caution> {
    let at_limit =
        |training: &Training| training.stop == Stop::Budget && training.best_step == training.steps;
    let seeds = (study.trainings(result.method).into_iter())
        .filter(|(_, training)| at_limit(training))
        .map(|(seed, _)| seed.to_string());
    let remedy = "more `--steps`, which may change the comparison";
    about(seeds.collect(), "undertrained", remedy, |seeds| {
        let title = capital(&result.title);
        format!(
            "{title} had its best step at the end of training with seed {seeds}: longer training may score higher."
        )
    })
}

/// Failed runs by method, and runs that are running or were interrupted.
pub(super) fn without_record(results: &Results) -> Vec<Caution> {
    let of_method = |method: Method| {
        let failed = results
            .without_record(method)
            .filter_map(|run| match &run.end {
                End::Failed { reason } => Some(format!("seed {} ({})", run.seed, plain(reason))),
                End::Missing => None,
            });
        let failed: Vec<String> = failed.collect();
        // No learning rate helps a process that was killed: its reason says what does.
        let is_killed = failed.iter().all(|run| run.contains("killed by signal"));
        let remedy = match diagnosis::knob(method) {
            knob if !is_killed && !knob.is_empty() => knob,
            _ => "what the reasons say, then the same command again",
        };
        about(failed, "failed runs", remedy, |failed| {
            format!(
                "**{} failed** with {failed}. Failed runs are excluded from means and intervals, which favours \
                 methods that fail.",
                capital(results.title(method))
            )
        })
    };
    let begun = (results.unfinished.iter())
        .filter(|run| run.end == End::Missing)
        .map(|run| format!("{} with seed {}", results.title(run.method), run.seed));
    let remedy = "running the same command again, which resumes from complete records";
    let begun = about(begun.collect(), "unfinished runs", remedy, |begun| {
        format!("Running or interrupted, without a record: {begun}. No number here includes them.")
    });
    let failed = Method::ALL.into_iter().filter_map(of_method);
    failed.chain(begun).collect()
}

pub(super) fn seeds(results: &Results) -> Vec<Caution> {
    let mut cautions = Vec::new();
    // Methods tuned elsewhere have their own caution.
    let ours = || (results.tuned()).filter(|result| result.method != Method::Elsewhere);
    let sets: BTreeSet<&Vec<u64>> = ours().map(|result| &result.seeds).collect();
    if sets.len() > 1 {
        cautions.push(caution(
            "seeds",
            "The methods were run with different seeds; only runs with the same seed are paired.",
            "the same `--seeds` for every method",
        ));
    }
    let single: Vec<&str> = ours()
        .filter(|result| result.seeds.len() == 1)
        .map(|result| result.title.as_str())
        .collect();
    if !single.is_empty() {
        let verb = if single.len() == 1 { "has" } else { "have" };
        let whose = capital(&format!("{} {verb} one seed", list(&single)));
        let means = match ours().any(|result| results.has_lent_spread(result.method)) {
            true => Weakness::Borrowed,
            false => Weakness::OneSeed,
        };
        let seen = format!("{whose}: {}.", means.meaning());
        cautions.push(caution("seeds", seen, "`--seeds 5`"));
    }
    let several = ours().map(|result| result.seeds.len()).filter(|n| *n > 1);
    if let Some(fewest) = several.min().filter(|fewest| *fewest < 5) {
        let held = match fewest {
            2 => "in 96 to 99 of 100 cases, and are about six times as wide as with many seeds",
            _ => "in 93 to 98 of 100 cases, and are up to twice as wide as with many seeds",
        };
        let seen = format!(
            "{} are few. In simulated studies with as many seeds, such intervals covered the truth {held}. More \
             seeds narrow them more than more test examples do.",
            capital(&count(fewest, "seed"))
        );
        cautions.push(caution("seeds", seen, "`--seeds 5`"));
    }
    cautions
}
