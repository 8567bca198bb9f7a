//! Baselines: the scores that a method must exceed before its gap is informative, and whether it is shown to exceed
//! them.
//!
//! The baselines of a domain are the untuned backbone and the floor, that is answers that do not depend on the
//! question:
//!
//! - for classes, the constant answer that scores highest on the source's test rows and the one that scores highest
//!   on the domain's own. Both are scored like runs, on the right answers stored with the predictions, so that they
//!   are paired with the methods by passage;
//! - for questions, a random fact of the passage. Its expected score is stored as a number and subtracted without a
//!   variance.
//!
//! The *bar* is the highest baseline. A score has one of three standings ([`Standing`]):
//!
//! - it is above the bar if the 95 % interval of score − baseline is above zero for every baseline (an
//!   intersection–union test, which needs no adjustment: Berger 1982);
//! - it is shown not to be above the bar by [`MARGIN`] or more if the upper end of the interval of score − bar is
//!   below the margin (one side of Schuirmann's 1987 two one-sided tests: non-superiority);
//! - neither is shown, as with a wide interval.
//!
//! An untuned backbone with a randomly initialised head is scored with a single head, that of seed 0; intervals do
//! not cover other heads.

use std::collections::BTreeSet;

use serde::Serialize;

use promptshift_numbers::record::Prediction;
use promptshift_numbers::score::Metric;
use promptshift_numbers::stats::bootstrap::Draws;
use promptshift_numbers::stats::estimate::{Estimate, Interval};
use promptshift_numbers::stats::panel::Sample;

/// A score that is shown to be less than two points above the bar counts as not above it, since with so small a gain
/// a gap is not informative. In simulated studies of balanced pairs with 100 to 4,000 rows and three seeds, 1 to 3 of
/// 100 methods that are truly two points above chance are called not above it, and none of 100 methods at chance are
/// called above it.
pub const MARGIN: f64 = 0.02;

/// A baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Baseline {
    /// The backbone before tuning.
    Untuned,
    /// The constant answer with this index among the labels.
    Constant(usize),
    /// A random fact of the passage.
    Fact,
}

impl Baseline {
    /// Its name in sentences.
    pub fn title(self) -> &'static str {
        match self {
            Baseline::Untuned => "the untuned backbone",
            Baseline::Constant(_) => "the best constant answer",
            Baseline::Fact => "a random fact of the passage",
        }
    }
}

/// A score minus a baseline's, in [-1, 1].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Above {
    /// The baseline that is subtracted.
    pub baseline: Baseline,
    /// The difference, paired by passage.
    pub difference: Estimate,
}

impl Above {
    /// Whether the baseline is one of the floor's answers.
    pub fn is_of_floor(&self) -> bool {
        self.baseline != Baseline::Untuned
    }
}

/// The standing of a score relative to its bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Shown to be above it.
    Above,
    /// Shown not to be above it by [`MARGIN`] or more.
    NotAbove,
    /// Inconclusive.
    Open,
}

impl Standing {
    /// The standing of a score with these differences to its baselines; open without baselines.
    pub fn of<'a>(differences: impl IntoIterator<Item = &'a Above>) -> Standing {
        let all: Vec<&Above> = differences.into_iter().collect();
        let Some(bar) = highest(&all) else {
            return Standing::Open;
        };
        if all.iter().all(|one| one.difference.interval.low > 0.0) {
            Standing::Above
        } else if bar.difference.interval.high < MARGIN {
            Standing::NotAbove
        } else {
            Standing::Open
        }
    }
}

/// The standing of a score relative to the floor, by its differences to all baselines; `None` without a floor. The
/// untuned backbone is not a floor: a score can fall below it, so it does not limit a gap.
pub fn floor_standing(above: &[Above]) -> Option<Standing> {
    let mut floors = above.iter().filter(|one| one.is_of_floor()).peekable();
    floors.peek()?;
    Some(Standing::of(floors))
}

/// The difference to the highest baseline.
fn highest<'a>(all: &[&'a Above]) -> Option<&'a Above> {
    let value = |one: &Above| one.difference.value;
    all.iter()
        .copied()
        .min_by(|a, b| value(a).total_cmp(&value(b)))
}

/// The difference that decides a [`Standing`] other than above: that to the highest baseline if the score is shown
/// not to be above it, otherwise the one whose interval extends furthest below zero.
pub fn decisive<'a>(differences: impl IntoIterator<Item = &'a Above>) -> Option<&'a Above> {
    let all: Vec<&Above> = differences.into_iter().collect();
    if Standing::of(all.iter().copied()) == Standing::NotAbove {
        return highest(&all);
    }
    let low = |one: &Above| one.difference.interval.low;
    all.into_iter().min_by(|a, b| low(a).total_cmp(&low(b)))
}

/// A score minus a baseline that was resampled with it, on a domain with this number of passages.
pub fn above(score: &Draws, baseline: Baseline, other: &Draws, passages: usize) -> Above {
    Above {
        baseline,
        difference: estimate(&score.minus(other), 0.0, passages),
    }
}

/// A score minus the expected score of a random fact.
pub fn above_fact(score: &Draws, fact: f64, passages: usize) -> Above {
    Above {
        baseline: Baseline::Fact,
        difference: estimate(score, fact, passages),
    }
}

/// A smaller standard error is a rounding error.
const NO_ERROR: f64 = 1e-9;

/// A quantity minus a number. If all passages have the same value, the bootstrap shows no error although there may be
/// one: if all of C passages are equal, at least a share of 0.025^(1 / C) of the population is (Clopper & Pearson
/// 1934, with no failures; passages count as equally large), and the rest may have any value between -1 and 1.
fn estimate(draws: &Draws, minus: f64, passages: usize) -> Estimate {
    let value = draws.value() - minus;
    if draws.variance().standard_error() > NO_ERROR {
        let Interval { low, high } = draws.estimate().interval;
        return Estimate::new(value, low - minus, high - minus);
    }
    let alike = 0.025_f64.powf(1.0 / passages.max(1) as f64);
    let (middle, half) = (alike * value, 1.0 - alike);
    Estimate::new(value, middle - half, middle + half)
}

/// The constant answers that are baselines of a domain: the best on the source and the best on the domain, once if
/// they are the same; none without classes.
pub fn constants(metric: Metric, source: &[Prediction], own: &[Prediction]) -> Vec<usize> {
    let found = ([source, own].into_iter()).filter_map(|rows| best_constant(metric, rows));
    let mut found: Vec<usize> = found.collect();
    found.dedup();
    found
}

/// The class that scores highest if it is always predicted; the first among equals.
fn best_constant(metric: Metric, rows: &[Prediction]) -> Option<usize> {
    let classes = rows.iter().filter_map(|row| row.score.classes());
    let classes: BTreeSet<usize> = classes.map(|(gold, _)| gold).collect();
    let value = |class: usize| {
        let scores = (rows.iter()).filter_map(|row| row.score.answering(Some(class)));
        metric.value(&scores.collect::<Vec<_>>())
    };
    let scored = classes.into_iter().map(|class| (class, value(class)));
    let best = scored.reduce(|best, next| if next.1 > best.1 { next } else { best });
    best.map(|(class, _)| class)
}

/// The samples of a run that predicts the same class for every example.
pub fn constant_run(metric: Metric, class: usize, rows: &[Prediction]) -> Vec<Sample> {
    let of_row = |row: &Prediction| {
        let sum = metric.contribution(&row.score.answering(Some(class))?);
        Some(Sample::new(0, row.passage.as_str(), sum))
    };
    rows.iter().filter_map(of_row).collect()
}

#[cfg(test)]
mod tests;
