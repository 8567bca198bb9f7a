//! The hierarchical bootstrap over seeds and passages.
//!
//! One resample draws, with replacement, the seeds of every method and the passages of every
//! domain, and computes every score again:
//!
//! - passages are whole clusters, the same for all seeds and methods of a domain, so that
//!   differences between methods are paired; domains are drawn independently of each other;
//! - seeds are drawn once a resample for all domains, because source and target scores come from
//!   the same run; methods with the same seeds share the draw, as those runs saw the same order
//!   of examples.
//!
//! With K seeds the plain bootstrap shows only (K - 1)/K of the variance between seeds: a third
//! is lost at K = 3. The drawn mean's deviation from the mean of all seeds is therefore scaled by
//! `sqrt(K / (K - 1))` (Rao & Wu 1988, *Resampling inference with complex survey data*, with
//! resamples of size K). With one seed only passages are drawn.
//!
//! Intervals are percentiles of the resampled values (Efron & Tibshirani 1993, chapter 13).

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::estimate::{Estimate, Interval, mean, percentile_interval};
use super::panel::{Panel, Runs};

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

/// A quantity on all the data and in every resample. Draws of one [`Bootstrap::scores`] call may
/// be combined: their resamples are the same.
#[derive(Debug, Clone, PartialEq)]
pub struct Draws {
    value: f64,
    resampled: Vec<f64>,
}

impl Draws {
    /// `self - other`, resample by resample.
    pub fn minus(&self, other: &Draws) -> Draws {
        Draws {
            value: self.value - other.value,
            resampled: self
                .resampled
                .iter()
                .zip(&other.resampled)
                .map(|(a, b)| a - b)
                .collect(),
        }
    }

    /// The mean of several quantities, resample by resample; `None` of nothing.
    pub fn mean(all: &[&Draws]) -> Option<Draws> {
        let first = all.first()?;
        let values: Vec<f64> = all.iter().map(|draws| draws.value).collect();
        let resampled = (0..first.resampled.len())
            .map(|r| all.iter().map(|draws| draws.resampled[r]).sum::<f64>() / all.len() as f64)
            .collect();
        Some(Draws {
            value: mean(&values)?,
            resampled,
        })
    }

    /// The value with its 95 % interval.
    pub fn estimate(&self) -> Estimate {
        Estimate {
            value: self.value,
            interval: percentile_interval(&self.resampled).unwrap_or(Interval {
                low: self.value,
                high: self.value,
            }),
        }
    }
}

impl Bootstrap {
    /// The score (mean over seeds of the ratio metric) of every method in every panel:
    /// `scores[panel][method]`. A method has the same seeds in every panel where it is present.
    pub fn scores(self, panels: &[Panel]) -> Vec<Vec<Option<Draws>>> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let mut scores: Vec<Vec<Option<Draws>>> = panels.iter().map(undrawn).collect();
        let seeds = SeedDraw::of(panels);
        for _ in 0..self.resamples {
            let shares = seeds.draw(&mut rng);
            for (panel, scores) in panels.iter().zip(&mut scores) {
                let passages = draw(&mut rng, panel.clusters());
                for (method, (runs, draws)) in panel.methods().iter().zip(scores).enumerate() {
                    if let (Some(runs), Some(draws)) = (runs, draws) {
                        draws
                            .resampled
                            .push(resampled(runs, &passages, &shares[method]));
                    }
                }
            }
        }
        scores
    }
}

fn undrawn(panel: &Panel) -> Vec<Option<Draws>> {
    panel
        .methods()
        .iter()
        .map(|runs| {
            let value = mean(&runs.as_ref()?.scores())?;
            Some(Draws {
                value,
                resampled: Vec::new(),
            })
        })
        .collect()
}

/// `m + sqrt(K / (K - 1)) (m* - m)` with m the mean over all seeds and m* over the drawn ones,
/// both on the drawn passages.
fn resampled(runs: &Runs, passages: &[f64], times: &[f64]) -> f64 {
    let scores = runs.weighted(passages);
    let count = scores.len() as f64;
    let all = scores.iter().sum::<f64>() / count;
    if scores.len() < 2 {
        return all;
    }
    assert_eq!(
        times.len(),
        scores.len(),
        "a method has the same seeds in every panel"
    );
    let drawn = scores
        .iter()
        .zip(times)
        .map(|(score, times)| score * times)
        .sum::<f64>()
        / count;
    all + (count / (count - 1.0)).sqrt() * (drawn - all)
}

/// How often each seed of each method is drawn, shared by methods with the same seeds.
struct SeedDraw {
    /// Seeds of each method; empty where the method is missing everywhere.
    seeds: Vec<Vec<u64>>,
}

impl SeedDraw {
    fn of(panels: &[Panel]) -> SeedDraw {
        let methods = panels
            .iter()
            .map(|panel| panel.methods().len())
            .max()
            .unwrap_or(0);
        let seeds = (0..methods)
            .map(|method| {
                let runs = |panel: &Panel| {
                    panel
                        .methods()
                        .get(method)?
                        .as_ref()
                        .map(|runs| runs.seeds().to_vec())
                };
                panels.iter().find_map(runs).unwrap_or_default()
            })
            .collect();
        SeedDraw { seeds }
    }

    fn draw(&self, rng: &mut ChaCha8Rng) -> Vec<Vec<f64>> {
        let mut drawn: Vec<Vec<f64>> = Vec::with_capacity(self.seeds.len());
        for (method, seeds) in self.seeds.iter().enumerate() {
            let twin = self.seeds[..method].iter().position(|other| other == seeds);
            drawn.push(match twin {
                Some(twin) => drawn[twin].clone(),
                None => draw(rng, seeds.len()),
            });
        }
        drawn
    }
}

/// How often each of `count` things comes up in `count` draws with replacement.
fn draw(rng: &mut ChaCha8Rng, count: usize) -> Vec<f64> {
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
