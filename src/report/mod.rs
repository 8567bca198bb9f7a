//! Records into words, tables and figures: a pure function; no model, no data, no device.
//!
//! [`study`] puts records that belong together side by side, [`evidence`] checks their metrics
//! against their predictions, [`comparison`] is the analysis, and [`markdown`], [`figures`],
//! [`page`], [`terminal`] and [`json`] show it. [`leaderboard`] has all studies in one table.

pub mod cautions;
pub mod comparison;
pub mod cost;
pub mod disagreement;
mod error;
pub mod evidence;
pub mod figures;
pub mod json;
pub mod leaderboard;
pub mod markdown;
pub mod number;
pub mod page;
pub mod published;
pub mod stall;
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

impl Report {
    /// The report as one HTML page: the markdown with its figures inside.
    pub fn page(&self) -> String {
        let title = match self.comparisons.as_slice() {
            [one] => format!("{} → {}", one.source, one.targets.join(", ")),
            many => format!("{} transfers", many.len()),
        };
        page::page(&title, &self.markdown, &self.figures, page::Tables::Still)
    }
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
