//! Errors of a folder of records and of the store.

use std::io;
use std::path::{Path, PathBuf};

use promptshift_text::atomic_file::AtomicFileError;
use promptshift_text::claim::ClaimError;
use thiserror::Error;

/// Why records could not be written or read.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The file system failed: no space, no permission, no such file.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// `--out` is a file.
    #[error("{} is a file; wanted a folder to write records in", path.display())]
    NotAFolder { path: PathBuf },
    /// `--out` holds something that promptshift did not write.
    #[error(
        "{} holds '{found}' and no plan.json, so it was not written by promptshift; choose a new or empty folder \
         with --out", path.display()
    )]
    Foreign { path: PathBuf, found: String },
    /// The store's folder holds something that promptshift did not write.
    #[error(
        "{} holds '{found}' and no store.json, so it is not a promptshift store; choose a new or empty folder with \
         --store", path.display()
    )]
    ForeignStore { path: PathBuf, found: String },
    /// The folder belongs to a run with another plan or recipe.
    #[error(
        "{} belongs to another run: {field} is {found} there, and {wanted} was asked for; choose another folder with \
         --out", path.display()
    )]
    OtherCell {
        path: PathBuf,
        /// The first field that differs, as a path in the JSON.
        field: String,
        wanted: String,
        found: String,
    },
    /// A file of an ablation or an ensemble can't be written.
    #[error(transparent)]
    New(#[from] AtomicFileError),
    /// Another process has claimed the folder, or taken it over.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// Nothing can be removed from a store while another process uses it.
    #[error(
        "{} is in use by another promptshift: {owner}; nothing is removed from a store until that process has ended",
        path.display()
    )]
    InUse { path: PathBuf, owner: String },
    /// A record is already there.
    #[error("{} exists already, and records are never overwritten", path.display())]
    Exists { path: PathBuf },
    /// A file was truncated, edited, or written by another program.
    #[error("{}: wanted {wanted}, found {found}", path.display())]
    Malformed {
        path: PathBuf,
        wanted: String,
        found: String,
    },
    /// No record in a folder or below it.
    #[error("no record.json in {} or below it", path.display())]
    NoRecords { path: PathBuf },
}

impl StoreError {
    /// A file was truncated, edited, or written by another program.
    pub(crate) fn malformed(path: &Path, wanted: impl Into<String>, found: impl ToString) -> Self {
        StoreError::Malformed {
            path: path.to_owned(),
            wanted: wanted.into(),
            found: found.to_string(),
        }
    }
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
