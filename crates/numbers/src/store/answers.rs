//! Answers: what a model said to rows that were put to it in one way. A batch is written once; later questions take
//! from all batches what they ask for, and add what is missing.
//!
//! ```text
//! <store>/answers/<of>/<domain>-<way>.<token>.json   one Batch
//! ```

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::training::{Environment, Reuse};
use super::{ANSWERS, Store, is_same, put};
use crate::error::{IoContext, StoreError};
use crate::recipe::{HeadForm, Limits};
use crate::record::Provenance;
use crate::record::seal::{opened_as, sealed};
use promptshift_text::domain::wording::Wording;
use promptshift_text::hash::sha256;
use promptshift_text::process::token;

/// What answers.
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
        /// The head that was put on it, where it takes one.
        head: Option<HeadForm>,
        /// What that was drawn by.
        seed: u64,
    },
    /// What was tuned elsewhere.
    Elsewhere {
        /// SHA-256 of what was tuned.
        sha256: String,
        /// SHA-256 of the backbone's weights.
        model_sha256: String,
        /// SHA-256 of the configuration that they are computed with.
        config_sha256: String,
        /// SHA-256 of its tokenizer.
        tokenizer_sha256: String,
    },
    /// What a training left.
    Training {
        /// Its name in the store, which has the environment that it was trained in.
        name: String,
        /// At this step instead of the one that was kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<usize>,
        /// After tuning on with a few examples of the domain.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        few_shot: Option<FewShot>,
    },
}

/// Tuning on with a few examples.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FewShot {
    /// How many.
    pub examples: usize,
    /// SHA-256 of their rows, in the order in which they were drawn.
    pub rows_sha256: String,
    /// Optimiser steps.
    pub steps: usize,
}

/// Everything that an answer to a row depends on, but the row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// What answers.
    pub of: Of,
    /// The domain that the rows are of.
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
    /// How they were asked.
    pub asked: Asked,
    /// Where it was computed.
    pub environment: Environment,
    /// Who computed it, and when.
    pub provenance: Provenance,
    /// Seconds from tokens to text, for all of them.
    pub seconds: f64,
    /// Seconds of tuning on with a few examples before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub few_shot_seconds: Option<f64>,
    /// The highest number of bytes allocated on the host.
    pub peak_bytes: u64,
    /// The answers.
    pub answers: Vec<StoredAnswer>,
}

/// The answer to one row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredAnswer {
    /// The hash of what the model was given of the row.
    pub row: String,
    /// The text; the class's label where classes were ranked.
    pub text: String,
    /// Sum of the generated tokens' log-probabilities, or the logarithm of the class's share.
    pub log_prob: f64,
    /// Where classes were ranked, the logarithm of each one's share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_log_probs: Option<Vec<f64>>,
    /// Input tokens after the cut.
    pub input_tokens: usize,
    /// Generated tokens.
    pub output_tokens: usize,
    /// Whether the input was cut.
    pub cut: bool,
}

/// All that was answered to one question, by the rows' hashes.
#[derive(Debug, Default)]
pub struct Answered {
    batches: Vec<Batch>,
    /// Batch and place of each row's answer.
    places: HashMap<String, (usize, usize)>,
}

/// The answers to some rows, and what they cost.
#[derive(Debug, Clone)]
pub struct Given<'a> {
    /// One for each row.
    pub answers: Vec<&'a StoredAnswer>,
    /// Seconds: of each batch, the share of its rows that were asked for.
    pub seconds: f64,
    /// Seconds of tuning on with a few examples.
    pub few_shot_seconds: f64,
    /// The highest number of bytes allocated on the host by any of the batches.
    pub peak_bytes: u64,
    /// Where the answers come from.
    pub batches: Vec<&'a Batch>,
}

impl Answered {
    /// The places of the rows that have no answer yet. Rows that a model can't tell apart have one.
    pub fn missing(&self, rows: &[String]) -> Vec<usize> {
        let mut seen = std::collections::HashSet::new();
        (rows.iter().enumerate())
            .filter(|(_, row)| !self.places.contains_key(*row) && seen.insert(row.as_str()))
            .map(|(at, _)| at)
            .collect()
    }

    /// The answers to these rows; `None` if one is missing.
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
    /// The folder of its answers.
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
    /// The beginning of the names of its batches: the domain and a hash of everything else.
    pub fn name(&self) -> String {
        let json = serde_json::to_vec(self).expect("plain data");
        // A mixture's name has signs that file names should not.
        let plain = |sign: char| {
            if sign.is_ascii_alphanumeric() {
                sign
            } else {
                '_'
            }
        };
        let domain: String = self.domain.chars().map(plain).collect();
        format!("{domain}-{}", &sha256(&json)[..16])
    }
}

impl Store {
    /// What was answered to a question in this environment, or in any where `reuse` says so.
    ///
    /// # Errors
    /// A batch can't be read, or was changed since it was written.
    pub fn answers(
        &self,
        asked: &Asked,
        environment: &Environment,
        reuse: Reuse,
    ) -> Result<Answered, StoreError> {
        let folder = self.answers_folder(&asked.of);
        let mut paths = Vec::new();
        if folder.exists() {
            for entry in fs::read_dir(&folder).at("list", &folder)? {
                let entry = entry.at("list", &folder)?;
                let name = entry.file_name().to_string_lossy().into_owned();
                if name
                    .split_once('.')
                    .is_some_and(|(way, _)| way == asked.name())
                {
                    paths.push(entry.path());
                }
            }
        }
        paths.sort();
        let mut batches = Vec::new();
        for path in paths {
            let bytes = fs::read(&path).at("read", &path)?;
            let batch: Batch = opened_as(&bytes).map_err(|found| StoreError::Malformed {
                path,
                wanted:
                    "answers as promptshift writes them; without the file they are computed anew"
                        .to_owned(),
                found,
            })?;
            batches.push(batch);
        }
        // Of two answers to a row, that of this environment, and of those the first.
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

    /// Keeps a batch.
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
