//! Intervals over seeds and passages.
//!
//! Passages are resampled (Efron & Tibshirani 1993, chapter 13): one resample draws the passages of every domain with
//! replacement and computes every score again. Passages are drawn as whole clusters, the same ones for all seeds and
//! methods of a domain, so that differences between methods are paired; domains are drawn independently.
//!
//! Seeds are too few to be resampled: drawing K of K seeds shows (K - 1)/K of the variance between them, gives only
//! three values at K = 2, and counts the variation of runs on the same passages twice. Their variance is therefore
//! estimated and added. With
//!
//! - `V_p`, the variance of the mean over seeds when passages are drawn;
//! - `V_s`, the variance of that mean when seeds are drawn: `S² / K` for one method, with S² the variance of the
//!   seeds' scores; for a sum over methods, the contributions of one seed are added first, so that runs with the same
//!   seed, which saw the same examples in the same order, are paired;
//! - `V_e`, the part of V_s that V_p includes as well: the interaction of runs and passages (two-way analysis of
//!   variance);
//!
//! the variance is `V = V_p + max(V_s - V_e, 0)`. The interval is Student's, with a quantile between those for K - 1
//! and for C - 1 degrees of freedom (C passages), weighted by the parts of V from seeds and from passages. Scores are
//! bounded by 0 and 1: they have Wilson's interval, and in differences their variance is that with one more answer of
//! either kind, so that an interval is never a point if all answers are right or all wrong.
//!
//! `cargo run -p promptshift-numbers --example coverage` measures how often such intervals cover the truth; if it is
//! less than nominal, [`Draws::weaknesses`] says so.

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

use super::panel::{Panel, Runs, Sum};

/// The number of resamples and the seed of the draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bootstrap {
    /// Number of resamples.
    pub resamples: usize,
    /// Seed of the draws; the same seed gives the same intervals.
    pub seed: u64,
}

impl Default for Bootstrap {
    fn default() -> Bootstrap {
        Bootstrap::new(10_000, 20_210_418)
    }
}

impl Bootstrap {
    /// So many resamples with this seed.
    pub const fn new(resamples: usize, seed: u64) -> Bootstrap {
        Bootstrap { resamples, seed }
    }

    /// The score (mean over seeds of the ratio metric) of every method in every panel:
    /// `scores[panel][method]`.
    pub fn scores(self, panels: &[Panel]) -> Vec<Vec<Option<Draws>>> {
        (panels.iter().enumerate())
            .map(|(place, panel)| self.of_panel(place, panel))
            .collect()
    }

    fn of_panel(self, place: usize, panel: &Panel) -> Vec<Option<Draws>> {
        let table = SideBySide::of(panel);
        // Each resample has its own random stream, so that the draws do not depend on threads.
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

/// The sums of all runs in one array, so that one pass over the passages serves every run: the additions for
/// different runs are independent of each other.
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

    /// The metric of each run with passage `c` counted `weights[c]` times.
    fn scores(&self, weights: &[f64]) -> Vec<f64> {
        let width = 2 * self.runs;
        let mut totals = vec![0.0; width];
        for (sums, weight) in self.sums.chunks_exact(width.max(1)).zip(weights) {
            // More than a third of the passages are not drawn.
            if *weight == 0.0 {
                continue;
            }
            for (total, sum) in totals.iter_mut().zip(sums) {
                *total += weight * sum;
            }
        }
        totals
            .chunks_exact(2)
            .map(|total| Sum::new(total[0], total[1]).ratio())
            .collect()
    }
}

/// How often each of `count` items is drawn in `count` draws with replacement.
fn times_drawn(rng: &mut ChaCha8Rng, count: usize) -> Vec<f64> {
    let mut times = vec![0.0; count];
    for _ in 0..count {
        // The high half of a 32 × 32 bit product (Lemire 2019): its bias, count / 2³², is negligible for any number
        // of resamples, and it does not change with library versions.
        let index = (u64::from(rng.next_u32()) * count as u64) >> 32;
        times[index as usize] += 1.0;
    }
    times
}

#[cfg(test)]
mod tests;
