//! The sections of a report on a study, one for each question. Each file has the section's numbers, words, figure and
//! the figure's alternative text.

pub mod calibration;
pub mod cautions;
pub mod collapse;
pub mod cost;
pub mod curves;
pub mod differences;
pub mod examples;
pub mod groups;
pub mod k_shot;
pub mod leakage;
pub mod matched;
pub mod paths;
pub mod provenance;
pub mod published;
pub mod ranking;
pub mod reading;
pub mod robustness;
pub mod runs;
pub mod scales;
pub mod scores;
pub mod search;
pub mod verdict;
pub mod wording;
