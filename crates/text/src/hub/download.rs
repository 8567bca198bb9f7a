//! Downloads one file beside the cache and moves it into the cache after verifying its checksum.
//!
//! The unfinished download is `incoming/BLOB.part`. It is kept after an interruption, and the next attempt
//! resumes from it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::time::Duration;

use super::checksum::{Expected, Mismatch};
use super::client::Client;
use super::error::HubError;

/// Maximum number of attempts; each requests only the missing bytes.
const TRIES: u32 = 5;
/// The wait before the second attempt; it grows by this much with each further attempt.
const WAIT: Duration = Duration::from_millis(300);

/// A file being downloaded.
pub(super) struct Download<'a> {
    pub client: &'a Client<'a>,
    pub commit: &'a str,
    pub file: &'a str,
    /// Its size.
    pub bytes: u64,
    pub expected: Expected,
    /// The path of the unfinished download.
    pub part: PathBuf,
}

/// Why an attempt ended before the file was complete.
enum Failure {
    /// A temporary failure: retry.
    Passing(HubError),
    /// A permanent failure: do not retry.
    Lasting(HubError),
}

impl Download<'_> {
    /// Downloads the file to `part` and verifies it.
    ///
    /// # Errors
    /// The download fails, or its checksum is wrong.
    pub fn run(&self, hear: &mut dyn FnMut(u64)) -> Result<(), HubError> {
        let resumes = self.kept()? > 0;
        match self.pull_and_check(hear)? {
            Ok(()) => Ok(()),
            // The resumed part may be damaged, so the download restarts from the beginning.
            Err(_) if resumes => (self.pull_and_check(hear)?).map_err(|found| self.corrupt(found)),
            Err(found) => Err(self.corrupt(found)),
        }
    }

    /// Downloads what is missing. A file with a wrong checksum is removed.
    fn pull_and_check(&self, hear: &mut dyn FnMut(u64)) -> Result<Result<(), Mismatch>, HubError> {
        self.pull(hear)?;
        let compared = (self.expected.compare(&self.part)).map_err(|e| self.unwritten(e))?;
        if let Err(mismatch) = compared {
            if self.kept()? < self.bytes {
                // The server ended the response early; a later attempt may deliver the rest.
                return Err(self.interrupted(""));
            }
            std::fs::remove_file(&self.part).map_err(|e| self.unwritten(e))?;
            return Ok(Err(mismatch));
        }
        Ok(Ok(()))
    }

    fn pull(&self, hear: &mut dyn FnMut(u64)) -> Result<(), HubError> {
        for tries in 1.. {
            if self.part.exists() && self.kept()? >= self.bytes {
                break;
            }
            match self.pull_once(hear) {
                Ok(()) => break,
                Err(Failure::Lasting(error)) => return Err(error),
                // A failed attempt counts as success if it delivered the rest.
                Err(Failure::Passing(_)) if self.kept()? >= self.bytes => break,
                Err(Failure::Passing(error)) if tries == TRIES => return Err(error),
                Err(Failure::Passing(_)) => std::thread::sleep(WAIT * tries),
            }
        }
        Ok(())
    }

    fn pull_once(&self, hear: &mut dyn FnMut(u64)) -> Result<(), Failure> {
        let kept = self.kept().map_err(Failure::Lasting)?;
        let asked = self.client.piece(self.commit, self.file, kept);
        let mut piece = asked.map_err(|error| match error {
            HubError::Unreachable { reason, .. } if kept > 0 => {
                Failure::Passing(self.interrupted(&reason))
            }
            HubError::Unreachable { .. } => Failure::Passing(error),
            HubError::Status { status, .. } if status == 429 || status >= 500 => {
                Failure::Passing(error)
            }
            error => Failure::Lasting(error),
        })?;
        let on_disk = |error| Failure::Lasting(self.unwritten(error));
        let mut file = self.open(piece.start).map_err(on_disk)?;
        let mut at = piece.start;
        hear(at);
        let mut buffer = vec![0; 1 << 16];
        loop {
            let read = match piece.body.read(&mut buffer) {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    let reason = error.to_string();
                    return Err(match self.client.failed(&piece.url, error.into()) {
                        error @ HubError::Silent { .. } => Failure::Lasting(error),
                        _ => Failure::Passing(self.interrupted(&reason)),
                    });
                }
            };
            if read == 0 {
                return file.sync_all().map_err(on_disk);
            }
            file.write_all(&buffer[..read]).map_err(on_disk)?;
            at += read as u64;
            hear(at);
        }
    }

    /// Opens the part for writing from byte `start` on: its end, or its beginning.
    fn open(&self, start: u64) -> io::Result<File> {
        if let Some(folder) = self.part.parent() {
            std::fs::create_dir_all(folder)?;
        }
        match start {
            0 => File::create(&self.part),
            _ => OpenOptions::new().append(true).open(&self.part),
        }
    }

    /// The number of bytes downloaded so far.
    fn kept(&self) -> Result<u64, HubError> {
        let metadata = absent(std::fs::metadata(&self.part)).map_err(|e| self.unwritten(e))?;
        Ok(metadata.map_or(0, |metadata| metadata.len()))
    }

    fn unwritten(&self, error: io::Error) -> HubError {
        HubError::io(&self.part, error)
    }

    fn corrupt(&self, mismatch: Mismatch) -> HubError {
        HubError::Corrupt {
            file: self.file.to_string(),
            wanted: mismatch.wanted,
            found: mismatch.found,
        }
    }

    fn interrupted(&self, reason: &str) -> HubError {
        HubError::Interrupted {
            file: self.file.to_string(),
            kept: self.kept().unwrap_or(0),
            total: self.bytes,
            reason: match reason {
                "" => String::new(),
                reason => format!(" ({reason})"),
            },
        }
    }
}

/// Maps "not found" to `None`.
pub(super) fn absent<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
