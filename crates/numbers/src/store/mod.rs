//! The store of results that are expensive to compute: trainings, and the answers of trained models.
//!
//! ```text
//! <store>/store.json                      marks the folder as a store
//! <store>/trainings/prompt-seed0-1f…/     one folder per training: see [`training`]
//! <store>/answers/prompt-seed0-1f…/       its answers: see [`answers`]
//! <store>/searches/prompt-….json          the trials of a search for a recipe
//! <store>/pieces/….json                   how separately computed pieces of studies ended
//! <store>/unfinished/prompt-seed0-1f…/    a training that is running or was interrupted
//! <store>/reports/….json                  the results that a folder of reports uses
//! <store>/processes/…/                    a process that uses the store: see [`processes`]
//! ```
//!
//! The name of a training is a hash of everything that its result depends on, that of answers a hash of the training
//! and of how rows are presented: see [`Subject`] and [`Asked`]. Scores, records and reports are computed from them
//! and stored elsewhere ([`record::folder`](crate::record::folder)). Several processes may use one store at the same
//! time: a process claims what it trains, and others wait for it.

mod answers;
mod pieces;
mod processes;
mod prune;
mod searches;
mod training;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::{IoContext, StoreError};
use crate::record::folder::{STORE_MARKER, remove, sync};
use crate::record::seal::{indented, read_json};
use promptshift_text::atomic_file::write_synced;
use promptshift_text::claim::{Claim, PARTIAL};
use promptshift_text::process::{Process, token};

pub use answers::{Answered, Asked, Batch, FewShot, Given, Of, StoredAnswer};
pub use pieces::{EndedPiece, PieceEnd};
use processes::User;
pub use prune::{Begun, Entry, Kind, Pruning, Unreferenced};
pub use training::{Environment, FoundTraining, Reuse, StoredTraining, Subject, TrainingRecord};

/// The version of the arithmetic behind results. Increment it when the same training would give other numbers, or the
/// same model other answers; `tests/it/arithmetic.rs` has current values of some results.
pub const ARITHMETIC: u32 = 1;

const TRAININGS: &str = "trainings";
const ANSWERS: &str = "answers";
const SEARCHES: &str = "searches";
const UNFINISHED: &str = "unfinished";
const REPORTS: &str = "reports";

/// The content of store.json.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Marker {
    program: String,
    store_version: u32,
}

impl Marker {
    fn this() -> Marker {
        Marker {
            program: "promptshift".to_owned(),
            store_version: 1,
        }
    }
}

/// A store.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
    works_for: Option<Process>,
    /// Registers this process as a user; `None` for a store that is only read.
    #[expect(dead_code, reason = "it is kept as long as the store is open")]
    user: Option<Arc<User>>,
}

impl Store {
    /// A store for reading. It need not exist, and nothing is created.
    pub fn at(root: &Path) -> Store {
        Store {
            root: root.to_owned(),
            works_for: None,
            user: None,
        }
    }

    /// Opens a store, creating it if needed. A worker names the process that it works for: once that process has
    /// ended, the worker must not write any more. Waits while another process [removes](Store::prune) something.
    ///
    /// # Errors
    /// The folder contains something else, or can't be created.
    pub fn open(root: &Path, works_for: Option<Process>) -> Result<Store, StoreError> {
        fs::create_dir_all(root).at("make the folder", root)?;
        let store = Store::at(root);
        if !store.exists()? {
            put(root, &root.join(STORE_MARKER), &indented(&Marker::this()))?;
        }
        let user = User::register(root, works_for.as_ref())?;
        Ok(Store {
            works_for,
            user: Some(Arc::new(user)),
            ..store
        })
    }

    /// Whether the store exists; the first training creates it.
    ///
    /// # Errors
    /// The folder contains something else, or a store of another version.
    pub fn exists(&self) -> Result<bool, StoreError> {
        let root = &self.root;
        let path = root.join(STORE_MARKER);
        if !root.exists() {
            return Ok(false);
        }
        if !path.exists() {
            let mut entries = fs::read_dir(root).at("list", root)?;
            let is_ours = |name: &str| name.starts_with(PARTIAL) || name == STORE_MARKER;
            let foreign = entries.find_map(|entry| {
                let name = entry.ok()?.file_name().to_string_lossy().into_owned();
                (!is_ours(&name)).then_some(name)
            });
            match foreign {
                // Another process may have created the store between the two checks.
                Some(found) if !path.exists() => {
                    return Err(StoreError::ForeignStore {
                        path: root.to_owned(),
                        found,
                    });
                }
                Some(_) => {}
                None => return Ok(path.exists()),
            }
        }
        let wanted = "a store of version 1";
        let found: Marker = read_json(&path, wanted)?;
        if found != Marker::this() {
            let version = format!("version {}", found.store_version);
            return Err(StoreError::malformed(&path, wanted, version));
        }
        Ok(true)
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// The path of the training with this name, relative to the store.
    pub fn training_place(&self, name: &str) -> String {
        format!("{TRAININGS}/{name}")
    }

    /// The path of answers, relative to the store.
    pub fn answers_place(&self, of: &Of) -> String {
        format!("{ANSWERS}/{}", of.folder())
    }

    /// Claims the training with this name, to compute it.
    ///
    /// # Errors
    /// [`StoreError::Claim`]: another process computes it; or the file system fails.
    pub fn begin(&self, name: &str) -> Result<Work, StoreError> {
        let folder = self.root.join(UNFINISHED).join(name);
        let claim = loop {
            fs::create_dir_all(&folder).at("make the folder", &folder)?;
            match Claim::take(&folder, self.works_for.as_ref()) {
                // The last owner has just removed the folder.
                Err(_) if !folder.exists() => {}
                taken => break taken?,
            }
        };
        let work = Work {
            place: self.root.join(TRAININGS).join(name),
            folder,
            claim,
        };
        for (name, path) in folders(&work.folder)? {
            // Left-overs of an earlier owner: an unfinished draft is removed, its checkpoint is taken over.
            if name.starts_with(DRAFT) {
                remove(&path)?;
            } else if name.starts_with(BEGUN) && path != work.begun() {
                match work.begun().exists() {
                    true => remove(&path)?,
                    false => fs::rename(&path, work.begun()).at("take over", &path)?,
                }
            }
        }
        let draft = work.draft();
        fs::create_dir(&draft).at("make the folder", &draft)?;
        Ok(work)
    }
}

/// The prefix of the name of a [`Work`]'s draft. The claim's token follows, so that a process that was suspended
/// while another took over cannot write into the other's draft.
const DRAFT: &str = "draft-";
/// The prefix of the name of the folder that an interrupted training resumes from.
const BEGUN: &str = "begun-";

/// The prefix of the name of damaged content that was set aside for inspection.
const DAMAGED: &str = "damaged-";

/// A training that this process has claimed: see [`Store::begin`].
#[derive(Debug)]
pub struct Work {
    folder: PathBuf,
    place: PathBuf,
    claim: Claim,
}

impl Work {
    /// The folder for the results of the training; removed if this value is dropped unfinished.
    pub fn draft(&self) -> PathBuf {
        self.folder.join(format!("{DRAFT}{}", self.claim.token()))
    }

    /// The folder that the training resumes from after an interruption. It need not exist.
    pub fn begun(&self) -> PathBuf {
        self.folder.join(format!("{BEGUN}{}", self.claim.token()))
    }

    /// Removes the folder that the training would resume from.
    ///
    /// # Errors
    /// It can't be removed.
    pub fn clear(&self) -> Result<(), StoreError> {
        for (name, path) in folders(&self.folder)? {
            if name.starts_with(BEGUN) {
                remove(&path)?;
            }
        }
        Ok(())
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if self.claim.check().is_ok() {
            // Best effort: the next owner removes left-overs.
            let _ = fs::remove_dir_all(self.draft());
            let is_kept = |name: &str| name.starts_with(BEGUN) || name.starts_with(DAMAGED);
            let kept = folders(&self.folder);
            if kept.is_ok_and(|all| !all.iter().any(|(name, _)| is_kept(name))) {
                // Renamed first, so that a process waiting for the claim finds all of the folder or nothing.
                let name = format!("{PARTIAL}{}-work", self.claim.token());
                let aside = self.folder.with_file_name(name);
                if fs::rename(&self.folder, &aside).is_ok() {
                    let _ = fs::remove_dir_all(&aside);
                }
            }
        }
    }
}

/// What is in a folder, with names, sorted by name; nothing if the folder does not exist.
fn entries(all: &Path) -> Result<Vec<(String, PathBuf)>, StoreError> {
    let mut found = Vec::new();
    if !all.exists() {
        return Ok(found);
    }
    for entry in fs::read_dir(all).at("list", all)? {
        let entry = entry.at("list", all)?;
        found.push((
            entry.file_name().to_string_lossy().into_owned(),
            entry.path(),
        ));
    }
    found.sort();
    Ok(found)
}

/// The folders in a folder, likewise.
fn folders(all: &Path) -> Result<Vec<(String, PathBuf)>, StoreError> {
    let mut found = entries(all)?;
    found.retain(|(_, path)| path.is_dir());
    Ok(found)
}

/// Whether two values are serialised equally; fields that only describe them are not serialised.
fn is_same<T: Serialize>(one: &T, other: &T) -> bool {
    let value = |thing: &T| serde_json::to_value(thing).expect("plain data");
    value(one) == value(other)
}

/// Writes a file atomically, creating its folder if needed.
fn put(folder: &Path, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    fs::create_dir_all(folder).at("make the folder", folder)?;
    let partial = folder.join(format!("{PARTIAL}{}", token()));
    write_synced(&partial, bytes).at("write", &partial)?;
    fs::rename(&partial, path).at("write", path)?;
    sync(folder)
}

#[cfg(test)]
mod tests;
