//! Reports from records: a pure function that needs no model, data or device.
//!
//! [`study`] groups the records that are comparable and checks them against their predictions. [`resamples`] and
//! [`results`] are the numbers that all sections use, [`sections`] has a file for each question, [`comparison`] is
//! the analysis of a study and [`report`] the document. A [`document`] is rendered to Markdown, HTML and the
//! terminal; figures are [`chart`]s. [`ablation`], [`ensemble`], [`inspection`], [`mod@bench`] and [`leaderboard`]
//! are other documents, and [`export`] writes the records as tables for other programs.

pub mod ablation;
pub mod baselines;
pub mod bench;
pub mod chart;
pub mod comparison;
pub mod cost;
pub mod diagnosis;
pub mod document;
pub mod ensemble;
mod error;
pub mod export;
pub mod findings;
pub mod inspection;
pub mod leaderboard;
pub mod level;
pub mod number;
pub mod paired;
pub mod power;
pub mod report;
pub mod resamples;
pub mod results;
pub mod sections;
pub mod settings;
pub mod shares;
pub mod study;

#[cfg(test)]
mod fixture;

pub use error::ReportError;
pub use report::{Analysis, analyse, json};

#[cfg(test)]
mod tests;
