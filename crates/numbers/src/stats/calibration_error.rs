//! How far confidence is from the share of right answers, without what chance adds, and with an interval.
//!
//! The plain expected calibration error is above zero even where confidence is perfect: each bin's share
//! of right answers misses its expectation by chance, and absolute (or squared) misses add up. With 50
//! answers in 15 bins perfect confidence has an error of some 18 points. So
//!
//! - there are as many bins as the answers fill, [`ANSWERS_A_BIN`] in each and at most [`BINS`];
//! - the error is the square one, from which what chance adds can be taken away exactly (Bröcker 2012,
//!   *Estimating reliability and resolution of probability forecasts*; Kumar, Liang & Ma 2019, *Verified
//!   uncertainty calibration*, arXiv:1909.10155; Roelofs et al. 2022, arXiv:2012.08668):
//!
//! `E² = Σ_b w_b (d_b² - v_b)`, with `w_b` the share of answers in bin b, `d_b` the mean of outcome −
//! confidence there and `v_b` the variance of that mean. Kumar et al. take `v_b` for independent answers;
//! here it is that of whole passages (Liang & Zeger 1986), as questions on one passage are not independent.
//!
//! With normal `d_b` the variance of `E²` at a true error ε is nearly `4 ε² τ + 2 Σ w_b² v_b²`, τ being the
//! variance of the mean of all residuals around their bins' means. It grows with ε², so the interval holds
//! those ε² whose own variance puts the estimate within Student's t standard errors, as Wilson's (1927)
//! does for shares: a variance taken at the estimate is too small just where the estimate is. Runs of
//! several seeds are averaged, passage by passage, and what they vary by beyond passages is added as in
//! [`bootstrap`](super::bootstrap), with Student's t for as few seeds and passages as there are. In
//! simulated worlds such intervals hold the truth in 94 to 100 of 100 (`tests`).
//!
//! The root of `E²` is in the unit of the plain error, and at least as large as it in expectation. A
//! negative `E²`, as half of all perfectly calibrated runs have, keeps its sign.

use super::calibration::{BINS, Outcome, groups};
use super::estimate::{Estimate, Interval, mean, standard_deviation};
use super::estimate::{normal_quantile, student_quantile};

/// As many answers as a bin's mean needs to be nearly normal.
pub const ANSWERS_A_BIN: usize = 25;

/// As many bins as answers fill.
pub fn bins_for(answers: usize) -> usize {
    (answers / ANSWERS_A_BIN).clamp(1, BINS)
}

/// An answer, and the number of the passage that it is about.
pub type Answer = (usize, Outcome);

/// One run's squared error.
struct Run {
    value: f64,
    /// What each passage adds to the mean of all residuals around their bins' means.
    around: Vec<f64>,
    /// `2 Σ w_b² v_b²`.
    noise: f64,
    /// `Σ w_b² v_b`, which is τ where passages lie in one bin each.
    by_bin: f64,
}

/// The variance of a squared error, as a function of its truth.
#[derive(Clone, Copy)]
struct Variance {
    /// Four times τ.
    slope: f64,
    /// Where there is no error.
    least: f64,
}

impl Variance {
    fn at(self, squared: f64) -> f64 {
        self.slope * squared.max(0.0) + self.least
    }
}

/// The mean over runs of the debiased squared calibration error with its 95 % interval. Passages are
/// numbered from zero, the same in every run. `None` of no runs, and where a bin has fewer than two
/// passages, so that nothing is known of its error.
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
    // Runs agree on passages more or less: what chance adds to each averages out as far as they do not.
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
    Some(Estimate {
        value,
        interval: Interval {
            low: (middle - half).min(value),
            high: (middle + half).max(value),
        },
    })
}

/// Student's quantiles of variances from so many things each, weighted by the variances.
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
    let mut sorted: Vec<(f64, f64, usize)> = answers
        .iter()
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

/// The root of a squared error and of its interval's ends, each with its sign.
pub fn root(squared: Estimate) -> Estimate {
    let root = |value: f64| value.signum() * value.abs().sqrt();
    Estimate {
        value: root(squared.value),
        interval: Interval {
            low: root(squared.interval.low),
            high: root(squared.interval.high),
        },
    }
}

/// The difference of two errors of different examples, none below zero, with the interval that theirs
/// give: each end as far from the difference as the root of both distances' squares (the method of
/// variance estimates recovery, Zou & Donner 2008). Seeds that both share make it too wide, not too narrow.
pub fn difference(error: Estimate, minus: Estimate) -> Estimate {
    let [one, other] = [error, minus].map(|estimate| Estimate {
        value: estimate.value.max(0.0),
        interval: estimate.interval.clamp(0.0, 1.0),
    });
    let value = one.value - other.value;
    let below = (one.value - one.interval.low).hypot(other.interval.high - other.value);
    let above = (one.interval.high - one.value).hypot(other.value - other.interval.low);
    Estimate {
        value,
        interval: Interval {
            low: value - below,
            high: value + above,
        },
    }
}

#[cfg(test)]
mod tests;
