//! Trainings: what their results depend on, and the results.
//!
//! ```text
//! <store>/trainings/<name>/training.json           the TrainingRecord
//!                          squad@validation.jsonl  predictions of the kept step on source validation
//!                          prompt.safetensors      the tuned parameters, for use
//!                          ...                     and the file for further tuning and evaluation
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Store, TRAININGS, Work, folders, is_same};
use crate::error::{IoContext, StoreError};
use crate::recipe::{Limits, Method, Recipe};
use crate::record::folder::{check_saved, read_predictions, sync, sync_files, write_in_draft};
use crate::record::seal::{read_sealed, sealed};
use crate::record::{Prediction, Provenance, SavedDelta, Training, ValidationAnswers};
use promptshift_text::claim::PARTIAL;
use promptshift_text::domain::Task;
use promptshift_text::domain::mixture::Mixing;
use promptshift_text::domain::wording::Wording;
use promptshift_text::hash::sha256;

const RECORD: &str = "training.json";

/// Everything that the result of a training depends on, except the environment. Its hash is the training's name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Subject {
    /// SHA-256 of the backbone's weights.
    pub model_sha256: String,
    /// SHA-256 of the configuration that they are computed with.
    pub config_sha256: String,
    /// SHA-256 of its tokenizer.
    pub tokenizer_sha256: String,
    /// The task of the source.
    pub task: Task,
    /// The source's class strings.
    pub labels: Vec<String>,
    /// SHA-256 of the training rows as they are given to the model, in order; one for each source.
    pub train_sha256: Vec<String>,
    /// SHA-256 of the validation rows with their right answers, likewise.
    pub validation_sha256: Vec<String>,
    /// How several sources are mixed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mixing: Option<Mixing>,
    /// How examples are worded and source validation is asked.
    pub wording: Wording,
    /// Sequence lengths.
    pub limits: Limits,
    /// What is tuned.
    pub method: Method,
    pub recipe: Recipe,
    /// The seed of initialisation, order of examples and dropout.
    pub seed: u64,
}

/// The environment of a computation, as far as the last bits of its result depend on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// [`ARITHMETIC`](super::ARITHMETIC).
    pub arithmetic: u32,
    /// `cpu` or `cuda`, without the index of the device.
    pub device: String,
    /// The processor's name.
    pub processor: String,
    /// The GPU's name, if one is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu: Option<String>,
}

/// Which stored results may be reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reuse {
    /// Those with the same arithmetic, kind of device and processor.
    Same,
    /// Those of any environment, which the report then names.
    Any,
}

/// The content of training.json.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainingRecord {
    /// What it depends on.
    pub subject: Subject,
    /// Where it was computed.
    pub environment: Environment,
    /// Hashes of the files that were read, program, machine and time.
    pub provenance: Provenance,
    /// Learning curve, kept step and cost.
    pub training: Training,
    /// Predictions of the kept step on source validation.
    pub validation: ValidationAnswers,
    /// The file for further tuning and evaluation, which may be the one for use. It may have been deleted: `--keep
    /// none`.
    pub trained: SavedDelta,
}

/// A stored training.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredTraining {
    /// Its name in the store.
    pub name: String,
    pub folder: PathBuf,
    pub record: TrainingRecord,
    /// Its answers to source validation.
    pub validation: Vec<Prediction>,
}

/// A folder of a training.
#[derive(Debug)]
pub struct FoundTraining {
    /// Its name in the store.
    pub name: String,
    pub folder: PathBuf,
    /// The training, or why it can't be read.
    pub training: Result<StoredTraining, StoreError>,
}

impl StoredTraining {
    /// The file for further tuning and evaluation, unless it was not kept.
    pub fn trained(&self) -> Option<PathBuf> {
        Some(self.folder.join(&self.record.trained.file)).filter(|path| path.exists())
    }

    /// Removes its weights but keeps its numbers.
    ///
    /// # Errors
    /// They can't be removed.
    pub fn forget_weights(&self) -> Result<(), StoreError> {
        let record = &self.record;
        for file in [&record.trained.file, &record.training.saved.file] {
            let path = self.folder.join(file);
            if path.exists() {
                fs::remove_file(&path).at("remove", &path)?;
            }
        }
        Ok(())
    }
}

impl Subject {
    /// `prompt-seed0-1f0a9c…`: the same for all environments.
    pub fn name(&self) -> String {
        let json = serde_json::to_vec(self).expect("a subject is plain data");
        let hash = &sha256(&json)[..16];
        format!("{}-seed{}-{hash}", self.method.name(), self.seed)
    }
}

impl Environment {
    /// The name of a training in this environment.
    pub fn name(&self, subject: &Subject) -> String {
        let json = serde_json::to_vec(self).expect("plain data");
        format!("{}-{}", subject.name(), &sha256(&json)[..8])
    }
}

impl Store {
    /// The training of a subject in this environment, or in any environment if `reuse` allows it.
    ///
    /// # Errors
    /// It can't be read or was changed.
    pub fn training(
        &self,
        subject: &Subject,
        environment: &Environment,
        reuse: Reuse,
    ) -> Result<Option<StoredTraining>, StoreError> {
        let all = self.root.join(TRAININGS);
        let own = all.join(environment.name(subject));
        if own.exists() {
            let found = read(&own)?;
            let is_it =
                is_same(&found.record.subject, subject) && found.record.environment == *environment;
            if is_it {
                return Ok(Some(found));
            }
            let wanted = "the training that its folder is named after";
            let name = found.record.environment.name(&found.record.subject);
            let found = format!("that of {name}");
            return Err(StoreError::malformed(&own.join(RECORD), wanted, found));
        }
        if reuse == Reuse::Same {
            return Ok(None);
        }
        let others = folders(&all)?;
        let of_subject =
            |(name, _): &&(String, PathBuf)| of_any_environment(name) == subject.name();
        let Some((_, other)) = others.iter().find(of_subject) else {
            return Ok(None);
        };
        Ok(Some(read(other)?).filter(|found| is_same(&found.record.subject, subject)))
    }

    /// Every training, sorted by name, with an error for those that can't be read. Trainings being removed are not
    /// included.
    ///
    /// # Errors
    /// They can't be listed.
    pub fn trainings(&self) -> Result<Vec<FoundTraining>, StoreError> {
        let mut found = Vec::new();
        for (name, folder) in folders(&self.root.join(TRAININGS))? {
            if name.starts_with(PARTIAL) {
                continue;
            }
            let training = read(&folder);
            // Another process may have removed it in the meantime.
            if folder.exists() {
                found.push(FoundTraining {
                    name,
                    folder,
                    training,
                });
            }
        }
        Ok(found)
    }
}

impl Work {
    /// Writes the record into the [draft](Work::draft), reads it back, and renames the draft to the training's name;
    /// the folder that it would have resumed from is removed.
    ///
    /// # Errors
    /// It can't be written, or another process has taken the claim over.
    pub fn finish(self, record: &TrainingRecord) -> Result<StoredTraining, StoreError> {
        let draft = self.draft();
        let path = draft.join(RECORD);
        write_in_draft(&path, &sealed(record)).at("write", &path)?;
        let mut stored = read(&draft)?;
        sync_files(&draft)?;
        self.claim.check()?;
        let all = self.place.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(all).at("make the folder", all)?;
        if self.place.exists() {
            return Err(StoreError::Exists {
                path: self.place.clone(),
            });
        }
        fs::rename(&draft, &self.place).at("give its final name to", &draft)?;
        sync(all)?;
        self.clear()?;
        stored.folder.clone_from(&self.place);
        stored.name = name_of(&self.place);
        Ok(stored)
    }
}

/// A training's name without its environment.
pub(super) fn of_any_environment(name: &str) -> &str {
    name.rsplit_once('-').map_or(name, |(of, _)| of)
}

fn name_of(folder: &Path) -> String {
    let name = folder.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

fn read(folder: &Path) -> Result<StoredTraining, StoreError> {
    let path = folder.join(RECORD);
    let wanted = "a training as promptshift writes it; without its folder it is trained again";
    let record: TrainingRecord = read_sealed(&path, wanted)?;
    let ValidationAnswers {
        examples,
        predictions,
        predictions_sha256,
    } = &record.validation;
    let validation = read_predictions(&path, predictions, predictions_sha256, *examples)?;
    for saved in [&record.trained, &record.training.saved] {
        check_saved(&path, saved)?;
    }
    Ok(StoredTraining {
        name: name_of(folder),
        folder: folder.to_owned(),
        record,
        validation,
    })
}
