//! The folder of a report: its records, and what they are for.
//!
//! ```text
//! <out>/plan.json              what the folder is for
//! <out>/.claim/                whose it is while a process writes it
//! <out>/prompt-seed0/          one folder a finished cell
//!         record.json          the Record
//!         squad.jsonl          predictions, one Prediction a line
//!         ...                  the saved delta
//! <out>/failed-model-seed0.json   why a cell has no record
//! <out>/.partial-TOKEN-model-seed0/  a record that is being written, or was when its process was killed
//! ```
//!
//! A record is put together from what the [store](crate::store) holds, and stands alone: the folder can be copied,
//! published and rendered again without the store. It is written into its `.partial-` folder, read back, synced to
//! disk and renamed once, so that a folder without that prefix is always complete. `TOKEN` is the claim's: a process
//! that was stopped while another took over writes nothing into what is the other's.

mod read;
mod unfinished;

pub use crate::error::StoreError;
pub(crate) use read::{STORE_MARKER, contents, read_predictions};
pub use read::{StoredRecord, find, is_record, read, record_folders};
pub use unfinished::{End, Unfinished, unfinished};

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::recipe::Method;
use crate::record::difference;
use crate::record::seal::sealed;
use crate::record::{Cell, Prediction, Provenance, RECORD_VERSION, Record, Setting};
use promptshift_text::atomic_file::write_synced;
use promptshift_text::claim::{CLAIM, Claim, PARTIAL};
use promptshift_text::hash::sha256;

use crate::error::IoContext;
use promptshift_text::process::token;
use unfinished::{failure_json, failure_name};

const PLAN: &str = "plan.json";
const RECORD: &str = "record.json";

/// What an output folder is for: the setting that all its cells share, and which cells were asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Plan {
    program: String,
    record_version: u32,
    #[serde(flatten)]
    setting: Setting,
    /// The folders of all cells that any command asked for, in order; none in folders from before they were listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    cells: Vec<String>,
}

impl Plan {
    fn of(cells: &[Cell]) -> Plan {
        let first = cells.first().expect("a plan has cells");
        Plan {
            program: "promptshift".to_owned(),
            record_version: RECORD_VERSION,
            setting: first.setting.clone(),
            cells: cells.iter().map(folder_name).collect(),
        }
    }

    /// A cell of the plan, as far as the plan says.
    fn cell(&self, method: Method, seed: u64) -> Cell {
        Cell {
            setting: self.setting.clone(),
            method,
            seed,
            trials: None,
            recipe: None,
            elsewhere: None,
        }
    }
}

/// An output folder, claimed against other writers for as long as this value lives.
#[derive(Debug)]
pub struct RunFolder {
    out: PathBuf,
    claim: Claim,
}

impl RunFolder {
    /// Opens the output folder that these cells belong in, all of one setting, making it where it does not
    /// exist, and clears away what killed runs left.
    ///
    /// # Errors
    /// It is of another setting, of another program, or another process writes it.
    ///
    /// # Panics
    /// There are no cells.
    pub fn open(out: &Path, cells: &[Cell]) -> Result<RunFolder, StoreError> {
        let plan = Plan::of(cells);
        if out.exists() && !out.is_dir() {
            return Err(StoreError::NotAFolder {
                path: out.to_owned(),
            });
        }
        fs::create_dir_all(out).at("make the folder", out)?;
        let marker = out.join(PLAN);
        // Before the claim too: in a folder of another program nothing is written at all.
        if !marker.exists() {
            check_is_ours(out)?;
        }
        let claim = Claim::take(out, None)?;
        if marker.exists() {
            extend(out, &marker, plan)?;
        } else {
            check_is_ours(out)?;
            write_plan(out, &marker, &plan)?;
        }
        clear_leftovers(out)?;
        Ok(RunFolder {
            out: out.to_owned(),
            claim,
        })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.out
    }

    /// The complete record of an equal cell, if there is one; a record of another cell in its
    /// place is an error that names the first field that differs.
    pub fn existing(&self, cell: &Cell) -> Result<Option<StoredRecord>, StoreError> {
        let home = self.out.join(folder_name(cell));
        if !home.exists() {
            return Ok(None);
        }
        let stored = read(&home)?;
        match difference::first(&stored.record.cell, cell) {
            None => Ok(Some(stored)),
            Some(difference) => Err(StoreError::OtherCell {
                path: home.join(RECORD),
                field: difference.field,
                wanted: difference.second,
                found: difference.first,
            }),
        }
    }

    /// Starts to write a cell that has no record yet.
    pub fn begin(&self, cell: &Cell) -> Result<Draft<'_>, StoreError> {
        let name = folder_name(cell);
        let home = self.out.join(&name);
        if home.exists() {
            return Err(StoreError::Exists { path: home });
        }
        self.claim.check()?;
        let folder = self
            .out
            .join(format!("{PARTIAL}{}-{name}", self.claim.token()));
        if folder.exists() {
            fs::remove_dir_all(&folder).at("remove the left-over folder", &folder)?;
        }
        fs::create_dir(&folder).at("make the folder", &folder)?;
        Ok(Draft {
            store: self,
            cell: cell.clone(),
            partial: Partial(folder),
            home,
        })
    }
}

/// The folder of a cell inside its output folder.
pub fn folder_name(cell: &Cell) -> String {
    match cell.method {
        Method::Untuned => Method::Untuned.name().to_owned(),
        method => format!("{}-seed{}", method.name(), cell.seed),
    }
}

/// The folder of a cell that is not finished; removed when dropped.
#[derive(Debug)]
struct Partial(PathBuf);

impl Drop for Partial {
    fn drop(&mut self) {
        // Best effort: what stays is recognised by its name and removed by the next run.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A cell that is being written: invisible until [`Draft::finish`], gone when dropped before.
#[derive(Debug)]
pub struct Draft<'a> {
    store: &'a RunFolder,
    cell: Cell,
    partial: Partial,
    home: PathBuf,
}

/// A predictions file as the record names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PredictionsFile {
    /// Its name, relative to the record.
    pub file: String,
    /// Its SHA-256.
    pub sha256: String,
}

impl Draft<'_> {
    /// The folder to put the tuned delta in.
    pub fn path(&self) -> &Path {
        &self.partial.0
    }

    /// The name that the folder will have.
    pub fn name(&self) -> &str {
        let name = self.home.file_name();
        name.and_then(|name| name.to_str()).unwrap_or_default()
    }

    /// Writes why the cell has no record, over what an earlier try said, and gives the cell up.
    pub fn fail(self, reason: &str, provenance: &Provenance) -> Result<(), StoreError> {
        let name = failure_name(&self.cell);
        let path = self.path().join(&name);
        let json = failure_json(&self.cell, reason, provenance);
        write_synced(&path, &json).at("write", &path)?;
        let place = self.store.out.join(name);
        self.store.claim.check()?;
        fs::rename(&path, &place).at("write", &place)?;
        sync(&self.store.out)
    }

    /// Writes the record, reads everything back, and gives the cell its name.
    pub fn finish(self, record: &Record) -> Result<StoredRecord, StoreError> {
        assert_eq!(
            record.cell, self.cell,
            "a draft is finished with the cell it was begun for"
        );
        let json = sealed(record);
        let path = self.path().join(RECORD);
        write_synced(&path, &json).at("write", &path)?;
        let mut stored = read(self.path())?;
        sync_files(self.path())?;
        self.store.claim.check()?;
        if self.home.exists() {
            return Err(StoreError::Exists { path: self.home });
        }
        fs::rename(self.path(), &self.home).at("give its final name to", self.path())?;
        let failed = self.store.out.join(failure_name(&self.cell));
        if failed.exists() {
            fs::remove_file(&failed).at("remove", &failed)?;
        }
        sync(&self.store.out)?;
        stored.folder = self.home.clone();
        Ok(stored)
    }
}

/// Writes predictions into a folder as JSON lines: those of a domain's evaluation under its name.
///
/// # Errors
/// The file can't be written.
pub fn write_predictions(
    folder: &Path,
    domain: &str,
    predictions: &[Prediction],
) -> Result<PredictionsFile, StoreError> {
    let lines = prediction_lines(predictions);
    let file = format!("{domain}.jsonl");
    let path = folder.join(&file);
    write_synced(&path, &lines).at("write", &path)?;
    Ok(PredictionsFile {
        file,
        sha256: sha256(&lines),
    })
}

/// Predictions as a file has them: JSON, one a line.
pub fn prediction_lines(predictions: &[Prediction]) -> Vec<u8> {
    let mut lines = Vec::new();
    for prediction in predictions {
        serde_json::to_writer(&mut lines, prediction).expect("a prediction is plain data");
        lines.push(b'\n');
    }
    lines
}

/// Checks that a folder without a plan has nothing but what a promptshift leaves that is killed at once.
fn check_is_ours(out: &Path) -> Result<(), StoreError> {
    for entry in fs::read_dir(out).at("list", out)? {
        let name = entry.at("list", out)?.file_name();
        let name = name.to_string_lossy();
        if !name.starts_with(PARTIAL) && !name.starts_with(CLAIM) {
            return Err(StoreError::Foreign {
                path: out.to_owned(),
                found: name.into_owned(),
            });
        }
    }
    Ok(())
}

/// Says what the folder is for.
fn write_plan(out: &Path, marker: &Path, plan: &Plan) -> Result<(), StoreError> {
    let mut json = serde_json::to_vec_pretty(plan).expect("a plan is plain data");
    json.push(b'\n');
    let partial = out.join(format!("{PARTIAL}{}-{PLAN}", token()));
    write_synced(&partial, &json).at("write", &partial)?;
    fs::rename(&partial, marker).at("give its final name to", &partial)?;
    sync(out)
}

/// Checks that the folder is for the setting at hand, and lists the cells that are new.
fn extend(out: &Path, marker: &Path, plan: Plan) -> Result<(), StoreError> {
    let mut found = read_plan(marker)?;
    if let Some(difference) = difference::first(&found.setting, &plan.setting) {
        return Err(StoreError::OtherCell {
            path: marker.to_owned(),
            field: difference.field,
            wanted: difference.second,
            found: difference.first,
        });
    }
    let before = found.cells.len();
    for cell in plan.cells {
        if !found.cells.contains(&cell) {
            found.cells.push(cell);
        }
    }
    match found.cells.len() == before {
        true => Ok(()),
        false => write_plan(out, marker, &found),
    }
}

fn read_plan(marker: &Path) -> Result<Plan, StoreError> {
    let text = fs::read_to_string(marker).at("read", marker)?;
    serde_json::from_str(&text).map_err(|error| StoreError::Malformed {
        path: marker.to_owned(),
        wanted: "the plan that promptshift writes there".to_owned(),
        found: error.to_string(),
    })
}

/// Removes what killed runs left.
fn clear_leftovers(out: &Path) -> Result<(), StoreError> {
    for entry in fs::read_dir(out).at("list", out)? {
        let entry = entry.at("list", out)?;
        if !entry.file_name().to_string_lossy().starts_with(PARTIAL) {
            continue;
        }
        let path = entry.path();
        let removed = if path.is_dir() {
            fs::remove_dir_all(&path)
        } else {
            fs::remove_file(&path)
        };
        match removed {
            // Another process was quicker.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => removed.at("remove the left-over", &path)?,
        }
    }
    Ok(())
}

/// Syncs a folder's files and the folder itself.
pub(crate) fn sync_files(folder: &Path) -> Result<(), StoreError> {
    for entry in fs::read_dir(folder).at("list", folder)? {
        sync(&entry.at("list", folder)?.path())?;
    }
    sync(folder)
}

pub(crate) fn sync(path: &Path) -> Result<(), StoreError> {
    // Only unix opens folders as files.
    if cfg!(unix) || path.is_file() {
        File::open(path)
            .and_then(|file| file.sync_all())
            .at("sync", path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
