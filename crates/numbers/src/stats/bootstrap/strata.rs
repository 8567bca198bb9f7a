//! The variance between seeds, and the spread that a method with one run borrows from other methods.

use super::draws::Draws;
use crate::stats::estimate::{mean, standard_deviation};

/// The variance of a quantity, by its source.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Variance {
    /// From other passages, with these runs.
    pub passages: f64,
    /// From other seeds, beyond the part that passages include.
    pub seeds: f64,
}

impl Variance {
    /// The sum.
    pub fn total(self) -> f64 {
        self.passages + self.seeds
    }

    /// The square root of the sum: the standard error of the quantity.
    pub fn standard_error(self) -> f64 {
        self.total().sqrt()
    }
}

/// A run, or a substitute for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Run {
    pub seed: u64,
    /// For a method with one run: the methods that lend and that borrow the spread.
    pub lent: Option<[usize; 2]>,
}

/// Runs with the same seeds: the quantity of each run, up to a common constant.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stratum {
    pub runs: Vec<Run>,
    pub values: Vec<f64>,
    /// `[run][resample]`.
    pub resampled: Vec<Vec<f64>>,
}

/// The contribution of one run to the mean's deviation from its expectation.
struct Part {
    value: f64,
    resampled: Vec<f64>,
}

/// `V_s` and the part of it that passages include as well.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(in crate::stats) struct SeedVariance {
    pub all: f64,
    pub interaction: f64,
}

impl SeedVariance {
    /// The part from seeds only.
    pub fn own(self) -> f64 {
        (self.all - self.interaction).max(0.0)
    }

    /// The weights of seeds and passages in Student's quantile, given the seeds' degrees of freedom. Each has the
    /// variance that it does not share; the shared part counts for seeds in proportion to the part of their standard
    /// deviation that they do not share, but at least with 1 / (2 freedom). That share was found by simulation: with
    /// none, intervals of two runs that differ would cover the truth in 89 of 100 studies; with all of it, those of
    /// three runs that do not differ in 99.
    pub fn weights(self, passages: f64, freedom: f64) -> [f64; 2] {
        if self.all == 0.0 {
            return [0.0, passages];
        }
        let share = (self.own() / self.all).sqrt().max(0.5 / freedom);
        [
            self.own() + share * self.all.min(self.interaction),
            (passages - self.interaction).max(0.0) + (1.0 - share) * passages.min(self.interaction),
        ]
    }

    /// The variance of a sum over strata. Runs with one seed in several strata are added first, which makes the
    /// variance robust to their dependence (Bell & McCaffrey 2002, with runs as clusters).
    pub(super) fn of(strata: &[Stratum]) -> SeedVariance {
        let mut parts: Vec<(Run, Part)> = Vec::new();
        for stratum in strata.iter().filter(|stratum| stratum.runs.len() > 1) {
            for (run, part) in stratum.runs.iter().zip(stratum.parts()) {
                match parts.iter_mut().find(|(other, _)| other == run) {
                    Some((_, twin)) => twin.add(&part),
                    None => parts.push((*run, part)),
                }
            }
        }
        let of = |part: fn(&Part) -> f64| parts.iter().map(|(_, one)| part(one)).sum();
        SeedVariance {
            all: of(|part| part.value.powi(2)),
            interaction: of(|part| standard_deviation(&part.resampled).unwrap_or(0.0).powi(2)),
        }
    }
}

impl Part {
    fn add(&mut self, other: &Part) {
        self.value += other.value;
        add(&mut self.resampled, &other.resampled, 1.0);
    }
}

impl Stratum {
    /// `(y - ȳ) / sqrt(K (K - 1))` for each run: the squares add up to S² / K. Needs two runs.
    fn parts(&self) -> Vec<Part> {
        let count = self.runs.len() as f64;
        self.centred(1.0 / (count * (count - 1.0)).sqrt())
    }

    /// `scale · (y - ȳ)` for each run.
    fn centred(&self, scale: f64) -> Vec<Part> {
        let centre = mean(&self.values).unwrap_or(0.0);
        let mut centres = vec![0.0; self.resampled.first().map_or(0, Vec::len)];
        for run in &self.resampled {
            add(&mut centres, run, 1.0 / self.runs.len() as f64);
        }
        (self.values.iter().zip(&self.resampled))
            .map(|(value, resampled)| Part {
                value: scale * (value - centre),
                resampled: (resampled.iter().zip(&centres))
                    .map(|(drawn, centre)| scale * (drawn - centre))
                    .collect(),
            })
            .collect()
    }

    pub fn scaled(&self, weight: f64) -> Stratum {
        let scale = |all: &[f64]| all.iter().map(|value| weight * value).collect();
        Stratum {
            runs: self.runs.clone(),
            values: scale(&self.values),
            resampled: self.resampled.iter().map(|run| scale(run)).collect(),
        }
    }

    pub fn add(&mut self, other: &Stratum, weight: f64) {
        add(&mut self.values, &other.values, weight);
        for (sums, values) in self.resampled.iter_mut().zip(&other.resampled) {
            add(sums, values, weight);
        }
    }
}

/// `sums += weight · values`.
pub(super) fn add(sums: &mut [f64], values: &[f64], weight: f64) {
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += weight * value;
    }
}

/// Gives each method with one run the spread of the other methods' runs on the same domains, as if its runs differed
/// as theirs do, jointly over domains. The borrowed deviations count as independent of the lenders'. The variances of
/// several lenders are pooled by their degrees of freedom; without lenders nothing changes.
///
/// The caller decides which methods lend and borrow, since for instance an untuned model does not vary with seeds.
/// Quantities with borrowed runs have [`Weakness::Borrowed`](super::Weakness::Borrowed).
pub fn lend(
    scores: &mut [Vec<Option<Draws>>],
    may_lend: impl Fn(usize) -> bool,
    may_borrow: impl Fn(usize) -> bool,
) {
    for panel in scores {
        let lenders: Vec<(usize, Stratum)> = (panel.iter().enumerate())
            .filter(|(method, _)| may_lend(*method))
            .filter_map(|(method, draws)| match draws.as_ref()?.strata.as_slice() {
                [one] if one.runs.len() > 1 => Some((method, one.clone())),
                _ => None,
            })
            .collect();
        let freedom: usize = lenders.iter().map(|(_, lent)| lent.runs.len() - 1).sum();
        if lenders.is_empty() {
            continue;
        }
        let borrowers = (panel.iter_mut().enumerate()).filter(|(method, _)| may_borrow(*method));
        for (method, draws) in borrowers {
            let Some(draws) = draws.as_mut().filter(|draws| draws.has_one_run()) else {
                continue;
            };
            draws.strata = (lenders.iter())
                .map(|(lender, lent)| {
                    let share = (lent.runs.len() - 1) as f64 / freedom as f64;
                    stand_ins(lent, share, [*lender, method])
                })
                .collect();
            let variance = draws.variance();
            for score in &mut draws.scores {
                score.variance = variance;
            }
        }
    }
}

impl Draws {
    fn has_one_run(&self) -> bool {
        matches!(self.strata.as_slice(), [one] if one.runs.len() == 1)
    }
}

/// Runs whose mean has `share` of the variance of one run.
fn stand_ins(of: &Stratum, share: f64, who: [usize; 2]) -> Stratum {
    let parts = of.centred((share * of.runs.len() as f64).sqrt());
    let lent = Some(who);
    Stratum {
        runs: of.runs.iter().map(|run| Run { lent, ..*run }).collect(),
        values: parts.iter().map(|part| part.value).collect(),
        resampled: parts.into_iter().map(|part| part.resampled).collect(),
    }
}
