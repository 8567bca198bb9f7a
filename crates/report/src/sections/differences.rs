//! Does a method score differently from model tuning on each domain, and may that be chance?

mod words;

use serde::Serialize;

use crate::level::adjusted;
use crate::resamples::Resamples;
use promptshift_numbers::recipe::Method;
use promptshift_numbers::stats::bootstrap::Draws;
use promptshift_numbers::stats::estimate::Estimate;
use promptshift_numbers::stats::runs;
use promptshift_numbers::stats::significance::SignFlip;

pub use words::blocks;

/// One method against model tuning.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AgainstModel {
    pub method: Method,
    pub domains: Vec<DomainTest>,
    /// The tests of means over targets.
    pub mean: MeanTest,
}

/// One method against model tuning on one domain.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DomainTest {
    /// The method's score minus model tuning's.
    pub difference: Estimate,
    /// The method's gap minus model tuning's; absent for the source.
    pub gap_difference: Option<Estimate>,
    /// The p value of the difference in gaps, [adjusted](crate::level); absent for the source, and if nothing varies.
    pub gap_adjusted: Option<f64>,
    /// The p value of the difference over seeds and passages: the level at which the interval touches zero. Absent if
    /// nothing varies.
    pub p_value: Option<f64>,
    /// `p_value`, [adjusted](crate::level).
    pub adjusted: Option<f64>,
    /// The p value of the difference between these runs, by sign flips over passages. Absent with fewer than two
    /// passages.
    pub runs_p_value: Option<f64>,
    /// `runs_p_value`, [adjusted](crate::level).
    pub runs_adjusted: Option<f64>,
    /// The smallest difference that such a study detects with 80 % power.
    pub detectable: f64,
    /// The probability that a run of the method scores higher than a run of model tuning.
    pub wins: Option<Estimate>,
}

/// One method against model tuning, averaged over targets.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct MeanTest {
    /// The method's mean score minus model tuning's.
    pub difference: Estimate,
    /// The p value of the difference of mean scores.
    pub score_p_value: Option<f64>,
    /// `score_p_value`, [adjusted](crate::level).
    pub score_adjusted: Option<f64>,
    /// The smallest difference of mean scores that such a study detects with 80 % power.
    pub score_detectable: f64,
    /// The method's mean gap minus model tuning's.
    pub gap_difference: Estimate,
    /// The p value of the difference of mean gaps.
    pub gap_p_value: Option<f64>,
    /// `gap_p_value`, [adjusted](crate::level).
    pub gap_adjusted: Option<f64>,
    /// The smallest difference of mean gaps that such a study detects with 80 % power.
    pub gap_detectable: f64,
}

/// Prompt tuning minus model tuning.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// Of the scores on each domain.
    pub scores: Vec<Estimate>,
    /// Of the gaps on each target.
    pub gaps: Vec<Estimate>,
    /// Of the means over targets.
    pub mean_target: Estimate,
    /// Of the mean gaps.
    pub mean_gap: Estimate,
}

/// Every other tuned method against model tuning; empty if model tuning has no records.
pub fn against_model(resamples: &Resamples) -> Vec<AgainstModel> {
    let mut all: Vec<AgainstModel> = (resamples.methods())
        .filter(|method| !matches!(method, Method::Untuned | Method::Model))
        .filter_map(|method| tests(resamples, method))
        .collect();
    // The source and the targets are separate families.
    for places in [0..1, 1..resamples.panels.len()] {
        let mut family: Vec<(Method, &mut DomainTest)> = (all.iter_mut())
            .flat_map(|one| {
                let tests = one.domains[places.clone()].iter_mut();
                tests.map(|test| (one.method, test))
            })
            .collect();
        adjust(&mut family, |test| (test.p_value, &mut test.adjusted));
        adjust(&mut family, |test| {
            (test.runs_p_value, &mut test.runs_adjusted)
        });
        adjust(&mut family, |test| {
            (test.gap_adjusted, &mut test.gap_adjusted)
        });
    }
    let mut means: Vec<(Method, &mut MeanTest)> = (all.iter_mut())
        .map(|one| (one.method, &mut one.mean))
        .collect();
    adjust(&mut means, |mean| {
        (mean.score_p_value, &mut mean.score_adjusted)
    });
    adjust(&mut means, |mean| {
        (mean.gap_p_value, &mut mean.gap_adjusted)
    });
    all
}

/// Sets the adjusted p values of a family of tests.
fn adjust<T>(
    family: &mut [(Method, &mut T)],
    of: impl Fn(&mut T) -> (Option<f64>, &mut Option<f64>),
) {
    let found: Vec<_> = (family.iter_mut())
        .map(|(method, test)| (*method, of(test).0))
        .collect();
    for ((_, test), p_value) in family.iter_mut().zip(adjusted(&found)) {
        *of(test).1 = p_value;
    }
}

/// A method's tests.
pub fn of(all: &[AgainstModel], method: Method) -> Option<&AgainstModel> {
    all.iter().find(|one| one.method == method)
}

/// The differences of prompt tuning's tests.
pub fn difference(all: &[AgainstModel]) -> Option<Difference> {
    let AgainstModel { domains, mean, .. } = of(all, Method::Prompt)?;
    Some(Difference {
        scores: domains.iter().map(|test| test.difference).collect(),
        gaps: (domains.iter())
            .filter_map(|test| test.gap_difference)
            .collect(),
        mean_target: mean.difference,
        mean_gap: mean.gap_difference,
    })
}

fn tests(resamples: &Resamples, method: Method) -> Option<AgainstModel> {
    let model = Method::Model;
    let minus = |of: &dyn Fn(Method) -> Option<Draws>| Some(of(method)?.minus(&of(model)?));
    let test = |domain: usize| {
        let (one, other) = (
            resamples.score(domain, method)?,
            resamples.score(domain, model)?,
        );
        let difference = one.minus(other);
        let gap = match domain {
            0 => None,
            _ => Some(minus(&|one| resamples.gap(domain, one))?),
        };
        let pairs = resamples.panels[domain].pairs(method as usize, model as usize)?;
        let (p_value, runs_p_value) = (difference.p_value(), SignFlip::default().p_value(&pairs));
        Some(DomainTest {
            difference: difference.estimate(),
            gap_difference: gap.as_ref().map(|gap| gap.estimate()),
            gap_adjusted: gap.as_ref().and_then(|gap| gap.p_value()),
            p_value,
            adjusted: None,
            runs_p_value,
            runs_adjusted: None,
            detectable: difference.detectable(),
            wins: runs::probability(one, other),
        })
    };
    let domains = (0..resamples.panels.len()).filter_map(test).collect();
    let score = minus(&|one| resamples.mean_target(one))?;
    let gap = minus(&|one| resamples.mean_gap(one))?;
    Some(AgainstModel {
        method,
        domains,
        mean: MeanTest {
            difference: score.estimate(),
            score_p_value: score.p_value(),
            score_adjusted: None,
            score_detectable: score.detectable(),
            gap_difference: gap.estimate(),
            gap_p_value: gap.p_value(),
            gap_adjusted: None,
            gap_detectable: gap.detectable(),
        },
    })
}
