//! Computes results from the records of a study and their resamples.

use std::collections::BTreeSet;

use super::{Domain, DomainScore, MethodResult, Results, UnfinishedRun};
use crate::baselines::{Above, Baseline, above, above_fact};
use crate::cost::cost;
use crate::resamples::{Resamples, Scored};
use crate::study::Study;
use promptshift_numbers::recipe::{Before, Method};
use promptshift_numbers::record::Evaluation;
use promptshift_numbers::record::folder::End;
use promptshift_numbers::score::Metric;
use promptshift_numbers::stats::bootstrap::{Bootstrap, Draws};
use promptshift_numbers::stats::estimate::{Estimate, mean, standard_deviation};

/// See [`Results::before`].
fn before(study: &Study) -> Vec<String> {
    let cells = study.records().iter().map(|stored| &stored.record.cell);
    let domains: BTreeSet<String> = cells
        .filter_map(|cell| match cell.recipe.as_ref()?.before() {
            Before::Domains(domains) => Some((&cell.setting.source, domains)),
            Before::Nothing | Before::Unknown => None,
        })
        .flat_map(|(source, domains)| domains.iter().filter(move |&domain| domain != source))
        .cloned()
        .collect();
    domains.into_iter().collect()
}

impl Results {
    /// The results of a study.
    pub fn of(resamples: &Resamples) -> Results {
        let study = resamples.study;
        let setting = &study.cell().setting;
        let task = study.evaluations()[0].task;
        let [main, second] = Metric::of(task);
        Results {
            source: setting.source.clone(),
            mixing: setting.mixing,
            before: before(study),
            targets: setting.targets.clone(),
            model: setting.model.clone(),
            model_title: setting.model_title(),
            suite: setting.suite.clone(),
            task,
            answers: setting.answers,
            wording: setting.wording.clone(),
            metric: main.name(),
            second_metric: second.name(),
            resamples: Bootstrap::default().resamples,
            domains: domains(resamples),
            methods: (resamples.methods())
                .map(|method| method_result(resamples, method, second))
                .collect(),
            without_checkpoints: resamples.without_checkpoints(),
            unfinished: (study.unfinished().iter())
                .filter(|one| one.cell.method != Method::Untuned || one.end != End::Missing)
                .map(|one| UnfinishedRun {
                    method: one.cell.method,
                    seed: one.cell.seed,
                    end: one.end.clone(),
                })
                .collect(),
        }
    }
}

fn domains(resamples: &Resamples) -> Vec<Domain> {
    let study = resamples.study;
    let evaluations = study.evaluations().iter().zip(&resamples.panels);
    (evaluations.enumerate())
        .map(|(index, (evaluation, panel))| Domain {
            name: evaluation.domain.clone(),
            role: evaluation.role,
            split: evaluation.split,
            examples: evaluation.examples,
            passages: panel.clusters(),
            cut_inputs: evaluation.cut_inputs,
            recorded_floor: recorded_floor(study, index),
            best_constant: (resamples.constants(index))
                .map(|(_, draws)| draws.value())
                .reduce(f64::max),
        })
        .collect()
}

fn recorded_floor(study: &Study, domain: usize) -> Option<f64> {
    (study.records().iter()).find_map(|stored| stored.record.evaluations[domain].floor)
}

/// A score on a domain minus that of each baseline.
pub fn differences(resamples: &Resamples, domain: usize, of: impl Into<Scored>) -> Vec<Above> {
    let of = of.into();
    let Some(score) = resamples.score(domain, of) else {
        return Vec::new();
    };
    let passages = resamples.panels[domain].clusters();
    let untuned = (of != Scored::Kept(Method::Untuned))
        .then(|| resamples.score(domain, Method::Untuned))
        .flatten()
        .map(|untuned| (Baseline::Untuned, untuned));
    let mut all: Vec<Above> = (untuned.into_iter())
        .chain(resamples.constants(domain))
        .map(|(baseline, other)| above(score, baseline, other, passages))
        .collect();
    // With classes, the recorded floor is one of the constants, and rarely the best.
    if resamples.constants(domain).next().is_none() {
        let fact = recorded_floor(resamples.study, domain);
        all.extend(fact.map(|fact| above_fact(score, fact, passages)));
    }
    all
}

fn method_result(resamples: &Resamples, method: Method, second: Metric) -> MethodResult {
    let records = resamples.study.of(method);
    let of_domain = |domain: usize| {
        let evaluations = (records.iter()).map(|stored| &stored.record.evaluations[domain]);
        let by_seed = resamples.by_seed(domain, method).unwrap_or_default();
        let seconds: Vec<f64> = evaluations
            .filter_map(|one: &Evaluation| one.metrics.get(second.name()).copied())
            .collect();
        let score = resamples.score(domain, method);
        DomainScore {
            score: clamped(score.expect("a method with records has samples on every domain")),
            deviation: standard_deviation(&by_seed),
            by_seed,
            gap: (domain > 0)
                .then(|| resamples.gap(domain, method))
                .flatten()
                .map(|gap| gap.estimate()),
            above: differences(resamples, domain, method),
            second: mean(&seconds).expect("the records were checked: every metric is there"),
            second_deviation: standard_deviation(&seconds),
        }
    };
    let above_untuned = || {
        let untuned = resamples.score(0, Method::Untuned)?;
        Some(resamples.score(0, method)?.minus(untuned).estimate())
    };
    MethodResult {
        method,
        title: records[0].record.cell.title(),
        seeds: (records.iter())
            .map(|stored| stored.record.cell.seed)
            .collect(),
        scores: (0..resamples.panels.len()).map(of_domain).collect(),
        mean_target: (resamples.mean_target(method)).map(|mean| mean.estimate()),
        mean_gap: resamples.mean_gap(method).map(|mean| mean.estimate()),
        above_untuned: (method != Method::Untuned).then(above_untuned).flatten(),
        cost: cost(&records),
    }
}

/// A score's estimate with the interval clamped to [0, 1].
pub fn clamped(draws: &Draws) -> Estimate {
    draws.estimate().clamp()
}
