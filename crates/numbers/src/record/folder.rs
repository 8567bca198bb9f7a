//! The output folder of a report: its records, and the plan that they belong to.
//!
//! ```text
//! <out>/plan.json              the setting and the cells that were asked for
//! <out>/.claim/                the process that is writing to the folder
//! <out>/prompt-seed0/          one folder per finished cell
//!         record.json          the Record
//!         squad.jsonl          predictions, one Prediction per line
//!         ...                  the tuned parameters
//! <out>/failed-model-seed0.json   why a cell failed
//! <out>/.partial-TOKEN-model-seed0/  a record being written, or left over from a killed process
//! ```
//!
//! A record is assembled from the contents of the [store](crate::store) but does not depend on it: the folder can be
//! copied, published and rendered again without the store. A record is written into a `.partial-` folder, read back,
//! synced to disk and renamed, so that a folder without that prefix is always complete. `TOKEN` is the claim's token:
//! a process that was suspended while another process took over cannot write into the other's folders.

mod read;
mod unfinished;

pub use crate::error::StoreError;
pub(crate) use read::{STORE_MARKER, check_saved, contents, read_predictions};
pub use read::{StoredRecord, find, is_record, read, record_folders};
pub use unfinished::{End, Unfinished, unfinished};

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::IoContext;
use crate::recipe::Method;
use crate::record::difference;
use crate::record::seal::{indented, json_lines, read_json, sealed};
use crate::record::{Cell, Prediction, Provenance, RECORD_VERSION, Record, Setting};
use promptshift_text::atomic_file::write_synced;
use promptshift_text::claim::{CLAIM, Claim, PARTIAL};
use promptshift_text::hash::sha256;

use promptshift_text::process::token;
use unfinished::{failure_json, failure_name};

const PLAN: &str = "plan.json";
const RECORD: &str = "record.json";

/// The plan of an output folder: the setting that all its cells share, and the cells that were asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Plan {
    program: String,
    record_version: u32,
    #[serde(flatten)]
    setting: Setting,
    /// The folder names of all cells that any command asked for, in order; empty in older folders.
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

    /// A cell with the parts that the plan knows.
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

/// An output folder that this process has claimed. Dropping the value releases the claim.
#[derive(Debug)]
pub struct RunFolder {
    out: PathBuf,
    claim: Claim,
}

impl RunFolder {
    /// Opens the output folder for cells of one setting, creating it if needed, and removes left-overs of killed
    /// processes.
    ///
    /// # Errors
    /// It belongs to another setting or program, or another process is writing to it.
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
        // Checked before claiming: nothing is written into a folder of another program.
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

    /// The complete record of an equal cell, if there is one. A record of another cell in its place is an error that
    /// names the first field that differs.
    pub fn existing(&self, cell: &Cell) -> Result<Option<StoredRecord>, StoreError> {
        let home = self.out.join(folder_name(cell));
        if !home.exists() {
            return Ok(None);
        }
        let stored = read(&home)?;
        match difference::first(&stored.record.cell, cell) {
            None => Ok(Some(stored)),
            Some(difference) => Err(difference.in_file(&home.join(RECORD))),
        }
    }

    /// Starts writing a cell that has no record yet.
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

/// The name of a cell's folder inside the output folder.
pub fn folder_name(cell: &Cell) -> String {
    match cell.method {
        Method::Untuned => Method::Untuned.name().to_owned(),
        method => format!("{}-seed{}", method.name(), cell.seed),
    }
}

/// The folder of an unfinished cell; removed on drop.
#[derive(Debug)]
struct Partial(PathBuf);

impl Drop for Partial {
    fn drop(&mut self) {
        // Best effort: the next run recognises left-overs by their name and removes them.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A cell that is being written: invisible until [`Draft::finish`], removed if dropped before.
#[derive(Debug)]
pub struct Draft<'a> {
    store: &'a RunFolder,
    cell: Cell,
    partial: Partial,
    home: PathBuf,
}

/// A predictions file, as recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PredictionsFile {
    /// Its name, relative to the record.
    pub file: String,
    /// Its SHA-256.
    pub sha256: String,
}

impl Draft<'_> {
    /// The folder for the tuned parameters.
    pub fn path(&self) -> &Path {
        &self.partial.0
    }

    /// The final name of the folder.
    pub fn name(&self) -> &str {
        let name = self.home.file_name();
        name.and_then(|name| name.to_str()).unwrap_or_default()
    }

    /// Writes why the cell failed, in place of an earlier failure, and removes the draft.
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

    /// Writes the record, reads everything back, and renames the folder to its final name.
    pub fn finish(self, record: &Record) -> Result<StoredRecord, StoreError> {
        assert_eq!(
            record.cell, self.cell,
            "a draft is finished with the cell that it was started for"
        );
        let json = sealed(record);
        let path = self.path().join(RECORD);
        write_in_draft(&path, &json).at("write", &path)?;
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

/// Writes predictions into the folder of a draft as JSON lines, in a file named after the domain that they answer.
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
    write_in_draft(&path, &lines).at("write", &path)?;
    Ok(PredictionsFile {
        file,
        sha256: sha256(&lines),
    })
}

/// The content of a predictions file: JSON, one prediction per line.
pub fn prediction_lines(predictions: &[Prediction]) -> Vec<u8> {
    json_lines(predictions)
}

/// Checks that a folder without a plan contains at most what promptshift leaves if it is killed immediately.
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

/// Writes the plan.
fn write_plan(out: &Path, marker: &Path, plan: &Plan) -> Result<(), StoreError> {
    let partial = out.join(format!("{PARTIAL}{}-{PLAN}", token()));
    write_synced(&partial, &indented(plan)).at("write", &partial)?;
    fs::rename(&partial, marker).at("give its final name to", &partial)?;
    sync(out)
}

/// Checks that the folder's plan has the same setting, and adds the new cells to it.
fn extend(out: &Path, marker: &Path, plan: Plan) -> Result<(), StoreError> {
    let mut found = read_plan(marker)?;
    if let Some(difference) = difference::first(&found.setting, &plan.setting) {
        return Err(difference.in_file(marker));
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
    read_json(marker, "the plan that promptshift writes there")
}

/// Removes left-overs of killed processes.
fn clear_leftovers(out: &Path) -> Result<(), StoreError> {
    for entry in fs::read_dir(out).at("list", out)? {
        let entry = entry.at("list", out)?;
        if !entry.file_name().to_string_lossy().starts_with(PARTIAL) {
            continue;
        }
        let path = entry.path();
        remove(&path)?;
    }
    Ok(())
}

/// Removes a file or folder, unless another process removed it first.
pub(crate) fn remove(path: &Path) -> Result<(), StoreError> {
    let removed = match path.is_dir() {
        true => fs::remove_dir_all(path),
        false => fs::remove_file(path),
    };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.at("remove", path),
    }
}

/// Writes a new file that is synced with all others of its folder, when the draft is finished.
pub(crate) fn write_in_draft(path: &Path, bytes: &[u8]) -> io::Result<()> {
    File::create_new(path)?.write_all(bytes)
}

/// Syncs a folder's files and the folder itself.
pub(crate) fn sync_files(folder: &Path) -> Result<(), StoreError> {
    for entry in fs::read_dir(folder).at("list", folder)? {
        sync(&entry.at("list", folder)?.path())?;
    }
    sync(folder)
}

pub(crate) fn sync(path: &Path) -> Result<(), StoreError> {
    // Folders can be opened as files on Unix only.
    if cfg!(unix) || path.is_file() {
        File::open(path)
            .and_then(|file| file.sync_all())
            .at("sync", path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
