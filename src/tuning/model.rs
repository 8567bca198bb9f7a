//! Model tuning, the paper's word for full fine-tuning: every parameter moves.

use burn::module::Module;

use super::Tuned;
use crate::t5::T5;

/// Puts the whole backbone on the tape.
pub fn model_tuning(backbone: T5) -> Tuned {
    Tuned::untuned(backbone.train())
}
