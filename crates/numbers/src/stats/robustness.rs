//! Effective robustness: a target score above the one that the source score predicts.
//!
//! Taori et al. 2020 (arXiv:2007.00644) and Miller et al. 2021 (arXiv:2107.04649): over many models, target scores
//! are a linear function of source scores on the logit scale. A method's effective robustness is its distance above
//! the line of baseline models.
//!
//! Deviation: their points are many independently trained models; here they are runs of one model and their
//! checkpoints. Points of one run depend on each other, so the band is computed by leaving out one run at a time
//! (jackknife over clusters: MacKinnon, Nielsen & Webb 2022, arXiv:2205.03288, CV3), with Student's t with one degree
//! of freedom less than the number of runs. A model may also be more robust during training than at the end
//! (Andreassen et al. 2021, arXiv:2106.15831), so a line through checkpoints can be a stricter baseline.

use std::collections::BTreeSet;

use serde::Serialize;
use thiserror::Error;

use super::bootstrap::Draws;
use super::estimate::{Estimate, Interval, logit, student_quantile};

/// The smallest number of points to which a line is fitted.
pub const FEWEST_POINTS: usize = 6;

/// The smallest range of source scores, highest minus lowest, from which a slope is estimated.
pub const LEAST_SPREAD: f64 = 0.05;

/// The smallest R² of a line that is used.
pub const LEAST_R_SQUARED: f64 = 0.5;

/// One baseline run, or one of its checkpoints: scores in [0, 1].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Point {
    /// The score on the source.
    pub source: f64,
    /// The score on the target.
    pub target: f64,
    /// The number of its run.
    pub run: usize,
}

impl Point {
    /// A run's scores.
    pub const fn new(source: f64, target: f64, run: usize) -> Point {
        Point {
            source,
            target,
            run,
        }
    }
}

/// Why there is no expected score.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
pub enum Unfitted {
    /// Too few points.
    #[error("a line needs at least {FEWEST_POINTS} baseline runs or checkpoints, found {found}")]
    Few {
        /// Points found.
        found: usize,
    },
    /// The source scores are too close together.
    #[error(
        "the baseline's source scores lie between {low:.3} and {high:.3}, too close together for a slope"
    )]
    Close {
        /// The lowest source score.
        low: f64,
        /// The highest.
        high: f64,
    },
    /// A score without a logit.
    #[error("a baseline run or checkpoint scores exactly 0 or 1, which has no logit")]
    Bound,
    /// All points are from one run.
    #[error(
        "all points are from one run, which does not show how far another run would be from the line"
    )]
    OneRun,
    /// The range of source scores depends on a single run.
    #[error(
        "without one of the runs the baseline's source scores are too close together for a slope"
    )]
    Hangs,
    /// Target scores do not increase with source scores.
    #[error(
        "the line falls (slope {slope:.2}): higher source scores do not come with higher target scores"
    )]
    Falling {
        /// On the logit scale.
        slope: f64,
    },
    /// The points are not on a line.
    #[error(
        "the points are not on a line: R² is {r_squared:.2}, wanted at least {LEAST_R_SQUARED}"
    )]
    Loose {
        /// The share of the target logits' variance that the line explains.
        r_squared: f64,
    },
    /// The source score is outside the range of the points.
    #[error(
        "the source score {at:.3} is outside the baseline's range, {low:.3} to {high:.3}: the line is not \
         extrapolated"
    )]
    Outside {
        /// The lowest source score of the baseline.
        low: f64,
        /// The highest.
        high: f64,
        /// The source score asked for.
        at: f64,
    },
}

/// `logit target = slope · logit source + intercept`, by least squares.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    /// On the logit scale.
    pub slope: f64,
    /// On the logit scale.
    pub intercept: f64,
    /// The share of the target logits' variance that the line explains.
    pub r_squared: f64,
    /// The standard deviation of target logits around the line (divisor: points − 2).
    pub scatter: f64,
    /// Points fitted.
    pub points: usize,
    /// Number of runs among them.
    pub runs: usize,
    /// The lowest source score among them.
    pub low: f64,
    /// The highest source score among them.
    pub high: f64,
    /// The lines with one of the runs left out.
    #[serde(skip)]
    without: Vec<Straight>,
}

/// The coefficients of a line.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Straight {
    slope: f64,
    intercept: f64,
}

impl Straight {
    /// Fits by least squares. The `x` must not all be equal.
    fn through(points: &[(f64, f64)]) -> Straight {
        let n = points.len() as f64;
        let centre = points.iter().map(|(x, _)| x).sum::<f64>() / n;
        let height = points.iter().map(|(_, y)| y).sum::<f64>() / n;
        let squares: f64 = points.iter().map(|(x, _)| (x - centre).powi(2)).sum();
        let products: f64 = (points.iter())
            .map(|(x, y)| (x - centre) * (y - height))
            .sum();
        let slope = products / squares;
        let intercept = height - slope * centre;
        Straight { slope, intercept }
    }

    fn at(&self, x: f64) -> f64 {
        self.slope * x + self.intercept
    }
}

fn sigmoid(logit: f64) -> f64 {
    1.0 / (1.0 + (-logit).exp())
}

/// The lowest and the highest source score, if they are far enough apart for a slope.
fn span(points: &[Point]) -> Result<(f64, f64), Unfitted> {
    let sources = points.iter().map(|point| point.source);
    let low = sources.clone().fold(f64::INFINITY, f64::min);
    let high = sources.fold(f64::NEG_INFINITY, f64::max);
    // Without points the range is negative.
    match high - low < LEAST_SPREAD {
        true => Err(Unfitted::Close { low, high }),
        false => Ok((low, high)),
    }
}

/// Fits the line.
///
/// # Errors
/// There are fewer than [`FEWEST_POINTS`] points or only one run, the source scores (or those without one of the
/// runs) are within [`LEAST_SPREAD`] of each other, or a score is exactly 0 or 1.
pub fn fit(points: &[Point]) -> Result<Line, Unfitted> {
    let found = points.len();
    if found < FEWEST_POINTS {
        return Err(Unfitted::Few { found });
    }
    let has_logit = |share: f64| share > 0.0 && share < 1.0;
    let has_logits = |point: &Point| has_logit(point.source) && has_logit(point.target);
    if !points.iter().all(has_logits) {
        return Err(Unfitted::Bound);
    }
    let (low, high) = span(points)?;
    let runs: BTreeSet<usize> = points.iter().map(|point| point.run).collect();
    if runs.len() < 2 {
        return Err(Unfitted::OneRun);
    }
    let without = (runs.iter())
        .map(|run| {
            let left: Vec<Point> = (points.iter().copied())
                .filter(|point| point.run != *run)
                .collect();
            span(&left).map_err(|_| Unfitted::Hangs)?;
            Ok(Straight::through(&logits(&left)))
        })
        .collect::<Result<_, _>>()?;
    let logits = logits(points);
    let line = Straight::through(&logits);
    let height = logits.iter().map(|(_, y)| y).sum::<f64>() / logits.len() as f64;
    let left: f64 = logits.iter().map(|(x, y)| (y - line.at(*x)).powi(2)).sum();
    let all: f64 = logits.iter().map(|(_, y)| (y - height).powi(2)).sum();
    Ok(Line {
        slope: line.slope,
        intercept: line.intercept,
        r_squared: if all == 0.0 { 1.0 } else { 1.0 - left / all },
        scatter: (left / (points.len() as f64 - 2.0)).sqrt(),
        points: points.len(),
        runs: runs.len(),
        low,
        high,
        without,
    })
}

fn logits(points: &[Point]) -> Vec<(f64, f64)> {
    (points.iter())
        .map(|point| (logit(point.source), logit(point.target)))
        .collect()
}

impl Line {
    /// The expected target score of a baseline with this source score, with the 95 % band of the line.
    ///
    /// # Errors
    /// The source score is outside the range of the points.
    pub fn expected(&self, source: f64) -> Result<Estimate, Unfitted> {
        if !(self.low..=self.high).contains(&source) {
            return Err(Unfitted::Outside {
                low: self.low,
                high: self.high,
                at: source,
            });
        }
        let x = logit(source);
        let y = self.slope * x + self.intercept;
        let runs = self.runs as f64;
        let squares: f64 = (self.without.iter())
            .map(|line| (line.at(x) - y).powi(2))
            .sum();
        let half = student_quantile(0.975, runs - 1.0) * ((runs - 1.0) / runs * squares).sqrt();
        Ok(Estimate::new(
            sigmoid(y),
            sigmoid(y - half),
            sigmoid(y + half),
        ))
    }

    /// The target scores between which 95 % of the points with this source score are expected, if their logits are
    /// normal around the line.
    ///
    /// # Errors
    /// The source score is outside the range of the points.
    pub fn usual(&self, source: f64) -> Result<Interval, Unfitted> {
        let expected = logit(self.expected(source)?.value);
        let half = student_quantile(0.975, self.points as f64 - 2.0) * self.scatter;
        let (low, high) = (sigmoid(expected - half), sigmoid(expected + half));
        Ok(Interval { low, high })
    }

    /// How far a method's target score is above the expected one at its source score, with a 95 % interval. In every
    /// resample of passages the line is fitted again to the baseline's scores on those passages and evaluated at the
    /// method's source score on them; the variance between the method's seeds is included. The band of the line,
    /// which accounts for other baseline runs, is added (MOVER: Zou & Donner 2008). Without `baseline`, as for published
    /// models whose answers are not known, the line is the same in every resample.
    ///
    /// # Errors
    /// The line falls, the points are not on a line, or the source score is outside their range.
    pub fn above(&self, baseline: &[Scores], method: Scores) -> Result<Estimate, Unfitted> {
        let (slope, intercept, r_squared) = (self.slope, self.intercept, self.r_squared);
        if slope <= 0.0 {
            return Err(Unfitted::Falling { slope });
        }
        if r_squared < LEAST_R_SQUARED {
            return Err(Unfitted::Loose { r_squared });
        }
        let source = method.source.value();
        let expected = self.expected(source)?;
        let straight = Straight { slope, intercept };
        let resampled = (0..method.source.resampled().len()).map(|resample| {
            let points: Vec<(f64, f64)> = (baseline.iter())
                .flat_map(|scores| scores.logits_in(resample))
                .collect();
            // Points with equal source scores, up to rounding, have no slope.
            let is_apart = |(x, _): &(f64, f64)| (x - points[0].0).abs() > 1e-9;
            let line = match points.len() >= FEWEST_POINTS && points.iter().any(is_apart) {
                true => Straight::through(&points),
                false => straight,
            };
            let source = logit(method.source.resampled()[resample]);
            method.target.resampled()[resample] - sigmoid(line.at(source))
        });
        let at = expected.value;
        let tangent = slope * at * (1.0 - at) / (source * (1.0 - source));
        let parts = [(method.target, 1.0), (method.source, -tangent)];
        let above = Draws::derived(method.target.value() - at, resampled.collect(), &parts);
        let Estimate { value, interval } = above.estimate();
        let below = (value - interval.low).hypot(expected.interval.high - at);
        let beyond = (interval.high - value).hypot(at - expected.interval.low);
        Ok(Estimate::new(value, value - below, value + beyond))
    }
}

/// The scores of runs on the source and on a target, in the same order.
#[derive(Debug, Clone, Copy)]
pub struct Scores<'a> {
    pub source: &'a Draws,
    pub target: &'a Draws,
}

impl<'a> Scores<'a> {
    /// The scores of the same runs on both.
    pub fn new(source: &'a Draws, target: &'a Draws) -> Scores<'a> {
        Scores { source, target }
    }

    /// A point for each run.
    pub fn points(self) -> Vec<Point> {
        let runs = self.source.runs().zip(self.target.runs());
        let pairs = (runs.into_iter())
            .flat_map(|(source, target)| source.values.into_iter().zip(target.values).enumerate());
        pairs
            .map(|(run, (source, target))| Point::new(source, target, run))
            .collect()
    }

    /// The logits of those runs that have them in a resample.
    fn logits_in(self, resample: usize) -> impl Iterator<Item = (f64, f64)> {
        let runs = self.source.runs().zip(self.target.runs());
        let pairs = runs.into_iter().flat_map(move |(source, target)| {
            let pairs = source.resampled.into_iter().zip(target.resampled);
            pairs.map(move |(source, target)| (logit(source[resample]), logit(target[resample])))
        });
        pairs.filter(|(x, y)| x.is_finite() && y.is_finite())
    }
}

#[cfg(test)]
mod tests;
