//! Estimates and their uncertainty: pure functions of numerators and denominators.
//!
//! Every metric of promptshift is a ratio of sums, `M = Σ numerator / Σ denominator` over the
//! examples of a domain, so that averages of averages never occur. A *panel* holds the sums of
//! all methods on one domain by (method, seed, passage); the bootstrap draws seeds and passages.
//!
//! | question | module |
//! |---|---|
//! | how far off may a score, gap, difference or ratio be, for other seeds and passages? | [`bootstrap`] |
//! | for other passages alone, in a small group? of a share of independent outcomes? | [`intervals`] |
//! | do these runs differ? of several targets, on which do they, and on how many at least? | [`significance`] |
//! | how often does one method's run beat another's? how often does a run fail or collapse? | [`runs`] |
//! | what would a shorter search have found? | [`runs`] |
//! | how many seeds and passages find a difference? | [`power`] |
//! | does a method lose less than its source score makes one expect? | [`robustness`] |
//! | does it know when it is wrong? | [`calibration`], beyond chance [`calibration_error`] |
//! | does it put a class's examples first, wherever the threshold stands? | [`ranking`] |
//! | do prompts that are alike do alike on each other's domains? | [`mantel`] |

pub mod bootstrap;
pub mod calibration;
pub mod calibration_error;
pub mod estimate;
pub mod intervals;
pub mod mantel;
pub mod panel;
pub mod power;
pub mod ranking;
pub mod robustness;
pub mod runs;
pub mod significance;

#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;
