//! Scores of a model in the middle of its training.

use serde::{Deserialize, Serialize};

/// What a model would have scored if its training had been stopped earlier. The step that a training keeps
/// is not chosen by it. Methods are compared with model tuning stopped where it scores as they do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Steps taken.
    pub step: usize,
    /// The metric on all of source validation, in [0, 1]; of model tuning alone, and absent in records from before
    /// it was scored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_score: Option<f64>,
    /// The metric's name, as in [`Evaluation::metrics`](super::Evaluation::metrics).
    pub metric: String,
    /// The source first, then targets in the order of the record.
    pub scores: Vec<CheckpointScore>,
    /// Seconds that all of them took; they are no part of those of training.
    pub seconds: f64,
}

/// A checkpoint on one domain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckpointScore {
    /// The domain's name.
    pub domain: String,
    /// Examples scored: of model tuning all of the test split, of other methods fewer that were drawn from it, the
    /// same for every checkpoint and seed.
    pub examples: usize,
    /// In [0, 1].
    pub score: f64,
    /// The predictions, of model tuning alone, and absent in records from before they were kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predictions: Option<CheckpointPredictions>,
}

/// Where the predictions of a checkpoint on a domain are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointPredictions {
    /// Their file (JSON lines of [`Prediction`](super::Prediction)), relative to the record.
    pub file: String,
    /// Its SHA-256.
    pub sha256: String,
}
