//! The calibration error without the part that is due to chance, with an interval.
//!
//! The plain expected calibration error is above zero even for perfect calibration: each bin's share of right answers
//! deviates from its expectation by chance, and absolute (or squared) deviations add up. With 50 answers in 15 bins,
//! perfect calibration has an error of about 18 points. Therefore
//!
//! - bins have at least [`ANSWERS_A_BIN`](super::calibration::ANSWERS_A_BIN) answers, and there are at most [`BINS`](super::calibration::BINS);
//! - the error is the squared one, from which the expected contribution of chance can be subtracted exactly (Bröcker
//!   2012, *Estimating reliability and resolution of probability forecasts*; Kumar, Liang & Ma 2019, *Verified
//!   uncertainty calibration*, arXiv:1909.10155; Roelofs et al. 2022, arXiv:2012.08668):
//!
//! `E² = Σ_b w_b (d_b² - v_b)`, with `w_b` the share of answers in bin b, `d_b` the mean of outcome − confidence in
//! it and `v_b` the variance of that mean. Kumar et al. estimate `v_b` for independent answers; here it is clustered
//! by passage (Liang & Zeger 1986), as questions on one passage are not independent.
//!
//! For normal `d_b` the variance of `E²` at a true error ε is approximately `4 ε² τ + 2 Σ w_b² v_b²`, with τ the
//! variance of the mean of all residuals around their bins' means. It grows with ε². The interval therefore contains
//! those ε² for which the estimate is within Student's t standard errors, computed at ε², as Wilson's interval (1927)
//! does for shares: a variance computed at the estimate would be too small when the estimate is too small. Runs of
//! several seeds are averaged passage by passage, and their variance beyond passages is added as in
//! [`bootstrap`](super::bootstrap), with Student's t for the numbers of seeds and passages. In simulations such
//! intervals cover the truth in 94 to 100 of 100 studies (`tests`).
//!
//! The square root of `E²` has the unit of the plain error and is at least as large in expectation. A negative `E²`,
//! as in half of all perfectly calibrated runs, keeps its sign.

use super::calibration::{Outcome, bins_for, groups};
use super::estimate::{
    Estimate, Interval, mean, normal_quantile, standard_deviation, student_quantile,
};

/// An answer and the number of its passage.
pub type Answer = (usize, Outcome);

/// One run's squared error.
struct Run {
    value: f64,
    /// Each passage's contribution to the mean of all residuals around their bins' means.
    around: Vec<f64>,
    /// `2 Σ w_b² v_b²`.
    noise: f64,
    /// `Σ w_b² v_b`, which equals τ if each passage is in one bin.
    by_bin: f64,
}

/// The variance of a squared error, as a function of the true value.
#[derive(Clone, Copy)]
struct Variance {
    /// Four times τ.
    slope: f64,
    /// The variance at a true error of zero.
    least: f64,
}

impl Variance {
    fn at(self, squared: f64) -> f64 {
        self.slope * squared.max(0.0) + self.least
    }
}

/// The mean over runs of the debiased squared calibration error with its 95 % interval. Passages are numbered from
/// zero, in the same way in every run. `None` without runs, and if a bin has fewer than two passages, so that its
/// variance is unknown.
pub fn squared_error(runs: &[Vec<Answer>]) -> Option<Estimate> {
    let numbers = runs.iter().flatten().map(|(passage, _)| passage + 1);
    let passages = numbers.max().unwrap_or(0);
    let runs: Vec<Run> = (runs.iter())
        .map(|answers| run(answers, passages))
        .collect::<Option<_>>()?;
    let values: Vec<f64> = runs.iter().map(|run| run.value).collect();
    let value = mean(&values)?;
    let count = runs.len() as f64;
    let over = |of: &dyn Fn(&Run) -> f64| runs.iter().map(of).sum::<f64>() / count;
    let correction = passages as f64 / (passages as f64 - 1.0).max(1.0);
    let shared: Vec<f64> = (0..passages)
        .map(|passage| over(&|run| run.around[passage]))
        .collect();
    let single = over(&|run| (correction * squares(&run.around)).max(run.by_bin));
    // The contributions of chance to single runs average out to the extent that runs disagree on passages.
    let kept = match over(&|run| squares(&run.around)) {
        0.0 => 1.0,
        total => squares(&shared) / total,
    };
    let noise = over(&|run| run.noise);
    let of_one = Variance {
        slope: 4.0 * single,
        least: noise,
    };
    let of_mean = Variance {
        slope: kept * of_one.slope,
        least: kept * noise,
    };
    let (of_seeds, beyond) = match standard_deviation(&values) {
        None => (0.0, 0.0),
        Some(deviation) => {
            let of_seeds = deviation.powi(2) / count;
            let crossed = (of_one.at(value) - of_mean.at(value)) / (count - 1.0);
            (of_seeds, (of_seeds - crossed).max(0.0))
        }
    };
    let t = critical([(of_mean.at(value), passages), (of_seeds, runs.len())]);
    // (E² - ε²)² = t² (slope · ε² + least + beyond), solved for ε².
    let middle = value + 0.5 * t * t * of_mean.slope;
    let half = middle.powi(2) - value.powi(2) + t * t * (of_mean.least + beyond);
    let half = half.max(0.0).sqrt();
    Some(Estimate::new(
        value,
        (middle - half).min(value),
        (middle + half).max(value),
    ))
}

/// The mean of Student's quantiles for two parts of a variance, each with its number of units, weighted by the
/// variances.
fn critical(parts: [(f64, usize); 2]) -> f64 {
    let known = parts.into_iter().filter(|(_, count)| *count > 1);
    let (sum, weights) = known.fold((0.0, 0.0), |(sum, weights), (variance, count)| {
        let quantile = student_quantile(0.975, count as f64 - 1.0);
        (sum + variance * quantile, weights + variance)
    });
    if weights > 0.0 {
        sum / weights
    } else {
        normal_quantile(0.975)
    }
}

fn squares(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum()
}

fn run(answers: &[Answer], passages: usize) -> Option<Run> {
    let mut sorted: Vec<(f64, f64, usize)> = (answers.iter())
        .map(|(passage, outcome)| {
            let confidence = outcome.confidence();
            (confidence, outcome.worth() - confidence, *passage)
        })
        .collect();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let all = sorted.len() as f64;
    let mut found = Run {
        value: 0.0,
        around: vec![0.0; passages],
        noise: 0.0,
        by_bin: 0.0,
    };
    for bin in groups(&sorted, bins_for(sorted.len()), |one| one.0) {
        let count = bin.len() as f64;
        let miss = bin.iter().map(|one| one.1).sum::<f64>() / count;
        let mut around: std::collections::BTreeMap<usize, f64> = std::collections::BTreeMap::new();
        for (_, apart, passage) in bin {
            *around.entry(*passage).or_default() += apart - miss;
        }
        let clusters = around.len() as f64;
        if around.len() < 2 {
            return None;
        }
        let sum: f64 = around.values().map(|apart| apart * apart).sum();
        let variance = clusters / (clusters - 1.0) * sum / (count * count);
        let weight = count / all;
        found.value += weight * (miss * miss - variance);
        found.noise += 2.0 * (weight * variance).powi(2);
        found.by_bin += weight * weight * variance;
        for (passage, apart) in around {
            found.around[passage] += apart / all;
        }
    }
    (!sorted.is_empty()).then_some(found)
}

/// The square roots of a squared error and of its interval's ends, with their signs.
pub fn root(squared: Estimate) -> Estimate {
    let root = |value: f64| value.signum() * value.abs().sqrt();
    let Interval { low, high } = squared.interval;
    Estimate::new(root(squared.value), root(low), root(high))
}

/// The difference of two errors on different examples, negative errors taken as zero. Each end of its interval is as
/// far from the difference as the root of the sum of both squared distances (method of variance estimates recovery,
/// Zou & Donner 2008). If both share seeds the interval is too wide rather than too narrow.
pub fn difference(error: Estimate, minus: Estimate) -> Estimate {
    let [one, other] = [error, minus].map(|estimate| Estimate {
        value: estimate.value.max(0.0),
        interval: estimate.interval.clamp(0.0, 1.0),
    });
    let value = one.value - other.value;
    let below = (one.value - one.interval.low).hypot(other.interval.high - other.value);
    let above = (one.interval.high - one.value).hypot(other.value - other.interval.low);
    Estimate::new(value, value - below, value + above)
}

#[cfg(test)]
mod tests;
