//! Estimates and their uncertainty, as pure functions of numerators and denominators.
//!
//! Every metric of promptshift is a ratio of sums, `M = Σ numerator / Σ denominator` over the examples of a domain,
//! so averages of averages do not occur. A *panel* holds the sums of all methods on one domain by (method, seed,
//! passage); the bootstrap draws seeds and passages.
//!
//! | question | module |
//! |---|---|
//! | how uncertain is a score, gap, difference or ratio, over seeds and passages? | [`bootstrap`] |
//! | over passages only, in a small group? for a share of independent outcomes? | [`intervals`] |
//! | do these runs differ? on which of several targets, and on at least how many? | [`significance`] |
//! | how often does one method's run beat another's? how often does a run fail or collapse? | [`runs`] |
//! | what would a shorter search have found? | [`runs`] |
//! | how many seeds and passages find a difference? | [`power`] |
//! | is a target score higher than the source score predicts? | [`robustness`] |
//! | does a model know when it is wrong? | [`calibration`], beyond chance [`calibration_error`] |
//! | does a model rank the examples of a class first, whatever the threshold? | [`ranking`] |
//! | do similar prompts score alike on each other's domains? | [`mantel`] |

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
