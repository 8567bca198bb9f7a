//! Errors of reports.

use std::path::PathBuf;

use thiserror::Error;

use crate::number::count;

use promptshift_numbers::recipe::Method;

/// Errors of reports.
#[derive(Debug, Error)]
pub enum ReportError {
    /// There are no records.
    #[error("no records to report on")]
    Nothing,
    /// Two records have the same method and seed.
    #[error(
        "{} and {} are both {} with seed {seed}: report on one of them",
        first.display(), second.display(), method.title()
    )]
    Twice {
        first: PathBuf,
        second: PathBuf,
        method: Method,
        seed: u64,
    },
    /// Records that seem comparable but differ.
    #[error(
        "{} and {} cannot be compared: {field} is {found} in the first and {other} in the second",
        first.display(), second.display()
    )]
    Mixed {
        first: PathBuf,
        second: PathBuf,
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
