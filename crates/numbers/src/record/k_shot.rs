//! What came of tuning that went on with a few examples of a target.

use serde::{Deserialize, Serialize};

use super::Evaluation;

/// One target with one number of examples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KShot {
    /// `K`, the examples that were tuned on.
    pub examples: usize,
    /// Which rows of the target's training split they are: those of a smaller K are in a larger one.
    pub ids: Vec<String>,
    /// Optimiser steps.
    pub steps: usize,
    /// Examples a step.
    pub batch_size: usize,
    /// Seconds spent in them.
    pub train_seconds: f64,
    /// On the target's test rows, the same as without any example.
    pub evaluation: Evaluation,
}
