//! An ensemble: the predictions of runs that differ only in their seed. It is assembled from their records without a
//! model; votes are counted from the predictions.
//!
//! ```text
//! <out>/ensemble.json             the list of the records
//! <out>/prompts/                  an ordinary output folder
//! ```
//!
//! Before version 2, all prompts answered in one pass, which was timed:
//!
//! ```text
//! <out>/ensemble/ensemble.json    the EnsembleRecord
//! <out>/ensemble/squad.jsonl      an EnsembleLine for each example
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::folder::{self, StoredRecord};
use super::seal::{indented, read_json, read_sealed};
use super::{Evaluation, Prediction, Provenance, Record, Role, Score, Training, difference};
use crate::error::{IoContext, StoreError};
use promptshift_text::atomic_file;
use promptshift_text::domain::{Split, Task};
use promptshift_text::hash::sha256;

/// The folder of the members' records, inside an ensemble's folder.
pub const MEMBERS: &str = "prompts";

/// The folder of an ensemble of version 1, inside an output folder.
const FOLDER: &str = "ensemble";

const FILE: &str = "ensemble.json";

/// The content of an ensemble's file.
#[derive(Debug, Serialize, Deserialize)]
struct Marker {
    program: String,
    version: u32,
    /// The folder of the members' records.
    members: String,
    /// The members' seeds.
    seeds: Vec<u64>,
}

/// N runs of one method on one source and model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EnsembleRecord {
    /// 2 if it was assembled from records, 1 if it was read from a file of version 1.
    pub version: u32,
    /// The domain that all members were tuned on.
    pub source: String,
    /// The backbone's name.
    pub model: String,
    /// The suite that the domains were read from.
    pub suite: String,
    /// Parameters of the backbone, which all members share.
    pub backbone_parameters: usize,
    /// The members, in the order of the votes.
    pub members: Vec<Member>,
    /// Where every number comes from.
    pub provenance: Provenance,
    /// Source first, then targets.
    pub evaluations: Vec<EnsembleEvaluation>,
}

/// One member.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// The seed that it was tuned with.
    pub seed: u64,
    /// Its trainable parameters.
    pub parameters: usize,
    /// SHA-256 of the file with the tuned parameters.
    pub sha256: String,
    /// The main metric of the kept step on source validation, in [0, 1].
    pub validation_score: f64,
    /// Seconds for answering these examples, from its own record.
    pub seconds: f64,
}

/// One domain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EnsembleEvaluation {
    /// Its name.
    pub domain: String,
    /// Source or target.
    pub role: Role,
    pub task: Task,
    /// The split that was scored.
    pub split: Split,
    /// Examples answered.
    pub examples: usize,
    /// Seconds from tokens to all members' texts in one pass; in version 1 only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// The highest number of bytes allocated on the host in that pass; in version 1 only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_bytes: Option<u64>,
    /// The file of answers in version 1 (JSON lines of [`EnsembleLine`]), relative to the record.
    #[serde(default)]
    pub answers: String,
    /// Its SHA-256.
    #[serde(default)]
    pub answers_sha256: String,
}

/// All members' answers to one example.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EnsembleLine {
    pub id: String,
    /// Its passage, the cluster in the statistics.
    pub passage: String,
    /// One answer per member, in the order of [`EnsembleRecord::members`].
    pub members: Vec<MemberLine>,
}

/// One member's answer to one example.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MemberLine {
    /// The generated text.
    pub prediction: String,
    /// Sum of the natural log-probabilities of the generated tokens.
    pub log_prob: f64,
    /// The answer's score.
    pub score: Score,
    /// The log-probability of each of the source's classes; empty if classes were not ranked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub label_log_probs: Vec<f64>,
}

/// An ensemble with its answers.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredEnsemble {
    pub record: EnsembleRecord,
    /// The lines of each of the record's evaluations.
    pub lines: Vec<Vec<EnsembleLine>>,
}

/// Errors of an ensemble.
#[derive(Debug, thiserror::Error)]
pub enum EnsembleError {
    /// There are no records.
    #[error("wanted at least one record for an ensemble, found none")]
    Empty,
    /// Records that differ in more than their seed.
    #[error("{first} and {second} cannot be in one ensemble: their {field} differs")]
    Mixed {
        first: String,
        second: String,
        field: String,
    },
    /// Two records have the same seed.
    #[error("wanted one record for each seed; {first} and {second} both have seed {seed}")]
    Twice {
        first: String,
        second: String,
        seed: u64,
    },
    /// A member has no record; fewer members would be another ensemble.
    #[error("{}: wanted a record with seed {seed}, found none: with fewer members it would be another ensemble", path.display())]
    Missing { path: PathBuf, seed: u64 },
    /// A method that does not train.
    #[error("{folder}: wanted runs that differ in their seed; {method} does not train anything")]
    Untrained { folder: String, method: String },
    /// The records or the ensemble can't be read or written.
    #[error(transparent)]
    Files(#[from] StoreError),
}

impl StoredEnsemble {
    /// The ensemble of some records.
    ///
    /// # Errors
    /// There are none, or they differ in more than the seed.
    pub fn of(records: &[StoredRecord]) -> Result<Self, EnsembleError> {
        let first = records.first().ok_or(EnsembleError::Empty)?;
        let mut members = Vec::new();
        let mut trained = None;
        for (at, stored) in records.iter().enumerate() {
            check_alike(first, stored)?;
            let seed = stored.record.cell.seed;
            if let Some(same) = records[..at]
                .iter()
                .find(|one| one.record.cell.seed == seed)
            {
                return Err(EnsembleError::Twice {
                    first: same.folder.display().to_string(),
                    second: stored.folder.display().to_string(),
                    seed,
                });
            }
            let Some(training) = &stored.record.training else {
                return Err(EnsembleError::Untrained {
                    folder: stored.folder.display().to_string(),
                    method: stored.record.cell.title(),
                });
            };
            trained.get_or_insert(training);
            members.push(member(&stored.record, training));
        }
        let evaluation = |of_first: &Evaluation| EnsembleEvaluation {
            domain: of_first.domain.clone(),
            role: of_first.role,
            task: of_first.task,
            split: of_first.split,
            examples: of_first.examples,
            seconds: None,
            peak_bytes: None,
            answers: String::new(),
            answers_sha256: String::new(),
        };
        let of_domain = |at: usize| {
            let members = (records.iter()).map(|stored| stored.predictions[at].as_slice());
            lines(&members.collect::<Vec<_>>())
        };
        let cell = &first.record.cell;
        let record = EnsembleRecord {
            version: 2,
            source: cell.setting.source.clone(),
            model: cell.setting.model.clone(),
            suite: cell.setting.suite.clone(),
            backbone_parameters: trained.map_or(0, |training| {
                training.total_parameters - training.trainable_parameters
            }),
            members,
            provenance: first.record.provenance.clone(),
            evaluations: first.record.evaluations.iter().map(evaluation).collect(),
        };
        let lines = (0..record.evaluations.len()).map(of_domain).collect();
        Ok(StoredEnsemble { record, lines })
    }
}

/// Checks that two records differ only in the seed and have the same model and rows.
fn check_alike(first: &StoredRecord, second: &StoredRecord) -> Result<(), EnsembleError> {
    let folder = |stored: &StoredRecord| stored.folder.display().to_string();
    let mixed = |field: String| EnsembleError::Mixed {
        first: folder(first),
        second: folder(second),
        field,
    };
    let mut cell = second.record.cell.clone();
    cell.seed = first.record.cell.seed;
    if let Some(difference) = difference::first(&first.record.cell, &cell) {
        return Err(mixed(difference.field));
    }
    if let Err(StoreError::OtherCell { field, .. }) = second.check_inputs(&first.record.provenance)
    {
        return Err(mixed(field));
    }
    let rows = |stored: &StoredRecord| -> Vec<Vec<String>> {
        let ids = |of: &Vec<Prediction>| of.iter().map(|one| one.id.clone()).collect();
        stored.predictions.iter().map(ids).collect()
    };
    match rows(first) == rows(second) {
        true => Ok(()),
        false => Err(mixed("rows".to_owned())),
    }
}

fn member(record: &Record, training: &Training) -> Member {
    let kept = (training.curve.iter()).find(|point| point.step == training.best_step);
    Member {
        seed: record.cell.seed,
        parameters: training.trainable_parameters,
        sha256: training.saved.sha256.clone(),
        validation_score: kept.map_or(0.0, |point| point.validation_score),
        seconds: record.evaluations.iter().map(|one| one.seconds).sum(),
    }
}

/// One line for each example, from the predictions of all members for the same examples.
fn lines(members: &[&[Prediction]]) -> Vec<EnsembleLine> {
    let of_member = |one: &Prediction| MemberLine {
        prediction: one.prediction.clone(),
        log_prob: one.log_prob,
        score: one.score,
        label_log_probs: one.class_log_probs.clone().unwrap_or_default(),
    };
    let first = members[0].iter().enumerate();
    let line = |(at, example): (usize, &Prediction)| EnsembleLine {
        id: example.id.clone(),
        passage: example.passage.clone(),
        members: members.iter().map(|of| of_member(&of[at])).collect(),
    };
    first.map(line).collect()
}

/// Makes `out` the folder of an ensemble of these seeds, with its records in [`MEMBERS`].
///
/// # Errors
/// It can't be written.
pub fn claim(out: &Path, seeds: &[u64]) -> Result<(), StoreError> {
    let path = out.join(FILE);
    if path.exists() {
        // A file that promptshift did not write is not replaced.
        marker(&path)?;
    } else if is_in(out) {
        let found = "an ensemble of version 1: choose another --out";
        return Err(StoreError::malformed(out, "a folder of its own", found));
    }
    fs::create_dir_all(out).at("make the folder", out)?;
    let marker = Marker {
        program: "promptshift".to_owned(),
        version: 2,
        members: MEMBERS.to_owned(),
        seeds: seeds.to_vec(),
    };
    // The list of members of an earlier command is replaced; their records stay.
    Ok(atomic_file::replace(&path, &indented(&marker))?)
}

/// Whether `out` is the folder of an ensemble.
pub fn is_in(out: &Path) -> bool {
    out.join(FILE).is_file() || out.join(FOLDER).join(FILE).is_file()
}

/// Reads the ensemble in `out`.
///
/// # Errors
/// A file is missing or damaged, or the records do not form an ensemble.
pub fn read(out: &Path) -> Result<StoredEnsemble, EnsembleError> {
    let path = out.join(FILE);
    if !path.is_file() {
        return Ok(read_version_1(&out.join(FOLDER))?);
    }
    let marker = marker(&path)?;
    let folder = out.join(marker.members);
    let found = folder::find(&folder)?;
    let of_seed = |seed: &u64| {
        let record = found.iter().find(|stored| stored.record.cell.seed == *seed);
        record.cloned().ok_or_else(|| EnsembleError::Missing {
            path: folder.clone(),
            seed: *seed,
        })
    };
    let records = marker.seeds.iter().map(of_seed);
    StoredEnsemble::of(&records.collect::<Result<Vec<_>, _>>()?)
}

fn marker(path: &Path) -> Result<Marker, StoreError> {
    read_json(path, "the list of an ensemble's records")
}

fn read_version_1(folder: &Path) -> Result<StoredEnsemble, StoreError> {
    let path = folder.join(FILE);
    let record: EnsembleRecord = read_sealed(&path, "an ensemble's record")?;
    if record.version != 1 || record.members.is_empty() {
        let found = format!("{} of {} members", record.version, record.members.len());
        return Err(StoreError::malformed(
            &path,
            "version 1 with members",
            found,
        ));
    }
    let mut lines = Vec::new();
    for evaluation in &record.evaluations {
        let path = folder.join(&evaluation.answers);
        let bytes = folder::contents(&path)?;
        if sha256(&bytes) != evaluation.answers_sha256 {
            let wanted = "the SHA-256 of ensemble.json";
            return Err(StoreError::malformed(&path, wanted, "another content"));
        }
        let read: Vec<EnsembleLine> = (serde_json::Deserializer::from_slice(&bytes).into_iter())
            .collect::<Result<_, _>>()
            .map_err(|error| StoreError::malformed(&path, "lines of an ensemble", error))?;
        let members = record.members.len();
        if read.len() != evaluation.examples || read.iter().any(|l| l.members.len() != members) {
            let wanted = format!("{} lines of {members} answers", evaluation.examples);
            let found = format!("{} lines", read.len());
            return Err(StoreError::malformed(&path, wanted, found));
        }
        lines.push(read);
    }
    Ok(StoredEnsemble { record, lines })
}
