//! Quantities derived from scores.

use super::interval::{Score, Spread};
use super::strata::{Run, SeedVariance, Stratum, Variance, add};
use crate::stats::estimate::{Estimate, logit, mean, standard_deviation};
use crate::stats::panel::Runs;

/// A variance below this, relative to the squares that it is computed from, is a rounding error.
const ROUNDING: f64 = 1e-18;

/// A quantity on all the data and in every resample. Draws of one [`Bootstrap::scores`](super::Bootstrap::scores)
/// call may be combined: their resamples are the same.
#[derive(Debug, Clone, PartialEq)]
pub struct Draws {
    pub(super) value: f64,
    /// The mean over seeds on the passages of each resample.
    pub(super) resampled: Vec<f64>,
    /// The runs that contribute to the quantity, grouped by their seeds.
    pub(super) strata: Vec<Stratum>,
    /// The scores that contribute to the quantity.
    pub(super) scores: Vec<Score>,
    /// The smallest effective number of passages over the domains that contribute to the quantity.
    pub(super) passages: f64,
}

/// One method's runs, for [`runs`](crate::stats::runs).
pub(in crate::stats) struct RunDraws<'a> {
    pub values: Vec<f64>,
    /// `[seed][resample]`.
    pub resampled: Vec<&'a [f64]>,
}

impl Draws {
    /// One method's score in one panel with this effective number of passages; `None` without runs.
    pub(super) fn of_runs(
        place: [usize; 2],
        runs: &Runs,
        by_seed: Vec<Vec<f64>>,
        passages: f64,
    ) -> Option<Draws> {
        let values = runs.scores();
        let mut resampled = vec![0.0; by_seed.first().map_or(0, Vec::len)];
        for run in &by_seed {
            add(&mut resampled, run, 1.0 / values.len() as f64);
        }
        let own = |seed: &u64| Run {
            seed: *seed,
            lent: None,
        };
        let mut draws = Draws {
            value: mean(&values)?,
            resampled,
            strata: vec![Stratum {
                runs: runs.seeds().iter().map(own).collect(),
                values,
                resampled: by_seed,
            }],
            scores: Vec::new(),
            passages,
        };
        draws.scores = vec![Score {
            place,
            weight: 1.0,
            value: draws.value,
            variance: Variance::default(),
            passages,
            is_share: runs.is_share(),
        }];
        draws.scores[0].variance = draws.variance();
        Some(draws)
    }

    /// `self - other`, resample by resample.
    pub fn minus(&self, other: &Draws) -> Draws {
        combined(&[(self, 1.0), (other, -1.0)])
    }

    /// The mean of several quantities, resample by resample; `None` for none.
    pub fn mean(all: &[&Draws]) -> Option<Draws> {
        let share = 1.0 / all.len() as f64;
        let parts: Vec<(&Draws, f64)> = all.iter().map(|draws| (*draws, share)).collect();
        (!parts.is_empty()).then(|| combined(&parts))
    }

    /// `self / other`, resample by resample; `None` if `other` is zero. Contributions of seeds are linearised, as the
    /// mean of ratios is not the ratio of means.
    pub fn over(&self, other: &Draws) -> Option<Draws> {
        if other.value == 0.0 || other.resampled.contains(&0.0) {
            return None;
        }
        let ratio = self.value / other.value;
        let tangent = [(self, 1.0 / other.value), (other, -ratio / other.value)];
        let pairs = self.resampled.iter().zip(&other.resampled);
        let resampled = pairs.map(|(above, below)| above / below).collect();
        Some(Draws::derived(ratio, resampled, &tangent))
    }

    /// `ln(self / (1 - self))`, resample by resample; contributions of seeds are linearised. `None` if the value or a
    /// resample is outside (0, 1).
    pub fn logit(&self) -> Option<Draws> {
        let inside = |share: &f64| 0.0 < *share && *share < 1.0;
        if !inside(&self.value) || !self.resampled.iter().all(inside) {
            return None;
        }
        let slope = 1.0 / (self.value * (1.0 - self.value));
        let resampled = self.resampled.iter().copied().map(logit).collect();
        let mut draws = Draws::derived(logit(self.value), resampled, &[(self, slope)]);
        // A logit is unbounded.
        (draws.scores.iter_mut()).for_each(|score| score.is_share = false);
        Some(draws)
    }

    /// `self - constant`.
    pub fn above(&self, constant: f64) -> Draws {
        Draws {
            value: self.value - constant,
            resampled: (self.resampled.iter())
                .map(|drawn| drawn - constant)
                .collect(),
            ..self.clone()
        }
    }

    /// A function of several quantities, from its value on all the data and in every resample; contributions of seeds
    /// are linearised.
    pub(in crate::stats) fn derived(
        value: f64,
        resampled: Vec<f64>,
        tangent: &[(&Draws, f64)],
    ) -> Draws {
        Draws {
            value,
            resampled,
            ..combined(tangent)
        }
    }

    /// The value in every resample.
    pub(in crate::stats) fn resampled(&self) -> &[f64] {
        &self.resampled
    }

    /// The runs, if the quantity is one method's score.
    pub(in crate::stats) fn runs(&self) -> Option<RunDraws<'_>> {
        match self.strata.as_slice() {
            [one] if one.runs.iter().all(|run| run.lent.is_none()) => Some(RunDraws {
                values: one.values.clone(),
                resampled: one.resampled.iter().map(Vec::as_slice).collect(),
            }),
            // A method with one run and the spread of other methods.
            lent if lent
                .iter()
                .flat_map(|one| &one.runs)
                .all(|run| run.lent.is_some()) =>
            {
                (self.scores.len() == 1).then(|| RunDraws {
                    values: vec![self.value],
                    resampled: vec![&self.resampled],
                })
            }
            _ => None,
        }
    }

    /// The value on all the data.
    pub fn value(&self) -> f64 {
        self.value
    }

    /// The value with its 95 % interval. With one passage, which says nothing about others, it covers seeds only;
    /// [`weaknesses`](Draws::weaknesses) says so.
    pub fn estimate(&self) -> Estimate {
        Estimate {
            value: self.value,
            interval: Spread::of(self).interval(0.05),
        }
    }

    /// The value with its interval over passages only: the same runs on other test passages.
    pub fn estimate_of_these_runs(&self) -> Estimate {
        self.of_these_runs().estimate()
    }

    /// The quantity with the runs held fixed, so that only passages vary.
    pub fn of_these_runs(&self) -> Draws {
        let fixed = |score: &Score| Score {
            variance: Variance {
                seeds: 0.0,
                ..score.variance
            },
            ..*score
        };
        Draws {
            strata: Vec::new(),
            scores: self.scores.iter().map(fixed).collect(),
            ..self.clone()
        }
    }

    /// The variance by its source; 0 if it is a rounding error.
    pub fn variance(&self) -> Variance {
        let passages = self.passage_variance();
        Variance {
            passages: match passages <= self.rounding() {
                true => 0.0,
                false => passages,
            },
            seeds: self.seed_variance().own(),
        }
    }

    /// A variance that may be due to rounding only: 1/K added K times is not 1, so equal scores may differ in the
    /// last bit.
    pub(super) fn rounding(&self) -> f64 {
        let scores = self.scores.iter();
        let squares = scores.map(|score| (score.weight * score.value).powi(2));
        ROUNDING * squares.sum::<f64>()
    }

    /// The two-sided p value of "the value is 0": the level at which the interval just touches 0, so that p < 0.05 is
    /// equivalent to an interval that excludes 0. At least 2 / (R + 1) with R resamples, which cannot resolve smaller
    /// probabilities. `None` if nothing varies beyond rounding, and if a domain has only one passage, which says
    /// nothing about others.
    pub fn p_value(&self) -> Option<f64> {
        let spread = Spread::of(self);
        let least = 2.0 / (self.resampled.len() + 1) as f64;
        let usual = spread.interval(0.05);
        if self.passages <= 1.0 || usual.high - usual.low <= self.rounding().sqrt() {
            return None;
        }
        if spread.interval(least).excludes(0.0) {
            return Some(least);
        }
        // The interval excludes 0 at `high` and includes it at `low`: bisection finds the level in between.
        let (mut low, mut high) = (least, 1.0);
        for _ in 0..50 {
            let middle = 0.5 * (low + high);
            if spread.interval(middle).excludes(0.0) {
                high = middle;
            } else {
                low = middle;
            }
        }
        Some(high)
    }

    fn passage_variance(&self) -> f64 {
        let drawn = standard_deviation(&self.resampled).unwrap_or(0.0).powi(2);
        // Drawing C of C passages shows (C - 1)/C of their variance.
        match self.passages {
            one if one <= 1.0 => drawn,
            count => drawn * count / (count - 1.0),
        }
    }
}

impl Draws {
    /// The variance between seeds and the part of it that passages include as well; zero if it is a rounding error.
    pub(in crate::stats) fn seed_variance(&self) -> SeedVariance {
        let found = SeedVariance::of(&self.strata);
        match found.all <= self.rounding() {
            true => SeedVariance::default(),
            false => found,
        }
    }

    /// The degrees of freedom of passages.
    pub(super) fn freedom(&self) -> f64 {
        (self.passages - 1.0).max(1.0)
    }
}

/// A weighted sum of quantities.
fn combined(parts: &[(&Draws, f64)]) -> Draws {
    let first = parts[0].0;
    let mut strata: Vec<Stratum> = Vec::new();
    let mut scores: Vec<Score> = Vec::new();
    let mut resampled = vec![0.0; first.resampled.len()];
    for (draws, weight) in parts {
        for stratum in &draws.strata {
            match strata.iter_mut().find(|other| other.runs == stratum.runs) {
                Some(twin) => twin.add(stratum, *weight),
                None => strata.push(stratum.scaled(*weight)),
            }
        }
        for score in &draws.scores {
            let weight = weight * score.weight;
            match scores.iter_mut().find(|other| other.place == score.place) {
                Some(twin) => twin.weight += weight,
                None => scores.push(Score { weight, ..*score }),
            }
        }
        add(&mut resampled, &draws.resampled, *weight);
    }
    Draws {
        value: (parts.iter())
            .map(|(draws, weight)| weight * draws.value)
            .sum(),
        resampled,
        strata,
        scores,
        passages: (parts.iter())
            .map(|(draws, _)| draws.passages)
            .fold(f64::INFINITY, f64::min),
    }
}
