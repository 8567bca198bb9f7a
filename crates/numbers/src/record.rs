//! The record of one cell (a method with a seed on one transfer): everything that the report prints, and where it
//! came from. It is written once, atomically, and never overwritten: see [`folder`].

pub mod ablation;
mod cell;
pub mod difference;
pub mod ensemble;
mod evaluation;
pub mod folder;
pub mod redaction;
pub mod seal;
pub mod search;
mod training;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use crate::leakage;
pub use cell::{Cell, Form, Found, Setting, TunedElsewhere};
pub use evaluation::{
    Evaluation, Excerpt, KShot, Prediction, Role, Score, Traits, ValidationAnswers, excerpts,
};
pub use training::{
    Checkpoint, CheckpointPredictions, CheckpointScore, CurvePoint, Moment, Movement, PeakParts,
    SavedDelta, Stop, Training,
};

/// The version of the record's schema.
pub const RECORD_VERSION: u32 = 1;

/// One method, trained with one seed on the source, scored on source and targets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// [`RECORD_VERSION`].
    pub version: u32,
    /// The cell that was run.
    pub cell: Cell,
    /// Where every number comes from.
    pub provenance: Provenance,
    /// Remarks about the rows, such as files that serve as more than one split.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Remarks about the model: unknown contents of its files, the limit of its inputs. Empty in older records.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub model_notes: Vec<String>,
    /// Counts over rows: of source training, source validation, then the evaluated splits. Empty in older records.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[serde(rename = "hygiene")]
    pub leakage: Vec<leakage::Leakage>,
    /// How training went; absent for the untuned backbone and for what was tuned elsewhere.
    pub training: Option<Training>,
    /// The search that chose the recipe; absent without a search.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<search::Search>,
    /// Source first, then targets in the order asked for.
    pub evaluations: Vec<Evaluation>,
    /// Scores after few-shot tuning, for each target and each K. Empty if the cell does not ask for it or its method
    /// does not train.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub k_shots: Vec<KShot>,
    /// Predictions of the kept step on source validation, on which temperatures are fitted. Absent for the untuned
    /// backbone and in older records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<ValidationAnswers>,
    /// The provenance of answers that were not computed together with the training, by another command or machine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answered: Vec<Provenance>,
    /// Whether it contains the texts of rows and answers.
    #[serde(default, skip_serializing_if = "Texts::are_kept")]
    pub texts: Texts,
}

/// What a record contains of the texts of its rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Texts {
    /// Answers, predictions and some excerpts of inputs.
    #[default]
    Kept,
    /// Only hashes of answers and predictions ([`redaction`]).
    Hashed,
}

impl Texts {
    fn are_kept(&self) -> bool {
        *self == Texts::Kept
    }
}

/// Where a record comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// promptshift's version.
    pub version: String,
    /// The git revision that it was built from, with `-dirty` for uncommitted changes.
    pub revision: String,
    /// The command that computed it.
    pub command: String,
    /// SHA-256 of each data file read, by `domain/split`, and of users' cards, by `domain/card`.
    pub data_sha256: BTreeMap<String, String>,
    /// SHA-256 of the backbone's weights file.
    pub model_sha256: String,
    /// SHA-256 of the backbone's tokenizer file.
    pub tokenizer_sha256: String,
    /// `cpu`, `cuda:0`, ..., or several with a comma: those of the process, whose replicas of the model are on all of
    /// them.
    pub device: String,
    /// The processor's name.
    pub processor: String,
    /// The GPU's name; absent without a GPU, if the name is not available, and in older records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu: Option<String>,
    /// The machine's name; absent in older and in [redacted](redaction) records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Threads used.
    pub threads: usize,
    /// Concurrent runs on the machine, including this one, each with its own threads. They affect times and rates.
    #[serde(default = "alone")]
    pub side_by_side: usize,
    /// Versions of software that the numbers depend on: burn, rustc, tokenizers.
    pub software: BTreeMap<String, String>,
    /// When the cell was started, in seconds since 1970.
    pub started_unix_seconds: u64,
}

impl Provenance {
    /// The hardware that times and memory depend on, in words: times and memory of two runs compare only if it is
    /// equal.
    pub fn hardware(&self) -> String {
        let Provenance {
            device,
            processor,
            gpu,
            ..
        } = self;
        match gpu {
            // Which of several equal GPUs does not matter, but how many compute together.
            Some(gpu) => match device.split(',').count() {
                1 => format!("{gpu} with {processor}"),
                count => format!("{count} × {gpu} with {processor}"),
            },
            None => format!("{processor} ({device})"),
        }
    }
}

/// Older records are of runs that had the machine to themselves.
fn alone() -> usize {
    1
}
