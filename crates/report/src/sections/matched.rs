//! Does a method score higher on the targets than model tuning *that scores as high on the source*? Finished runs
//! stop at different source scores; here model tuning is stopped where its source-validation score is nearest to the
//! method's.
//!
//! This is the comparison on which Awadalla et al. 2022 (arXiv 2210.12517) dispute Lester et al. 2021: what is lost in a
//! shift depends on how much was learned. No two scores are exactly equal. What remains of a difference on the source
//! changes the target score by some share of it, so that the difference at equal source scores lies between the
//! difference of target scores (share 0) and that of target scores less source scores (share 1). Both must agree and
//! both must be significant (an intersection-union test: Berger 1982).

use serde::Serialize;

use crate::baselines::Above;
use crate::document::{Block, Table, or_dash};
use crate::level::{Direction, adjusted, in_words};
use crate::number::{capital, difference, drawn_p_value, list, percent};
use crate::resamples::{Resamples, Scored, checkpoints};
use crate::results::{Results, differences};
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::folder::StoredRecord;
use promptshift_numbers::score::Metric;
use promptshift_numbers::stats::bootstrap::Draws;
use promptshift_numbers::stats::estimate::{Estimate, mean};

/// Validation scores that are further apart than this are no match, in [0, 1].
pub const TOLERANCE: f64 = 0.05;

/// A method beside model tuning at the nearest source-validation score.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Matched {
    /// The method.
    pub method: Method,
    /// The step at which model tuning is stopped; absent where its kept steps are nearest.
    pub step: Option<usize>,
    /// The method's mean score on source validation.
    pub validation: f64,
    /// Model tuning's at that step.
    pub model_validation: f64,
    /// Model tuning's scores at that step on each domain, source first.
    pub model_scores: Vec<f64>,
    /// The method's scores minus those.
    pub differences: Vec<Estimate>,
    /// The mean of those over targets.
    pub mean_difference: Estimate,
    /// Model tuning's scores at that step minus those of each baseline, on each domain.
    pub above: Vec<Vec<Above>>,
    /// The smallest difference of mean target scores that such a study finds with 80 % power, were the source scores
    /// equal.
    pub detectable: f64,
    /// The method's mean gap minus model tuning's at that step.
    pub gap_difference: Estimate,
    /// That target scores do not differ, whatever share of the source difference reaches the targets,
    /// [adjusted](crate::level). Absent where nothing varies.
    pub p_value: Option<f64>,
}

/// A method that nothing was matched with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Unmatched {
    /// The method.
    pub method: Method,
    /// Why.
    pub reason: Reason,
}

/// Why there is nothing to match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// No step has predictions in all runs of model tuning.
    NoCheckpoints,
    /// Not every run of the method has answers to source validation.
    NoValidation,
}

impl Matched {
    /// How far apart the validation scores are: the method's minus model tuning's.
    pub fn apart(&self) -> f64 {
        self.validation - self.model_validation
    }

    /// Whether the two are near enough to be compared.
    pub fn is_match(&self) -> bool {
        self.apart().abs() <= TOLERANCE
    }

    /// What it says of the method's loss.
    pub fn direction(&self) -> Direction {
        Direction::of(self.gap_difference, self.p_value)
    }
}

/// These methods beside model tuning, and those that nothing was matched with, in their order.
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
    let minus = |one: Option<&Draws>, other: Option<&Draws>| {
        one.zip(other).map(|(one, other)| one.minus(other))
    };
    let on = |domain: usize| {
        minus(
            resamples.score(domain, method),
            resamples.score(domain, model),
        )
    };
    let domains = 0..resamples.panels.len();
    let scores = domains
        .clone()
        .map(|domain| Some(resamples.score(domain, model)?.value()));
    let (mean, gap) = (
        minus(
            resamples.mean_target(method).as_ref(),
            resamples.mean_target(model).as_ref(),
        ),
        minus(
            resamples.mean_gap(method).as_ref(),
            resamples.mean_gap(model).as_ref(),
        ),
    );
    // Both have records on every domain.
    let (mean, gap) = mean.zip(gap).ok_or(Reason::NoCheckpoints)?;
    let matched = Matched {
        method,
        step,
        validation,
        model_validation,
        model_scores: scores.flatten().collect(),
        differences: domains
            .filter_map(|domain| Some(on(domain)?.estimate()))
            .collect(),
        above: (0..resamples.panels.len())
            .map(|domain| differences(resamples, domain, model))
            .collect(),
        mean_difference: mean.estimate(),
        detectable: mean.detectable(),
        gap_difference: gap.estimate(),
        p_value: None,
    };
    Ok((matched, both(&mean, &gap)))
}

/// The p value of "target scores do not differ, whichever share of the source difference reaches the targets": the
/// higher of the two at the ends, and 1 where these disagree.
fn both(score: &Draws, gap: &Draws) -> Option<f64> {
    let p = score.p_value()?.max(gap.p_value()?);
    match score.value() * gap.value() < 0.0 {
        true => Some(p),
        false => Some(1.0),
    }
}

/// A method's mean score on source validation at the steps that its runs kept.
fn validation(resamples: &Resamples, method: Method) -> Option<f64> {
    let of_run = |stored: &StoredRecord| score(resamples.metric, stored);
    let all: Option<Vec<f64>> = resamples.study.of(method).into_iter().map(of_run).collect();
    mean(&all?)
}

fn score(metric: Metric, stored: &StoredRecord) -> Option<f64> {
    let scores: Vec<_> = stored.validation.iter().map(|one| one.score).collect();
    (!scores.is_empty()).then(|| metric.value(&scores))
}

/// The step of model tuning whose mean score on source validation is nearest, the earlier of equals; `None` is the
/// kept one of each run.
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

/// The section, with what the verdict `says` of a method; nothing without anything to compare.
pub fn blocks(
    results: &Results,
    found: &[Matched],
    unmatched: &[Unmatched],
    says: impl Fn(Method) -> String,
) -> Vec<Block> {
    let heading = Block::heading("At the same source score");
    let question = format!(
        "Does a method score higher on the targets than {} that scores as high on the source? Finished runs do not \
         answer that: how much is lost depends on how much was learned (Awadalla et al. 2022).",
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

/// Why nothing was matched with a method.
pub fn why_not(results: &Results, unmatched: &[Unmatched], method: Method) -> String {
    let model = Method::Model.title();
    let reason = unmatched.iter().find(|one| one.method == method);
    match (
        reason.map(|one| one.reason),
        results.without_checkpoints.as_slice(),
    ) {
        (Some(Reason::NoValidation), _) => format!(
            "not every run of {} has answers to source validation",
            results.title(method)
        ),
        (_, without)
            if without.len()
                == results
                    .method(Method::Model)
                    .map_or(0, |one| one.seeds.len()) =>
        {
            format!(
                "these records hold no predictions of {model}'s checkpoints, as none did before they were kept, or its weights \
             there were not kept when more was asked (`--keep all`); it has to be trained again in a new store"
            )
        }
        (_, without) => format!(
            "{model} has no checkpoint with predictions in all its runs: with seed {} some are missing, since its weights \
             there were not kept (`--keep all`)",
            list(&without.iter().map(u64::to_string).collect::<Vec<_>>())
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
            " Checkpoints that some runs lack (seed {}) are left out.",
            list(&seeds.iter().map(u64::to_string).collect::<Vec<_>>())
        ),
    };
    let methods: Vec<Method> = found.iter().map(|one| one.method).collect();
    let mut blocks = vec![
        heading,
        Block::text(question),
        table(results, found, says).into(),
        Block::text(format!(
            "{model} is stopped at that checkpoint (or at its kept steps) whose mean score on source validation is \
             nearest to the method's; more than {} points apart is no match. Differences: method minus that, in points, on \
             all test rows, paired by passage. What remains of a difference on {} changes a target score by some share of \
             it: the difference at equal source scores lies between that of target scores and the same less the difference \
             on {}. p is the higher of the two, and 1 where they do not agree.{}{incomplete}",
            percent(TOLERANCE),
            results.source,
            results.source,
            in_words(&methods, 1),
            model = capital(Method::Model.title()),
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
    let header = std::iter::once("difference [95 %]").chain(titles);
    let rows = results.targets.iter().enumerate().map(|(target, name)| {
        let cells = all
            .iter()
            .map(|matched| difference(matched.differences[target + 1]));
        std::iter::once(name.clone()).chain(cells).collect()
    });
    Table::new(header).rows(rows)
}
