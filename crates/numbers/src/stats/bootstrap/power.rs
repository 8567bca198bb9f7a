//! The smallest difference that a study like this one would find.

use super::draws::{Draws, Spread, mixed};
use super::strata::SeedVariance;
use crate::stats::quantile::{chi_squared, normal_share, student};

/// The share of detections that [`Draws::detectable`] asks for.
const POWER: f64 = 0.8;

/// How many studies like this one the power is the mean of: a power of two.
const STUDIES: u32 = 128;

impl Draws {
    /// The least difference that would be told from none with 95 % confidence in 80 of 100 studies like this one
    /// (Bloom 1995). A study's own estimate of its variance varies, and the quantile with it, so the power is
    /// integrated over the variances that such studies would find: with one part alone this is the power of the
    /// noncentral t distribution (Johnson, Kotz & Balakrishnan 1995, chapter 31). 0 where nothing varies.
    pub fn detectable(&self) -> f64 {
        let spread = Spread::of(self);
        let error = spread.variance.standard_error();
        if error == 0.0 {
            return 0.0;
        }
        // How far from 0 each study's interval reaches, in standard errors.
        let reaches: Vec<f64> = spread
            .reaches(self.freedom())
            .iter()
            .map(|reach| reach / error)
            .collect();
        let power = |effect: f64| {
            let found = reaches.iter().map(|reach| normal_share(effect - reach));
            found.sum::<f64>() / reaches.len() as f64
        };
        let (mut low, mut high) = (0.0, 1.0);
        while power(high) < POWER {
            high *= 2.0;
        }
        for _ in 0..40 {
            let middle = 0.5 * (low + high);
            if power(middle) < POWER {
                low = middle;
            } else {
                high = middle;
            }
        }
        high * error
    }
}

impl Spread<'_> {
    /// What half the interval would be in each of [`STUDIES`].
    fn reaches(&self, passage_freedom: f64) -> Vec<f64> {
        let freedom = self.seed_freedom();
        let quantiles = [self.seed_quantile(0.975), student(0.975, passage_freedom)];
        (0..STUDIES)
            .map(|study| {
                // The points of Hammersley 1960: even in both directions.
                let first = (f64::from(study) + 0.5) / f64::from(STUDIES);
                let second = (f64::from(study.reverse_bits()) + 0.5) / 4_294_967_296.0;
                let drawn = |share, freedom| chi_squared(share, freedom) / freedom;
                let passages = self.variance.passages * drawn(second, passage_freedom);
                let Some(freedom) = freedom else {
                    return quantiles[1] * passages.sqrt();
                };
                let seeds = SeedVariance {
                    all: self.seeds.all * drawn(first, freedom),
                    ..self.seeds
                };
                let critical = mixed(seeds.weights(passages, freedom), quantiles);
                critical * (passages + seeds.own()).sqrt()
            })
            .collect()
    }
}
