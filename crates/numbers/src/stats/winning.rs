//! How often a run of one method beats a run of another.

use super::bootstrap::Draws;
use super::estimate::{Estimate, Interval, standard_deviation};
use super::quantile::normal;

/// The share of pairs of runs, one of each method, in which the first has the higher score; half
/// of those that tie (the probability of improvement of Agarwal et al. 2021, without its
/// stratification).
pub fn share_of_wins(first: &[f64], second: &[f64]) -> Option<f64> {
    let pairs = first.len() * second.len();
    let wins: f64 = first
        .iter()
        .flat_map(|a| second.iter().map(move |b| (a, b)))
        .map(|(a, b)| match a.total_cmp(b) {
            std::cmp::Ordering::Greater => 1.0,
            std::cmp::Ordering::Equal => 0.5,
            std::cmp::Ordering::Less => 0.0,
        })
        .sum();
    (pairs > 0).then(|| wins / pairs as f64)
}

/// The 95 % interval of the chance that a run of one method beats one of another, of whose pairs it won such a share:
/// the chances whose standard error would put them within 1.96 of it (Newcombe 2006, method 5, after Hanley & McNeil
/// 1982). As Wilson's, it stays inside [0, 1] and is no point where one method won every time: 25 of 25 pairs of
/// five runs each are [0.64, 1]. `other` is the variance that the share has for another reason than that runs are
/// few.
fn interval(share: f64, first: usize, second: usize, other: f64) -> Interval {
    let (m, n) = (first as f64, second as f64);
    let fellow = 0.5 * (m + n) - 1.0;
    let variance = |chance: f64| {
        let kept = 1.0 - chance;
        let alike = fellow * (kept / (2.0 - chance) + chance / (1.0 + chance));
        other + chance * kept * (1.0 + alike) / (m * n)
    };
    let z = normal(0.975);
    let is_near = |chance: f64| (chance - share).abs() <= z * variance(chance).sqrt();
    let end = |bound: f64| {
        if is_near(bound) {
            return bound;
        }
        // Near at `inside`, not at `outside`.
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

/// The share of wins with the 95 % interval of its chance, for other runs and other passages: what the share varies by
/// when passages are drawn, the same for both methods, is added to what the number of runs makes of it. Runs with the
/// same seed are compared as if they were any two.
///
/// `None` for quantities that are not one method's score.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::draw::Normal;
    use crate::stats::quantile::normal_share;

    #[test]
    fn wins_by_hand() {
        // 3 beats 1 and 2; 2 beats 1 and ties 2: (2 + 1.5) / 4.
        assert_eq!(share_of_wins(&[3.0, 2.0], &[1.0, 2.0]), Some(0.875));
        assert_eq!(share_of_wins(&[1.0], &[2.0]), Some(0.0));
        assert_eq!(share_of_wins(&[], &[2.0]), None);
    }

    #[test]
    fn every_pair_won_is_no_certainty() {
        // One of each: (1 - p)² = z² p (1 - p), so p = 1 / (1 + z²), as Wilson's interval of one trial has it.
        let one = interval(1.0, 1, 1, 0.0);
        assert!(
            (one.low - 1.0 / (1.0 + 3.841_458_820_7)).abs() < 1e-9,
            "{one:?}"
        );
        assert_eq!(one.high, 1.0);
        let five = interval(1.0, 5, 5, 0.0);
        assert!((five.low - 0.642_8).abs() < 1e-4, "{five:?}");
        let lost = interval(0.0, 5, 5, 0.0);
        assert!((five.low + lost.high - 1.0).abs() < 1e-9 && lost.low == 0.0);
        assert!(interval(1.0, 5, 5, 0.01).low < five.low);
    }

    #[test]
    fn intervals_of_five_runs_a_side_hold_the_truth() {
        // Normal runs that lie `apart` standard deviations from each other: the chance is Φ(apart / √2).
        let studies = 2_000;
        for apart in [0.0, 0.5, 1.0, 2.0, 3.0] {
            let mut normal = Normal::new(8);
            let truth = normal_share(apart / 2.0_f64.sqrt());
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
}
