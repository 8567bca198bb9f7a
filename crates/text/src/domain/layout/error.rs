//! Errors in the files of a split.

use thiserror::Error;

use crate::domain::splits::Split;

/// Why a split's files are rejected.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LayoutError {
    /// Some parts are missing.
    #[error(
        "{folder}: wanted {wanted} parts of {split}, as their names state, found {found}, without {}: an \
         incomplete split would be taken for the whole",
        few(.missing)
    )]
    MissingParts {
        /// The folder of the parts.
        folder: String,
        /// The split.
        split: Split,
        /// The number of parts expected.
        wanted: usize,
        /// The number of parts found.
        found: usize,
        /// The missing parts.
        missing: Vec<String>,
    },
    /// The files are not the parts of one table.
    #[error(
        "{folder}: wanted the parts of one table for {split}, found {}: remove what is not a part of it",
        .found.join(", ")
    )]
    MixedParts {
        /// The folder of the parts.
        folder: String,
        /// The split.
        split: Split,
        /// The inconsistent files.
        found: Vec<String>,
    },
    /// A file looks like the split but is not read.
    #[error("{found} seems to be {split} and is not read: wanted {wanted}; {advice}, or remove it")]
    NearMiss {
        /// The file.
        found: String,
        /// The split that it resembles.
        split: Split,
        /// Where it would be read.
        wanted: String,
        /// How to convert it.
        advice: &'static str,
    },
}

/// How many files a message lists.
const NAMED: usize = 8;

pub(super) fn few(names: &[String]) -> String {
    let named = names[..names.len().min(NAMED)].join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}
