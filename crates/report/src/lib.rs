//! Records into words, tables and figures: a pure function; no model, no data, no device.
//!
//! [`study`] puts records that belong together side by side, [`evidence`] checks their metrics
//! against their predictions, [`comparison`] is the analysis, and [`markdown`], [`figures`],
//! [`page`], [`terminal`] and [`json`] show it. [`leaderboard`] has all studies in one table, and
//! [`export`] has the records themselves as tables for other programs.

pub mod ablation;
pub mod bench;
pub mod cautions;
pub mod comparison;
pub mod cost;
pub mod disagreement;
pub mod ensemble;
mod error;
pub mod evidence;
pub mod export;
pub mod figures;
pub mod inspection;
pub mod json;
pub mod k_shot;
pub mod leaderboard;
pub mod markdown;
pub mod number;
pub mod page;
pub mod paired;
pub mod published;
pub mod sheet;
pub mod stall;
pub mod statistics;
pub mod study;
pub mod terminal;
pub mod verdict;

#[cfg(test)]
mod fixture;

pub use error::ReportError;

use comparison::Comparison;
use figures::Figure;
use promptshift_numbers::record::folder::{StoredRecord, Unfinished};
use study::Study;

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

/// Analyses records and draws the figures; cells that were begun and have no record are told of.
pub fn analyse<'a>(
    records: &'a [StoredRecord],
    unfinished: &'a [Unfinished],
) -> Result<Analysis<'a>, ReportError> {
    let studies = study::studies(records, unfinished)?;
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
        markdown::asked::section(&self.comparisons) + &sections.join("\n")
    }

    /// The report as one HTML page: the markdown with its figures inside.
    pub fn page(&self) -> String {
        let title = match self.comparisons.as_slice() {
            [one] => format!("{} → {}", one.source, one.targets.join(", ")),
            many => format!("{} transfers", many.len()),
        };
        let figures: Vec<Figure> = self.figures().cloned().collect();
        page::page(&title, &self.markdown(""), &figures, page::Tables::Still)
    }
}

#[cfg(test)]
mod tests;
