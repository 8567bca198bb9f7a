//! One file, downloaded beside the cache and moved into it once its checksum is right.
//!
//! `hf-hub` moves what it has downloaded to its place without a look at it. So it is given a folder
//! beside the place, `incoming`, as its cache; what it leaves there is checked and only then moved.
//! An interrupted download stays there as `hf-hub`'s `.part`, from which the next one goes on.

use std::io;
use std::path::{Path, PathBuf};

use hf_hub::api::sync::ApiError;

use super::cache;
use super::checksum::{Expected, Mismatch};
use super::client::{Client, Header};
use super::error::{self, HubError};
use super::patience::Pulse;

/// A file on its way.
pub(super) struct Download<'a> {
    pub client: &'a Client<'a>,
    pub commit: &'a str,
    pub file: &'a str,
    pub header: Header,
    pub expected: Expected,
    /// The folder that `hf-hub` takes for its cache.
    pub incoming: &'a Path,
}

/// What a download went on from.
#[derive(Clone, Copy)]
enum Start {
    /// Nothing.
    Anew,
    /// What an earlier try left, or an answer that broke off.
    FromRemainder,
}

/// What a download came to.
enum Attempt {
    Whole,
    Wrong(Mismatch, Start),
}

impl Download<'_> {
    /// Downloads and checks; the file is then at the returned path, inside `incoming`.
    ///
    /// # Errors
    /// It does not come, or is not what was promised.
    pub fn run(&self, hear: &mut dyn FnMut(Pulse)) -> Result<PathBuf, HubError> {
        let repo = cache::place(self.incoming, self.client.source);
        let whole = repo.blob_path(&self.header.etag);
        let part = whole.with_extension("part");
        // What an earlier try left may be the damaged part, or what a server without ranges sent
        // behind it: then it is tried once more from the beginning.
        match self.attempt(&whole, &part, hear)? {
            Attempt::Whole => return Ok(whole),
            Attempt::Wrong(mismatch, Start::Anew) => return Err(self.corrupt(mismatch)),
            Attempt::Wrong(_, Start::FromRemainder) => {}
        }
        match self.attempt(&whole, &part, hear)? {
            Attempt::Whole => Ok(whole),
            Attempt::Wrong(mismatch, _) => Err(self.corrupt(mismatch)),
        }
    }

    fn attempt(
        &self,
        whole: &Path,
        part: &Path,
        hear: &mut dyn FnMut(Pulse),
    ) -> Result<Attempt, HubError> {
        let start = self.tidy(whole, part)?;
        if !whole.exists() {
            self.pull(whole, part, hear)?;
        }
        let compared = self.expected.compare(whole);
        let Err(mismatch) = compared.map_err(|error| HubError::io(whole, error))? else {
            return Ok(Attempt::Whole);
        };
        let found = length(whole)?.unwrap_or(0);
        if found < self.header.bytes {
            // Only too short: there was nothing wrong with it yet.
            std::fs::rename(whole, part).map_err(|error| HubError::io(whole, error))?;
            return Err(self.interrupted(Some(found), ""));
        }
        std::fs::remove_file(whole).map_err(|error| HubError::io(whole, error))?;
        let start = match start {
            Start::Anew if found > self.header.bytes => Start::FromRemainder,
            start => start,
        };
        Ok(Attempt::Wrong(mismatch, start))
    }

    /// Brings what an earlier try left into a state that `hf-hub` can go on from.
    fn tidy(&self, whole: &Path, part: &Path) -> Result<Start, HubError> {
        // It can't replace a pointer whose blob is gone.
        let snapshots = cache::place(self.incoming, self.client.source).pointer_path("");
        absent(std::fs::remove_dir_all(&snapshots)).map_err(|e| HubError::io(&snapshots, e))?;
        let kept = length(part)?;
        if whole.exists() {
            return Ok(Start::FromRemainder);
        }
        if kept.is_some_and(|kept| kept >= self.header.bytes) {
            // All of it is there already: `hf-hub` would ask for what follows the end.
            std::fs::rename(part, whole).map_err(|error| HubError::io(part, error))?;
        }
        Ok(match kept {
            Some(1..) => Start::FromRemainder,
            _ => Start::Anew,
        })
    }

    fn pull(&self, whole: &Path, part: &Path, hear: &mut dyn FnMut(Pulse)) -> Result<(), HubError> {
        let Client { source, settings } = self.client;
        let pulled = (self.client).download(self.commit, self.file, self.incoming, hear)?;
        let Err(error) = pulled else {
            return Ok(());
        };
        let kept = length(part)?;
        if kept.is_some_and(|kept| kept >= self.header.bytes) {
            // `hf-hub` counts its last try as failed even where it brought the rest.
            return std::fs::rename(part, whole).map_err(|error| HubError::io(part, error));
        }
        let error = match error {
            ApiError::TooManyRetries(error) => *error,
            error => error,
        };
        match error {
            ApiError::IoError(error) if is_of_disk(&error) => Err(HubError::io(part, error)),
            ApiError::IoError(error) => Err(self.interrupted(kept, &error.to_string())),
            error => match (kept, error::of_api(error, self.file, source, settings)) {
                // The connection may be lost between two tries.
                (Some(1..), HubError::Unreachable { reason, .. }) => {
                    Err(self.interrupted(kept, &reason))
                }
                (_, error) => Err(error),
            },
        }
    }

    fn corrupt(&self, mismatch: Mismatch) -> HubError {
        HubError::Corrupt {
            file: self.file.to_string(),
            wanted: mismatch.wanted,
            found: mismatch.found,
        }
    }

    fn interrupted(&self, kept: Option<u64>, reason: &str) -> HubError {
        HubError::Interrupted {
            file: self.file.to_string(),
            kept: kept.unwrap_or(0),
            total: self.header.bytes,
            reason: match reason {
                "" => String::new(),
                reason => format!(" ({reason})"),
            },
        }
    }
}

/// Whether the disk is to blame rather than the connection.
fn is_of_disk(error: &io::Error) -> bool {
    use io::ErrorKind::{
        NotADirectory, NotFound, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull,
    };
    matches!(
        error.kind(),
        NotADirectory
            | NotFound
            | PermissionDenied
            | QuotaExceeded
            | ReadOnlyFilesystem
            | StorageFull
    )
}

/// The bytes of a file, where there is one.
fn length(path: &Path) -> Result<Option<u64>, HubError> {
    let metadata = absent(std::fs::metadata(path)).map_err(|error| HubError::io(path, error))?;
    Ok(metadata.map(|metadata| metadata.len()))
}

/// What is not there is no error.
pub(super) fn absent<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
