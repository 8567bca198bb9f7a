//! How often does a method's training fail or collapse, and what do its other runs score?
//!
//! A mean over runs hides that one of five learned nothing; with five runs, that none did is no promise for the sixth.

use serde::Serialize;

use super::estimate::{Estimate, mean, median};
use super::proportion::clopper_pearson;

/// What one method's runs came to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Collapse {
    /// Runs begun, those without a score among them.
    pub runs: usize,
    /// Runs that failed, and have no score.
    pub failed: usize,
    /// Runs that have a score, and collapsed.
    pub collapsed: usize,
    /// The share of runs that failed or collapsed, with Clopper and Pearson's 95 % interval of its chance: none of five
    /// is [0, 0.52].
    pub chance: Estimate,
    /// The mean of the runs that have a score.
    pub mean: Option<f64>,
    /// Their median.
    pub median: Option<f64>,
    /// Their interquartile mean.
    pub interquartile_mean: Option<f64>,
}

impl Collapse {
    /// Of runs with a score each, of which those below `bar` collapsed, and of runs that failed; `None` of no runs.
    pub fn of(scores: &[f64], bar: f64, failed: usize) -> Option<Collapse> {
        let runs = scores.len() + failed;
        let collapsed = scores.iter().filter(|score| **score < bar).count();
        let lost = collapsed + failed;
        Some(Collapse {
            runs,
            failed,
            collapsed,
            chance: Estimate {
                value: lost as f64 / runs as f64,
                interval: clopper_pearson(lost, runs)?,
            },
            mean: mean(scores),
            median: median(scores),
            interquartile_mean: interquartile_mean(scores),
        })
    }
}

/// The mean of the middle half: a quarter of the values is left out at either end, of a value that lies across the
/// border the part that lies outside (Agarwal et al. 2021, arXiv:2108.13264, for whole numbers of values). Less moved by
/// one run than the mean, less wasteful than the median. `None` of nothing.
pub fn interquartile_mean(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let count = sorted.len() as f64;
    let (low, high) = (0.25 * count, 0.75 * count);
    // Value i covers i to i + 1.
    let inside = |place: usize| (high.min(place as f64 + 1.0) - low.max(place as f64)).max(0.0);
    let sum: f64 = sorted
        .iter()
        .enumerate()
        .map(|(place, value)| inside(place) * value)
        .sum();
    (!sorted.is_empty()).then(|| sum / (high - low))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_half_by_hand() {
        // Of four, the middle two; of eight, the middle four.
        assert_eq!(interquartile_mean(&[9.0, 1.0, 2.0, 4.0]), Some(3.0));
        let eight = [0.0, 100.0, 1.0, 2.0, 3.0, 4.0, -7.0, 8.0];
        assert_eq!(interquartile_mean(&eight), Some(2.5));
        // Of five, 2.5: three quarters of the second and the fourth, and the third.
        let five = interquartile_mean(&[0.1, 0.6, 0.7, 0.8, 0.9]).expect("five");
        assert!((five - (0.75 * 0.6 + 0.7 + 0.75 * 0.8) / 2.5).abs() < 1e-12);
        assert_eq!(interquartile_mean(&[0.3]), Some(0.3));
        assert_eq!(interquartile_mean(&[]), None);
    }

    #[test]
    fn failed_runs_count_among_those_lost() {
        let found = Collapse::of(&[0.7, 0.1, 0.8], 0.4, 1).expect("four runs");
        assert_eq!((found.runs, found.failed, found.collapsed), (4, 1, 1));
        assert_eq!(found.chance.value, 0.5);
        assert_eq!(Some(found.chance.interval), clopper_pearson(2, 4));
        assert_eq!(found.median, Some(0.7));
        let lost = Collapse::of(&[], 0.4, 2).expect("two runs");
        assert_eq!((lost.mean, lost.chance.value), (None, 1.0));
        assert_eq!(Collapse::of(&[], 0.4, 0), None);
    }

    #[test]
    fn none_of_five_promises_little() {
        let found = Collapse::of(&[0.7, 0.71, 0.72, 0.7, 0.69], 0.4, 0).expect("five runs");
        assert!((found.chance.interval.high - 0.521_823_750_1).abs() < 1e-9);
    }
}
