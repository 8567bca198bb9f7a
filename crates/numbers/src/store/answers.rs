//! Answers of a model to rows that were presented in one way. A batch is written once; later requests take the
//! answers that they need from all batches and add the missing ones.
//!
//! ```text
//! <store>/answers/<of>/<domain>-<way>.<token>.json   one Batch
//! ```

use std::collections::HashMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::training::{Environment, Reuse};
use super::{ANSWERS, Store, entries, is_same, put};
use crate::error::StoreError;
use crate::recipe::{HeadForm, Limits};
use crate::record::Provenance;
use crate::record::seal::{read_sealed, sealed};
use promptshift_text::domain::wording::Wording;
use promptshift_text::hash::sha256;
use promptshift_text::process::token;

/// The model that answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Of {
    /// The backbone as it was pre-trained.
    Untuned {
        /// SHA-256 of its weights.
        model_sha256: String,
        /// SHA-256 of the configuration that they are computed with.
        config_sha256: String,
        /// SHA-256 of its tokenizer.
        tokenizer_sha256: String,
        /// The head added to it, if the task needs one.
        head: Option<HeadForm>,
        /// The seed of the head.
        seed: u64,
    },
    /// A prompt, adapter or model tuned by another program.
    Elsewhere {
        /// SHA-256 of its files.
        sha256: String,
        /// SHA-256 of the backbone's weights.
        model_sha256: String,
        /// SHA-256 of the configuration that they are computed with.
        config_sha256: String,
        /// SHA-256 of its tokenizer.
        tokenizer_sha256: String,
    },
    /// The result of a training.
    Training {
        /// Its name in the store, which includes the environment.
        name: String,
        /// The step, if it is not the kept one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<usize>,
        /// The few-shot tuning on the domain, if any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        few_shot: Option<FewShot>,
    },
}

/// Few-shot tuning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FewShot {
    /// The number of examples.
    pub examples: usize,
    /// SHA-256 of their rows, in the order in which they were drawn.
    pub rows_sha256: String,
    /// Optimiser steps.
    pub steps: usize,
}

/// Everything that an answer to a row depends on, except the row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// The model that answers.
    pub of: Of,
    /// The domain of the rows.
    pub domain: String,
    /// How examples are worded and answers are read.
    pub wording: Wording,
    /// The class strings of the source.
    pub labels: Vec<String>,
    /// Sequence lengths.
    pub limits: Limits,
}

/// Rows that were answered together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// What their answers depend on.
    pub asked: Asked,
    /// Where it was computed.
    pub environment: Environment,
    /// Program, machine and time.
    pub provenance: Provenance,
    /// Seconds for all of them, from tokens to text.
    pub seconds: f64,
    /// Seconds of the few-shot tuning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub few_shot_seconds: Option<f64>,
    /// The highest number of bytes allocated on the host.
    pub peak_bytes: u64,
    pub answers: Vec<StoredAnswer>,
}

/// The answer to one row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredAnswer {
    /// The hash of the row as it was given to the model.
    pub row: String,
    /// The text; the class's label if classes were ranked.
    pub text: String,
    /// Sum of the log-probabilities of the generated tokens, or the log of the class's relative probability.
    pub log_prob: f64,
    /// If classes were ranked, the log of each class's relative probability.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_log_probs: Option<Vec<f64>>,
    /// Input tokens after truncation.
    pub input_tokens: usize,
    /// Generated tokens.
    pub output_tokens: usize,
    /// Whether the input was cut.
    pub cut: bool,
}

/// All stored answers for one [`Asked`], by the hashes of the rows.
#[derive(Debug, Default)]
pub struct Answered {
    batches: Vec<Batch>,
    /// Batch and index of each row's answer.
    places: HashMap<String, (usize, usize)>,
}

/// The answers to some rows and their cost.
#[derive(Debug, Clone)]
pub struct Given<'a> {
    /// One for each row.
    pub answers: Vec<&'a StoredAnswer>,
    /// Seconds, as the requested share of each batch's seconds.
    pub seconds: f64,
    /// Seconds of the few-shot tuning.
    pub few_shot_seconds: f64,
    /// The highest number of bytes allocated on the host by any of the batches.
    pub peak_bytes: u64,
    /// Where the answers come from.
    pub batches: Vec<&'a Batch>,
}

impl Answered {
    /// The indices of rows that have no answer yet. Rows that are identical for the model share an answer.
    pub fn missing(&self, rows: &[String]) -> Vec<usize> {
        let mut seen = std::collections::HashSet::new();
        (rows.iter().enumerate())
            .filter(|(_, row)| !self.places.contains_key(*row) && seen.insert(row.as_str()))
            .map(|(at, _)| at)
            .collect()
    }

    /// The answers to these rows; `None` if any is missing.
    pub fn give(&self, rows: &[String]) -> Option<Given<'_>> {
        let mut used = vec![0_usize; self.batches.len()];
        let mut answers = Vec::with_capacity(rows.len());
        for row in rows {
            let &(batch, at) = self.places.get(row)?;
            used[batch] += 1;
            answers.push(&self.batches[batch].answers[at]);
        }
        let used = || {
            let counts = self.batches.iter().zip(&used);
            counts.filter(|(_, count)| **count > 0)
        };
        let share = |(batch, count): (&Batch, &usize)| {
            batch.seconds * (*count as f64 / batch.answers.len() as f64).min(1.0)
        };
        Some(Given {
            answers,
            seconds: used().map(share).sum(),
            few_shot_seconds: used()
                .filter_map(|(batch, _)| batch.few_shot_seconds)
                .fold(0.0, f64::max),
            peak_bytes: used().map(|(batch, _)| batch.peak_bytes).max().unwrap_or(0),
            batches: used().map(|(batch, _)| batch).collect(),
        })
    }

    fn add(&mut self, batch: Batch) {
        let number = self.batches.len();
        for (at, answer) in batch.answers.iter().enumerate() {
            (self.places.entry(answer.row.clone())).or_insert((number, at));
        }
        self.batches.push(batch);
    }
}

impl Of {
    /// The name of the folder of its answers.
    pub fn folder(&self) -> String {
        match self {
            Of::Training { name, .. } => name.clone(),
            Of::Untuned { .. } => self.hashed("untuned"),
            Of::Elsewhere { .. } => self.hashed("elsewhere"),
        }
    }

    fn hashed(&self, kind: &str) -> String {
        let json = serde_json::to_vec(self).expect("plain data");
        format!("{kind}-{}", &sha256(&json)[..16])
    }
}

impl Asked {
    /// The prefix of its batches' names: the domain and a hash of everything else.
    pub fn name(&self) -> String {
        let json = serde_json::to_vec(self).expect("plain data");
        // The name of a mixture contains characters that file names should not have.
        let plain = |sign: char| match sign.is_ascii_alphanumeric() {
            true => sign,
            false => '_',
        };
        let domain: String = self.domain.chars().map(plain).collect();
        format!("{domain}-{}", &sha256(&json)[..16])
    }
}

impl Store {
    /// The answers that were computed in this environment, or in any environment if `reuse` allows it.
    ///
    /// # Errors
    /// A batch can't be read or was changed.
    pub fn answers(
        &self,
        asked: &Asked,
        environment: &Environment,
        reuse: Reuse,
    ) -> Result<Answered, StoreError> {
        let folder = self.answers_folder(&asked.of);
        let prefix = format!("{}.", asked.name());
        let mut batches = Vec::new();
        for (name, path) in entries(&folder)? {
            if name.starts_with(&prefix) {
                let wanted =
                    "answers as promptshift writes them; without the file they are computed again";
                batches.push(read_sealed::<Batch>(&path, wanted)?);
            }
        }
        // Of several answers to a row the one of this environment is taken, and among those the first.
        batches.sort_by_key(|batch| {
            (
                &batch.environment != environment,
                batch.provenance.started_unix_seconds,
            )
        });
        let mut answered = Answered::default();
        for batch in batches {
            if is_same(&batch.asked, asked)
                && (reuse == Reuse::Any || &batch.environment == environment)
            {
                answered.add(batch);
            }
        }
        Ok(answered)
    }

    /// Stores a batch.
    ///
    /// # Errors
    /// It can't be written.
    pub fn keep_answers(&self, batch: &Batch) -> Result<(), StoreError> {
        let folder = self.answers_folder(&batch.asked.of);
        let path = folder.join(format!("{}.{}.json", batch.asked.name(), token()));
        put(&folder, &path, &sealed(batch))
    }

    fn answers_folder(&self, of: &Of) -> PathBuf {
        self.root.join(ANSWERS).join(of.folder())
    }
}
