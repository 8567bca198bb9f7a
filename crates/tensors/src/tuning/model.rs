//! Model tuning, the paper's word for full fine-tuning: every parameter moves.

use burn::module::Module;

use super::Tuned;
use crate::network::Network;

/// Puts the whole backbone on the tape.
pub fn model_tuning(backbone: Network) -> Tuned {
    Tuned::untuned(backbone.train())
}
