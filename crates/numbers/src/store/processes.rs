//! The processes that use a store. Nothing is removed from a store that other processes use.
//!
//! ```text
//! <store>/processes/<token>/.claim/   a process that has opened the store
//! <store>/.claim/                     the process that removes from it
//! ```
//!
//! A finished training is needed until its report is written, but it has no claim of its own. Therefore a process
//! that opens a store registers first and then checks whether something is being removed; a process that removes
//! claims the store first and then checks for users. If both begin at the same time, at least one sees the other.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::folders;
use crate::error::{IoContext, StoreError};
use promptshift_text::claim::{CLAIM, Claim, ClaimError};
use promptshift_text::process::{Process, token};

const PROCESSES: &str = "processes";

/// The interval between checks whether something is still being removed.
const AGAIN: Duration = Duration::from_millis(100);
/// The longest wait for a removal.
const PATIENCE: Duration = Duration::from_secs(120);

/// Registers a process as a user of a store until the value is dropped.
#[derive(Debug)]
pub(super) struct User {
    folder: PathBuf,
    /// `None` once the value is being dropped.
    claim: Option<Claim>,
}

impl User {
    /// Registers this process as a user of the store, waiting until nothing is being removed from it.
    pub fn register(root: &Path, works_for: Option<&Process>) -> Result<User, StoreError> {
        let folder = root.join(PROCESSES).join(token());
        let claim = loop {
            fs::create_dir_all(&folder).at("make the folder", &folder)?;
            match Claim::take(&folder, works_for) {
                // The removing process took the folder for that of an ended process.
                Err(_) if !folder.exists() => {}
                taken => break taken?,
            }
        };
        for (_, other) in folders(&root.join(PROCESSES))? {
            // A folder without a claim is just being created.
            let has_ended = || other.join(CLAIM).exists() && claim.holder_of(&other).is_none();
            if other != folder && has_ended() {
                // Its process has ended. A folder that can't be removed does no harm.
                let _ = fs::remove_dir_all(&other);
            }
        }
        let user = User {
            folder,
            claim: Some(claim),
        };
        let started = Instant::now();
        while let Some(owner) = user.sees_removal(root) {
            if started.elapsed() > PATIENCE {
                let path = root.to_owned();
                return Err(ClaimError::Busy { path, owner }.into());
            }
            thread::sleep(AGAIN);
        }
        Ok(user)
    }

    /// The process that removes from the store, if any.
    fn sees_removal(&self, root: &Path) -> Option<String> {
        self.claim.as_ref()?.holder_of(root)
    }
}

impl Drop for User {
    fn drop(&mut self) {
        drop(self.claim.take());
        // Best effort: a left-over folder is recognised as that of an ended process.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Claims a store for removal, if no other process uses it.
pub(super) fn exclusive(root: &Path) -> Result<Claim, StoreError> {
    let claim = Claim::take(root, None)?;
    for (_, folder) in folders(&root.join(PROCESSES))? {
        if let Some(owner) = claim.holder_of(&folder) {
            return Err(StoreError::InUse {
                path: root.to_owned(),
                owner,
            });
        }
    }
    Ok(claim)
}
