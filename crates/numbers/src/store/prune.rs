//! What the store holds, which reports are of what, and what none is of.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{ANSWERS, REPORTS, Store, StoredTraining, put};
use crate::record::folder::{IoContext, StoreError};
use promptshift_text::hash::sha256;

/// A folder of records that was put together from the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Report {
    folder: Place,
    /// Trainings and models whose answers are in it, by name.
    of: BTreeSet<String>,
}

/// A path: as text, where it is some.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Place {
    Text(String),
    Other(OsString),
}

impl Place {
    fn of(path: &Path) -> Self {
        match path.to_str() {
            Some(text) => Place::Text(text.to_owned()),
            None => Place::Other(path.as_os_str().to_owned()),
        }
    }

    fn path(&self) -> &Path {
        match self {
            Place::Text(text) => Path::new(text),
            Place::Other(other) => Path::new(other),
        }
    }
}

/// A training with its size.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The training.
    pub training: StoredTraining,
    /// Bytes of its folder and of its answers.
    pub bytes: u64,
    /// Whether a report that is still there is of it.
    pub is_referred_to: bool,
}

/// A folder that no report is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreferenced {
    /// The folder.
    pub folder: PathBuf,
    /// Its size.
    pub bytes: u64,
}

impl Store {
    /// Remembers that a folder's records are of these trainings. A folder may be named again.
    ///
    /// # Errors
    /// It can't be written.
    pub fn refer(&self, folder: &Path, of: BTreeSet<String>) -> Result<(), StoreError> {
        let folder = folder.canonicalize().at("find", folder)?;
        let reports = self.root.join(REPORTS);
        let name = &sha256(folder.as_os_str().as_encoded_bytes())[..16];
        let path = reports.join(format!("{name}.json"));
        let mut report = Report {
            folder: Place::of(&folder),
            of,
        };
        if let Ok(bytes) = fs::read(&path)
            && let Ok(earlier) = serde_json::from_slice::<Report>(&bytes)
        {
            report.of.extend(earlier.of);
        }
        let json = serde_json::to_vec_pretty(&report).expect("plain data");
        put(&reports, &path, &json)
    }

    /// Every training with its size.
    ///
    /// # Errors
    /// One can't be read.
    pub fn entries(&self) -> Result<Vec<Entry>, StoreError> {
        let referred = self.referred()?;
        let entry = |training: StoredTraining| {
            let name = of_any_environment(&training.name);
            let answers = self.root.join(ANSWERS).join(name);
            Ok(Entry {
                bytes: size(&training.folder)? + size(&answers)?,
                is_referred_to: referred.contains(name),
                training,
            })
        };
        self.trainings()?.into_iter().map(entry).collect()
    }

    /// What no report is of that is still there.
    ///
    /// # Errors
    /// A folder can't be read.
    pub fn unreferenced(&self) -> Result<Vec<Unreferenced>, StoreError> {
        let referred = self.referred()?;
        let mut found = Vec::new();
        for kind in [super::TRAININGS, ANSWERS] {
            let all = self.root.join(kind);
            if !all.exists() {
                continue;
            }
            for entry in fs::read_dir(&all).at("list", &all)? {
                let entry = entry.at("list", &all)?;
                let name = entry.file_name().to_string_lossy().into_owned();
                let of = match kind {
                    ANSWERS => name.as_str(),
                    _ => of_any_environment(&name),
                };
                if !referred.contains(of) {
                    let folder = entry.path();
                    found.push(Unreferenced {
                        bytes: size(&folder)?,
                        folder,
                    });
                }
            }
        }
        found.sort_by(|one, other| one.folder.cmp(&other.folder));
        Ok(found)
    }

    /// Removes a folder of [`unreferenced`](Store::unreferenced).
    ///
    /// # Errors
    /// It can't be removed.
    pub fn remove(&self, one: &Unreferenced) -> Result<(), StoreError> {
        fs::remove_dir_all(&one.folder).at("remove", &one.folder)
    }

    /// What reports are of whose folders are still there.
    fn referred(&self) -> Result<BTreeSet<String>, StoreError> {
        let reports = self.root.join(REPORTS);
        let mut referred = BTreeSet::new();
        if !reports.exists() {
            return Ok(referred);
        }
        for entry in fs::read_dir(&reports).at("list", &reports)? {
            let path = entry.at("list", &reports)?.path();
            if path.extension().is_none_or(|end| end != "json") {
                continue;
            }
            let bytes = fs::read(&path).at("read", &path)?;
            let report: Report =
                serde_json::from_slice(&bytes).map_err(|error| StoreError::Malformed {
                    path,
                    wanted: "which folder of records is of which trainings".to_owned(),
                    found: error.to_string(),
                })?;
            if report.folder.path().is_dir() {
                referred.extend(report.of);
            }
        }
        Ok(referred)
    }
}

/// A training's name without its environment.
fn of_any_environment(name: &str) -> &str {
    name.rsplit_once('-').map_or(name, |(of, _)| of)
}

/// Bytes of all files in a folder; 0 of none.
fn size(folder: &Path) -> Result<u64, StoreError> {
    if !folder.exists() {
        return Ok(0);
    }
    let mut bytes = 0;
    for entry in fs::read_dir(folder).at("list", folder)? {
        let entry = entry.at("list", folder)?;
        let metadata = entry.metadata().at("look at", &entry.path())?;
        bytes += match metadata.is_dir() {
            true => size(&entry.path())?,
            false => metadata.len(),
        };
    }
    Ok(bytes)
}
