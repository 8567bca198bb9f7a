//! Estimates and their uncertainty: pure functions of numerators and denominators.
//!
//! Every metric of promptshift is a ratio of sums, `M = Σ numerator / Σ denominator` over the
//! examples of a domain, so that averages of averages never occur. A *panel* holds the sums of
//! all methods on one domain by (method, seed, passage); the bootstrap draws seeds and passages.

pub mod bootstrap;
pub mod estimate;
pub mod panel;
