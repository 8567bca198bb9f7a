//! Reads records, with every check that does not need a metric.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Component, Path, PathBuf};

use flate2::read::MultiGzDecoder;
use rayon::prelude::*;
use serde_json::Value;

use super::{PLAN, RECORD};
use crate::error::{IoContext, StoreError};
use crate::record::seal::opened;
use crate::record::{
    Checkpoint, Evaluation, Prediction, Provenance, RECORD_VERSION, Record, Role, SavedDelta,
    ValidationAnswers, difference,
};
use promptshift_text::claim::PARTIAL;
use promptshift_text::hash::sha256;

/// A record with its predictions.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredRecord {
    pub folder: PathBuf,
    pub record: Record,
    /// The predictions of each of the record's evaluations, in their order.
    pub predictions: Vec<Vec<Prediction>>,
    /// The predictions after few-shot tuning, for each of the record's `k_shots`.
    pub k_shots: Vec<Vec<Prediction>>,
    /// The predictions on source validation; empty if the record has none.
    pub validation: Vec<Prediction>,
    /// The predictions of each checkpoint on each domain; empty if the record has none.
    pub checkpoints: Vec<Vec<Vec<Prediction>>>,
}

impl StoredRecord {
    /// Checks that the record has the hashes of the given model and data: with other files, an equal cell is another
    /// experiment.
    pub fn check_inputs(&self, wanted: &Provenance) -> Result<(), StoreError> {
        let found = &self.record.provenance;
        let inputs = |origin: &Provenance| {
            serde_json::json!({
                "model_sha256": origin.model_sha256,
                "tokenizer_sha256": origin.tokenizer_sha256,
                "data_sha256": origin.data_sha256,
            })
        };
        match difference::first(&inputs(found), &inputs(wanted)) {
            None => Ok(()),
            Some(difference) => Err(difference.in_file(&self.folder.join(RECORD))),
        }
    }
}

/// The file that marks a folder as a store.
pub(crate) const STORE_MARKER: &str = "store.json";

/// The greatest depth at which records are searched for.
const DEEPEST: usize = 6;

/// Every record in a folder and below it, in the order of their paths.
pub fn find(folder: &Path) -> Result<Vec<StoredRecord>, StoreError> {
    let homes = record_folders(folder)?;
    // Read in parallel, collected in order, so that the first error does not depend on timing.
    let read: Vec<_> = homes.par_iter().map(|home| read(home)).collect();
    read.into_iter().collect()
}

/// The folders of the records that [`find`] reads, to [`read`] them one after another.
pub fn record_folders(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let Places { homes, .. } = search(folder)?;
    match homes.is_empty() {
        true => Err(StoreError::NoRecords {
            path: folder.to_owned(),
        }),
        false => Ok(homes),
    }
}

/// Every output folder in a folder and below it, in the order of their paths.
pub(super) fn outs(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    Ok(search(folder)?.outs)
}

/// The folders found in a folder and below it, in the order of their paths.
#[derive(Debug, Default)]
struct Places {
    /// Folders with a record.
    homes: Vec<PathBuf>,
    /// Output folders.
    outs: Vec<PathBuf>,
}

fn search(folder: &Path) -> Result<Places, StoreError> {
    let mut places = Places::default();
    descend(folder, DEEPEST, &mut places)?;
    Ok(places)
}

fn descend(folder: &Path, depth: usize, places: &mut Places) -> Result<(), StoreError> {
    if is_record(folder) {
        places.homes.push(folder.to_owned());
        return Ok(());
    }
    if folder.join(STORE_MARKER).is_file() {
        // A store contains no records.
        return Ok(());
    }
    if folder.join(PLAN).is_file() {
        places.outs.push(folder.to_owned());
    }
    if depth == 0 {
        return Ok(());
    }
    let mut inner = Vec::new();
    for entry in fs::read_dir(folder).at("list", folder)? {
        let entry = entry.at("list", folder)?;
        let hidden = entry.file_name().to_string_lossy().starts_with(PARTIAL);
        // `file_type` does not follow links, so cycles of links end here.
        if !hidden && entry.file_type().at("look at", &entry.path())?.is_dir() {
            inner.push(entry.path());
        }
    }
    inner.sort();
    (inner.iter()).try_for_each(|path| descend(path, depth - 1, places))
}

/// Whether a folder has the record of a cell.
pub fn is_record(folder: &Path) -> bool {
    folder.join(RECORD).is_file()
}

/// Reads the record of one cell's folder.
pub fn read(home: &Path) -> Result<StoredRecord, StoreError> {
    let path = home.join(RECORD);
    let record = parse(&path, &fs::read(&path).at("read", &path)?)?;
    check_domains(&path, &record)?;
    let read = |evaluation: &Evaluation| {
        let Evaluation {
            predictions,
            predictions_sha256,
            examples,
            ..
        } = evaluation;
        read_predictions(&path, predictions, predictions_sha256, *examples)
    };
    let predictions = (record.evaluations.iter())
        .map(read)
        .collect::<Result<_, _>>()?;
    let k_shots = (record.k_shots.iter())
        .map(|shot| read(&shot.evaluation))
        .collect::<Result<_, _>>()?;
    let validation = match &record.validation {
        None => Vec::new(),
        Some(ValidationAnswers {
            examples,
            predictions,
            predictions_sha256,
        }) => read_predictions(&path, predictions, predictions_sha256, *examples)?,
    };
    let mut checkpoints = Vec::new();
    if let Some(training) = &record.training {
        check_saved(&path, &training.saved)?;
        checkpoints = (training.checkpoints.iter())
            .map(|checkpoint| read_checkpoint(&path, &record, checkpoint))
            .collect::<Result<_, _>>()?;
    }
    Ok(StoredRecord {
        folder: home.to_owned(),
        record,
        predictions,
        k_shots,
        validation,
        checkpoints,
    })
}

/// The predictions of a checkpoint, on every evaluated domain or on none.
fn read_checkpoint(
    path: &Path,
    record: &Record,
    checkpoint: &Checkpoint,
) -> Result<Vec<Vec<Prediction>>, StoreError> {
    let domains: Vec<&str> = (record.evaluations.iter())
        .map(|one| one.domain.as_str())
        .collect();
    let scored: Vec<&str> = (checkpoint.scores.iter())
        .map(|one| one.domain.as_str())
        .collect();
    let files: Vec<_> = (checkpoint.scores.iter())
        .filter_map(|one| Some((one.examples, one.predictions.as_ref()?)))
        .collect();
    if !files.is_empty() && (scored != domains || files.len() != domains.len()) {
        let (step, all) = (checkpoint.step, domains.join(", "));
        let wanted = format!("predictions of step {step} on {all}");
        let found = format!("{} files on {}", files.len(), scored.join(", "));
        return Err(StoreError::malformed(path, wanted, found));
    }
    (files.into_iter())
        .map(|(examples, kept)| read_predictions(path, &kept.file, &kept.sha256, examples))
        .collect()
}

/// The file of tuned parameters may have been deleted; if it exists, it must be the one that was saved.
pub(crate) fn check_saved(record: &Path, saved: &SavedDelta) -> Result<(), StoreError> {
    let file = beside(record, &saved.file)?;
    match fs::metadata(&file) {
        Ok(found) if found.len() != saved.bytes => {
            let name = record.file_name().unwrap_or_default().display();
            let wanted = format!("{} bytes, as {name} says", saved.bytes);
            let found = format!("{} bytes", found.len());
            Err(StoreError::malformed(&file, wanted, found))
        }
        _ => Ok(()),
    }
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Record, StoreError> {
    let wanted = || format!("a promptshift record of version {RECORD_VERSION}");
    let malformed = |found: String| StoreError::malformed(path, wanted(), found);
    let value = opened(bytes).map_err(malformed)?;
    match value.get("version").and_then(Value::as_u64) {
        Some(version) if version == u64::from(RECORD_VERSION) => {}
        Some(version) => return Err(malformed(format!("version {version}"))),
        None => return Err(malformed("JSON without a version".to_owned())),
    }
    serde_json::from_value(value).map_err(|error| malformed(error.to_string()))
}

/// Checks that the evaluations are on the cell's source and targets, in that order.
fn check_domains(path: &Path, record: &Record) -> Result<(), StoreError> {
    let setting = &record.cell.setting;
    let targets = (setting.targets.iter()).map(|target| (target.as_str(), Role::Target));
    let source = std::iter::once((setting.source.as_str(), Role::Source));
    let wanted: Vec<(&str, Role)> = source.chain(targets).collect();
    let found: Vec<(&str, Role)> = (record.evaluations.iter())
        .map(|evaluation| (evaluation.domain.as_str(), evaluation.role))
        .collect();
    if wanted == found {
        return check_k_shots(path, record);
    }
    let names = |pairs: &[(&str, Role)]| {
        let names: Vec<&str> = pairs.iter().map(|(name, _)| *name).collect();
        names.join(", ")
    };
    let wanted = format!("evaluations of source and targets: {}", names(&wanted));
    Err(StoreError::malformed(path, wanted, names(&found)))
}

/// Checks that the few-shot scores are those that the cell asks for, in the order of targets and K, or that there are
/// none.
fn check_k_shots(path: &Path, record: &Record) -> Result<(), StoreError> {
    let counts =
        (record.cell.setting.tune_on.iter()).flat_map(|tune_on| tune_on.examples.iter().copied());
    let wanted = (record.cell.setting.targets.iter())
        .flat_map(|target| counts.clone().map(move |count| (target.as_str(), count)));
    let wanted: Vec<(&str, usize)> = wanted.collect();
    let found: Vec<(&str, usize)> = (record.k_shots.iter())
        .map(|shot| (shot.evaluation.domain.as_str(), shot.examples))
        .collect();
    if found.is_empty() || wanted == found {
        return Ok(());
    }
    let names = |pairs: &[(&str, usize)]| {
        let names = (pairs.iter()).map(|(name, count)| format!("{name} with {count}"));
        names.collect::<Vec<_>>().join(", ")
    };
    let wanted = format!("scores with examples of targets: {}", names(&wanted));
    Err(StoreError::malformed(path, wanted, names(&found)))
}

pub(crate) fn read_predictions(
    record: &Path,
    file: &str,
    recorded_sha256: &str,
    examples: usize,
) -> Result<Vec<Prediction>, StoreError> {
    let path = beside(record, file)?;
    let malformed =
        |wanted: String, found: String| Err(StoreError::malformed(&path, wanted, found));
    let bytes = contents(&path)?;
    let hash = sha256(&bytes);
    if hash != recorded_sha256 {
        return malformed(
            format!("the predictions with SHA-256 {recorded_sha256}, as record.json says"),
            format!(
                "SHA-256 {hash} ({} bytes): the file was changed or truncated",
                bytes.len()
            ),
        );
    }
    let mut predictions: Vec<Prediction> = Vec::new();
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        if line.is_empty() {
            continue;
        }
        match serde_json::from_slice(line) {
            Ok(prediction) => predictions.push(prediction),
            Err(error) => {
                let wanted = "a prediction on each line".to_owned();
                return malformed(wanted, format!("line {}: {error}", index + 1));
            }
        }
    }
    if predictions.len() != examples {
        let wanted = format!("{examples} predictions, as record.json says");
        return malformed(wanted, predictions.len().to_string());
    }
    Ok(predictions)
}

/// The path of a file that a record names; it must be in the record's folder.
fn beside(record: &Path, name: &str) -> Result<PathBuf, StoreError> {
    let mut parts = Path::new(name).components();
    match (parts.next(), parts.next()) {
        (Some(Component::Normal(_)), None) => Ok(record.with_file_name(name)),
        _ => {
            let wanted = "names of files in its folder";
            Err(StoreError::malformed(record, wanted, format!("'{name}'")))
        }
    }
}

/// The content of a file, or of `FILE.gz` (from `gzip FILE`) if the file is missing.
///
/// # Errors
/// Neither can be read.
pub(crate) fn contents(path: &Path) -> Result<Vec<u8>, StoreError> {
    let mut packed = path.as_os_str().to_owned();
    packed.push(".gz");
    let packed = PathBuf::from(packed);
    match path.exists() || !packed.exists() {
        true => fs::read(path).at("read", path),
        false => unpacked(&packed).at("read", &packed),
    }
}

fn unpacked(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    MultiGzDecoder::new(BufReader::new(File::open(path)?)).read_to_end(&mut bytes)?;
    Ok(bytes)
}
