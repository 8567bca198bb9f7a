//! Records into reports: a pure function; no model, no data, no device.
//!
//! [`study`] puts records that belong together side by side and checks them against their
//! predictions, [`resamples`] and [`results`] are what every section reads, [`sections`] has a file
//! for each question, [`comparison`] is the analysis of a study and [`report`] its document. A
//! [`document`] is rendered to Markdown, HTML and the terminal; figures are [`chart`]s.
//! [`ablation`], [`ensemble`], [`inspection`], [`mod@bench`] and [`leaderboard`] are other documents, and
//! [`export`] has the records themselves as tables for other programs.

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
pub mod hardware;
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

use comparison::{Comparison, compare};
use document::Document;
use promptshift_numbers::record::folder::{StoredRecord, Unfinished};
use sections::wording;

/// The analysis of records, which takes most of a report's time, and the report on them.
pub struct Analysis {
    /// One for each study.
    pub comparisons: Vec<Comparison>,
    /// The report on all of them.
    pub document: Document,
}

/// Analyses records and writes the report; cells that were begun and have no record are listed.
///
/// # Errors
/// There are no records, or some contradict each other.
pub fn analyse(
    records: &[StoredRecord],
    unfinished: &[Unfinished],
) -> Result<Analysis, ReportError> {
    let studies = study::studies(records, unfinished)?;
    let comparisons = studies.iter().map(compare).collect::<Result<Vec<_>, _>>()?;
    let worded = comparisons.iter();
    let worded = worded.map(|one| (&one.results, one.statistics.calibration.as_slice()));
    let mut blocks = wording::side_by_side(&worded.collect::<Vec<_>>());
    for (number, (study, comparison)) in studies.iter().zip(&comparisons).enumerate() {
        let suffix = match studies.len() {
            1 => String::new(),
            _ => format!("-{}", number + 1),
        };
        blocks.extend(report::blocks(study, comparison, &suffix));
    }
    let title = match comparisons.as_slice() {
        [one] => one.results.transfer(),
        many => format!("{} transfers", many.len()),
    };
    Ok(Analysis {
        comparisons,
        document: Document { title, blocks },
    })
}

/// Comparisons as pretty JSON: scores in [0, 1], units in the keys.
pub fn json(comparisons: &[Comparison]) -> String {
    serde_json::to_string_pretty(comparisons).expect("a comparison is plain data")
}

#[cfg(test)]
mod tests;
