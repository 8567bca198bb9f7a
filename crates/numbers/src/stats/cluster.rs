//! A ratio's interval from its passages, without resampling.

use super::estimate::{Estimate, Interval};
use super::panel::{Sum, ratio};
use super::proportion::wilson;
use super::quantile::student;

/// `Σ numerator / Σ denominator` with the 95 % interval that whole passages give: the linearised
/// ratio's standard error by cluster, `sqrt(C/(C - 1) Σ_c (n_c - M d_c)²) / Σ d` (Liang & Zeger
/// 1986; for evaluations Miller 2024, arXiv:2411.00640), with Student's quantile of C - 1 degrees
/// of freedom. For groups, where a bootstrap of each would cost more than it tells. Shares that are
/// all right or all wrong show no error, which is not to say that there is none: theirs is Wilson's
/// interval, with one independent answer for each passage. `None` of fewer than two passages, or
/// nothing below the line.
pub fn ratio_estimate(passages: &[Sum]) -> Option<Estimate> {
    let total = passages
        .iter()
        .fold(Sum::default(), |total, sum| total + *sum);
    let count = passages.len() as f64;
    if passages.len() < 2 || total.denominator == 0.0 {
        return None;
    }
    let value = ratio(total.numerator, total.denominator);
    let all = |of: fn(&Sum) -> f64| passages.iter().all(|sum| sum.numerator == of(sum));
    let right = match (all(|_| 0.0), all(|sum| sum.denominator)) {
        (true, _) => Some(0),
        (_, true) => Some(passages.len()),
        _ => None,
    };
    if let Some(interval) = right.and_then(|right| wilson(right, passages.len())) {
        return Some(Estimate { value, interval });
    }
    let squares: f64 = passages
        .iter()
        .map(|sum| (sum.numerator - value * sum.denominator).powi(2))
        .sum();
    let error = (count / (count - 1.0) * squares).sqrt() / total.denominator;
    let half = student(0.975, count - 1.0) * error;
    Some(Estimate {
        value,
        interval: Interval {
            low: value - half,
            high: value + half,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_right_and_all_wrong_have_wilson_s_interval() {
        // z² / (C + z²) of C = 10 passages, however many answers each has: 3.8415 / 13.8415.
        for count in [1.0, 3.0] {
            let of = |numerator| {
                let sum = Sum {
                    numerator,
                    denominator: count,
                };
                ratio_estimate(&[sum; 10]).expect("ten passages")
            };
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
        let sum = |numerator, denominator| Sum {
            numerator,
            denominator,
        };
        let found = ratio_estimate(&[sum(1.0, 2.0), sum(3.0, 3.0), sum(0.0, 1.0)]).expect("three");
        assert!((found.value - 2.0 / 3.0).abs() < 1e-12);
        let half = 4.302_652_729_7 * (7.0_f64 / 3.0).sqrt() / 6.0;
        assert!((found.interval.high - found.value - half).abs() < 1e-8);
        assert_eq!(ratio_estimate(&[sum(1.0, 1.0)]), None);
        assert_eq!(ratio_estimate(&[sum(0.0, 0.0), sum(0.0, 0.0)]), None);
    }
}
