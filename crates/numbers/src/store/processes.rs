//! Which processes use a store: none while something is removed from it.
//!
//! ```text
//! <store>/processes/<token>/.claim/   of a process that has opened the store
//! <store>/.claim/                     of the one that removes from it
//! ```
//!
//! A training that has ended is needed until its report is written, and no claim of its own says so. So who opens a
//! store says so first and then looks whether something is being removed; who removes claims the store first and then
//! looks for others. Of two that begin at once at least one sees the other.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::folders;
use crate::error::{IoContext, StoreError};
use promptshift_text::claim::{CLAIM, Claim, ClaimError};
use promptshift_text::process::{Process, token};

const PROCESSES: &str = "processes";

/// How often it is looked whether something is still being removed.
const AGAIN: Duration = Duration::from_millis(100);
/// For how long that is waited for.
const PATIENCE: Duration = Duration::from_secs(120);

/// That a process uses a store, for as long as this value lives.
#[derive(Debug)]
pub(super) struct User {
    folder: PathBuf,
    /// Taken when the value is dropped.
    claim: Option<Claim>,
}

impl User {
    /// Says that this process uses the store, once nothing is being removed from it.
    pub fn register(root: &Path, works_for: Option<&Process>) -> Result<User, StoreError> {
        let folder = root.join(PROCESSES).join(token());
        let claim = loop {
            fs::create_dir_all(&folder).at("make the folder", &folder)?;
            match Claim::take(&folder, works_for) {
                // Who removes took it for that of a process that has ended.
                Err(_) if !folder.exists() => {}
                taken => break taken?,
            }
        };
        for (_, other) in folders(&root.join(PROCESSES))? {
            // One without a claim is just being made.
            let has_ended = || other.join(CLAIM).exists() && claim.holder_of(&other).is_none();
            if other != folder && has_ended() {
                // Its process has ended. What can't be removed hinders nobody.
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

    /// Who removes from the store.
    fn sees_removal(&self, root: &Path) -> Option<String> {
        self.claim.as_ref()?.holder_of(root)
    }
}

impl Drop for User {
    fn drop(&mut self) {
        drop(self.claim.take());
        // Best effort: what stays is seen to be of a process that has ended.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Claims a store that no other process uses, to remove from it.
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
