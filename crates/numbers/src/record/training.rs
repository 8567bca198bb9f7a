//! How a training went: its learning curve, the step that was kept, scores at earlier steps, and its cost in time and
//! memory.

use serde::{Deserialize, Serialize};

/// Why training ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// All steps were taken.
    Budget,
    /// The score on source validation stopped improving.
    Patience,
}

/// How a training went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Training {
    /// Parameters that the optimiser may change.
    pub trainable_parameters: usize,
    /// All parameters of backbone and prompt.
    pub total_parameters: usize,
    /// Rows in the training set.
    pub examples: usize,
    /// Training inputs that were longer than the limit.
    pub cut_inputs: usize,
    /// Steps taken.
    pub steps: usize,
    /// The step whose parameters were kept, by source validation.
    pub best_step: usize,
    /// Why it ended.
    pub stop: Stop,
    /// The learning curve.
    pub curve: Vec<CurvePoint>,
    /// Input and target tokens seen, without padding and prompt.
    pub tokens: u64,
    /// Seconds spent in training steps, without validation.
    pub train_seconds: f64,
    /// Seconds spent scoring source validation.
    pub validation_seconds: f64,
    /// The highest number of bytes allocated on the host during training.
    pub peak_bytes: u64,
    /// The parts of that peak. Absent if tensors are on a device with its own memory, and in records written before
    /// it was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_parts: Option<PeakParts>,
    /// The highest number of bytes that the memory pools of the model's device had reserved during training: the memory
    /// that the device must have, including what is free inside of the pools. Absent if tensors are in host memory, and
    /// in records written before it was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserved_peak_bytes: Option<u64>,
    /// How far the trained parameters moved. Absent if that is not a finite number, and in records written before it
    /// was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub movement: Option<Movement>,
    /// Scores at earlier steps, ascending. Older records have those of model tuning only, or none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checkpoints: Vec<Checkpoint>,
    /// The file with the tuned parameters: the prompt, the adapter or the whole model.
    pub saved: SavedDelta,
    /// Its name in the store. Absent in records written before there was a store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored_as: Option<String>,
}

/// How far training moved the trainable parameters: Euclidean norms over all trainable tensors together.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Movement {
    /// Of the parameters before the first step.
    pub start_norm: f64,
    /// Of the parameters after the last step, even if an earlier step was kept.
    pub end_norm: f64,
    /// Of the difference between the two.
    pub change_norm: f64,
}

impl Movement {
    /// The change divided by the norm at the start; `None` if all parameters started at zero.
    pub fn relative(&self) -> Option<f64> {
        (self.start_norm > 0.0).then(|| self.change_norm / self.start_norm)
    }
}

/// The file with the tuned parameters. It may be deleted to save space: reports do not need it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedDelta {
    /// Its name, relative to the record.
    pub file: String,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256.
    pub sha256: String,
}

/// One point of the learning curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// Steps taken so far.
    pub step: usize,
    /// Mean training loss per target token since the previous point; absent at step 0.
    pub train_loss: Option<f64>,
    /// The main metric on source validation, in [0, 1].
    pub validation_score: f64,
}

/// What a model would have scored if its training had been stopped earlier. It has no part in choosing the step that is
/// kept; it serves to compare methods with model tuning stopped at their source score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Steps taken.
    pub step: usize,
    /// The metric on all of source validation, in [0, 1]. Of model tuning only; absent in older records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_score: Option<f64>,
    /// The metric's name, as in [`Evaluation::metrics`](super::Evaluation::metrics).
    pub metric: String,
    /// The source first, then targets in the order of the record.
    pub scores: Vec<CheckpointScore>,
    /// Seconds that scoring took; not part of the training's seconds.
    pub seconds: f64,
}

/// A checkpoint's score on one domain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckpointScore {
    /// The domain's name.
    pub domain: String,
    /// Examples scored: the whole test split for model tuning; for other methods a sample of it, the same for every
    /// checkpoint and seed.
    pub examples: usize,
    /// In [0, 1].
    pub score: f64,
    /// The predictions. Of model tuning only; absent in older records.
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

/// What the memory at a training's peak consists of, in bytes.
///
/// Weights, gradients and optimiser state (the "model states" of Rajbhandari et al. 2020, ZeRO, arXiv:1910.02054) are
/// counted from the tensors. Activations are measured: the bytes allocated at the peak, less those allocated before the
/// step, less the gradients. The rest of the peak was allocated before the step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeakParts {
    /// What training was doing.
    pub moment: Moment,
    /// All parameters of the model in training, frozen or not, including those that the method added.
    pub weights: u64,
    /// The gradients of the trainable tensors. The backward pass computes them one after another, and the peak may come
    /// before the last one, so some of these bytes may have been activations.
    pub gradients: u64,
    /// What the optimiser keeps from step to step.
    pub optimizer_state: u64,
    /// What the step allocated apart from the parameters' gradients: activations that the backward pass needs, their
    /// gradients, and working memory of operations.
    pub activations: u64,
}

impl PeakParts {
    /// The rest of a peak of so many bytes: the model as it was loaded, which the next run starts from, the copy of the
    /// best step, and the rows as tokens.
    pub fn left_over(&self, peak_bytes: u64) -> u64 {
        let parts = self.weights + self.gradients + self.optimizer_state + self.activations;
        peak_bytes.saturating_sub(parts)
    }
}

/// What training was doing when memory was highest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// The loss of a batch.
    Forward,
    /// Its gradients.
    Backward,
    /// Clipping and the optimiser's step.
    Update,
    /// Scoring source validation.
    Validation,
}

impl Moment {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Moment::Forward => "forward pass",
            Moment::Backward => "backward pass",
            Moment::Update => "update",
            Moment::Validation => "validation",
        }
    }
}
