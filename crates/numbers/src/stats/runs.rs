//! What runs show about further runs: how often a run of one method beats a run of another, how often training fails
//! or collapses, and the best score that a search of k trials is expected to find.

use serde::Serialize;

use super::bootstrap::Draws;
use super::estimate::{Estimate, Interval, mean, median, normal_quantile, standard_deviation};
use super::intervals::clopper_pearson;

/// The share of pairs of runs, one of each method, in which the first has the higher score; ties count half (the
/// probability of improvement of Agarwal et al. 2021, without stratification).
pub fn share_of_wins(first: &[f64], second: &[f64]) -> Option<f64> {
    let pairs = first.len() * second.len();
    let wins: f64 = (first.iter())
        .flat_map(|a| second.iter().map(move |b| (a, b)))
        .map(|(a, b)| match a.total_cmp(b) {
            std::cmp::Ordering::Greater => 1.0,
            std::cmp::Ordering::Equal => 0.5,
            std::cmp::Ordering::Less => 0.0,
        })
        .sum();
    (pairs > 0).then(|| wins / pairs as f64)
}

/// The 95 % interval of the probability that a run of one method beats a run of another, given its share of wins: all
/// probabilities that are within 1.96 of their own standard errors from the share (Newcombe 2006, method 5, after
/// Hanley & McNeil 1982). Like Wilson's interval it stays inside [0, 1] and is not a point if one method wins every
/// time: for 25 wins in 25 pairs of five runs each it is [0.64, 1]. `other` is the variance of the share from other
/// sources than the number of runs.
fn interval(share: f64, first: usize, second: usize, other: f64) -> Interval {
    let (m, n) = (first as f64, second as f64);
    let fellow = 0.5 * (m + n) - 1.0;
    let variance = |chance: f64| {
        let kept = 1.0 - chance;
        let alike = fellow * (kept / (2.0 - chance) + chance / (1.0 + chance));
        other + chance * kept * (1.0 + alike) / (m * n)
    };
    let z = normal_quantile(0.975);
    let is_near = |chance: f64| (chance - share).abs() <= z * variance(chance).sqrt();
    let end = |bound: f64| {
        if is_near(bound) {
            return bound;
        }
        // Within the limit at `inside`, not at `outside`.
        let (mut inside, mut outside) = (share, bound);
        for _ in 0..60 {
            let middle = 0.5 * (inside + outside);
            if is_near(middle) {
                inside = middle;
            } else {
                outside = middle;
            }
        }
        inside
    };
    Interval {
        low: end(0.0),
        high: end(1.0),
    }
}

/// The share of wins with its 95 % interval over runs and passages: the variance of the share when passages are
/// drawn, the same for both methods, is added to the variance from the number of runs. Pairs with the same seed are
/// treated like any others.
///
/// `None` if a quantity is not one method's score.
pub fn probability(first: &Draws, second: &Draws) -> Option<Estimate> {
    let (first, second) = (first.runs()?, second.runs()?);
    let value = share_of_wins(&first.values, &second.values)?;
    let on = |runs: &[&[f64]], resample: usize| -> Vec<f64> {
        runs.iter().map(|run| run[resample]).collect()
    };
    let resamples = first.resampled.first()?.len();
    let shares: Vec<f64> = (0..resamples)
        .filter_map(|r| share_of_wins(&on(&first.resampled, r), &on(&second.resampled, r)))
        .collect();
    let passages = standard_deviation(&shares).unwrap_or(0.0).powi(2);
    Some(Estimate {
        value,
        interval: interval(value, first.values.len(), second.values.len(), passages),
    })
}

/// The outcomes of one method's runs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Collapse {
    /// Number of runs, including those without a score.
    pub runs: usize,
    /// Runs that failed and have no score.
    pub failed: usize,
    /// Runs that have a score and collapsed.
    pub collapsed: usize,
    /// The share of runs that failed or collapsed, with Clopper and Pearson's 95 % interval: [0, 0.52] for none of
    /// five.
    pub chance: Estimate,
    /// The mean of the runs that have a score.
    pub mean: Option<f64>,
    pub median: Option<f64>,
    pub interquartile_mean: Option<f64>,
}

impl Collapse {
    /// The outcomes of runs with these scores, which collapsed if they are below `bar`, and of runs that failed.
    /// `None` without runs.
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

/// The interquartile mean: a quarter of the values is left out at either end, with fractional weight for a value
/// across the border (Agarwal et al. 2021, arXiv:2108.13264, for whole numbers of values). It is more robust to a
/// single run than the mean and more efficient than the median. `None` for no values.
pub fn interquartile_mean(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let count = sorted.len() as f64;
    let (low, high) = (0.25 * count, 0.75 * count);
    // Value i covers the range from i to i + 1.
    let inside = |place: usize| (high.min(place as f64 + 1.0) - low.max(place as f64)).max(0.0);
    let sum: f64 = (sorted.iter().enumerate())
        .map(|(place, value)| inside(place) * value)
        .sum();
    (!sorted.is_empty()).then(|| sum / (high - low))
}

/// The expected best of k trials, for k = 1, 2, ..., n, from the scores of n trials (Dodge et al. 2019,
/// *Show your work*, §3.2): `Σ_i v_(i) ((i/n)^k - ((i-1)/n)^k)` over the sorted scores, the expected maximum of k
/// scores drawn with replacement. At k = 1 it is the mean; at k = n it is slightly below the maximum, which such
/// draws may miss. Trials of a grid are treated as if they were in random order.
pub fn expected_best(scores: &[f64]) -> Vec<f64> {
    let mut sorted = scores.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len() as f64;
    (1..=sorted.len())
        .map(|k| {
            let power = i32::try_from(k).unwrap_or(i32::MAX);
            let below = |count: usize| (count as f64 / n).powi(power);
            (sorted.iter().enumerate())
                .map(|(place, score)| score * (below(place + 1) - below(place)))
                .sum()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::estimate::normal_cdf;
    use crate::stats::tests::Normal;
    use proptest::prelude::*;

    #[test]
    fn wins_by_hand() {
        // 3 beats 1 and 2; 2 beats 1 and ties 2: (2 + 1.5) / 4.
        assert_eq!(share_of_wins(&[3.0, 2.0], &[1.0, 2.0]), Some(0.875));
        assert_eq!(share_of_wins(&[1.0], &[2.0]), Some(0.0));
        assert_eq!(share_of_wins(&[], &[2.0]), None);
    }

    #[test]
    fn winning_every_pair_still_has_an_interval() {
        // One of each: (1 - p)² = z² p (1 - p), so p = 1 / (1 + z²), as Wilson's interval of one trial has it.
        let one = interval(1.0, 1, 1, 0.0);
        let holds = (one.low - 1.0 / (1.0 + 3.841_458_820_7)).abs() < 1e-9;
        assert!(holds, "{one:?}");
        assert_eq!(one.high, 1.0);
        let five = interval(1.0, 5, 5, 0.0);
        assert!((five.low - 0.642_8).abs() < 1e-4, "{five:?}");
        let lost = interval(0.0, 5, 5, 0.0);
        assert!((five.low + lost.high - 1.0).abs() < 1e-9 && lost.low == 0.0);
        assert!(interval(1.0, 5, 5, 0.01).low < five.low);
    }

    #[test]
    fn intervals_of_five_runs_a_side_cover_the_truth() {
        // Normal runs that lie `apart` standard deviations from each other: the chance is Φ(apart / √2).
        let studies = 2_000;
        for apart in [0.0, 0.5, 1.0, 2.0, 3.0] {
            let mut normal = Normal::new(8);
            let truth = normal_cdf(apart / 2.0_f64.sqrt());
            let mut held = 0;
            for _ in 0..studies {
                let mut runs = |mean: f64| [(); 5].map(|()| mean + normal.next());
                let share = share_of_wins(&runs(apart), &runs(0.0)).expect("runs");
                held += usize::from(!interval(share, 5, 5, 0.0).excludes(truth));
            }
            let found = held as f64 / f64::from(studies);
            println!("{apart} apart: {found:.3}");
            assert!((0.93..0.97).contains(&found), "{apart}: {found}");
        }
    }

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
    fn failed_runs_count_as_lost() {
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
    fn no_collapse_in_five_runs_leaves_a_wide_interval() {
        let found = Collapse::of(&[0.7, 0.71, 0.72, 0.7, 0.69], 0.4, 0).expect("five runs");
        assert!((found.chance.interval.high - 0.521_823_750_1).abs() < 1e-9);
    }

    #[test]
    fn three_trials_by_hand() {
        // Sorted .2 .4 .9. One: the mean, .5. Two: (.2 + 3 · .4 + 5 · .9) / 9. Three: (.2 + 7 · .4 + 19 · .9) / 27.
        let found = expected_best(&[0.4, 0.9, 0.2]);
        let wanted = [0.5, 5.9 / 9.0, 20.1 / 27.0];
        for (found, wanted) in found.iter().zip(wanted) {
            assert!((found - wanted).abs() < 1e-12, "{found} {wanted}");
        }
        assert_eq!(expected_best(&[]), Vec::<f64>::new());
        assert_eq!(expected_best(&[0.7]), [0.7]);
    }

    proptest! {
        #[test]
        fn more_trials_never_find_less(scores in prop::collection::vec(0.0..1.0_f64, 1..20)) {
            let found = expected_best(&scores);
            let mean = scores.iter().sum::<f64>() / scores.len() as f64;
            let best = scores.iter().copied().fold(0.0, f64::max);
            prop_assert!((found[0] - mean).abs() < 1e-9);
            prop_assert!(found.windows(2).all(|pair| pair[1] >= pair[0] - 1e-12));
            prop_assert!(found[found.len() - 1] <= best + 1e-12);
        }
    }
}
