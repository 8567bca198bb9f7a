//! Records into words, tables and figures: a pure function; no model, no data, no device.
//!
//! [`study`] puts records that belong together side by side, [`evidence`] checks their metrics
//! against their predictions, [`comparison`] is the analysis, and [`markdown`], [`figures`],
//! [`terminal`] and [`json`] show it.

pub mod cautions;
pub mod comparison;
pub mod cost;
mod error;
pub mod evidence;
pub mod figures;
pub mod json;
pub mod markdown;
pub mod number;
pub mod study;
pub mod terminal;
pub mod verdict;

#[cfg(test)]
mod fixture;

pub use error::ReportError;

use crate::record::store::StoredRecord;
use comparison::Comparison;
use figures::Figure;

/// A rendered report.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The report, a section for each study.
    pub markdown: String,
    /// The figures that it shows.
    pub figures: Vec<Figure>,
    /// The analysis behind each section.
    pub comparisons: Vec<Comparison>,
}

/// Renders records. `figure_folder` is where the caller puts the figures, as seen from where it
/// puts the markdown: `figures`, or `runs/squad-textbookqa/figures`.
pub fn render(records: &[StoredRecord], figure_folder: &str) -> Result<Report, ReportError> {
    let studies = study::studies(records)?;
    let mut report = Report {
        markdown: String::new(),
        figures: Vec::new(),
        comparisons: Vec::new(),
    };
    for (index, study) in studies.iter().enumerate() {
        let comparison = comparison::compare(study)?;
        let suffix = if studies.len() == 1 {
            String::new()
        } else {
            format!("-{}", index + 1)
        };
        let figures = figures::draw(study, &comparison, &suffix)?;
        if index > 0 {
            report.markdown.push('\n');
        }
        report.markdown.push_str(&markdown::section(
            study,
            &comparison,
            &figures,
            figure_folder,
        ));
        report.figures.extend(figures);
        report.comparisons.push(comparison);
    }
    Ok(report)
}

#[cfg(test)]
mod tests;
