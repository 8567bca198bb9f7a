//! What can be wrong with the files of a split.

use thiserror::Error;

use crate::domain::splits::Split;

/// Why the files of a split are refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LayoutError {
    /// Some parts are missing.
    #[error(
        "{folder}: wanted {wanted} parts of {split}, as their names say, found {found}, without {}: some \
         of a split would pass for all of it",
        few(.missing)
    )]
    MissingParts {
        /// The folder of the parts.
        folder: String,
        /// The split.
        split: Split,
        /// How many there should be.
        wanted: usize,
        /// How many there are.
        found: usize,
        /// The missing parts.
        missing: Vec<String>,
    },
    /// The parts do not form one table.
    #[error(
        "{folder}: wanted the parts of one table for {split}, found {}: remove what is not a part of it",
        .found.join(", ")
    )]
    MixedParts {
        /// The folder of the parts.
        folder: String,
        /// Of what.
        split: Split,
        /// The files that do not belong together.
        found: Vec<String>,
    },
    /// A file looks like the split and is not read.
    #[error(
        "{found} seems to be {split} and is not read: wanted {wanted}; {advice}, or remove it if it is not \
         meant"
    )]
    NearMiss {
        /// The file.
        found: String,
        /// The split that it resembles.
        split: Split,
        /// Where it would be read.
        wanted: String,
        /// How to turn it into that.
        advice: &'static str,
    },
}

/// How many files a message names.
const NAMED: usize = 8;

pub(super) fn few(names: &[String]) -> String {
    let named = names[..names.len().min(NAMED)].join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}
