//! Estimates and their uncertainty: pure functions of numerators and denominators.
//!
//! Every metric of promptshift is a ratio of sums, `M = Σ numerator / Σ denominator` over the
//! examples of a domain, so that averages of averages never occur. A *panel* holds the sums of
//! all methods on one domain by (method, seed, passage); the bootstrap draws seeds and passages.
//!
//! | question | module |
//! |---|---|
//! | how far off may a score, gap, difference or ratio be, for other seeds and passages? | [`bootstrap`] |
//! | for other passages alone, in a small group? | [`cluster`] |
//! | a share of independent outcomes? | [`proportion`] |
//! | do these runs differ? | [`permutation`], on single outcomes [`mcnemar`] |
//! | ... of several targets, which do, and on how many at least? | [`holm`] |
//! | how often does one method's run beat another's? | [`winning`] |
//! | how many seeds and passages find a difference? | [`power`] |
//! | how often does a run fail or collapse? | [`collapse`] |
//! | does a method lose less than its source score makes one expect? | [`robustness`] |
//! | does it know when it is wrong? | [`calibration`], beyond chance [`calibration_error`] |
//! | does it put a class's examples first, wherever the threshold stands? | [`ranking`] |
//! | do prompts that are alike do alike on each other's domains? | [`mantel`] |
//! | what would a shorter search have found? | [`budget`] |

pub mod bootstrap;
pub mod budget;
pub mod calibration;
pub mod calibration_error;
pub mod cluster;
pub mod collapse;
#[cfg(test)]
mod draw;
pub mod estimate;
pub mod holm;
pub mod mantel;
pub mod mcnemar;
pub mod panel;
pub mod permutation;
pub mod power;
pub mod proportion;
pub mod quantile;
pub mod ranking;
pub mod robustness;
pub mod winning;

#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;
