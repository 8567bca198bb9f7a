//! Errors of reports.

use std::path::PathBuf;

use thiserror::Error;

use crate::number::count;

use promptshift_numbers::record::folder::StoredRecord;

/// Errors of reports.
#[derive(Debug, Error)]
pub enum ReportError {
    /// There are no records.
    #[error("no records to report on")]
    Nothing,
    /// Two runs have the same method and seed.
    #[error("{first} and {second} are both {method} with seed {seed}: take one of them")]
    Twice {
        first: String,
        second: String,
        method: String,
        seed: u64,
    },
    /// A run has an example twice.
    #[error("{run}: wanted each example once, found '{id}' of {domain} twice")]
    Repeated {
        run: String,
        domain: String,
        id: String,
    },
    /// The predictions do not have this metric.
    #[error("wanted a metric of {domain} ({known}), found '{wanted}'")]
    UnknownMetric {
        wanted: String,
        domain: String,
        known: String,
    },
    /// Two runs that should be comparable differ.
    #[error(
        "{first} and {second} cannot be compared: {field} is {found} in the first and {other} in the second"
    )]
    Mixed {
        first: String,
        /// The second run, or the second set's name.
        second: String,
        field: String,
        found: String,
        other: String,
    },
    /// A record's score is not that of its predictions.
    #[error(
        "{}: {metric} on {domain} is {found}, but its predictions give {wanted}; `promptshift score` recomputes it", folder.display()
    )]
    Metric {
        folder: PathBuf,
        domain: String,
        metric: String,
        wanted: String,
        found: String,
    },
    /// A recorded share is outside [0, 1].
    #[error("{}: wanted {what} in [0, 1], found {found}", folder.display())]
    Share {
        folder: PathBuf,
        what: String,
        found: f64,
    },
    /// Records from which no study can be planned.
    #[error(
        "{transfer}: wanted at least two seeds of model tuning and of another method, since one seed shows no \
         variance between seeds; found {found}"
    )]
    Pilot { transfer: String, found: String },
    /// A pilot whose scores do not vary.
    #[error(
        "{transfer}: wanted a pilot whose scores vary between passages or seeds; found that {method}'s mean gap − \
         model tuning's does not vary, with {} in the smallest domain", count(*passages, "passage")
    )]
    NoVariance {
        transfer: String,
        method: String,
        passages: usize,
    },
    /// Source and target are different tasks, so that no gap is defined.
    #[error("{}: {source_domain} and {target_domain} are different tasks", folder.display())]
    Tasks {
        folder: PathBuf,
        source_domain: String,
        target_domain: String,
    },
}

impl ReportError {
    /// Two records that should be comparable differ.
    pub(crate) fn mixed(
        [first, second]: [&StoredRecord; 2],
        field: String,
        [found, other]: [String; 2],
    ) -> Self {
        let name = |stored: &StoredRecord| stored.folder.display().to_string();
        ReportError::Mixed {
            first: name(first),
            second: name(second),
            field,
            found,
            other,
        }
    }
}
