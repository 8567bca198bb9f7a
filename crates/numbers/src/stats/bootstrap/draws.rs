//! Quantities that are made of scores, and their intervals.

use super::strata::{Run, SeedVariance, Stratum, Variance, add};
use crate::stats::estimate::{Estimate, Interval, mean, standard_deviation};
use crate::stats::panel::Runs;
use crate::stats::quantile::student;

/// A quantity on all the data and in every resample. Draws of one [`Bootstrap::scores`](super::Bootstrap::scores)
/// call may be combined: their resamples are the same.
#[derive(Debug, Clone, PartialEq)]
pub struct Draws {
    pub(super) value: f64,
    /// The mean over seeds on the passages of each resample.
    pub(super) resampled: Vec<f64>,
    /// The runs that the quantity is made of, by their seeds.
    pub(super) strata: Vec<Stratum>,
    /// The scores that the quantity is made of.
    pub(super) scores: Vec<Score>,
    /// The fewest passages of a domain that the quantity is made of, each counted as much as it weighs.
    pub(super) passages: f64,
}

/// A score in a quantity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Score {
    /// Panel and method.
    place: [usize; 2],
    /// What it is multiplied by.
    weight: f64,
    value: f64,
    pub variance: Variance,
    passages: f64,
    /// Whether it is a share, which lies in [0, 1].
    is_share: bool,
}

/// One method's runs: what [`winning`](crate::stats::winning) is made of.
pub(in crate::stats) struct RunDraws<'a> {
    pub values: Vec<f64>,
    /// `[seed][resample]`.
    pub resampled: Vec<&'a [f64]>,
}

impl Draws {
    /// One method's score in one panel, whose passages count as so many; `None` of no runs.
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
            variance: draws.variance(),
            passages,
            is_share: runs.is_share(),
        }];
        Some(draws)
    }

    /// `self - other`, resample by resample.
    pub fn minus(&self, other: &Draws) -> Draws {
        combined(&[(self, 1.0), (other, -1.0)])
    }

    /// The mean of several quantities, resample by resample; `None` of nothing.
    pub fn mean(all: &[&Draws]) -> Option<Draws> {
        let share = 1.0 / all.len() as f64;
        let parts: Vec<(&Draws, f64)> = all.iter().map(|draws| (*draws, share)).collect();
        (!parts.is_empty()).then(|| combined(&parts))
    }

    /// `self / other`, resample by resample; `None` where `other` is zero. Seeds' parts are those
    /// of the ratio's tangent, as the mean of ratios is not the ratio of means.
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

    /// `ln(self / (1 - self))`, resample by resample; seeds' parts are those of its tangent. `None` where the value or
    /// a resample is 0 or 1 or beyond, which has no logit.
    pub fn logit(&self) -> Option<Draws> {
        let inside = |share: &f64| 0.0 < *share && *share < 1.0;
        if !inside(&self.value) || !self.resampled.iter().all(inside) {
            return None;
        }
        let logit = |share: f64| (share / (1.0 - share)).ln();
        let slope = 1.0 / (self.value * (1.0 - self.value));
        let resampled = self.resampled.iter().copied().map(logit).collect();
        let mut draws = Draws::derived(logit(self.value), resampled, &[(self, slope)]);
        // A logit has no ends.
        (draws.scores.iter_mut()).for_each(|score| score.is_share = false);
        Some(draws)
    }

    /// `self - constant`.
    pub fn above(&self, constant: f64) -> Draws {
        Draws {
            value: self.value - constant,
            resampled: self
                .resampled
                .iter()
                .map(|drawn| drawn - constant)
                .collect(),
            ..self.clone()
        }
    }

    /// A function of several quantities from its value on all the data and in every resample; seeds' parts are those
    /// of its tangent.
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

    /// The runs, of a quantity that is one method's score.
    pub(in crate::stats) fn runs(&self) -> Option<RunDraws<'_>> {
        match self.strata.as_slice() {
            [one] if one.runs.iter().all(|run| run.lent.is_none()) => Some(RunDraws {
                values: one.values.clone(),
                resampled: one.resampled.iter().map(Vec::as_slice).collect(),
            }),
            // A method with one run, to which other methods have lent theirs.
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

    /// The value with its 95 % interval.
    pub fn estimate(&self) -> Estimate {
        Estimate {
            value: self.value,
            interval: Spread::of(self).interval(0.05),
        }
    }

    /// The value with the interval over passages alone: these runs, other test passages.
    pub fn estimate_of_these_runs(&self) -> Estimate {
        self.of_these_runs().estimate()
    }

    /// The quantity with the runs as they are, so that passages alone vary.
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

    /// The variance by where it comes from.
    pub fn variance(&self) -> Variance {
        Variance {
            passages: self.passage_variance(),
            seeds: SeedVariance::of(&self.strata).own(),
        }
    }

    /// The two-sided p value of "the value is 0": the level at which the interval just touches it,
    /// so that p < 0.05 and an interval that leaves 0 out are the same thing. Not below 2 / (R + 1)
    /// with R resamples, which know nothing of what is rarer; `None` where nothing varies.
    pub fn p_value(&self) -> Option<f64> {
        let spread = Spread::of(self);
        let least = 2.0 / (self.resampled.len() + 1) as f64;
        let usual = spread.interval(0.05);
        if usual.low == usual.high {
            return None;
        }
        if spread.interval(least).excludes(0.0) {
            return Some(least);
        }
        // Excluded at `high`, held at `low`: between them is the level where it changes.
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
        // C passages drawn from C show (C - 1)/C of their variance.
        match self.passages {
            one if one <= 1.0 => drawn,
            count => drawn * count / (count - 1.0),
        }
    }
}

/// What intervals of any level are read from.
pub(super) struct Spread<'a> {
    draws: &'a Draws,
    pub variance: Variance,
    pub seeds: SeedVariance,
    /// `V_s` of each stratum that has any, and its degrees of freedom.
    strata: Vec<(f64, f64)>,
}

impl<'a> Spread<'a> {
    pub fn of(draws: &'a Draws) -> Spread<'a> {
        let several = draws.strata.iter().filter(|one| one.runs.len() > 1);
        let strata = several.map(|stratum| {
            let variance = SeedVariance::of(std::slice::from_ref(stratum)).all;
            (variance, stratum.runs.len() as f64 - 1.0)
        });
        Spread {
            draws,
            variance: draws.variance(),
            seeds: SeedVariance::of(&draws.strata),
            strata: strata.filter(|(variance, _)| *variance > 0.0).collect(),
        }
    }

    /// The degrees of freedom of the seeds' variance (Satterthwaite 1946); `None` where seeds show none.
    pub fn seed_freedom(&self) -> Option<f64> {
        let strata = self.strata.iter();
        let (sum, squares) = strata.fold((0.0, 0.0), |(sum, squares), (variance, freedom)| {
            (sum + variance, squares + variance * variance / freedom)
        });
        (squares > 0.0).then(|| sum * sum / squares)
    }

    /// Student's quantile for the seeds' variance: the mean of the strata's quantiles, weighted by their variances
    /// (Cochran & Cox 1957, §4.14; Cochran 1964).
    pub fn seed_quantile(&self, share: f64) -> f64 {
        let weights: f64 = self.strata.iter().map(|(variance, _)| variance).sum();
        let quantiles =
            (self.strata.iter()).map(|(variance, freedom)| variance * student(share, *freedom));
        match weights > 0.0 {
            true => quantiles.sum::<f64>() / weights,
            false => 0.0,
        }
    }

    /// Student's quantile for seeds and passages, between those of either. Satterthwaite's degrees of freedom are too
    /// many where one of the parts has one or two.
    fn critical(&self, share: f64) -> f64 {
        let passages = student(share, self.draws.freedom());
        let Some(freedom) = self.seed_freedom() else {
            return passages;
        };
        let weights = self.seeds.weights(self.variance.passages, freedom);
        mixed(weights, [self.seed_quantile(share), passages])
    }

    /// The interval that leaves out `level`.
    pub fn interval(&self, level: f64) -> Interval {
        let critical = self.critical(1.0 - 0.5 * level);
        Interval {
            low: self.draws.value - self.reach(critical, Side::Low),
            high: self.draws.value + self.reach(critical, Side::High),
        }
    }

    /// How far an end lies from the value: `critical` standard errors, as far as scores are no shares. Of shares, each
    /// score's part of the variance is replaced by one that knows of 0 and 1, and the sum's variance grows as those do
    /// together, so that it keeps what pairing makes of it.
    fn reach(&self, critical: f64, side: Side) -> f64 {
        let sum = |of: &dyn Fn(&Score) -> f64| -> f64 {
            let scores = self.draws.scores.iter();
            scores.map(|score| score.weight.powi(2) * of(score)).sum()
        };
        let is_share = self.draws.scores.iter().all(|score| score.weight >= 0.0);
        let added = 2.0 / self.draws.scores.len() as f64;
        let reached = match is_share {
            true => sum(&|score| score.wilson(critical, side).powi(2)),
            false => critical.powi(2) * sum(&|score| score.shrunk_variance(added)),
        };
        let apart = sum(&|score| score.variance.total());
        match apart > 0.0 {
            true => (self.variance.total() / apart * reached).sqrt(),
            false => reached.sqrt(),
        }
    }
}

/// The mean of two quantiles, weighted; 0 without weights.
pub(super) fn mixed(weights: [f64; 2], quantiles: [f64; 2]) -> f64 {
    let sum = weights[0] + weights[1];
    match sum > 0.0 {
        true => (weights[0] * quantiles[0] + weights[1] * quantiles[1]) / sum,
        false => 0.0,
    }
}

/// An end of an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Low,
    High,
}

impl Score {
    /// Whether all answers are right, or all wrong, in every run.
    pub fn is_at_bound(&self) -> bool {
        self.is_share && (self.value == 0.0 || self.value == 1.0)
    }

    /// As how many independent answers the score varies; all right or all wrong, one for each passage. `None` of what
    /// is no share, where nothing varies elsewhere, and of one passage.
    fn answers(&self) -> Option<f64> {
        let variance = self.variance.total();
        match (variance > 0.0, self.is_at_bound()) {
            _ if !self.is_share => None,
            (true, _) => Some(self.value * (1.0 - self.value) / variance),
            (false, true) if self.passages > 1.0 => Some(self.passages),
            (false, _) => None,
        }
    }

    /// How far an end of the score's own interval lies from it: Wilson's (1927), with as many answers as have the
    /// score's variance. In a mean of several scores these are added as squares (Zou & Donner 2008).
    fn wilson(&self, critical: f64, side: Side) -> f64 {
        let Some(answers) = self.answers() else {
            return critical * self.variance.standard_error();
        };
        let share = self.value;
        let pull = critical.powi(2) / answers;
        let centre = (share + 0.5 * pull) / (1.0 + pull);
        let half = critical / (1.0 + pull)
            * (share * (1.0 - share) / answers + 0.25 * pull / answers).sqrt();
        match side {
            Side::Low => (share - (centre - half)).clamp(0.0, share),
            Side::High => (centre + half - share).clamp(0.0, 1.0 - share),
        }
    }

    /// The variance with so many more right answers and wrong ones: in a sum of k scores, 2 / k of each (Price & Bonett
    /// 2004; for differences Agresti & Caffo 2000).
    fn shrunk_variance(&self, added: f64) -> f64 {
        let Some(answers) = self.answers() else {
            return self.variance.total();
        };
        let all = answers + 2.0 * added;
        let share = (self.value * answers + added) / all;
        share * (1.0 - share) / all
    }
}

impl Draws {
    /// The degrees of freedom that passages have.
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
        value: parts
            .iter()
            .map(|(draws, weight)| weight * draws.value)
            .sum(),
        resampled,
        strata,
        scores,
        passages: parts
            .iter()
            .map(|(draws, _)| draws.passages)
            .fold(f64::INFINITY, f64::min),
    }
}
