//! The smallest difference that studies of a given size detect.

use super::draws::Draws;
use super::interval::{Spread, mixed};
use super::strata::SeedVariance;
use crate::stats::estimate::{chi_squared_quantile, normal_cdf, student_quantile};
use crate::stats::power::POWER;

/// The number of studies over which power is averaged: a power of two.
const STUDIES: u32 = 128;

/// The expected precision of studies of one size.
pub(in crate::stats) struct Studies {
    /// The standard error of the difference.
    error: f64,
    /// Half the width of each study's interval.
    reaches: Vec<f64>,
}

/// The variances of studies of one size, and their degrees of freedom.
#[derive(Debug, Clone, Copy)]
pub(in crate::stats) struct Expected {
    /// The variance from passages.
    pub passages: f64,
    /// Its degrees of freedom.
    pub passage_freedom: f64,
    pub seeds: SeedVariance,
    /// Its degrees of freedom; `None` if seeds do not vary.
    pub seed_freedom: Option<f64>,
    /// Student's 0.975 quantile for the seeds.
    pub seed_quantile: f64,
}

impl Expected {
    /// A study's estimate of its own variance varies, and the width of its interval with it: the studies are spread
    /// evenly over the distribution of the estimates, χ² with the degrees of freedom, by Hammersley's points (1960).
    pub fn studies(self) -> Studies {
        let quantiles = [
            self.seed_quantile,
            student_quantile(0.975, self.passage_freedom),
        ];
        let drawn = |share, freedom| chi_squared_quantile(share, freedom) / freedom;
        let reach = |study: u32| {
            let first = (f64::from(study) + 0.5) / f64::from(STUDIES);
            let second = (f64::from(study.reverse_bits()) + 0.5) / 4_294_967_296.0;
            let passages = self.passages * drawn(second, self.passage_freedom);
            let Some(freedom) = self.seed_freedom else {
                return quantiles[1] * passages.sqrt();
            };
            let seeds = SeedVariance {
                all: self.seeds.all * drawn(first, freedom),
                ..self.seeds
            };
            let critical = mixed(seeds.weights(passages, freedom), quantiles);
            critical * (passages + seeds.own()).sqrt()
        };
        Studies {
            error: (self.passages + self.seeds.own()).sqrt(),
            reaches: (0..STUDIES).map(reach).collect(),
        }
    }
}

impl Studies {
    /// The share of studies whose interval excludes zero if this is the true difference.
    fn power(&self, difference: f64) -> f64 {
        let found = self.reaches.iter().map(|reach| {
            let above = normal_cdf((difference - reach) / self.error);
            above + normal_cdf((-difference - reach) / self.error)
        });
        found.sum::<f64>() / self.reaches.len() as f64
    }

    /// The smallest difference that a share of [`POWER`] of the studies detects; 0 if nothing varies.
    pub fn detectable(&self) -> f64 {
        let (mut low, mut high) = (0.0, self.error);
        if self.error == 0.0 {
            return 0.0;
        }
        while self.power(high) < POWER {
            high *= 2.0;
        }
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            match self.power(middle) < POWER {
                true => low = middle,
                false => high = middle,
            }
        }
        high
    }
}

impl Draws {
    /// The minimum detectable effect: the smallest difference for which the 95 % interval excludes zero in 80 of 100
    /// studies like this one (Bloom 1995), integrated over the variances that such studies would estimate. If only
    /// seeds or only passages vary, this is the power of the noncentral t distribution (Johnson, Kotz & Balakrishnan
    /// 1995, chapter 31). 0 if nothing varies; if all answers are right or all wrong, the standard error is derived
    /// from the interval.
    pub fn detectable(&self) -> f64 {
        let spread = Spread::of(self);
        if spread.variance.total() == 0.0 {
            let interval = spread.interval(0.05);
            let critical = student_quantile(0.975, self.freedom());
            let error = (interval.high - self.value()).max(self.value() - interval.low) / critical;
            return error * (critical + student_quantile(POWER, self.freedom()));
        }
        let expected = Expected {
            passages: spread.variance.passages,
            passage_freedom: self.freedom(),
            seeds: spread.seeds,
            seed_freedom: spread.seed_freedom(),
            seed_quantile: spread.seed_quantile(0.975),
        };
        expected.studies().detectable()
    }
}
