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
pub mod paired;
pub mod statistics;
pub mod study;
pub mod terminal;
pub mod verdict;

#[cfg(test)]
mod fixture;

pub use error::ReportError;

use crate::record::store::StoredRecord;
use comparison::Comparison;
use figures::Figure;
use study::Study;

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
    let analysis = analyse(records)?;
    Ok(Report {
        markdown: analysis.markdown(figure_folder),
        figures: analysis
            .sections
            .into_iter()
            .flat_map(|section| section.figures)
            .collect(),
        comparisons: analysis.comparisons,
    })
}

/// The analysis of records, which takes most of a report's time: it may be shown several times.
pub struct Analysis<'a> {
    sections: Vec<Section<'a>>,
    /// One for each study.
    pub comparisons: Vec<Comparison>,
}

/// One study and the figures drawn of it.
struct Section<'a> {
    study: Study<'a>,
    figures: Vec<Figure>,
}

/// Analyses records and draws the figures.
pub fn analyse(records: &[StoredRecord]) -> Result<Analysis<'_>, ReportError> {
    let studies = study::studies(records)?;
    let single = studies.len() == 1;
    let mut analysis = Analysis {
        sections: Vec::new(),
        comparisons: Vec::new(),
    };
    for (index, study) in studies.into_iter().enumerate() {
        let comparison = comparison::compare(&study)?;
        let suffix = match single {
            true => String::new(),
            false => format!("-{}", index + 1),
        };
        let figures = figures::draw(&study, &comparison, &suffix)?;
        analysis.sections.push(Section { study, figures });
        analysis.comparisons.push(comparison);
    }
    Ok(analysis)
}

impl Analysis<'_> {
    /// All figures.
    pub fn figures(&self) -> impl Iterator<Item = &Figure> {
        self.sections.iter().flat_map(|section| &section.figures)
    }

    /// The report, a section for each study, with figures in `figure_folder`.
    pub fn markdown(&self, figure_folder: &str) -> String {
        let sections: Vec<String> = self
            .sections
            .iter()
            .zip(&self.comparisons)
            .map(|(Section { study, figures }, comparison)| {
                markdown::section(study, comparison, figures, figure_folder)
            })
            .collect();
        sections.join("\n")
    }
}

#[cfg(test)]
mod tests;
