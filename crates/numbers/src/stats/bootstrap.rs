//! Intervals over seeds and passages.
//!
//! Passages are resampled (Efron & Tibshirani 1993, chapter 13): one resample draws the passages
//! of every domain with replacement and computes every score again. Passages are whole clusters,
//! the same for all seeds and methods of a domain, so that differences between methods are paired;
//! domains are drawn independently of each other.
//!
//! Seeds are too few to be resampled: drawing K of K seeds shows (K - 1)/K of the variance between
//! them, gives three values at K = 2, and counts a second time how differently the seeds' runs
//! answer the same passages. So their variance is estimated and added. With
//!
//! - `V_p`, the variance of the mean over seeds when passages are drawn;
//! - `V_s`, the variance of that mean when seeds are: of one method `S² / K`, S² the variance of the
//!   seeds' scores, and of any sum of methods the same with what a seed adds to the sum as one thing,
//!   so that runs with the same seed are paired, as they saw the same examples in the same order;
//! - `V_e`, the part of V_s that V_p holds too: how differently the runs answer the same passages (two-way
//!   analysis of variance);
//!
//! the variance is `V = V_p + max(V_s - V_e, 0)`. The interval is Student's, with a quantile between those of K - 1
//! and of C - 1 degrees of freedom (C passages) as V is made of seeds and of passages. Scores end at 0 and 1: theirs is
//! Wilson's interval, and in differences their variance is that with an answer more of either kind, so that all right or
//! all wrong never makes an interval a point.
//!
//! How often such intervals hold the truth is measured by `cargo run -p promptshift-numbers --example coverage`; where
//! it is less than it should be, [`Draws::weaknesses`] says so.

mod draws;
mod interval;
mod power;
mod strata;

pub use draws::Draws;
pub use interval::Weakness;
pub(super) use power::Expected;
pub(super) use strata::SeedVariance;
pub use strata::{Variance, lend};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rayon::prelude::*;

use super::panel::{Panel, Runs, Sum, ratio};

/// How often and from which seed to draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bootstrap {
    /// Number of resamples.
    pub resamples: usize,
    /// Seed of the draws; the same seed gives the same intervals.
    pub seed: u64,
}

impl Default for Bootstrap {
    fn default() -> Bootstrap {
        Bootstrap {
            resamples: 10_000,
            seed: 20_210_418,
        }
    }
}

impl Bootstrap {
    /// The score (mean over seeds of the ratio metric) of every method in every panel:
    /// `scores[panel][method]`.
    pub fn scores(self, panels: &[Panel]) -> Vec<Vec<Option<Draws>>> {
        panels
            .iter()
            .enumerate()
            .map(|(place, panel)| self.of_panel(place, panel))
            .collect()
    }

    fn of_panel(self, place: usize, panel: &Panel) -> Vec<Option<Draws>> {
        let table = SideBySide::of(panel);
        // Each resample has a stream of its own, so that threads do not change the draws.
        let resamples: Vec<Vec<f64>> = (0..self.resamples)
            .into_par_iter()
            .map(|resample| {
                let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
                rng.set_stream((place * self.resamples + resample) as u64);
                table.scores(&times_drawn(&mut rng, panel.clusters()))
            })
            .collect();
        let mut columns = 0;
        let draws = |(method, runs): (usize, &Option<Runs>)| {
            let runs = runs.as_ref()?;
            let own = columns..columns + runs.seeds().len();
            columns = own.end;
            let by_seed: Vec<Vec<f64>> = own
                .map(|column| resamples.iter().map(|all| all[column]).collect())
                .collect();
            Draws::of_runs([place, method], runs, by_seed, panel.alike())
        };
        panel.methods().iter().enumerate().map(draws).collect()
    }
}

/// The sums of all runs side by side, so that one pass over the passages serves every run: the
/// additions for different runs do not wait for each other.
struct SideBySide {
    /// Runs of all methods.
    runs: usize,
    /// `[passage][2 × run]`: numerator and denominator of each run.
    sums: Vec<f64>,
}

impl SideBySide {
    fn of(panel: &Panel) -> SideBySide {
        let all: Vec<&[Sum]> = (panel.methods().iter().flatten())
            .flat_map(Runs::sums)
            .collect();
        let sums = (0..panel.clusters())
            .flat_map(|passage| all.iter().map(move |run| run[passage]))
            .flat_map(|sum| [sum.numerator, sum.denominator])
            .collect();
        SideBySide {
            runs: all.len(),
            sums,
        }
    }

    /// The metric of each run where passage `c` is counted `weights[c]` times.
    fn scores(&self, weights: &[f64]) -> Vec<f64> {
        let width = 2 * self.runs;
        let mut totals = vec![0.0; width];
        for (sums, weight) in self.sums.chunks_exact(width.max(1)).zip(weights) {
            // More than a third of all.
            if *weight == 0.0 {
                continue;
            }
            for (total, sum) in totals.iter_mut().zip(sums) {
                *total += weight * sum;
            }
        }
        totals
            .chunks_exact(2)
            .map(|total| ratio(total[0], total[1]))
            .collect()
    }
}

/// How often each of `count` things comes up in `count` draws with replacement.
fn times_drawn(rng: &mut ChaCha8Rng, count: usize) -> Vec<f64> {
    let mut times = vec![0.0; count];
    for _ in 0..count {
        // The high half of a 32 × 32 bit product (Lemire 2019): its bias, count / 2³², is far
        // below what any number of resamples could show, and it never changes with a library.
        let index = (u64::from(rng.next_u32()) * count as u64) >> 32;
        times[index as usize] += 1.0;
    }
    times
}

#[cfg(test)]
mod tests;
