//! What costs computing, kept once and found again: trainings, and the answers of what they left.
//!
//! ```text
//! <store>/store.json                      that this is a store
//! <store>/trainings/prompt-seed0-1f…/     one folder a training: see [`training`]
//! <store>/answers/prompt-seed0-1f…/       what it answered, on whatever it was asked: see [`answers`]
//! <store>/searches/prompt-….json          the trials of a search for a recipe
//! <store>/pieces/….json                   how pieces of studies ended that were computed each on its own
//! <store>/unfinished/prompt-seed0-1f…/    a training that is under way, or was broken off
//! <store>/reports/….json                  which folders of reports were put together from what
//! <store>/processes/…/                    a process that uses the store: see [`processes`]
//! ```
//!
//! A training is named by what its result depends on, an answer by its training and how a row was put: see
//! [`Subject`] and [`Asked`]. Scores, records and reports are computed from them and kept elsewhere
//! ([`record::folder`](crate::record::folder)). Any number of processes may use one store at a time: whoever trains
//! something claims it, and others wait for it.

mod answers;
mod pieces;
mod processes;
mod prune;
mod searches;
mod training;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::{IoContext, StoreError};
use crate::record::folder::{STORE_MARKER, sync};
use promptshift_text::atomic_file::write_synced;
use promptshift_text::claim::{Claim, PARTIAL};
use promptshift_text::process::{Process, token};

pub use answers::{Answered, Asked, Batch, FewShot, Given, Of, StoredAnswer};
pub use pieces::{EndedPiece, PieceEnd};
use processes::User;
pub use prune::{Begun, Entry, Kind, Pruning, Unreferenced};
pub use training::{Environment, FoundTraining, Reuse, StoredTraining, Subject, TrainingRecord};

/// The number of the arithmetic that results come from: raised by hand when the same training would give other
/// numbers, or the same model other answers. `tests/it/arithmetic.rs` holds what some give now.
pub const ARITHMETIC: u32 = 1;

const TRAININGS: &str = "trainings";
const ANSWERS: &str = "answers";
const SEARCHES: &str = "searches";
const UNFINISHED: &str = "unfinished";
const REPORTS: &str = "reports";

/// What store.json holds.
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

/// An open store.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
    works_for: Option<Process>,
    /// That this process uses it; `None` of a store to look into.
    #[expect(dead_code, reason = "it is held for as long as the store is open")]
    user: Option<Arc<User>>,
}

impl Store {
    /// A store to look into, which need not be there yet. Nothing is made.
    pub fn at(root: &Path) -> Store {
        Store {
            root: root.to_owned(),
            works_for: None,
            user: None,
        }
    }

    /// Opens a store, making it where there is none. A worker says for which process it works: without that it is
    /// to write nothing more. While another process [removes](Store::prune) something, it is waited for.
    ///
    /// # Errors
    /// The folder holds something else, or can't be made.
    pub fn open(root: &Path, works_for: Option<Process>) -> Result<Store, StoreError> {
        fs::create_dir_all(root).at("make the folder", root)?;
        let store = Store::at(root);
        if !store.exists()? {
            let mut json = serde_json::to_vec_pretty(&Marker::this()).expect("plain data");
            json.push(b'\n');
            put(root, &root.join(STORE_MARKER), &json)?;
        }
        let user = User::register(root, works_for.as_ref())?;
        Ok(Store {
            works_for,
            user: Some(Arc::new(user)),
            ..store
        })
    }

    /// Whether there is a store, which the first training makes.
    ///
    /// # Errors
    /// The folder holds something else, or a store of another version.
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
                // Another process may have made the store between the two looks.
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
        let bytes = fs::read(&path).at("read", &path)?;
        let malformed = |found: String| StoreError::Malformed {
            path: path.clone(),
            wanted: "a store of version 1".to_owned(),
            found,
        };
        let found: Marker = serde_json::from_slice(&bytes).map_err(|e| malformed(e.to_string()))?;
        match found == Marker::this() {
            true => Ok(true),
            false => Err(malformed(format!("version {}", found.store_version))),
        }
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// Where the training of this name is, from the store's folder on.
    pub fn training_place(&self, name: &str) -> String {
        format!("{TRAININGS}/{name}")
    }

    /// Where answers are, from the store's folder on.
    pub fn answers_place(&self, of: &Of) -> String {
        format!("{ANSWERS}/{}", of.folder())
    }

    /// Claims what has this name, to train it.
    ///
    /// # Errors
    /// [`StoreError::Claim`]: another process trains it; or the file system says no.
    pub fn begin(&self, name: &str) -> Result<Work, StoreError> {
        let folder = self.root.join(UNFINISHED).join(name);
        let claim = loop {
            fs::create_dir_all(&folder).at("make the folder", &folder)?;
            match Claim::take(&folder, self.works_for.as_ref()) {
                // Who had it last has just removed the folder.
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
            // What an earlier owner left: half a training goes, what it resumes from is now this one's.
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

/// Of [`Work`]: the beginning of the name of what is being written. The claim's token follows: a process that was
/// stopped while another took over writes nothing into what is the other's.
const DRAFT: &str = "draft-";
/// Likewise of what a training that was broken off resumes from.
const BEGUN: &str = "begun-";

/// The beginning of the name of what was set aside there, to be looked at.
const DAMAGED: &str = "damaged-";

/// A training that this process has claimed: see [`Store::begin`].
#[derive(Debug)]
pub struct Work {
    folder: PathBuf,
    place: PathBuf,
    claim: Claim,
}

impl Work {
    /// The folder to write what training leaves in; gone when this value is dropped without being finished.
    pub fn draft(&self) -> PathBuf {
        self.folder.join(format!("{DRAFT}{}", self.claim.token()))
    }

    /// The folder for what the training resumes from if it is broken off. It need not exist.
    pub fn begun(&self) -> PathBuf {
        self.folder.join(format!("{BEGUN}{}", self.claim.token()))
    }

    /// Removes what the training would resume from.
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
            // Best effort: what stays is removed by whoever claims it next.
            let _ = fs::remove_dir_all(self.draft());
            let is_kept = |name: &str| name.starts_with(BEGUN) || name.starts_with(DAMAGED);
            let kept = folders(&self.folder);
            if kept.is_ok_and(|all| !all.iter().any(|(name, _)| is_kept(name))) {
                // Aside first: who waits for the claim finds all of the folder or nothing.
                let name = format!("{PARTIAL}{}-work", self.claim.token());
                let aside = self.folder.with_file_name(name);
                if fs::rename(&self.folder, &aside).is_ok() {
                    let _ = fs::remove_dir_all(&aside);
                }
            }
        }
    }
}

/// The folders in a folder with their names, in the order of these; none of a folder that is not there.
fn folders(all: &Path) -> Result<Vec<(String, PathBuf)>, StoreError> {
    let mut found = Vec::new();
    if !all.exists() {
        return Ok(found);
    }
    for entry in fs::read_dir(all).at("list", all)? {
        let entry = entry.at("list", all)?;
        let path = entry.path();
        if path.is_dir() {
            found.push((entry.file_name().to_string_lossy().into_owned(), path));
        }
    }
    found.sort();
    Ok(found)
}

/// Whether two things are written the same: what only describes them is not.
fn is_same<T: Serialize>(one: &T, other: &T) -> bool {
    let value = |thing: &T| serde_json::to_value(thing).expect("plain data");
    value(one) == value(other)
}

/// Removes a folder, unless another process was quicker.
fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.at("remove the left-over", path),
    }
}

/// Writes a file beside its place and gives it its name.
fn put(folder: &Path, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    fs::create_dir_all(folder).at("make the folder", folder)?;
    let partial = folder.join(format!("{PARTIAL}{}", token()));
    write_synced(&partial, bytes).at("write", &partial)?;
    fs::rename(&partial, path).at("write", path)?;
    sync(folder)
}

#[cfg(test)]
mod tests;
