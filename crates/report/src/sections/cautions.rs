//! The limits of a comparison, computed from its numbers.

mod runs;

use std::collections::BTreeSet;

use serde::Serialize;

use super::differences::Difference;
use super::search::{MethodSearch, trials};
use crate::document::{Block, Table, UNDEFINED, plain};
use crate::number::{capital, count, difference, list, percent, share};
use crate::results::Results;
use crate::study::Study;
use crate::{cost, diagnosis};
use promptshift_numbers::recipe::{Before, Method};
use promptshift_numbers::record::Cell;

/// A larger share of truncated inputs gets a caution.
const CUT_SHARE: f64 = 0.01;

/// Intervals with fewer passages get a caution.
const FEW_PASSAGES: usize = 20;

/// Choosing a step or a recipe by fewer rows of source validation gets a caution: with 200 rows, a score of 50 % has
/// a standard error of 3.5 points.
const FEW_VALIDATION_ROWS: usize = 200;

/// A limit of a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Caution {
    /// The subject, in a few words.
    pub about: &'static str,
    /// What was found, and what it means for the reader. Markdown.
    pub seen: String,
    /// What would help; empty if nothing would. Markdown.
    pub remedy: String,
}

fn caution(about: &'static str, seen: impl Into<String>, remedy: impl Into<String>) -> Caution {
    Caution {
        about,
        seen: seen.into(),
        remedy: remedy.into(),
    }
}

/// A caution about these items; none without items.
fn about(
    items: Vec<String>,
    about: &'static str,
    remedy: &str,
    seen: impl FnOnce(String) -> String,
) -> Option<Caution> {
    (!items.is_empty()).then(|| caution(about, seen(list(&items)), remedy))
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

/// All cautions, the most serious first.
pub fn cautions(
    study: &Study,
    results: &Results,
    difference: Option<&Difference>,
    searches: &[MethodSearch],
) -> Vec<Caution> {
    let mut cautions = Vec::new();
    for result in results.tuned() {
        cautions.extend(runs::not_learned(study, results, result));
        cautions.extend(runs::stalled(study, result));
        cautions.extend(runs::at_floor(results, result));
        cautions.extend(runs::not_above_untuned(results, result));
        cautions.extend(runs::collapsed(results, result));
        cautions.extend(runs::undertrained(study, result));
    }
    cautions.extend(not_zero_shot(study, results));
    cautions.extend(elsewhere(study, results));
    cautions.extend(runs::without_record(results));
    cautions.extend(not_adapted(results));
    let trials = trials(results, searches);
    let trials: BTreeSet<usize> = trials.into_iter().map(|(_, count)| count).collect();
    if trials.len() > 1 {
        cautions.push(caution(
            "unequal budgets",
            "The methods' recipes had different numbers of trials; the best of more trials is better.",
            "the same `--trials` for every method",
        ));
    }
    cautions.extend(unequal_sources(results, difference));
    cautions.extend(runs::seeds(results));
    cautions.extend(few_passages(results));
    cautions.extend(few_validation_rows(study, results));
    let targets = results.targets.len();
    if targets > 1 {
        let seen = format!(
            "Each interval has 95 % coverage on its own, so one of {targets} targets may differ by chance. p values \
             are adjusted for that, intervals are not. The results do not extend to targets that were not evaluated."
        );
        cautions.push(caution(
            "many intervals",
            seen,
            "reading the mean over targets first",
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
        "a model trained on the target, which this study does not include",
    ));
    cautions
}

/// Methods whose initialisation was, or may have been, tuned on a target.
fn not_zero_shot(study: &Study, results: &Results) -> Option<Caution> {
    let tuned_on = |cell: &Cell| match cell.recipe.as_ref()?.before() {
        Before::Nothing => None,
        Before::Unknown => Some(format!(
            "{} was initialised from a prompt whose training data are unknown",
            cell.title()
        )),
        Before::Domains(domains) => {
            let targets = &cell.setting.targets;
            let seen: BTreeSet<&String> = (domains.iter())
                .filter(|domain| targets.contains(domain))
                .collect();
            (!seen.is_empty()).then(|| {
                let title = cell.title();
                format!(
                    "{title} was initialised from a prompt or subspace that was tuned on {}",
                    list(seen)
                )
            })
        }
    };
    let starts: BTreeSet<String> = (results.tuned())
        .flat_map(|result| study.of(result.method))
        .filter_map(|stored| tuned_on(&stored.record.cell))
        .collect();
    let remedy = "an initialisation that was tuned on other domains";
    about(
        starts.into_iter().collect(),
        "not zero-shot",
        remedy,
        |starts| format!("{}: the scores are not zero-shot.", capital(&starts)),
    )
}

/// A method that another program tuned, in an unknown way.
fn elsewhere(study: &Study, results: &Results) -> Option<Caution> {
    let result = results.method(Method::Elsewhere)?;
    let forms: BTreeSet<&str> = (study.of(Method::Elsewhere).iter())
        .filter_map(|stored| {
            let given = stored.record.cell.elsewhere.as_ref()?;
            Some(given.found.as_ref()?.form.title())
        })
        .collect();
    let one = match result.seeds.as_slice() {
        [_] => " It has one run, so its intervals cover only the sampling of passages.",
        _ => "",
    };
    let seen = format!(
        "**{}** ({}) was not tuned here: its recipe, its training rows and its selection are unknown. It may have \
         been trained on rows of {}, including test rows, so its scores may not be zero-shot; tests against it say \
         whether scores differ, not which method is better.{one}",
        plain(&result.title),
        list(forms),
        list(&results.targets),
    );
    let remedy = "the same method tuned here, on the source alone";
    Some(caution("tuned elsewhere", seen, remedy))
}

fn not_adapted(results: &Results) -> Option<Caution> {
    results.method(Method::Prompt)?;
    diagnosis::span_corruption_alone(&results.model).then(|| {
        let seen = format!(
            "{} is, by its name, a T5 v1.1 without LM adaptation, pre-trained by span corruption alone. Prompt \
             tuning of such a frozen model is known to fail (Lester et al. 2021, §3.3), so the difference may be due \
             to pre-training rather than tuning.",
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

fn few_passages(results: &Results) -> Option<Caution> {
    let few = (results.domains.iter()).filter(|domain| domain.passages < FEW_PASSAGES);
    let few = few.map(|domain| format!("{} ({})", domain.name, domain.passages));
    about(
        few.collect(),
        "passages",
        "more rows of these domains",
        |few| {
            format!(
                "With fewer than 20 passages, intervals rely on a normal approximation that has not been checked: \
                 {few}."
            )
        },
    )
}

/// Steps and recipes that were chosen by few rows, the same for every seed.
fn few_validation_rows(study: &Study, results: &Results) -> Option<Caution> {
    let answered = study.records().iter();
    let answered = answered.filter_map(|stored| stored.record.validation.as_ref());
    let rows = answered.map(|validation| validation.examples).min()?;
    (rows < FEW_VALIDATION_ROWS).then(|| {
        let error = 0.5 / (rows.max(1) as f64).sqrt();
        let seen = format!(
            "Best steps, and searched recipes, were chosen by {} of {} validation, on which a score of 50 % has a \
             standard error of {} points. All seeds use the same rows, so no interval covers the choice that other \
             rows would have led to.",
            count(rows, "row"),
            results.source,
            percent(error)
        );
        caution("validation rows", seen, "more `--validation-rows`")
    })
}

fn cut(study: &Study, results: &Results) -> Option<Caution> {
    let described = |name: String, cut: usize, all: usize| {
        let of_all = cut as f64 / all.max(1) as f64;
        (of_all > CUT_SHARE).then(|| format!("{name} ({})", share(of_all)))
    };
    let records = study.records().iter();
    let training = (records.filter_map(|stored| stored.record.training.as_ref())).find_map(|one| {
        let name = format!("{} in training", results.source);
        described(name, one.cut_inputs, one.examples)
    });
    let evaluated = (results.domains.iter())
        .filter_map(|one| described(one.name.clone(), one.cut_inputs, one.examples));
    let all = training.into_iter().chain(evaluated);
    about(all.collect(), "cut inputs", "", |all| {
        format!(
            "Inputs longer than the limit were truncated, and answers in the removed part cannot be found: {all}."
        )
    })
}

/// Remarks of the records about their rows and models.
fn notes(study: &Study) -> Vec<Caution> {
    let rows = study.records()[0].record.notes.iter();
    let rows = rows.map(|note| caution("the rows", format!("Rows of {}.", plain(note)), ""));
    let models = (study.records().iter()).flat_map(|stored| &stored.record.model_notes);
    let models: BTreeSet<&String> = models.collect();
    let models = models.into_iter();
    rows.chain(models.map(|note| {
        let seen = format!("About the model: {}.", plain(note));
        caution("the model", seen, "")
    }))
    .collect()
}

/// Models without a head for the task.
fn head(study: &Study, results: &Results) -> Option<Caution> {
    let mut recipes =
        (study.records().iter()).filter_map(|stored| stored.record.cell.recipe.as_ref());
    recipes.any(|recipe| recipe.head.is_some()).then(|| {
        let seen = format!(
            "{} has no head for this task. Each seed initialises one at random, the same for every method, and every \
             method trains it; untuned is the pre-trained model with the head of seed 0, which answers at chance.",
            plain(&results.model)
        );
        caution("the head", seen, "")
    })
}

/// Records from several programs or machines, or from a program that cannot be rebuilt.
fn programs(study: &Study) -> Vec<Caution> {
    let revisions: BTreeSet<&str> = (study.records().iter())
        .map(|stored| stored.record.provenance.revision.as_str())
        .collect();
    let machines = cost::hardware(study.records().iter().copied());
    let mut cautions = Vec::new();
    if revisions.len() > 1 {
        let seen = format!(
            "The records come from several revisions: {}.",
            list(revisions.iter())
        );
        cautions.push(caution(
            "several programs",
            seen,
            "running all of them with the same program",
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
            "The records come from several kinds of machines, so times are not comparable: {}.",
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
            "The backbone `nano` was pre-trained on generated text of all miniature domains, including questions and \
             answers in other formats: targets are unseen in tuning, but not in pre-training. \
             `models/nano/README.md` describes that text.",
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
                "The pre-training data of `{model}` are unknown and may include texts or answers of the source or a \
                 target; \"zero-shot\" refers to tuning only."
            );
            let remedy =
                "a model with published pre-training text that was searched for these rows";
            caution("pre-training", seen, remedy)
        }
    }
}
