//! Power analysis: how small a difference a study with given numbers of seeds and passages detects, from a pilot's
//! variance.
//!
//! The variance of a pilot's difference has several sources ([`bootstrap`](super::bootstrap)): `V_p`, the variance of
//! the mean over its K₀ seeds when passages are drawn, which includes the interaction of runs and passages `V_e`, and
//! the variance between seeds. In a study with K seeds and f times the passages
//!
//! - the variance between seeds and `V_e` shrink with K₀ / K, since every seed draws both anew;
//! - everything from passages shrinks with 1 / f.
//!
//! This assumes more of the same: further seeds, and passages of the same kind with as many questions each. The test
//! is that of the study: its interval excludes zero. Its power is the normal probability that the difference exceeds
//! half the interval's width, averaged over the distribution of the study's own variance estimate (χ² with K − 1
//! degrees of freedom). The power thus accounts for the wide t quantiles of few seeds and for variance estimates that
//! are too small or too large. In simulations 79 to 83 of 100 studies find the difference that they were planned for
//! (`tests`).

use super::bootstrap::{Draws, Expected, SeedVariance, Weakness};
use super::estimate::{Interval, chi_squared_quantile, student_quantile};

/// The power: the share of studies that detect the difference.
pub const POWER: f64 = 0.8;

/// The greatest number of seeds that is considered.
pub const MOST_SEEDS: usize = 100;

/// A pilot's estimate of a difference's variance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pilot {
    /// The variance from other passages, with these runs (`Variance::passages`).
    pub passages_variance: f64,
    /// The variance from other seeds, beyond the part that passages include (`Variance::seeds`).
    pub seeds_variance: f64,
    /// The variance of the mean over seeds, S² / K₀, including the interaction of seeds and passages.
    pub between_seeds: f64,
    /// The number of seeds.
    pub seeds: usize,
    /// The number of passages of the smallest domain.
    pub passages: usize,
}

/// The size of a study.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Size {
    /// The number of seeds of each method; at least two.
    pub seeds: usize,
    /// The number of passages in every domain, as a multiple of the pilot's.
    pub times: f64,
}

impl Pilot {
    /// The pilot of a difference of methods with at least so many seeds, on domains with at least so many passages.
    /// `None` if no variance can be estimated: if nothing varies, or if a domain has only one passage.
    pub fn of(difference: &Draws, seeds: usize, passages: usize) -> Option<Pilot> {
        let variance = difference.variance();
        let has_one_passage = difference.weaknesses().contains(&Weakness::OnePassage);
        (variance.total() > 0.0 && !has_one_passage).then(|| Pilot {
            passages_variance: variance.passages,
            seeds_variance: variance.seeds,
            between_seeds: difference.seed_variance().all,
            seeds,
            passages,
        })
    }

    /// The smallest difference that four of five studies of this size detect.
    pub fn detectable(self, size: Size) -> f64 {
        let crossed = (self.between_seeds - self.seeds_variance).clamp(0.0, self.passages_variance);
        let by_seed = self.seeds as f64 / size.seeds as f64;
        let interaction = crossed * by_seed / size.times;
        let freedom = size.seeds as f64 - 1.0;
        let expected = Expected {
            passages: (self.passages_variance - crossed) / size.times + interaction,
            passage_freedom: (self.passages as f64 * size.times - 1.0).max(1.0),
            seeds: SeedVariance {
                all: self.seeds_variance * by_seed + interaction,
                interaction,
            },
            seed_freedom: Some(freedom),
            seed_quantile: student_quantile(0.975, freedom),
        };
        expected.studies().detectable()
    }

    /// The smallest number of seeds with which four of five studies with so many times the passages detect a
    /// difference; `None` if [`MOST_SEEDS`] do not suffice.
    pub fn seeds_needed(self, difference: f64, times: f64) -> Option<usize> {
        (2..=MOST_SEEDS).find(|&seeds| self.detectable(Size { seeds, times }) <= difference)
    }

    /// The 95 % interval of the standard error from seeds, as multiples of the pilot's estimate: the interval of a
    /// standard deviation, from χ² with one degree of freedom less than the number of seeds.
    pub fn seed_error(self) -> Interval {
        let freedom = self.seeds as f64 - 1.0;
        let times = |share: f64| (freedom / chi_squared_quantile(share, freedom.max(1.0))).sqrt();
        let (low, high) = (times(0.975), times(0.025));
        Interval { low, high }
    }
}

#[cfg(test)]
mod tests {
    use rayon::prelude::*;

    use super::*;
    use crate::stats::bootstrap::Bootstrap;
    use crate::stats::estimate::standard_deviation;
    use crate::stats::panel::{Panel, Sample, Sum};
    use crate::stats::tests::{Normal, two};

    /// Standard deviations between seeds, and between passages of each run by itself.
    #[derive(Clone, Copy)]
    struct World {
        between: f64,
        own: f64,
    }

    /// A study of two methods with the same seeds and this true difference, on passages that are equally hard for
    /// both.
    fn study(world: World, difference: f64, seeds: u64, passages: usize, number: u64) -> Draws {
        let mut normal = Normal::new(5_000_000 + number);
        let ease: Vec<f64> = (0..passages).map(|_| 0.2 * normal.next()).collect();
        let methods = [0.5 + difference, 0.5].map(|score| {
            let mut samples = Vec::new();
            for seed in 0..seeds {
                let shift = score + world.between * normal.next();
                for (passage, ease) in ease.iter().enumerate() {
                    let score = shift + ease + world.own * normal.next();
                    let passage = format!("{passage:05}");
                    samples.push(Sample::new(seed, passage, Sum::once(score)));
                }
            }
            samples
        });
        let scores = Bootstrap::new(400, number).scores(&[Panel::new(&methods)]);
        let [first, second] = two(&scores[0]);
        first.minus(second)
    }

    /// The pilot with so many seeds and passages that shows a world's true variances.
    fn truth(world: World, seeds: usize, passages: usize) -> Pilot {
        let of_seeds = 2.0 * world.between.powi(2) / seeds as f64;
        let crossed = 2.0 * world.own.powi(2) / (seeds * passages) as f64;
        Pilot {
            passages_variance: crossed,
            seeds_variance: of_seeds,
            between_seeds: of_seeds + crossed,
            seeds,
            passages,
        }
    }

    /// The share of studies of a given size that detect a difference.
    fn found(world: World, difference: f64, seeds: usize, passages: usize, studies: u64) -> f64 {
        let found = (0..studies).into_par_iter().filter(|&number| {
            let draws = study(world, difference, seeds as u64, passages, number);
            draws.p_value().is_some_and(|p| p < 0.05) && draws.value() > 0.0
        });
        found.count() as f64 / studies as f64
    }

    const fn world(between: f64, own: f64) -> World {
        World { between, own }
    }

    const WORLDS: [World; 3] = [world(0.03, 0.3), world(0.06, 0.1), world(0.0, 0.4)];

    #[test]
    fn four_of_five_studies_find_the_difference_that_they_are_planned_for() {
        for (world, seeds) in WORLDS.into_iter().zip([5, 3, 4]) {
            // Planned from a pilot of 8 seeds and 40 passages; carried out with twice the passages.
            let pilot = truth(world, 8, 40);
            let difference = pilot.detectable(Size { seeds, times: 2.0 });
            let share = found(world, difference, seeds, 80, 300);
            assert!((0.72..=0.88).contains(&share), "{seeds} seeds: {share}");
        }
    }

    #[test]
    fn studies_smaller_than_planned_find_the_difference_less_often() {
        let world = WORLDS[0];
        let pilot = truth(world, 8, 40);
        let seeds = pilot.seeds_needed(0.06, 2.0).expect("enough");
        let detectable = |seeds| pilot.detectable(Size { seeds, times: 2.0 });
        assert!(detectable(seeds) <= 0.06 && detectable(seeds - 1) > 0.06);
        let share = found(world, 0.06, seeds, 80, 300);
        assert!(share > 0.74, "{seeds} seeds: {share}");
        let share = found(world, 0.06, 2, 80, 300);
        assert!(share < 0.7, "2 seeds: {share}");
        // Seeds cannot compensate for the passages that all of them share.
        let of_passages = Pilot {
            passages_variance: 0.01,
            between_seeds: 0.0,
            seeds_variance: 0.0,
            ..pilot
        };
        assert_eq!(of_passages.seeds_needed(0.06, 1.0), None);
    }

    #[test]
    fn scores_that_do_not_vary_give_no_pilot() {
        let (still, world) = (world(0.0, 0.0), WORLDS[0]);
        assert!(Pilot::of(&study(world, 0.1, 3, 40, 1), 3, 40).is_some());
        assert_eq!(Pilot::of(&study(world, 0.1, 3, 1, 1), 3, 1), None);
        assert_eq!(Pilot::of(&study(still, 0.1, 6, 40, 1), 6, 40), None);
    }

    #[test]
    fn a_pilot_estimates_the_true_variances() {
        let world = WORLDS[0];
        let draws = study(world, 0.0, 40, 200, 7);
        let variance = draws.variance();
        let wanted = truth(world, 40, 200);
        let ratio = variance.total() / (wanted.passages_variance + wanted.seeds_variance);
        assert!((0.5..2.0).contains(&ratio), "{ratio}");
    }

    #[test]
    fn three_values_estimate_a_standard_deviation_poorly() {
        // R: sqrt(2 / qchisq(c(.975, .025), 2)).
        let found = truth(WORLDS[0], 3, 40).seed_error();
        assert!((found.low - 0.520_655).abs() < 1e-4, "{found:?}");
        assert!((found.high - 6.284_7).abs() < 1e-3, "{found:?}");
        assert_eq!(standard_deviation(&[1.0]), None);
    }

    #[test]
    #[ignore = "simulated for minutes: cargo test -p promptshift-numbers power -- --ignored --nocapture"]
    fn how_often_planned_studies_find_it() {
        for world in WORLDS {
            for seeds in [2, 3, 5, 10] {
                for times in [1.0, 4.0] {
                    let difference = truth(world, 8, 40).detectable(Size { seeds, times });
                    let share = found(world, difference, seeds, 40 * times as usize, 1_000);
                    println!(
                        "between {}, own {}, {seeds} seeds, {times} × 40 passages: {difference:.4} found by {share:.3}",
                        world.between, world.own
                    );
                }
            }
        }
    }
}
