//! What can be wrong with the files of a split.

use thiserror::Error;

use crate::domain::splits::Split;

/// Why the files of a split are not what they should be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LayoutError {
    /// Some of its parts are not there.
    #[error(
        "{folder}: wanted {wanted} parts of {split}, as their names count them, found {found}, without {}: some \
         of a split would pass for all of it",
        few(.missing)
    )]
    MissingParts {
        /// Where the parts are.
        folder: String,
        /// Of what.
        split: Split,
        /// How many there should be.
        wanted: usize,
        /// How many there are.
        found: usize,
        /// Those that are not there.
        missing: Vec<String>,
    },
    /// Its parts are not those of one table.
    #[error(
        "{folder}: wanted the parts of one table for {split}, found {}: take away what is not a part of it",
        .found.join(", ")
    )]
    MixedParts {
        /// Where the parts are.
        folder: String,
        /// Of what.
        split: Split,
        /// Files that do not belong together.
        found: Vec<String>,
    },
    /// A file seems to be meant for the split and is not read.
    #[error(
        "{found} seems to be {split} and is not read: wanted {wanted}; {advice}, or take it away if it is not \
         meant"
    )]
    NearMiss {
        /// The file.
        found: String,
        /// What it seems to be.
        split: Split,
        /// Where it would be read.
        wanted: String,
        /// How to make it that.
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
