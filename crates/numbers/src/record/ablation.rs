//! The folder of an ablation: one output folder of records for each setting, and what they are for.
//!
//! ```text
//! <out>/ablation.json          the Ablation
//! <out>/length-1/plan.json     an output folder as any other, with its records
//! <out>/length-5/...
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::folder::{self, StoreError, StoredRecord, Unfinished};
use promptshift_text::atomic_file::{self, AtomicFileError};

const FILE: &str = "ablation.json";

/// What is varied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The number of prompt vectors.
    Length,
    /// How the prompt starts.
    Init,
    /// What the backbone was pre-trained on.
    Objective,
    /// For how many steps it was adapted as a language model.
    LmSteps,
    /// How large it is.
    Scale,
}

/// Settings that differ in one thing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ablation {
    /// `promptshift`.
    pub program: String,
    /// What is varied.
    pub kind: Kind,
    /// In the order of the report.
    pub settings: Vec<Variant>,
}

/// One of the settings that are compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variant {
    /// Its folder below the ablation's.
    pub folder: String,
    /// Where it stands on the figure's axis, in words: `20`.
    pub place: String,
    /// The line that it belongs to: `sampled vocabulary`.
    pub series: String,
}

/// An ablation with its records.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredAblation {
    /// What was varied.
    pub ablation: Ablation,
    /// The records of each setting; none where it has not been run.
    pub records: Vec<Vec<StoredRecord>>,
    /// The cells of each setting that were begun and have no record.
    pub unfinished: Vec<Vec<Unfinished>>,
}

/// An ablation's folder that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum AblationError {
    /// It can't be written.
    #[error(transparent)]
    New(#[from] AtomicFileError),
    /// A setting's records can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file or folder can't be read or made.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not an ablation.
    #[error("{}: not the plan of an ablation: {source}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// The folder is another ablation's.
    #[error("{} is of another ablation: choose another --out", path.display())]
    Other {
        /// The file.
        path: PathBuf,
    },
}

impl Kind {
    /// The name typed.
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
    /// Of these settings.
    pub fn new(kind: Kind, settings: Vec<Variant>) -> Self {
        Ablation {
            program: "promptshift".to_owned(),
            kind,
            settings,
        }
    }

    /// Makes `out` this ablation's, or finds that it is.
    ///
    /// # Errors
    /// It is another's, or can't be written.
    pub fn claim(&self, out: &Path) -> Result<(), AblationError> {
        let path = out.join(FILE);
        if path.exists() {
            return match parse(&path)? == *self {
                true => Ok(()),
                false => Err(AblationError::Other { path }),
            };
        }
        fs::create_dir_all(out).map_err(|source| AblationError::Io {
            path: out.to_owned(),
            source,
        })?;
        let mut json = serde_json::to_vec_pretty(self).expect("plain data");
        json.push(b'\n');
        Ok(atomic_file::write(&path, &json)?)
    }
}

/// Whether `out` holds an ablation.
pub fn is_in(out: &Path) -> bool {
    out.join(FILE).is_file()
}

/// Reads an ablation with the records that it has so far.
///
/// # Errors
/// It is not one, or a record is damaged.
pub fn read(out: &Path) -> Result<StoredAblation, AblationError> {
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
            Err(error) => return Err(error.into()),
        });
        unfinished.push(folder::unfinished(&folder)?);
    }
    Ok(StoredAblation {
        ablation,
        records,
        unfinished,
    })
}

fn parse(path: &Path) -> Result<Ablation, AblationError> {
    let bytes = fs::read(path).map_err(|source| AblationError::Io {
        path: path.to_owned(),
        source,
    })?;
    serde_json::from_slice(&bytes).map_err(|source| AblationError::Parse {
        path: path.to_owned(),
        source,
    })
}
