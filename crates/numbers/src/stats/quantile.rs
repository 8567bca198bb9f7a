//! Quantiles of the distributions that intervals are made of.

use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

/// The standard normal quantile: `normal(0.975)` is 1.96.
pub fn normal(share: f64) -> f64 {
    Normal::standard().inverse_cdf(share)
}

/// Student's t quantile with `freedom` > 0 degrees of freedom: `student(0.975, 2.0)` is 4.30.
pub fn student(share: f64, freedom: f64) -> f64 {
    if share == 0.5 {
        return 0.0;
    }
    StudentsT::new(0.0, 1.0, freedom)
        .expect("degrees of freedom are positive")
        .inverse_cdf(share)
}
