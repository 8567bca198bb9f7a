//! The contents of the store, the reports that use them, and what no report uses.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::training::FoundTraining;
use super::{
    ANSWERS, REPORTS, Store, StoredTraining, TRAININGS, UNFINISHED, entries, folders, processes,
    put,
};
use crate::error::{IoContext, StoreError};
use crate::record::seal::{indented, read_json};
use promptshift_text::claim::{Claim, ClaimError, PARTIAL, holder};
use promptshift_text::hash::sha256;

/// A folder of records that was assembled from the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Report {
    folder: Place,
    /// Names of the trainings and models whose answers it uses.
    of: BTreeSet<String>,
}

/// A path; as text if it is valid UTF-8.
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
#[derive(Debug)]
pub struct Entry {
    /// Its name in the store.
    pub name: String,
    pub folder: PathBuf,
    /// The training, or why it can't be read.
    pub training: Result<StoredTraining, StoreError>,
    /// Size in bytes of its folder and its answers.
    pub bytes: u64,
    /// Whether an existing report uses it.
    pub is_referred_to: bool,
}

/// A training that is running or was interrupted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    /// Its name in the store; that of a search begins with `search-`.
    pub name: String,
    /// The folder that it resumes from.
    pub folder: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// The process that runs it, in words; `None` if it was interrupted.
    pub claimed_by: Option<String>,
}

/// The kinds of folders that no report uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Answers of a training or of an untuned model.
    Answers,
    Training,
    /// An interrupted training.
    BrokenOff,
    /// A folder whose removal was interrupted.
    LeftOver,
}

/// A folder that no report uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreferenced {
    pub kind: Kind,
    /// Its name in the store.
    pub name: String,
    pub folder: PathBuf,
    /// Its size.
    pub bytes: u64,
}

impl Store {
    /// Stores that the records in a folder use these trainings. A folder may be given again.
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
            if report.of.is_subset(&earlier.of) && report.folder == earlier.folder {
                return Ok(());
            }
            report.of.extend(earlier.of);
        }
        put(&reports, &path, &indented(&report))
    }

    /// Every training with its size.
    ///
    /// # Errors
    /// The store can't be read.
    pub fn entries(&self) -> Result<Vec<Entry>, StoreError> {
        let referred = self.referred()?;
        let entry = |found: FoundTraining| {
            let answers = self.root.join(ANSWERS).join(&found.name);
            Ok(Entry {
                bytes: size(&found.folder)? + size(&answers)?,
                is_referred_to: referred.contains(&found.name),
                name: found.name,
                folder: found.folder,
                training: found.training,
            })
        };
        self.trainings()?.into_iter().map(entry).collect()
    }

    /// Every training that is running or was interrupted.
    ///
    /// # Errors
    /// A folder can't be read.
    pub fn begun(&self) -> Result<Vec<Begun>, StoreError> {
        let mut begun = Vec::new();
        for (name, folder) in folders(&self.root.join(UNFINISHED))? {
            if !name.starts_with(PARTIAL) {
                begun.push(Begun {
                    bytes: size(&folder)?,
                    claimed_by: holder(&folder),
                    name,
                    folder,
                });
            }
        }
        Ok(begun)
    }

    /// The folders that no existing report uses, sorted. Interrupted trainings are included, running ones are not.
    ///
    /// # Errors
    /// A folder can't be read.
    pub fn unreferenced(&self) -> Result<Vec<Unreferenced>, StoreError> {
        let referred = self.referred()?;
        let mut found = Vec::new();
        for (of, kind) in [
            (ANSWERS, Kind::Answers),
            (TRAININGS, Kind::Training),
            (UNFINISHED, Kind::BrokenOff),
        ] {
            for (name, folder) in folders(&self.root.join(of))? {
                let kind = match name.starts_with(PARTIAL) {
                    true => Kind::LeftOver,
                    false => kind,
                };
                let is_needed = match kind {
                    Kind::Answers | Kind::Training => referred.contains(&name),
                    Kind::BrokenOff => holder(&folder).is_some(),
                    Kind::LeftOver => false,
                };
                if !is_needed {
                    found.push(Unreferenced {
                        bytes: size(&folder)?,
                        kind,
                        name,
                        folder,
                    });
                }
            }
        }
        Ok(found)
    }

    /// The size of the store in bytes.
    ///
    /// # Errors
    /// A folder can't be read.
    pub fn bytes(&self) -> Result<u64, StoreError> {
        size(&self.root)
    }

    /// The folders of reports that no longer exist at their path: they count as removed.
    ///
    /// # Errors
    /// The store can't be read.
    pub fn missing_reports(&self) -> Result<Vec<PathBuf>, StoreError> {
        let reports = self.reports()?.into_iter();
        let missing = reports.filter(|(_, report)| !report.folder.path().is_dir());
        Ok(missing
            .map(|(_, report)| report.folder.path().to_owned())
            .collect())
    }

    /// Claims the store for removal.
    ///
    /// # Errors
    /// [`StoreError::InUse`]: another process uses the store; or it can't be claimed or read.
    pub fn prune(&self) -> Result<Pruning<'_>, StoreError> {
        let claim = processes::exclusive(&self.root)?;
        Ok(Pruning {
            store: self,
            claim,
            needless: self.unreferenced()?,
        })
    }

    /// The trainings and models that existing reports use.
    fn referred(&self) -> Result<BTreeSet<String>, StoreError> {
        let reports = self.reports()?.into_iter();
        let there = reports.filter(|(_, report)| report.folder.path().is_dir());
        Ok(there.flat_map(|(_, report)| report.of).collect())
    }

    /// Every folder of records that was assembled from the store, with the file that records it.
    fn reports(&self) -> Result<Vec<(PathBuf, Report)>, StoreError> {
        let files = entries(&self.root.join(REPORTS))?.into_iter();
        let files = files.filter(|(name, _)| name.ends_with(".json"));
        let wanted = "the trainings that a folder of records uses";
        files
            .map(|(_, path)| Ok((path.clone(), read_json(&path, wanted)?)))
            .collect()
    }
}

/// The exclusive right to remove from a store: no other process can open it until this value is dropped.
#[derive(Debug)]
pub struct Pruning<'a> {
    store: &'a Store,
    claim: Claim,
    /// What can be removed.
    needless: Vec<Unreferenced>,
}

impl Pruning<'_> {
    /// Removes a folder of [`unreferenced`](Store::unreferenced), unless a report has begun to use it since or a
    /// process is computing it. Returns whether it was removed.
    ///
    /// # Errors
    /// It can't be removed.
    pub fn remove(&self, one: &Unreferenced) -> Result<bool, StoreError> {
        if !(self.needless.iter()).any(|needless| needless.folder == one.folder) {
            return Ok(false);
        }
        if !one.folder.exists() {
            return Ok(true);
        }
        self.claim.check()?;
        // The claim is held until the folder is removed.
        let claimed = match one.kind {
            Kind::Training => self.store.begin(&one.name).map(|work| (Some(work), None)),
            Kind::BrokenOff => (Claim::take(&one.folder, None).map_err(StoreError::from))
                .map(|claim| (None, Some(claim))),
            Kind::Answers | Kind::LeftOver => Ok((None, None)),
        };
        let _held = match claimed {
            Err(StoreError::Claim(ClaimError::Busy { .. })) => return Ok(false),
            claimed => claimed?,
        };
        let aside = match one.kind {
            Kind::LeftOver => one.folder.clone(),
            // A partly removed folder must not have the name of a complete one.
            _ => {
                let name = format!("{PARTIAL}{}-{}", self.claim.token(), one.name);
                let aside = one.folder.with_file_name(name);
                fs::rename(&one.folder, &aside).at("set aside", &one.folder)?;
                aside
            }
        };
        fs::remove_dir_all(&aside).at("remove", &aside)?;
        Ok(true)
    }

    /// Forgets the reports whose folders no longer exist.
    ///
    /// # Errors
    /// The store can't be read, or a file can't be removed.
    pub fn forget_missing_reports(&self) -> Result<(), StoreError> {
        for (path, report) in self.store.reports()? {
            if !report.folder.path().is_dir() {
                fs::remove_file(&path).at("remove", &path)?;
            }
        }
        Ok(())
    }
}

/// The size in bytes of all files in a folder; 0 if it does not exist. Files that another process removes meanwhile
/// are not counted.
fn size(folder: &Path) -> Result<u64, StoreError> {
    let gone = |error: &std::io::Error| error.kind() == std::io::ErrorKind::NotFound;
    let entries = match fs::read_dir(folder) {
        Err(error) if gone(&error) => return Ok(0),
        entries => entries.at("list", folder)?,
    };
    let mut bytes = 0;
    for entry in entries {
        let entry = entry.at("list", folder)?;
        bytes += match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => size(&entry.path())?,
            Ok(metadata) => metadata.len(),
            Err(error) if gone(&error) => 0,
            Err(error) => return Err(error).at("look at", &entry.path()),
        };
    }
    Ok(bytes)
}
