//! The smallest difference that studies of one size would find.

use super::draws::Draws;
use super::interval::{Spread, mixed};
use super::strata::SeedVariance;
use crate::stats::estimate::{chi_squared_quantile, normal_cdf, student_quantile};
use crate::stats::power::POWER;

/// How many studies a power is the mean of: a power of two.
const STUDIES: u32 = 128;

/// What studies of one size are expected to find.
pub(in crate::stats) struct Studies {
    /// The standard error of the difference.
    error: f64,
    /// How far from its value each study's interval reaches.
    reaches: Vec<f64>,
}

/// The variances that studies of one size have, and how well they know them.
#[derive(Debug, Clone, Copy)]
pub(in crate::stats) struct Expected {
    /// Of passages.
    pub passages: f64,
    /// Degrees of freedom of that.
    pub passage_freedom: f64,
    /// Of seeds.
    pub seeds: SeedVariance,
    /// Degrees of freedom of that; `None` where seeds cannot show any.
    pub seed_freedom: Option<f64>,
    /// Student's 0.975 quantile for the seeds.
    pub seed_quantile: f64,
}

impl Expected {
    /// A study's own estimate of its variance varies, and Student's quantile with it: the studies are spread evenly
    /// over the variances that they may find, χ² with the degrees of freedom, by the points of Hammersley (1960).
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
    /// The share of studies whose interval excludes zero where this is the difference.
    fn power(&self, difference: f64) -> f64 {
        let found = self.reaches.iter().map(|reach| {
            let above = normal_cdf((difference - reach) / self.error);
            above + normal_cdf((-difference - reach) / self.error)
        });
        found.sum::<f64>() / self.reaches.len() as f64
    }

    /// The least difference that [`POWER`] of the studies find; 0 where nothing varies.
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
    /// The least difference that would be told from none with 95 % confidence in 80 of 100 studies like this one
    /// (Bloom 1995), integrated over the variances that such studies would find: with one part alone this is the power
    /// of the noncentral t distribution (Johnson, Kotz & Balakrishnan 1995, chapter 31). 0 where nothing varies; where
    /// all answers are right or wrong, what the interval takes for an error counts as one.
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
