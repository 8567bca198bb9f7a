//! Intervals in closed form: of a share of independent outcomes, and of a ratio whose examples are clustered by
//! passage.

use super::estimate::{Estimate, Interval, beta_quantile, normal_quantile, student_quantile};
use super::panel::Sum;

/// Wilson's 95 % score interval (1927) of `successes` of `trials` independent yes-or-no outcomes. It stays inside [0,
/// 1] and does not shrink to a point if all or none succeed. `None` for no trials.
///
/// Outcomes must be independent: for questions that share a passage, use the bootstrap.
pub fn wilson(successes: usize, trials: usize) -> Option<Interval> {
    if trials == 0 || successes > trials {
        return None;
    }
    let (n, share) = (trials as f64, successes as f64 / trials as f64);
    let z = normal_quantile(0.975);
    let shrunk = 1.0 + z * z / n;
    let centre = (share + z * z / (2.0 * n)) / shrunk;
    let half = z / shrunk * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    // For all or none the end is the bound itself, which rounding may miss by a last bit.
    let low = if successes == 0 { 0.0 } else { centre - half };
    let high = if successes == trials {
        1.0
    } else {
        centre + half
    };
    Some(Interval { low, high })
}

/// Clopper and Pearson's 95 % interval (1934) of `successes` of `trials` independent yes-or-no outcomes: all
/// probabilities for which neither as many successes or more, nor as few or fewer, have less than 2.5 % probability.
/// It covers the probability in at least 95 of 100 cases for any number of trials, so it is wider than [`wilson`]'s
/// interval. `None` for no trials.
pub fn clopper_pearson(successes: usize, trials: usize) -> Option<Interval> {
    if trials == 0 || successes > trials {
        return None;
    }
    let (found, missed) = (successes as f64, (trials - successes) as f64);
    Some(Interval {
        low: match successes {
            0 => 0.0,
            _ => beta_quantile(0.025, found, missed + 1.0),
        },
        high: match trials - successes {
            0 => 1.0,
            _ => beta_quantile(0.975, found + 1.0, missed),
        },
    })
}

/// `Σ numerator / Σ denominator` with its 95 % interval over whole passages: the linearised ratio's standard error by
/// cluster, `sqrt(C/(C - 1) Σ_c (n_c - M d_c)²) / Σ d` (Liang & Zeger 1986; for evaluations Miller 2024,
/// arXiv:2411.00640), with Student's quantile of C - 1 degrees of freedom. It is used for groups of examples, for
/// which a bootstrap would cost too much. If all answers are right or all wrong, the standard error is zero although
/// the uncertainty is not: then the interval is Wilson's with one independent answer per passage. `None` for fewer
/// than two passages, or if the denominator is zero.
pub fn ratio_estimate(passages: &[Sum]) -> Option<Estimate> {
    let total: Sum = passages.iter().copied().sum();
    let count = passages.len() as f64;
    if passages.len() < 2 || total.denominator == 0.0 {
        return None;
    }
    let value = total.ratio();
    let all = |of: fn(&Sum) -> f64| passages.iter().all(|sum| sum.numerator == of(sum));
    let right = match (all(|_| 0.0), all(|sum| sum.denominator)) {
        (true, _) => Some(0),
        (_, true) => Some(passages.len()),
        _ => None,
    };
    if let Some(interval) = right.and_then(|right| wilson(right, passages.len())) {
        return Some(Estimate { value, interval });
    }
    let squares: f64 = (passages.iter())
        .map(|sum| (sum.numerator - value * sum.denominator).powi(2))
        .sum();
    let error = (count / (count - 1.0) * squares).sqrt() / total.denominator;
    let half = student_quantile(0.975, count - 1.0) * error;
    Some(Estimate::new(value, value - half, value + half))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_intervals_by_hand() {
        // None of five: (1 - p)⁵ = 0.025 at 1 - 0.025^(1/5).
        let none = clopper_pearson(0, 5).expect("five trials");
        assert_eq!(none.low, 0.0);
        let holds = (none.high - (1.0 - 0.025_f64.powf(0.2))).abs() < 1e-9;
        assert!(holds, "{none:?}");
        let all = clopper_pearson(5, 5).expect("five trials");
        assert!((all.low - 0.025_f64.powf(0.2)).abs() < 1e-9, "{all:?}");
        assert_eq!(all.high, 1.0);
        // One of five, by scipy.stats.binomtest(1, 5).proportion_ci().
        let one = clopper_pearson(1, 5).expect("five trials");
        let holds =
            (one.low - 0.005_050_763_4).abs() < 1e-8 && (one.high - 0.716_417_936_1).abs() < 1e-8;
        assert!(holds, "{one:?}");
        assert_eq!(clopper_pearson(0, 0), None);
        assert_eq!(clopper_pearson(2, 1), None);
    }

    #[test]
    fn none_of_ten_by_hand() {
        // p = 0: centre and half are both (z²/2n) / (1 + z²/n), so the end is z²/(n + z²) = 3.8415/13.8415.
        let interval = wilson(0, 10).expect("ten trials");
        assert_eq!(interval.low, 0.0);
        let holds = (interval.high - 0.277_532_799_7).abs() < 1e-9;
        assert!(holds, "{interval:?}");
        let mirrored = wilson(10, 10).expect("ten trials");
        assert!((mirrored.low - (1.0 - interval.high)).abs() < 1e-12);
        assert_eq!(mirrored.high, 1.0);
        assert_eq!(wilson(0, 0), None);
        assert_eq!(wilson(2, 1), None);
    }

    #[test]
    fn all_right_and_all_wrong_have_wilson_s_interval() {
        // z² / (C + z²) of C = 10 passages, however many answers each has: 3.8415 / 13.8415.
        for count in [1.0, 3.0] {
            let of = |right| ratio_estimate(&[Sum::new(right, count); 10]).expect("ten passages");
            let (none, all) = (of(0.0), of(count));
            assert_eq!((none.value, none.interval.low), (0.0, 0.0));
            assert!((none.interval.high - 0.277_532_8).abs() < 1e-7, "{none:?}");
            assert_eq!((all.value, all.interval.high), (1.0, 1.0));
            assert!((all.interval.low - 0.722_467_2).abs() < 1e-7, "{all:?}");
        }
    }

    #[test]
    fn three_passages_by_hand() {
        // Sums 1/2, 3/3, 0/1: 4/6. Residuals 1 - 4/3, 3 - 2, 0 - 2/3: squares 1/9, 1, 4/9 = 14/9,
        // times 3/2 is 7/3; error sqrt(7/3)/6; t of 2 degrees of freedom 4.302653.
        let sums = [Sum::new(1.0, 2.0), Sum::new(3.0, 3.0), Sum::once(0.0)];
        let found = ratio_estimate(&sums).expect("three");
        assert!((found.value - 2.0 / 3.0).abs() < 1e-12);
        let half = 4.302_652_729_7 * (7.0_f64 / 3.0).sqrt() / 6.0;
        assert!((found.interval.high - found.value - half).abs() < 1e-8);
        assert_eq!(ratio_estimate(&[Sum::once(1.0)]), None);
        assert_eq!(ratio_estimate(&[Sum::default(); 2]), None);
    }
}
