//! Errors of saved prompts and adapters.

use std::io;
use std::path::{Path, PathBuf};

use promptshift_text::atomic_file::AtomicFileError;

/// Why a prompt can't be read, written, or applied to a backbone.
#[derive(Debug, thiserror::Error)]
pub enum SavedError {
    /// A file system operation failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The file is damaged or of another kind.
    #[error("{}: wanted {wanted}, found {found}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// What was wanted.
        wanted: String,
        /// What was found.
        found: String,
    },
    /// The prompt's vectors do not have the width of the backbone's embeddings.
    #[error(
        "{}: its vectors are {found} wide, the embeddings of the backbone '{backbone}' {wanted}: \
         it was tuned for another model", path.display()
    )]
    Width {
        /// The file.
        path: PathBuf,
        /// The backbone's name.
        backbone: String,
        /// The backbone's `D`.
        wanted: usize,
        /// The width of the prompt.
        found: usize,
    },
    /// It was tuned for other weights or another tokenizer.
    #[error(transparent)]
    OtherBackbone(Box<OtherBackbone>),
    /// It can't be written.
    #[error(transparent)]
    New(#[from] AtomicFileError),
}

/// A prompt or adapter was tuned for another backbone.
#[derive(Debug, thiserror::Error)]
#[error(
    "{}: tuned for the backbone '{found}' ({part} {found_sha256}), not for '{wanted}' ({part} \
     {wanted_sha256}): what is tuned for one is meaningless for another", path.display()
)]
pub struct OtherBackbone {
    /// The file.
    pub path: PathBuf,
    /// What differs: `weights` or `tokenizer`.
    pub part: &'static str,
    /// The backbone in use.
    pub wanted: String,
    /// The hash of its part, shortened.
    pub wanted_sha256: String,
    /// The backbone that the file names.
    pub found: String,
    /// The hash in the file, shortened.
    pub found_sha256: String,
}

impl SavedError {
    pub(in crate::tuning) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        |source| SavedError::Io {
            path: path.to_owned(),
            source,
        }
    }

    pub(in crate::tuning) fn wrong(
        path: &Path,
        wanted: impl Into<String>,
        found: impl Into<String>,
    ) -> SavedError {
        SavedError::Wrong {
            path: path.to_owned(),
            wanted: wanted.into(),
            found: found.into(),
        }
    }
}
