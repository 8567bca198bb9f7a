//! The record of one cell (a method with a seed on one transfer): everything that the report
//! prints, with where it came from. Written once, atomically, and never overwritten: see [`folder`].

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

/// Former places of [`Checkpoint`], of [`Form`], of [`KShot`] and of [`PeakParts`].
pub mod checkpoint {
    pub use super::{Checkpoint, CheckpointPredictions, CheckpointScore};
}
/// See [`checkpoint`].
pub mod elsewhere {
    pub use super::{Form, Found, TunedElsewhere};
}
/// See [`checkpoint`].
pub mod k_shot {
    pub use super::KShot;
}
/// See [`checkpoint`].
pub mod memory {
    pub use super::{Moment, PeakParts};
}

/// The version of the record's schema.
pub const RECORD_VERSION: u32 = 1;

/// One method, trained with one seed on the source, scored on source and targets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// [`RECORD_VERSION`].
    pub version: u32,
    /// What was asked for.
    pub cell: Cell,
    /// Where every number comes from.
    pub provenance: Provenance,
    /// What has to be said about the choice of rows: files that serve as more than one split.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What has to be said of the model: what its files hold that is not known here, where its inputs end.
    /// Empty in records from before it was said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub model_notes: Vec<String>,
    /// What the rows are like: source training, source validation, then the evaluated splits. Empty
    /// in records from before they were counted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[serde(rename = "hygiene")]
    pub leakage: Vec<leakage::Leakage>,
    /// How training went; absent for the untuned backbone and for what was tuned elsewhere.
    pub training: Option<Training>,
    /// The search that chose the recipe; absent where it was taken as it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<search::Search>,
    /// Source first, then targets in the order asked for.
    pub evaluations: Vec<Evaluation>,
    /// Target by target and K by K, what came of tuning on with K examples. Empty where the cell asks
    /// for none, and for what trains nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub k_shots: Vec<KShot>,
    /// Source validation, as the kept step answers it: what temperatures are fitted on. Absent for
    /// the untuned backbone, and in records from before it was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<ValidationAnswers>,
    /// Where answers come from that were computed apart from the training: another command, another machine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answered: Vec<Provenance>,
    /// Whether the texts of rows and answers are in it.
    #[serde(default, skip_serializing_if = "Texts::are_kept")]
    pub texts: Texts,
}

/// What a record holds of the texts of its rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Texts {
    /// Answers, predictions and some excerpts.
    #[default]
    Kept,
    /// Hashes of answers and predictions ([`redaction`]).
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
    /// The git revision that it was built from, with `-dirty` where the tree had changes.
    pub revision: String,
    /// The command that asked for it.
    pub command: String,
    /// SHA-256 of each data file read, by `domain/split`, and of users' cards, by `domain/card`.
    pub data_sha256: BTreeMap<String, String>,
    /// SHA-256 of the backbone's weights file.
    pub model_sha256: String,
    /// SHA-256 of the backbone's tokenizer file.
    pub tokenizer_sha256: String,
    /// `cpu`, `cuda:0`, ...
    pub device: String,
    /// The processor's name.
    pub processor: String,
    /// The GPU's name; absent where none was used or nothing tells, and in records from before it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu: Option<String>,
    /// The machine's name; absent in records from before it was kept, and in [redacted](redaction) ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Threads used.
    pub threads: usize,
    /// How many runs went on side by side on the machine, this one among them, each with threads of its
    /// own: what times and rates were measured beside.
    #[serde(default = "alone")]
    pub side_by_side: usize,
    /// Versions of what the numbers depend on: burn, rustc, tokenizers.
    pub software: BTreeMap<String, String>,
    /// Start of the cell, seconds since 1970.
    pub started_unix_seconds: u64,
}

impl Provenance {
    /// What times and memory depend on, in words: two runs whose words differ do not compare in them.
    pub fn hardware(&self) -> String {
        let Provenance {
            device,
            processor,
            gpu,
            ..
        } = self;
        match gpu {
            // Which of several equal ones is all the same.
            Some(gpu) => format!("{gpu} with {processor}"),
            None => format!("{processor} ({device})"),
        }
    }
}

/// Before cells were run side by side, none was.
fn alone() -> usize {
    1
}
