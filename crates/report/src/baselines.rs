//! What a score has to beat before a gap says anything, and whether it is shown to.
//!
//! The baselines of a domain are the untuned backbone, the answers that need no understanding, and
//! nothing else:
//!
//! - for classes, the constant answer that scores best on the source's scored rows and the one that
//!   scores best on the domain's own. Both are scored as if they were runs, on the right answers that
//!   are stored with the predictions, so that they are paired with the methods passage by passage;
//! - for questions, a random fact of the passage. Its expected score is stored as a number, so that it
//!   is subtracted without a variance of its own.
//!
//! The *bar* is the highest of them. Three things can be said of a score ([`Standing`]):
//!
//! - it is above the bar, where the 95 % interval of score − baseline lies above zero for every
//!   baseline (an intersection–union test, which needs no adjustment: Berger 1982);
//! - it is not above the bar by [`MARGIN`] or more, where the upper end of the interval of score − bar
//!   lies below the margin (one side of Schuirmann's 1987 two one-sided tests: non-superiority);
//! - neither is shown. A wide interval shows neither, so nothing is concluded from one.
//!
//! An untuned backbone with a head that was drawn at random is scored with one draw alone, the head
//! of seed 0: how much another draw would change is in no interval here.

use serde::Serialize;

use promptshift_numbers::record::{Prediction, Score};
use promptshift_numbers::score::Metric;
use promptshift_numbers::stats::bootstrap::Draws;
use promptshift_numbers::stats::estimate::{Estimate, Interval};
use promptshift_numbers::stats::panel::Sample;

/// A score that is shown to be less than this above the bar counts as not above it: two points. A gain
/// that small over an answer without understanding is none that a gap could be a share of. In simulated
/// studies of balanced pairs with 100 to 4,000 rows and three seeds, 1 to 3 of 100 methods that are
/// truly two points above a coin are called not above it, and none of 100 that equal a coin above it.
pub const MARGIN: f64 = 0.02;

/// What a score is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Baseline {
    /// The backbone before tuning.
    Untuned,
    /// Always the same class, the one with this place among the labels.
    Constant(usize),
    /// A fact of the passage drawn at random.
    Fact,
}

impl Baseline {
    /// What sentences call it.
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
    /// What is subtracted.
    pub baseline: Baseline,
    /// The difference, paired by passage.
    pub difference: Estimate,
}

/// Whether a score is above its bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Shown to be above it.
    Above,
    /// Shown not to be above it by [`MARGIN`] or more.
    NotAbove,
    /// Neither is shown.
    Open,
}

impl Standing {
    /// Of a score, by its differences to its baselines; open where there are none.
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

/// How a score stands to the answers that need no understanding, by its differences to all baselines; `None` where none
/// of those is known. The untuned backbone is no floor: a score can fall below it, so it cuts no gap short.
pub fn floor_standing(above: &[Above]) -> Option<Standing> {
    let is_floor = |one: &&Above| one.baseline != Baseline::Untuned;
    let mut floors = above.iter().filter(is_floor).peekable();
    floors.peek()?;
    Some(Standing::of(floors))
}

/// The difference to the highest baseline.
fn highest<'a>(all: &[&'a Above]) -> Option<&'a Above> {
    let value = |one: &&Above| one.difference.value;
    let found = all.iter().min_by(|a, b| value(a).total_cmp(&value(b)));
    found.copied()
}

/// The difference that a [`Standing`] other than above goes by: that to the highest baseline where the
/// score is shown not to be above it, and otherwise the one that reaches furthest below zero.
pub fn decisive<'a>(differences: impl IntoIterator<Item = &'a Above>) -> Option<&'a Above> {
    let all: Vec<&Above> = differences.into_iter().collect();
    if Standing::of(all.iter().copied()) == Standing::NotAbove {
        return highest(&all);
    }
    let low = |one: &&Above| one.difference.interval.low;
    let found = all.iter().min_by(|a, b| low(a).total_cmp(&low(b)));
    found.copied()
}

/// A score minus a baseline that was resampled with it, on a domain of so many passages.
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

/// A standard error below this is rounding.
const NO_ERROR: f64 = 1e-9;

/// A quantity minus a number. Where every passage shows the same, the bootstrap knows no error, which
/// is not to say that there is none: all of C passages being alike, at least 0.025^(1 / C) of all
/// passages are (Clopper & Pearson 1934, with no failures; passages count as equally large), and the
/// rest may show anything between -1 and 1.
fn estimate(draws: &Draws, minus: f64, passages: usize) -> Estimate {
    let value = draws.value() - minus;
    let interval = match draws.variance().standard_error() {
        error if error > NO_ERROR => {
            let Interval { low, high } = draws.estimate().interval;
            Interval {
                low: low - minus,
                high: high - minus,
            }
        }
        _ => {
            let alike = 0.025_f64.powf(1.0 / passages.max(1) as f64);
            Interval {
                low: alike * value - (1.0 - alike),
                high: alike * value + (1.0 - alike),
            }
        }
    };
    Estimate { value, interval }
}

/// The constants that a domain's scores are compared with: the one that is best on the source and the
/// one that is best on the domain, once where they are the same; none without classes.
pub fn constants(metric: Metric, source: &[Prediction], own: &[Prediction]) -> Vec<usize> {
    let mut found: Vec<usize> = [source, own]
        .into_iter()
        .filter_map(|rows| best_constant(metric, rows))
        .collect();
    found.dedup();
    found
}

/// The right class that scores highest when it is always given; of equals the first.
fn best_constant(metric: Metric, rows: &[Prediction]) -> Option<usize> {
    let classes: std::collections::BTreeSet<usize> =
        rows.iter().filter_map(|row| gold(&row.score)).collect();
    let value = |class: usize| {
        let scores: Vec<Score> = rows
            .iter()
            .filter_map(|row| answered(&row.score, class))
            .collect();
        metric.value(&scores)
    };
    let scored = classes.into_iter().map(|class| (class, value(class)));
    scored
        .reduce(|best, next| if next.1 > best.1 { next } else { best })
        .map(|(class, _)| class)
}

/// A run that gives every example the same class.
pub fn constant_run(metric: Metric, class: usize, rows: &[Prediction]) -> Vec<Sample> {
    let of_row = |row: &Prediction| {
        let share = metric.contribution(&answered(&row.score, class)?);
        Some(Sample {
            seed: 0,
            cluster: row.passage.clone(),
            numerator: share.numerator,
            denominator: share.denominator,
        })
    };
    rows.iter().filter_map(of_row).collect()
}

fn gold(score: &Score) -> Option<usize> {
    match *score {
        Score::Label { gold, .. } | Score::Option { gold, .. } => Some(gold),
        Score::Span { .. } => None,
    }
}

/// What an example is worth where it is given this class.
fn answered(score: &Score, class: usize) -> Option<Score> {
    let predicted = Some(class);
    match *score {
        Score::Label { gold, .. } => Some(Score::Label { gold, predicted }),
        Score::Option { question, gold, .. } => Some(Score::Option {
            question,
            gold,
            predicted,
        }),
        Score::Span { .. } => None,
    }
}

#[cfg(test)]
mod tests;
