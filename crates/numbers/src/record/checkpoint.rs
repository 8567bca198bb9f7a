//! Scores of a model in the middle of its training.

use serde::{Deserialize, Serialize};

/// What a model that was passed in training would have scored. Nothing is chosen by it: it is a point
/// of the line that effective robustness is measured against.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Steps taken.
    pub step: usize,
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
    /// Examples scored: those of the test split, or fewer that were drawn from it, the same for every
    /// checkpoint and seed.
    pub examples: usize,
    /// In [0, 1].
    pub score: f64,
}
