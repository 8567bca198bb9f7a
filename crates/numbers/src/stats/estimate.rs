//! Values with intervals, means, standard deviations, and quantiles of samples and distributions.

use serde::Serialize;
use statrs::distribution::{Beta, ChiSquared, ContinuousCDF, Normal, StudentsT};

/// A range of plausible values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Interval {
    /// Whether the interval lies on one side of `value`.
    pub fn excludes(self, value: f64) -> bool {
        value < self.low || value > self.high
    }

    /// The interval with its ends moved into `[low, high]`.
    pub fn clamp(self, low: f64, high: f64) -> Interval {
        Interval {
            low: self.low.clamp(low, high),
            high: self.high.clamp(low, high),
        }
    }
}

/// A value with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// The value on all the data.
    pub value: f64,
    /// Its 95 % interval.
    pub interval: Interval,
}

impl Estimate {
    /// A value with the ends of its interval.
    pub const fn new(value: f64, low: f64, high: f64) -> Estimate {
        let interval = Interval { low, high };
        Estimate { value, interval }
    }

    /// The estimate with the ends of its interval moved into [0, 1].
    pub fn clamp(self) -> Estimate {
        Estimate {
            interval: self.interval.clamp(0.0, 1.0),
            ..self
        }
    }
}

/// The mean; `None` for no values.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The sample standard deviation, `sqrt(Σ(x - x̄)² / (n - 1))`; `None` for fewer than two values.
pub fn standard_deviation(values: &[f64]) -> Option<f64> {
    let centre = mean(values).filter(|_| values.len() > 1)?;
    let squares: f64 = values.iter().map(|value| (value - centre).powi(2)).sum();
    Some((squares / (values.len() - 1) as f64).sqrt())
}

/// The 95 % prediction interval for one more value from the same normal distribution: `mean ± t_{.975, n - 1} s
/// sqrt(1 + 1/n)` (Geisser 1993). If the values are estimates, their spread includes their errors, and the interval
/// is for one more estimate. `None` for fewer than two values.
pub fn prediction_interval(values: &[f64]) -> Option<Interval> {
    let (centre, deviation) = (mean(values)?, standard_deviation(values)?);
    let count = values.len() as f64;
    let half = student_quantile(0.975, count - 1.0) * deviation * (1.0 + 1.0 / count).sqrt();
    Some(Interval {
        low: centre - half,
        high: centre + half,
    })
}

/// The median; `None` for no values.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    (!sorted.is_empty()).then(|| quantile(&sorted, 0.5))
}

/// The central 95 % of bootstrap values; `None` for no values.
pub fn percentile_interval(values: &[f64]) -> Option<Interval> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    (!sorted.is_empty()).then(|| Interval {
        low: quantile(&sorted, 0.025),
        high: quantile(&sorted, 0.975),
    })
}

/// The quantile with linear interpolation (Hyndman & Fan 1996, type 7) of sorted values.
pub(super) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let position = share * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (position - below as f64) * (sorted[above] - sorted[below])
}

/// The standard normal quantile: `normal_quantile(0.975)` is 1.96.
pub fn normal_quantile(share: f64) -> f64 {
    Normal::standard().inverse_cdf(share)
}

/// The cumulative distribution function of the standard normal: `normal_cdf(1.96)` is 0.975.
pub fn normal_cdf(quantile: f64) -> f64 {
    Normal::standard().cdf(quantile)
}

/// The standard logistic quantile, `ln(share / (1 - share))`.
pub fn logit(share: f64) -> f64 {
    (share / (1.0 - share)).ln()
}

/// Student's t quantile with `freedom` > 0 degrees of freedom: `student_quantile(0.975, 2.0)` is 4.30.
pub fn student_quantile(share: f64, freedom: f64) -> f64 {
    if share == 0.5 {
        return 0.0;
    }
    StudentsT::new(0.0, 1.0, freedom)
        .expect("degrees of freedom are positive")
        .inverse_cdf(share)
}

/// The quantile of χ² with `freedom` > 0 degrees of freedom: `chi_squared_quantile(0.95, 1.0)` is 3.84.
pub fn chi_squared_quantile(share: f64, freedom: f64) -> f64 {
    ChiSquared::new(freedom)
        .expect("degrees of freedom are positive")
        .inverse_cdf(share)
}

/// The quantile of the beta distribution with shapes `a`, `b` > 0: `beta_quantile(0.95, 1.0, 1.0)` is 0.95.
pub fn beta_quantile(share: f64, a: f64, b: f64) -> f64 {
    Beta::new(a, b)
        .expect("shapes are positive")
        .inverse_cdf(share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_and_deviation_by_hand() {
        assert_eq!(mean(&[]), None);
        assert_eq!(mean(&[1.0, 2.0, 6.0]), Some(3.0));
        // Deviations -2, -1, 3: squares 14, over 2 is 7.
        let deviation = standard_deviation(&[1.0, 2.0, 6.0]).expect("three values");
        assert!((deviation - 7.0_f64.sqrt()).abs() < 1e-12);
        assert_eq!(standard_deviation(&[1.0]), None);
        assert_eq!(median(&[5.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    #[test]
    fn a_sixth_value_by_hand() {
        // Mean 3, squares 10, deviation sqrt(2.5); t of 4 degrees of freedom 2.776445; sqrt(1.2).
        let interval = prediction_interval(&[1.0, 2.0, 3.0, 4.0, 5.0]).expect("five values");
        let half = 2.776_445_105_2 * 2.5_f64.sqrt() * 1.2_f64.sqrt();
        assert!((interval.high - 3.0 - half).abs() < 1e-8, "{interval:?}");
        assert!((3.0 - half - interval.low).abs() < 1e-8, "{interval:?}");
        assert_eq!(prediction_interval(&[1.0]), None);
    }

    #[test]
    fn percentiles_of_a_known_row() {
        // 0, 1, ..., 1000: R's quantile(0:1000, c(.025, .975)) is 25 and 975.
        let values: Vec<f64> = (0..=1000).rev().map(f64::from).collect();
        let interval = percentile_interval(&values).expect("values");
        assert_eq!((interval.low, interval.high), (25.0, 975.0));
        assert!(interval.excludes(24.0) && !interval.excludes(25.0));
        let (low, high) = (2.0, 2.0);
        assert_eq!(percentile_interval(&[2.0]), Some(Interval { low, high }));
        assert_eq!(percentile_interval(&[]), None);
    }
}
