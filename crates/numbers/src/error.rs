//! What can be wrong with a folder of records, or with the store.

use std::io;
use std::path::{Path, PathBuf};

use promptshift_text::claim::ClaimError;
use thiserror::Error;

/// Why records could not be written or read.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The file system said no: no space, no permission, not there.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// `--out` is a file.
    #[error("{} is a file; wanted a folder to write records in", path.display())]
    NotAFolder {
        /// The file.
        path: PathBuf,
    },
    /// `--out` holds something that promptshift did not write.
    #[error(
        "{} holds '{found}' and no plan.json, so promptshift did not make it; \
         choose a new or empty folder with --out", path.display()
    )]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// One thing in it.
        found: String,
    },
    /// The store's folder holds something that promptshift did not write.
    #[error(
        "{} holds '{found}' and no store.json, so it is no store of promptshift's; choose a new or empty folder \
         with --store", path.display()
    )]
    ForeignStore {
        /// The folder.
        path: PathBuf,
        /// One thing in it.
        found: String,
    },
    /// The place is taken by a run with another plan or recipe.
    #[error(
        "{} is of another run: its {field} is {found}, asked for was {wanted}; \
         choose another folder with --out", path.display()
    )]
    OtherCell {
        /// The file that says so.
        path: PathBuf,
        /// The first field that differs, as a path in the JSON.
        field: String,
        /// Its value in the cell asked for.
        wanted: String,
        /// Its value in the file.
        found: String,
    },
    /// Another process holds the folder, or has taken it over.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// Something is to be removed from a store that another process uses.
    #[error(
        "{} is in use by another promptshift: {owner}; nothing is removed from a store before that has ended",
        path.display()
    )]
    InUse {
        /// The store.
        path: PathBuf,
        /// Which one.
        owner: String,
    },
    /// A record is already there.
    #[error("{} exists already, and records are never overwritten", path.display())]
    Exists {
        /// The cell's folder.
        path: PathBuf,
    },
    /// A file was cut off, edited, or written by something else.
    #[error("{}: wanted {wanted}, found {found}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What should be there.
        wanted: String,
        /// What is.
        found: String,
    },
    /// No record anywhere below a folder.
    #[error("no record.json in {} or below it", path.display())]
    NoRecords {
        /// The folder searched.
        path: PathBuf,
    },
}

/// Adds action and path to an input or output error.
pub(crate) trait IoContext<T> {
    fn at(self, action: &'static str, path: &Path) -> Result<T, StoreError>;
}

impl<T> IoContext<T> for io::Result<T> {
    fn at(self, action: &'static str, path: &Path) -> Result<T, StoreError> {
        self.map_err(|source| StoreError::Io {
            action,
            path: path.to_owned(),
            source,
        })
    }
}
