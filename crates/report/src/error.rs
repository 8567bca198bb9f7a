//! Why records do not make a report.

use std::path::PathBuf;

use thiserror::Error;

use crate::number::count;

use promptshift_numbers::recipe::Method;

/// Why records do not make a report.
#[derive(Debug, Error)]
pub enum ReportError {
    /// Nothing to report on.
    #[error("no records to report on")]
    Nothing,
    /// Two records of one method and seed.
    #[error(
        "{} and {} are both {} with seed {seed}: report on one of them",
        first.display(), second.display(), method.title()
    )]
    Twice {
        /// A record's folder.
        first: PathBuf,
        /// Another's.
        second: PathBuf,
        /// Their method.
        method: Method,
        /// Their seed.
        seed: u64,
    },
    /// Records that look alike but cannot be compared or averaged.
    #[error(
        "{} and {} cannot be compared: {field} is {found} in the first and {other} in the second",
        first.display(), second.display()
    )]
    Mixed {
        /// A record's folder.
        first: PathBuf,
        /// Another's.
        second: PathBuf,
        /// What differs.
        field: String,
        /// In the first.
        found: String,
        /// In the second.
        other: String,
    },
    /// A record that says another score than its predictions.
    #[error(
        "{}: {metric} on {domain} is {found}, but its predictions give {wanted}; \
         `promptshift score` computes it again", folder.display()
    )]
    Metric {
        /// The record's folder.
        folder: PathBuf,
        /// The domain.
        domain: String,
        /// The metric.
        metric: String,
        /// What the predictions give.
        wanted: String,
        /// What the record says.
        found: String,
    },
    /// A record that says a share of more than all, or of less than nothing.
    #[error("{}: wanted {what} in [0, 1], found {found}", folder.display())]
    Share {
        /// The record's folder.
        folder: PathBuf,
        /// What it is a share of.
        what: String,
        /// What the record says.
        found: f64,
    },
    /// Records from which the size of another study cannot be told.
    #[error(
        "{transfer}: wanted two seeds or more of model tuning and of another method, since one seed shows no \
         variance between seeds; found {found}"
    )]
    Pilot {
        /// The study.
        transfer: String,
        /// Its methods with their seeds.
        found: String,
    },
    /// A pilot whose scores do not vary, from which no study can be planned.
    #[error(
        "{transfer}: wanted a pilot whose scores vary from passage to passage or from seed to seed; found that {method}'s \
         mean gap − model tuning's does not, with {} in the smallest domain", count(*passages, "passage")
    )]
    NoVariance {
        /// The study.
        transfer: String,
        /// The method beside model tuning.
        method: String,
        /// Passages of the domain that has the fewest.
        passages: usize,
    },
    /// Source and target ask for different things, so that no gap is defined.
    #[error("{}: {source_domain} and {target_domain} are different tasks", folder.display())]
    Tasks {
        /// The record's folder.
        folder: PathBuf,
        /// The source.
        source_domain: String,
        /// The target.
        target_domain: String,
    },
}
