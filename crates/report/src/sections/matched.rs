//! Does a method score higher on the targets than model tuning *with the same source score*? Finished runs have
//! different source scores; here model tuning is stopped at the checkpoint whose source-validation score is nearest
//! to the method's.
//!
//! By this comparison Awadalla et al. 2022 (arXiv 2210.12517) dispute Lester et al. 2021: the loss under shift
//! depends on how much was learned. Source scores never match exactly. A remaining difference on the source changes
//! the target score by some fraction of it, so the difference at equal source scores is between the difference of
//! target scores (fraction 0) and the same minus the difference of source scores (fraction 1). Both must have the
//! same sign and both must be significant (an intersection-union test: Berger 1982).

use serde::Serialize;

use crate::baselines::Above;
use crate::document::{Block, Table, line, or_dash};
use crate::level::{Direction, adjusted, in_words, is_within_margin};
use crate::number::{difference, drawn_p_value, list, percent};
use crate::resamples::{Resamples, Scored, checkpoints};
use crate::results::{Results, differences};
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::folder::StoredRecord;
use promptshift_numbers::score::Metric;
use promptshift_numbers::stats::bootstrap::Draws;
use promptshift_numbers::stats::estimate::{Estimate, mean};

/// Validation scores that differ by more than this, in [0, 1], do not match.
pub const TOLERANCE: f64 = 0.05;

/// A method and model tuning at the nearest source-validation score.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Matched {
    pub method: Method,
    /// The step at which model tuning is stopped; absent if its kept steps are nearest.
    pub step: Option<usize>,
    /// The method's mean score on source validation.
    pub validation: f64,
    /// Model tuning's mean score at that step.
    pub model_validation: f64,
    /// Model tuning's scores at that step on each domain, source first.
    pub model_scores: Vec<f64>,
    /// The method's scores minus these.
    pub differences: Vec<Estimate>,
    /// The mean of the differences over targets.
    pub mean_difference: Estimate,
    /// Model tuning's scores at that step minus those of each baseline, on each domain.
    pub above: Vec<Vec<Above>>,
    /// The smallest difference of mean target scores that such a study would detect with 80 % power if the source
    /// scores were equal.
    pub detectable: f64,
    /// The method's mean gap minus model tuning's at that step.
    pub gap_difference: Estimate,
    /// The p value of the difference of target scores, for any fraction of the source difference that carries over to
    /// the targets, [adjusted](crate::level). Absent if nothing varies.
    pub p_value: Option<f64>,
}

/// A method that could not be matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Unmatched {
    pub method: Method,
    /// Why.
    pub reason: Reason,
}

/// Why a method could not be matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// No step has predictions in all runs of model tuning.
    NoCheckpoints,
    /// Some runs of the method have no answers to source validation.
    NoValidation,
}

impl Matched {
    /// The method's validation score minus model tuning's.
    pub fn apart(&self) -> f64 {
        self.validation - self.model_validation
    }

    /// Whether the validation scores match.
    pub fn is_match(&self) -> bool {
        self.apart().abs() <= TOLERANCE
    }

    /// The direction of the method's loss relative to model tuning's. Losses are equivalent only if they are so for
    /// any fraction of the source difference that carries over.
    pub fn direction(&self) -> Direction {
        match Direction::of(self.gap_difference, self.p_value) {
            Direction::Equivalent if !is_within_margin(self.mean_difference) => Direction::Open,
            direction => direction,
        }
    }
}

/// Matches these methods; returns those that were matched and those that could not be, in order.
pub fn matched(resamples: &Resamples, methods: &[Method]) -> (Vec<Matched>, Vec<Unmatched>) {
    let (mut found, mut p_values, mut unmatched) = (Vec::new(), Vec::new(), Vec::new());
    for &method in methods {
        match of(resamples, method) {
            Ok((one, p_value)) => {
                found.push(one);
                p_values.push((method, p_value));
            }
            Err(reason) => unmatched.push(Unmatched { method, reason }),
        }
    }
    for (one, p_value) in found.iter_mut().zip(adjusted(&p_values)) {
        one.p_value = p_value;
    }
    (found, unmatched)
}

fn of(resamples: &Resamples, method: Method) -> Result<(Matched, Option<f64>), Reason> {
    if resamples.steps.is_empty() {
        return Err(Reason::NoCheckpoints);
    }
    let validation = validation(resamples, method).ok_or(Reason::NoValidation)?;
    let (step, model_validation) = nearest(resamples, validation).ok_or(Reason::NoValidation)?;
    let model = step.map_or(Scored::Kept(Method::Model), Scored::Stopped);
    let minus = |of: &dyn Fn(Scored) -> Option<Draws>| Some(of(method.into())?.minus(&of(model)?));
    let on = |domain: usize| minus(&|one| resamples.score(domain, one).cloned());
    let mean = minus(&|one| resamples.mean_target(one));
    let gap = minus(&|one| resamples.mean_gap(one));
    let domains = 0..resamples.panels.len();
    let score = |domain| Some(resamples.score(domain, model)?.value());
    // Both have records on every domain.
    let (mean, gap) = mean.zip(gap).ok_or(Reason::NoCheckpoints)?;
    let matched = Matched {
        method,
        step,
        validation,
        model_validation,
        model_scores: domains.clone().filter_map(score).collect(),
        differences: (domains.clone())
            .filter_map(|domain| Some(on(domain)?.estimate()))
            .collect(),
        above: domains
            .map(|domain| differences(resamples, domain, model))
            .collect(),
        mean_difference: mean.estimate(),
        detectable: mean.detectable(),
        gap_difference: gap.estimate(),
        p_value: None,
    };
    Ok((matched, both(&mean, &gap)))
}

/// The p value for any fraction of the source difference: the higher of the p values at fractions 0 and 1, and 1 if
/// the signs there differ.
fn both(score: &Draws, gap: &Draws) -> Option<f64> {
    let p = score.p_value()?.max(gap.p_value()?);
    match score.value() * gap.value() < 0.0 {
        true => Some(p),
        false => Some(1.0),
    }
}

/// A method's mean score on source validation at the kept steps of its runs.
fn validation(resamples: &Resamples, method: Method) -> Option<f64> {
    let of_run = |stored: &StoredRecord| score(resamples.metric, stored);
    let all: Option<Vec<f64>> = resamples.study.of(method).into_iter().map(of_run).collect();
    mean(&all?)
}

fn score(metric: Metric, stored: &StoredRecord) -> Option<f64> {
    let scores: Vec<_> = stored.validation.iter().map(|one| one.score).collect();
    (!scores.is_empty()).then(|| metric.value(&scores))
}

/// The step of model tuning with the nearest mean score on source validation, the earliest among equals; `None`
/// stands for the kept step of each run.
fn nearest(resamples: &Resamples, wanted: f64) -> Option<(Option<usize>, f64)> {
    let models = resamples.study.of(Method::Model);
    let at = |step: usize| {
        let of_run = |stored: &&StoredRecord| {
            let (checkpoint, _) = checkpoints(stored).find(|(one, _)| one.step == step)?;
            checkpoint.validation_score
        };
        let all: Vec<f64> = models.iter().filter_map(of_run).collect();
        Some((Some(step), mean(&all)?))
    };
    let stopped = resamples.steps.iter().filter_map(|step| at(*step));
    let kept = validation(resamples, Method::Model).map(|score| (None, score));
    let apart = |(_, score): &(Option<usize>, f64)| (score - wanted).abs();
    stopped
        .chain(kept)
        .min_by(|one, other| apart(one).total_cmp(&apart(other)))
}

/// `model tuning stopped at step 25`.
pub fn stopped(matched: &Matched) -> String {
    let model = Method::Model.title();
    match matched.step {
        Some(step) => format!("{model} stopped at step {step}"),
        None => format!("finished {model}"),
    }
}

/// The section, with the verdict that `says` gives for a method; empty without methods to compare.
pub fn blocks(
    results: &Results,
    found: &[Matched],
    unmatched: &[Unmatched],
    says: impl Fn(Method) -> String,
) -> Vec<Block> {
    let heading = Block::heading("At the same source score");
    let question = format!(
        "Does a method score higher on the targets than {} with the same source score? Finished runs do not answer \
         this question: the loss depends on how much was learned (Awadalla et al. 2022).",
        Method::Model.title()
    );
    let Some(first) = unmatched.first().filter(|_| found.is_empty()) else {
        return compared(results, found, says, heading, question);
    };
    let why = why_not(results, unmatched, first.method);
    vec![
        heading,
        Block::text(format!("{question} Not possible here: {why}.")),
    ]
}

/// Why a method could not be matched.
pub fn why_not(results: &Results, unmatched: &[Unmatched], method: Method) -> String {
    let model = Method::Model.title();
    let reason = unmatched.iter().find(|one| one.method == method);
    let models = results.method(Method::Model);
    let models = models.map_or(0, |one| one.seeds.len());
    match (
        reason.map(|one| one.reason),
        results.without_checkpoints.as_slice(),
    ) {
        (Some(Reason::NoValidation), _) => format!(
            "some runs of {} have no answers to source validation",
            results.title(method)
        ),
        (_, without) if without.len() == models => format!(
            "these records have no predictions of {model}'s checkpoints, either because they are older than this \
             comparison or because the weights were not kept (`--keep all`); {model} must be trained again in a new \
             store"
        ),
        (_, without) => format!(
            "no checkpoint of {model} has predictions in all runs: some are missing with seed {}, because the \
             weights were not kept (`--keep all`)",
            list(without.iter().map(u64::to_string))
        ),
    }
}

fn compared(
    results: &Results,
    found: &[Matched],
    says: impl Fn(Method) -> String,
    heading: Block,
    question: String,
) -> Vec<Block> {
    if found.is_empty() {
        return Vec::new();
    }
    let incomplete = match results.without_checkpoints.as_slice() {
        [] => String::new(),
        seeds => format!(
            " Checkpoints that some runs do not have (seed {}) are left out.",
            list(seeds.iter().map(u64::to_string))
        ),
    };
    let methods: Vec<Method> = found.iter().map(|one| one.method).collect();
    let mut blocks = vec![
        heading,
        Block::text(question),
        table(results, found, says).into(),
        Block::text(format!(
            "Each method is compared with {model} stopped at the checkpoint (or at its kept steps) whose mean score \
             on source validation is nearest; a difference of more than {} points is no match. Differences: method − \
             {model} stopped there, in points, on all test rows, paired by passage. A remaining difference on {} \
             changes a target score by some fraction of it: the difference at equal source scores is between that of \
             target scores and the same minus the difference on {}. p is the higher of the p values of these two, \
             and 1 if their signs differ.{}{incomplete}",
            percent(TOLERANCE),
            results.source,
            results.source,
            in_words(&methods, 1),
            model = Method::Model.title(),
        )),
    ];
    if results.targets.len() > 1 {
        blocks.push(Block::Details(
            "Target by target at the same source score".to_owned(),
            vec![by_target(results, found).into()],
        ));
    }
    blocks
}

fn table(results: &Results, all: &[Matched], says: impl Fn(Method) -> String) -> Table {
    let model = Method::Model.title();
    let header = [
        "method".to_owned(),
        format!("{model} at"),
        "validation".to_owned(),
        format!("{model}'s"),
        format!("difference on {} [95 %]", results.source),
        format!("difference on {} [95 %]", results.target_in_words()),
        "p".to_owned(),
        "verdict".to_owned(),
    ];
    let rows = all.iter().map(|matched| {
        let at = match matched.step {
            Some(step) => format!("step {step}"),
            None => "kept steps".to_owned(),
        };
        vec![
            results.title(matched.method).to_owned(),
            at,
            percent(matched.validation),
            percent(matched.model_validation),
            difference(matched.differences[0]),
            difference(matched.mean_difference),
            or_dash(matched.p_value, drawn_p_value),
            says(matched.method),
        ]
    });
    Table::new(header).words(&[0, 1, 7]).rows(rows)
}

fn by_target(results: &Results, all: &[Matched]) -> Table {
    let titles = all.iter().map(|matched| results.title(matched.method));
    let rows = results.targets.iter().enumerate().map(|(target, name)| {
        let differences = all.iter().map(|matched| matched.differences[target + 1]);
        line(name, differences.map(difference))
    });
    Table::new(line("difference [95 %]", titles)).rows(rows)
}
