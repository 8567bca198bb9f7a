//! The folder of an ablation: an output folder of records for each setting, and the plan that names them.
//!
//! ```text
//! <out>/ablation.json          the Ablation
//! <out>/length-1/plan.json     an ordinary output folder with its records
//! <out>/length-5/...
//! ```

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::folder::{self, StoredRecord, Unfinished};
use super::seal::{indented, read_json};
use crate::error::{IoContext, StoreError};
use promptshift_text::atomic_file;

const FILE: &str = "ablation.json";

/// The setting that is varied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The number of prompt vectors.
    Length,
    /// The initialisation of the prompt.
    Init,
    /// The backbone's pre-training objective.
    Objective,
    /// The number of steps of LM adaptation.
    LmSteps,
    /// The backbone's size.
    Scale,
}

/// Settings that differ in one respect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ablation {
    /// `promptshift`.
    pub program: String,
    /// The setting that is varied.
    pub kind: Kind,
    /// The settings in the order of the report.
    pub settings: Vec<Variant>,
}

/// One of the settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variant {
    /// Its folder inside the ablation's.
    pub folder: String,
    /// Its label on the figure's axis: `20`.
    pub place: String,
    /// The figure's line that it belongs to: `sampled vocabulary`.
    pub series: String,
}

/// An ablation with its records.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredAblation {
    /// The plan.
    pub ablation: Ablation,
    /// The records of each setting; none if it has not been run.
    pub records: Vec<Vec<StoredRecord>>,
    /// The cells of each setting that were started and have no record.
    pub unfinished: Vec<Vec<Unfinished>>,
}

impl Kind {
    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Length => "length",
            Kind::Init => "init",
            Kind::Objective => "objective",
            Kind::LmSteps => "lm-steps",
            Kind::Scale => "scale",
        }
    }
}

impl Ablation {
    /// An ablation with these settings.
    pub fn new(kind: Kind, settings: Vec<Variant>) -> Self {
        Ablation {
            program: "promptshift".to_owned(),
            kind,
            settings,
        }
    }

    /// Makes `out` the folder of this ablation, unless it already is.
    ///
    /// # Errors
    /// It belongs to another ablation, or can't be written.
    pub fn claim(&self, out: &Path) -> Result<(), StoreError> {
        let path = out.join(FILE);
        if path.exists() {
            return match parse(&path)? == *self {
                true => Ok(()),
                false => Err(StoreError::malformed(
                    &path,
                    "the plan of this ablation",
                    "that of another ablation: choose another --out",
                )),
            };
        }
        fs::create_dir_all(out).at("make the folder", out)?;
        Ok(atomic_file::write(&path, &indented(self))?)
    }
}

/// Whether `out` is the folder of an ablation.
pub fn is_in(out: &Path) -> bool {
    out.join(FILE).is_file()
}

/// Reads an ablation with its records so far.
///
/// # Errors
/// It is not an ablation, or a record is damaged.
pub fn read(out: &Path) -> Result<StoredAblation, StoreError> {
    let ablation = parse(&out.join(FILE))?;
    let (mut records, mut unfinished) = (Vec::new(), Vec::new());
    for setting in &ablation.settings {
        let folder = out.join(&setting.folder);
        if !folder.exists() {
            records.push(Vec::new());
            unfinished.push(Vec::new());
            continue;
        }
        records.push(match folder::find(&folder) {
            Ok(found) => found,
            Err(StoreError::NoRecords { .. }) => Vec::new(),
            Err(error) => return Err(error),
        });
        unfinished.push(folder::unfinished(&folder)?);
    }
    Ok(StoredAblation {
        ablation,
        records,
        unfinished,
    })
}

fn parse(path: &Path) -> Result<Ablation, StoreError> {
    read_json(path, "the plan of an ablation")
}
