//! Errors of the Hub, with their remedies.

use std::path::Path;

use super::settings::SettingsError;
use crate::atomic_file::AtomicFileError;
use crate::claim::ClaimError;

/// Files that could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// An environment variable is invalid.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// `HF_HUB_OFFLINE` is set but the cache lacks a file.
    #[error(
        "{repository} at revision '{revision}': wanted all its files in {cache}, since HF_HUB_OFFLINE forbids using the Hub, found only some or none; unset HF_HUB_OFFLINE to fetch them"
    )]
    Offline {
        /// The repository.
        repository: String,
        /// Its revision.
        revision: String,
        /// The cache.
        cache: String,
    },
    /// No connection.
    #[error(
        "{url}: can't be reached: {reason}. Check the network and HF_ENDPOINT. Without a network, fetch on another machine and copy {cache} from there, or put the files into a folder and pass it with --model DIR or --data DIR{found}"
    )]
    Unreachable {
        /// The address.
        url: String,
        /// The cause.
        reason: String,
        /// The folder in the cache.
        cache: String,
        /// What the cache has of the repository.
        found: &'static str,
    },
    /// The server was silent for too long.
    #[error(
        "{what}: nothing came from the Hub for {seconds} s (HF_HUB_DOWNLOAD_TIMEOUT sets how long to wait); the same command resumes the download"
    )]
    Silent {
        /// The URL or file.
        what: String,
        /// The timeout.
        seconds: u64,
    },
    /// The Hub wants a token, or rejected the one it received.
    #[error("{repository}: the Hub refused it ({status}{message}): {advice}")]
    Refused {
        /// The repository.
        repository: String,
        /// 401 or 403.
        status: u16,
        /// The Hub's message.
        message: String,
        /// The remedy.
        advice: String,
    },
    /// No such repository or revision.
    #[error("{repository}: the Hub has no such {what} (404{message}): check the name at {page}")]
    NotFound {
        /// The repository.
        repository: String,
        /// `model`, or `revision 'x' of it`.
        what: String,
        /// The Hub's message.
        message: String,
        /// The page to check.
        page: String,
    },
    /// Another failure status.
    #[error("{url}: the Hub answered {status}{message}; {advice}")]
    Status {
        /// The address.
        url: String,
        /// The status.
        status: u16,
        /// The Hub's message.
        message: String,
        /// The remedy.
        advice: &'static str,
    },
    /// The response is not one of a Hub.
    #[error("{url}: not an answer of a Hugging Face Hub: {reason}; check HF_ENDPOINT")]
    Answer {
        /// The address.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The repository has no such file.
    #[error("{repository} at revision '{revision}' has no file '{file}': it has {has}")]
    NoFile {
        /// The repository.
        repository: String,
        /// Its revision.
        revision: String,
        /// The file wanted.
        file: String,
        /// Files that it has.
        has: String,
    },
    /// The repository has no readable checkpoint.
    #[error(
        "{repository} at revision '{revision}' has no readable checkpoint: wanted {lack}; it has {has}"
    )]
    NoCheckpoint {
        /// The repository.
        repository: String,
        /// Its revision.
        revision: String,
        /// What is missing.
        lack: String,
        /// Files that it has.
        has: String,
    },
    /// The connection was lost.
    #[error(
        "{file}: the download stopped at {kept} of {total} bytes{reason}; the same command resumes from there"
    )]
    Interrupted {
        /// The file.
        file: String,
        /// Bytes downloaded so far.
        kept: u64,
        /// The file's size.
        total: u64,
        /// Why, if known.
        reason: String,
    },
    /// The download does not have the checksum that the Hub or the card states.
    #[error(
        "{file}: wanted {wanted}, found {found}: the download is damaged and was removed; fetch it again"
    )]
    Corrupt {
        /// The file.
        file: String,
        /// The expected checksum.
        wanted: String,
        /// The checksum found.
        found: String,
    },
    /// The file in the repository is not the one whose checksum was given.
    #[error(
        "{file}: wanted {wanted}, but {repository} at revision '{revision}' has {found}: the file has changed there; nothing was downloaded"
    )]
    Changed {
        /// The file.
        file: String,
        /// The checksum known beforehand.
        wanted: String,
        /// The repository.
        repository: String,
        /// Its revision.
        revision: String,
        /// The checksum that the Hub states.
        found: String,
    },
    /// Another process fetches the same repository, or has taken over this fetch.
    #[error("{repository} cannot be fetched now: {source}")]
    Claim {
        /// The repository.
        repository: String,
        /// Why.
        source: ClaimError,
    },
    /// A revision can't be written into the cache.
    #[error(transparent)]
    Reference(#[from] AtomicFileError),
    /// A file of the cache can't be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}

impl HubError {
    pub(super) fn io(path: &Path, source: std::io::Error) -> Self {
        HubError::Io {
            path: path.display().to_string(),
            source,
        }
    }
}
