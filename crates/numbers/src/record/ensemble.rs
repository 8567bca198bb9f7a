//! The record of an ensemble: what every member answered in one pass over one backbone. Votes are not
//! stored; they are counted from the answers.
//!
//! ```text
//! <out>/ensemble/ensemble.json    the EnsembleRecord
//! <out>/ensemble/squad.jsonl      an EnsembleLine for each example
//! ```

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::seal::{opened_as, sealed};
use super::{Provenance, Role, Score, packed};
use promptshift_text::domain::{Split, Task};
use promptshift_text::hash::sha256;
use promptshift_text::new_file::{self, NewFileError};

/// The version of the schema.
pub const ENSEMBLE_VERSION: u32 = 1;

/// The folder's name below an output folder.
pub const FOLDER: &str = "ensemble";

const FILE: &str = "ensemble.json";

/// N prompts of one source over one backbone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EnsembleRecord {
    /// [`ENSEMBLE_VERSION`].
    pub version: u32,
    /// The domain that all prompts were tuned on.
    pub source: String,
    /// The backbone's name.
    pub model: String,
    /// The suite that the domains were read from.
    pub suite: String,
    /// The backbone's parameters.
    pub backbone_parameters: usize,
    /// The prompts, in the order of the votes.
    pub members: Vec<Member>,
    /// Where every number comes from.
    pub provenance: Provenance,
    /// Source first, then targets.
    pub evaluations: Vec<EnsembleEvaluation>,
}

/// One prompt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// The seed that it was tuned with.
    pub seed: u64,
    /// Its parameters.
    pub parameters: usize,
    /// SHA-256 of its file.
    pub sha256: String,
    /// The main metric on source validation of the step that was kept, in [0, 1].
    pub validation_score: f64,
    /// Seconds that it took by itself for the same examples, as its own record has them.
    pub seconds: f64,
}

/// One domain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EnsembleEvaluation {
    /// Its name.
    pub domain: String,
    /// Source or target.
    pub role: Role,
    /// What is asked.
    pub task: Task,
    /// The split that was scored.
    pub split: Split,
    /// Examples answered.
    pub examples: usize,
    /// Seconds from tokens to all members' texts.
    pub seconds: f64,
    /// The highest number of bytes allocated on the host.
    pub peak_bytes: u64,
    /// The answers' file (JSON lines of [`EnsembleLine`]), relative to the record.
    pub answers: String,
    /// Its SHA-256.
    pub answers_sha256: String,
}

/// All members' answers to one example.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EnsembleLine {
    /// The example.
    pub id: String,
    /// Its passage: the cluster in the statistics.
    pub passage: String,
    /// One a member, in the order of [`EnsembleRecord::members`].
    pub members: Vec<MemberLine>,
}

/// One member's answer to one example.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MemberLine {
    /// The generated text.
    pub prediction: String,
    /// Sum of the generated tokens' log-probabilities (natural).
    pub log_prob: f64,
    /// What the answer is worth.
    pub score: Score,
    /// The log-probability of each of the source's class labels; empty without labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub label_log_probs: Vec<f64>,
}

/// An ensemble as it was read from its folder.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredEnsemble {
    /// The record.
    pub record: EnsembleRecord,
    /// The lines of each of the record's evaluations.
    pub lines: Vec<Vec<EnsembleLine>>,
}

/// An ensemble that can't be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum EnsembleError {
    /// It can't be written.
    #[error(transparent)]
    New(#[from] NewFileError),
    /// A file can't be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not what its name says.
    #[error("{}: wanted {wanted}, found {found}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What was wanted.
        wanted: String,
        /// What was found.
        found: String,
    },
}

/// The lines as they are written, with the name and hash that the record gives them.
pub fn to_file(domain: &str, lines: &[EnsembleLine]) -> (String, Vec<u8>, String) {
    let mut bytes = Vec::new();
    for line in lines {
        serde_json::to_writer(&mut bytes, line).expect("a line is plain data");
        bytes.push(b'\n');
    }
    let hash = sha256(&bytes);
    (format!("{domain}.jsonl"), bytes, hash)
}

/// Writes an ensemble below `out`, whole or not at all.
///
/// # Errors
/// Something is there, or it can't be written.
pub fn write(
    out: &Path,
    record: &EnsembleRecord,
    lines: Vec<(String, Vec<u8>)>,
) -> Result<(), EnsembleError> {
    let json = sealed(record);
    let mut files: Vec<(&str, Vec<u8>)> = vec![(FILE, json)];
    files.extend(
        lines
            .iter()
            .map(|(name, bytes)| (name.as_str(), bytes.clone())),
    );
    Ok(new_file::write_folder(&out.join(FOLDER), &files)?)
}

/// Whether `out` holds an ensemble.
pub fn is_in(out: &Path) -> bool {
    out.join(FOLDER).join(FILE).is_file()
}

/// Reads the ensemble below `out`.
///
/// # Errors
/// A file is absent, or not what was written.
pub fn read(out: &Path) -> Result<StoredEnsemble, EnsembleError> {
    let folder = out.join(FOLDER);
    let path = folder.join(FILE);
    let malformed = |path: &Path, wanted: &str, found: String| EnsembleError::Malformed {
        path: path.to_owned(),
        wanted: wanted.to_owned(),
        found,
    };
    let record: EnsembleRecord = opened_as(&contents(&path)?)
        .map_err(|found| malformed(&path, "an ensemble's record", found))?;
    if record.version != ENSEMBLE_VERSION || record.members.is_empty() {
        let found = format!("{} of {} members", record.version, record.members.len());
        return Err(malformed(&path, "version 1 with members", found));
    }
    let mut lines = Vec::new();
    for evaluation in &record.evaluations {
        let path = folder.join(&evaluation.answers);
        let bytes = contents(&path)?;
        if sha256(&bytes) != evaluation.answers_sha256 {
            let found = "another content".to_owned();
            return Err(malformed(&path, "the SHA-256 of ensemble.json", found));
        }
        let read: Vec<EnsembleLine> = serde_json::Deserializer::from_slice(&bytes)
            .into_iter()
            .collect::<Result<_, _>>()
            .map_err(|error| malformed(&path, "lines of an ensemble", error.to_string()))?;
        let members = record.members.len();
        if read.len() != evaluation.examples || read.iter().any(|l| l.members.len() != members) {
            let wanted = format!("{} lines of {members} answers", evaluation.examples);
            return Err(malformed(&path, &wanted, format!("{} lines", read.len())));
        }
        lines.push(read);
    }
    Ok(StoredEnsemble { record, lines })
}

fn contents(path: &Path) -> Result<Vec<u8>, EnsembleError> {
    packed::contents(path).map_err(|(path, source)| EnsembleError::Io { path, source })
}
