//! From a quantity's variance to its interval, and why an interval may cover the truth less often than it says.

use serde::Serialize;

use super::draws::Draws;
use super::strata::{SeedVariance, Variance};
use crate::stats::estimate::{Interval, student_quantile};

/// A score that contributes to a quantity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Score {
    /// Panel and method.
    pub place: [usize; 2],
    /// Its factor in the quantity.
    pub weight: f64,
    pub value: f64,
    pub variance: Variance,
    pub passages: f64,
    /// Whether it is a share, bounded by 0 and 1.
    pub is_share: bool,
}

/// The spread of a quantity, from which intervals of any level are computed.
pub(super) struct Spread<'a> {
    draws: &'a Draws,
    pub variance: Variance,
    pub seeds: SeedVariance,
    /// `V_s` of each stratum in which it is not zero, and its degrees of freedom.
    strata: Vec<(f64, f64)>,
}

impl<'a> Spread<'a> {
    pub fn of(draws: &'a Draws) -> Spread<'a> {
        let several = draws.strata.iter().filter(|one| one.runs.len() > 1);
        let strata = several.map(|stratum| {
            let variance = SeedVariance::of(std::slice::from_ref(stratum)).all;
            (variance, stratum.runs.len() as f64 - 1.0)
        });
        let rounding = draws.rounding();
        Spread {
            draws,
            variance: draws.variance(),
            seeds: draws.seed_variance(),
            strata: (strata.filter(|(variance, _)| *variance > rounding)).collect(),
        }
    }

    /// The degrees of freedom of the seeds' variance (Satterthwaite 1946); `None` if seeds do not vary.
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
        let quantiles = (self.strata.iter())
            .map(|(variance, freedom)| variance * student_quantile(share, *freedom));
        match weights > 0.0 {
            true => quantiles.sum::<f64>() / weights,
            false => 0.0,
        }
    }

    /// Student's quantile for seeds and passages together, between the quantiles of both. Satterthwaite's degrees of
    /// freedom would be too many if one part has only one or two.
    fn critical(&self, share: f64) -> f64 {
        let passages = student_quantile(share, self.draws.freedom());
        let Some(freedom) = self.seed_freedom() else {
            return passages;
        };
        let weights = self.seeds.weights(self.variance.passages, freedom);
        mixed(weights, [self.seed_quantile(share), passages])
    }

    /// The interval with confidence `1 - level`.
    pub fn interval(&self, level: f64) -> Interval {
        let critical = self.critical(1.0 - 0.5 * level);
        Interval {
            low: self.draws.value - self.reach(critical, Side::Low),
            high: self.draws.value + self.reach(critical, Side::High),
        }
    }

    /// The distance of an end from the value: `critical` standard errors, unless scores are shares. For shares, each
    /// score's variance is replaced by one that takes the bounds 0 and 1 into account, and the variance of the sum is
    /// scaled by the same total factor, which preserves the effect of pairing.
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

/// The weighted mean of two quantiles; 0 if the weights are 0.
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
    /// Whether all answers of all runs are right, or all are wrong.
    pub fn is_at_bound(&self) -> bool {
        self.is_share && (self.value == 0.0 || self.value == 1.0)
    }

    /// The number of independent answers that would have the score's variance; one for each passage if all answers
    /// are right or all wrong. `None` if the score is not a share, if nothing varies although it is not at a bound,
    /// and for a single passage at a bound.
    fn answers(&self) -> Option<f64> {
        let variance = self.variance.total();
        match self.is_at_bound() {
            _ if !self.is_share => None,
            true => (self.passages > 1.0).then_some(self.passages),
            false => (variance > 0.0).then(|| self.value * (1.0 - self.value) / variance),
        }
    }

    /// The variance beyond that of the answers: at a bound the score's own runs do not vary, but borrowed ones may.
    fn beside_answers(&self) -> f64 {
        match self.is_at_bound() {
            true => self.variance.total(),
            false => 0.0,
        }
    }

    /// The distance of an end of the score's own interval: Wilson's (1927), for as many answers as have the score's
    /// variance. In a mean of several scores these distances are added as squares (Zou & Donner 2008).
    fn wilson(&self, critical: f64, side: Side) -> f64 {
        let Some(answers) = self.answers() else {
            return critical * self.variance.standard_error();
        };
        let share = self.value;
        let pull = critical.powi(2) / answers;
        let centre = (share + 0.5 * pull) / (1.0 + pull);
        let half = critical / (1.0 + pull)
            * (share * (1.0 - share) / answers + 0.25 * pull / answers).sqrt();
        let beside = critical * self.beside_answers().sqrt();
        match side {
            Side::Low => (share - (centre - half)).hypot(beside).clamp(0.0, share),
            Side::High => (centre + half - share)
                .hypot(beside)
                .clamp(0.0, 1.0 - share),
        }
    }

    /// The variance with `added` more right and as many more wrong answers: 2 / k of each in a sum of k scores (Price
    /// & Bonett 2004; for differences Agresti & Caffo 2000).
    fn shrunk_variance(&self, added: f64) -> f64 {
        let Some(answers) = self.answers() else {
            return self.variance.total();
        };
        let all = answers + 2.0 * added;
        let share = (self.value * answers + added) / all;
        share * (1.0 - share) / all + self.beside_answers()
    }
}

/// Why an interval may cover the truth less often than it should, or be wider than necessary. `docs/methodology.md`
/// has the measured coverage of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Weakness {
    /// A domain has one passage, which says nothing about others.
    OnePassage,
    /// A method has one run, and no other method has a spread to borrow.
    OneSeed,
    /// A method has one run and borrows the spread of other methods' runs.
    Borrowed,
    /// A method has two runs, whose variance has one degree of freedom.
    TwoSeeds,
    /// The effective number of passages is below 20.
    FewPassages,
    /// A score is exactly 0 or 1, so nothing varies.
    AtBound,
}

/// The smallest number of passages that was simulated.
const FEW: f64 = 20.0;

impl Weakness {
    /// Its consequence for the interval.
    pub fn meaning(self) -> &'static str {
        match self {
            Weakness::OnePassage => {
                "one passage does not show how scores vary between passages, so the interval cannot be estimated"
            }
            Weakness::OneSeed => {
                "one run does not show how scores vary between seeds: the interval is for these runs only, and \
                 covers the mean over seeds in as few as 70 of 100 studies"
            }
            Weakness::Borrowed => {
                "one run does not show how scores vary between seeds, so the spread of the other methods' runs is \
                 used: the interval covers the mean over seeds in 95 of 100 studies if the methods vary equally, and \
                 in 79 if this method varies ten times as much"
            }
            Weakness::TwoSeeds => {
                "two runs estimate their spread so poorly that the interval is about six times as wide as with many \
                 runs, and covers the mean over seeds in up to 99 of 100 studies"
            }
            Weakness::FewPassages => {
                "with fewer than 20 passages of similar size the interval relies on a normal approximation that has \
                 not been checked"
            }
            Weakness::AtBound => {
                "all answers are right, or all are wrong: the interval is Wilson's with one independent answer per \
                 passage"
            }
        }
    }
}

impl Draws {
    /// The weaknesses of the interval, the most serious first; empty if the interval covered the truth in 93 to 97 of
    /// 100 simulated studies.
    pub fn weaknesses(&self) -> Vec<Weakness> {
        let runs = || self.strata.iter().map(|stratum| stratum.runs.len());
        let is_lent = || {
            (self.strata.iter())
                .flat_map(|stratum| &stratum.runs)
                .any(|run| run.lent.is_some())
        };
        let found = [
            (Weakness::OnePassage, self.passages <= 1.0),
            (Weakness::OneSeed, runs().any(|count| count == 1)),
            (Weakness::Borrowed, is_lent()),
            (Weakness::TwoSeeds, runs().any(|count| count == 2)),
            (
                Weakness::FewPassages,
                self.passages > 1.0 && self.passages < FEW,
            ),
            (
                Weakness::AtBound,
                self.scores.iter().any(Score::is_at_bound),
            ),
        ];
        (found.into_iter())
            .filter(|(_, is_so)| *is_so)
            .map(|(weakness, _)| weakness)
            .collect()
    }
}
