//! The folder that records lie in.
//!
//! ```text
//! <out>/plan.json              what the folder is for
//! <out>/.claim/                whose it is while a process writes it
//! <out>/prompt-seed0/          one folder a finished cell
//!         record.json          the Record
//!         squad.jsonl          predictions, one Prediction a line
//!         ...                  the saved delta
//! <out>/search-model.json         the trials of a search
//! <out>/failed-model-seed0.json   why a cell has no record
//! <out>/begun-model-seed0.TOKEN/  what a training that was broken off goes on from
//! <out>/.partial-TOKEN-model-seed0/  a cell that is being written, or was when its process was killed
//! ```
//!
//! A cell is written into its `.partial-` folder, read back, synced to disk and renamed once, so
//! that a folder without that prefix is always complete. `TOKEN` is the claim's: a process that was stopped
//! while another took over writes nothing into what is the other's.

mod claim;
mod error;
mod read;
mod trials;
mod unfinished;

pub use error::StoreError;
pub use read::{StoredRecord, find, is_record, read, record_folders};
pub use unfinished::{End, Unfinished, unfinished};

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::recipe::{Limits, Method, TuneOn};
use crate::record::difference;
use crate::record::seal::sealed;
use crate::record::{Cell, Prediction, Provenance, RECORD_VERSION, Record};
use promptshift_text::domain::AnswerForm;
use promptshift_text::domain::mixture::Mixing;
use promptshift_text::domain::wording::Wording;
use promptshift_text::hash::sha256;

use claim::Claim;
use error::IoContext;
use promptshift_text::process::token;
use unfinished::{begun_name, failure_json, failure_name};

const PLAN: &str = "plan.json";
const RECORD: &str = "record.json";
const PARTIAL: &str = ".partial-";

/// What an output folder is for: the part of a [`Cell`] that all its cells share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Plan {
    program: String,
    record_version: u32,
    source: String,
    targets: Vec<String>,
    model: String,
    suite: String,
    #[serde(default)]
    answers: AnswerForm,
    #[serde(default, skip_serializing_if = "Wording::is_default")]
    wording: Wording,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mixing: Option<Mixing>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tune_on: Option<TuneOn>,
    train_rows: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    validation_rows: Option<usize>,
    eval_rows: Option<usize>,
    limits: Limits,
}

impl Plan {
    fn of(cell: &Cell) -> Plan {
        Plan {
            program: "promptshift".to_owned(),
            record_version: RECORD_VERSION,
            source: cell.source.clone(),
            targets: cell.targets.clone(),
            model: cell.model.clone(),
            suite: cell.suite.clone(),
            answers: cell.answers,
            wording: cell.wording.clone(),
            mixing: cell.mixing,
            tune_on: cell.tune_on.clone(),
            train_rows: cell.train_rows,
            validation_rows: cell.validation_rows,
            eval_rows: cell.eval_rows,
            limits: cell.limits,
        }
    }

    /// A cell of the plan, as far as the plan says.
    fn cell(self, method: Method, seed: u64) -> Cell {
        Cell {
            source: self.source,
            targets: self.targets,
            method,
            seed,
            model: self.model,
            suite: self.suite,
            answers: self.answers,
            wording: self.wording,
            mixing: self.mixing,
            tune_on: self.tune_on,
            train_rows: self.train_rows,
            validation_rows: self.validation_rows,
            eval_rows: self.eval_rows,
            limits: self.limits,
            trials: None,
            recipe: None,
        }
    }
}

/// An output folder, claimed against other writers for as long as this value lives.
#[derive(Debug)]
pub struct Store {
    out: PathBuf,
    claim: Claim,
}

impl Store {
    /// Opens the output folder that `cell` belongs in, making it where it does not exist, and
    /// clears away what killed runs left.
    pub fn open(out: &Path, cell: &Cell) -> Result<Store, StoreError> {
        let plan = Plan::of(cell);
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
        let claim = Claim::take(out)?;
        if !marker.exists() {
            check_is_ours(out)?;
            write_plan(out, &marker, &plan)?;
        }
        agree(&marker, &plan)?;
        clear_leftovers(out)?;
        Ok(Store {
            out: out.to_owned(),
            claim,
        })
    }

    /// Joins the process that has the output folder open, to write a cell that it gives out.
    ///
    /// # Errors
    /// The folder is not for the cell, or the process that started this one has it not open.
    pub fn join(out: &Path, cell: &Cell) -> Result<Store, StoreError> {
        let claim = Claim::join(out)?;
        agree(&out.join(PLAN), &Plan::of(cell))?;
        Ok(Store {
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
        let begun = self.adopted(&begun_name(cell))?;
        Ok(Draft {
            store: self,
            cell: cell.clone(),
            partial: Partial(folder),
            begun,
            home,
        })
    }

    /// The folder of this claim's for what a training goes on from: one that an earlier claim left under
    /// `name` is now this one's.
    fn adopted(&self, name: &str) -> Result<PathBuf, StoreError> {
        let own = self.out.join(format!("{name}.{}", self.claim.token()));
        for left in self.left(name)? {
            if left == own {
                continue;
            }
            match own.exists() {
                true => fs::remove_dir_all(&left).at("remove the left-over", &left)?,
                false => fs::rename(&left, &own).at("take over", &left)?,
            }
        }
        Ok(own)
    }

    /// What claims left under `name`, this one too.
    fn left(&self, name: &str) -> Result<Vec<PathBuf>, StoreError> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.out).at("list", &self.out)? {
            let entry = entry.at("list", &self.out)?;
            let is_of = |found: &str| {
                let end = found.strip_prefix(name);
                end.is_some_and(|end| end.is_empty() || end.starts_with('.'))
            };
            if entry.file_name().to_str().is_some_and(is_of) {
                found.push(entry.path());
            }
        }
        Ok(found)
    }

    /// Removes what claims left under `name`.
    fn clear(&self, name: &str) -> Result<(), StoreError> {
        let mut left = self.left(name)?.into_iter();
        left.try_for_each(|path| fs::remove_dir_all(&path).at("remove", &path))
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
    store: &'a Store,
    cell: Cell,
    partial: Partial,
    begun: PathBuf,
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
    /// The folder to save the tuned delta in.
    pub fn path(&self) -> &Path {
        &self.partial.0
    }

    /// The folder for what the cell's training goes on from if it is broken off; gone when the cell has
    /// its record, or has failed.
    pub fn begun(&self) -> &Path {
        &self.begun
    }

    /// Writes predictions as JSON lines: those of a domain's evaluation under its name.
    pub fn write_predictions(
        &self,
        domain: &str,
        predictions: &[Prediction],
    ) -> Result<PredictionsFile, StoreError> {
        let lines = prediction_lines(predictions);
        let file = format!("{domain}.jsonl");
        let path = self.path().join(&file);
        write_synced(&path, &lines).at("write", &path)?;
        Ok(PredictionsFile {
            file,
            sha256: sha256(&lines),
        })
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
        self.store.clear(&begun_name(&self.cell))?;
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
        self.store.clear(&begun_name(&self.cell))?;
        sync(&self.store.out)?;
        stored.folder = self.home.clone();
        Ok(stored)
    }
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
        if !name.starts_with(PARTIAL) && !name.starts_with(claim::CLAIM) {
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

/// Checks that the folder is for the plan at hand.
fn agree(marker: &Path, plan: &Plan) -> Result<(), StoreError> {
    let text = fs::read_to_string(marker).at("read", marker)?;
    let found: Plan = serde_json::from_str(&text).map_err(|error| StoreError::Malformed {
        path: marker.to_owned(),
        wanted: "the plan that promptshift writes there".to_owned(),
        found: error.to_string(),
    })?;
    match difference::first(&found, plan) {
        None => Ok(()),
        Some(difference) => Err(StoreError::OtherCell {
            path: marker.to_owned(),
            field: difference.field,
            wanted: difference.second,
            found: difference.first,
        }),
    }
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
        removed.at("remove the left-over", &path)?;
    }
    Ok(())
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Syncs a folder's files and the folder itself.
fn sync_files(folder: &Path) -> Result<(), StoreError> {
    for entry in fs::read_dir(folder).at("list", folder)? {
        sync(&entry.at("list", folder)?.path())?;
    }
    sync(folder)
}

fn sync(path: &Path) -> Result<(), StoreError> {
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
