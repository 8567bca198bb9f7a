//! Quantiles of the distributions that intervals are made of.

use statrs::distribution::{Beta, ChiSquared, ContinuousCDF, Normal, StudentsT};

/// The standard normal quantile: `normal(0.975)` is 1.96.
pub fn normal(share: f64) -> f64 {
    Normal::standard().inverse_cdf(share)
}

/// The share of a standard normal below a quantile: `normal_share(1.96)` is 0.975.
pub fn normal_share(quantile: f64) -> f64 {
    Normal::standard().cdf(quantile)
}

/// The standard logistic quantile, `ln(share / (1 - share))`.
pub fn logit(share: f64) -> f64 {
    (share / (1.0 - share)).ln()
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

/// The quantile of χ² with `freedom` > 0 degrees of freedom: `chi_squared(0.95, 1.0)` is 3.84.
pub fn chi_squared(share: f64, freedom: f64) -> f64 {
    ChiSquared::new(freedom)
        .expect("degrees of freedom are positive")
        .inverse_cdf(share)
}

/// The quantile of the beta distribution with shapes `a`, `b` > 0: `beta(0.95, 1.0, 1.0)` is 0.95.
pub fn beta(share: f64, a: f64, b: f64) -> f64 {
    Beta::new(a, b)
        .expect("shapes are positive")
        .inverse_cdf(share)
}
