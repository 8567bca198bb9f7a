//! Intervals of proportions.

use super::estimate::Interval;
use super::quantile::{beta, normal};

/// Wilson's 95 % score interval (1927) of `successes` of `trials` independent yes-or-no outcomes.
/// It stays inside [0, 1] and does not shrink to a point where all or none succeed. `None` of no
/// trials.
///
/// Outcomes must be independent: for questions that share a passage, use the bootstrap.
pub fn wilson(successes: usize, trials: usize) -> Option<Interval> {
    if trials == 0 || successes > trials {
        return None;
    }
    let (n, share) = (trials as f64, successes as f64 / trials as f64);
    let z = normal(0.975);
    let shrunk = 1.0 + z * z / n;
    let centre = (share + z * z / (2.0 * n)) / shrunk;
    let half = z / shrunk * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    // All or none: the end is the bound itself, which rounding may miss by a last bit.
    Some(Interval {
        low: if successes == 0 { 0.0 } else { centre - half },
        high: if successes == trials {
            1.0
        } else {
            centre + half
        },
    })
}

/// Clopper and Pearson's 95 % interval (1934) of `successes` of `trials` independent yes-or-no outcomes: every chance
/// that makes neither so many nor so few less likely than 2.5 %. It holds the chance in 95 of 100 cases at least, however
/// few trials, for which it is wider than [`wilson`]'s. `None` of no trials.
pub fn clopper_pearson(successes: usize, trials: usize) -> Option<Interval> {
    if trials == 0 || successes > trials {
        return None;
    }
    let (found, missed) = (successes as f64, (trials - successes) as f64);
    Some(Interval {
        low: match successes {
            0 => 0.0,
            _ => beta(0.025, found, missed + 1.0),
        },
        high: match trials - successes {
            0 => 1.0,
            _ => beta(0.975, found + 1.0, missed),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_intervals_by_hand() {
        // None of five: (1 - p)⁵ = 0.025 at 1 - 0.025^(1/5).
        let none = clopper_pearson(0, 5).expect("five trials");
        assert_eq!(none.low, 0.0);
        assert!(
            (none.high - (1.0 - 0.025_f64.powf(0.2))).abs() < 1e-9,
            "{none:?}"
        );
        let all = clopper_pearson(5, 5).expect("five trials");
        assert!((all.low - 0.025_f64.powf(0.2)).abs() < 1e-9, "{all:?}");
        assert_eq!(all.high, 1.0);
        // One of five, by scipy.stats.binomtest(1, 5).proportion_ci().
        let one = clopper_pearson(1, 5).expect("five trials");
        assert!(
            (one.low - 0.005_050_763_4).abs() < 1e-8 && (one.high - 0.716_417_936_1).abs() < 1e-8,
            "{one:?}"
        );
        assert_eq!(clopper_pearson(0, 0), None);
        assert_eq!(clopper_pearson(2, 1), None);
    }

    #[test]
    fn none_of_ten_by_hand() {
        // p = 0: centre and half are both (z²/2n) / (1 + z²/n), so the end is z²/(n + z²) = 3.8415/13.8415.
        let interval = wilson(0, 10).expect("ten trials");
        assert_eq!(interval.low, 0.0);
        assert!(
            (interval.high - 0.277_532_799_7).abs() < 1e-9,
            "{interval:?}"
        );
        let mirrored = wilson(10, 10).expect("ten trials");
        assert!((mirrored.low - (1.0 - interval.high)).abs() < 1e-12);
        assert_eq!(mirrored.high, 1.0);
        assert_eq!(wilson(0, 0), None);
        assert_eq!(wilson(2, 1), None);
    }
}
