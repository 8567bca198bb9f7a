//! What the memory at the peak of a training is made of.
//!
//! Three parts are counted from the tensors themselves: weights, gradients, optimiser state (the
//! "model states" of Rajbhandari et al. 2020, ZeRO, arXiv:1910.02054). Activations are measured:
//! what the allocator had handed out at the peak beyond what was there before the step, less the
//! gradients. What then is left of the peak was there before the step and is none of the three.

use serde::{Deserialize, Serialize};

/// The parts of the highest peak of a training, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeakParts {
    /// What training was doing.
    pub moment: Moment,
    /// Every parameter of the model in training, frozen or not, the method's own among them.
    pub weights: u64,
    /// The trainable tensors' gradients. The backward pass makes them one after another and the peak
    /// may be before the last one, so that some of these bytes may have been activations.
    pub gradients: u64,
    /// What the optimiser keeps from step to step.
    pub optimizer_state: u64,
    /// What came with the step, the gradients of parameters apart: activations that the backward pass
    /// needs, their gradients, and working memory of operations.
    pub activations: u64,
}

/// What training does when memory is highest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// The loss of a batch.
    Forward,
    /// Its gradients.
    Backward,
    /// Clipping and the optimiser's step.
    Update,
    /// The scoring of source validation.
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

impl PeakParts {
    /// What a peak of so many bytes holds besides: the model as it was loaded, which the next run
    /// starts from, the best step's copy, the rows as tokens.
    pub fn left_over(&self, peak_bytes: u64) -> u64 {
        let parts = self.weights + self.gradients + self.optimizer_state + self.activations;
        peak_bytes.saturating_sub(parts)
    }
}
