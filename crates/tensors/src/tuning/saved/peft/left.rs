//! What the methods' converters share: tensors read from a folder and not yet used, and what is written.

use std::path::Path;

use serde_json::Value;

use crate::checkpoint::Weights;
use crate::decoder_only::Shape;
use crate::network::Config as NetworkConfig;
use crate::tuning::saved::error::SavedError;
use crate::tuning::saved::tensors::Tensors;
use crate::tuning::tuned::Tuned;
use promptshift_numbers::recipe::{DeltaRecipe, HeadForm};

/// An adapter applied to a backbone; nothing requires gradients.
pub(in crate::tuning::saved) struct Placed {
    pub(in crate::tuning::saved) delta: DeltaRecipe,
    /// The head that came with it, if the network has none of its own.
    pub(in crate::tuning::saved) head: Option<HeadForm>,
    pub(in crate::tuning::saved) tuned: Tuned,
}

/// Configuration keys and tensors.
pub(super) struct Written {
    pub(super) keys: Vec<(&'static str, Value)>,
    pub(super) tensors: Weights,
}

/// The key for GPT-2, whose weights are stored `[in, out]`; PEFT detects this itself, with a warning.
pub(super) fn transposed_weights(config: &NetworkConfig) -> Option<(&'static str, Value)> {
    match config {
        NetworkConfig::DecoderOnly(decoder) if decoder.shape == Shape::Gpt2 => {
            Some(("fan_in_fan_out", true.into()))
        }
        _ => None,
    }
}

/// The tensors that have not been used yet.
pub(super) struct Left<'a> {
    pub(super) tensors: Tensors,
    pub(super) path: &'a Path,
}

impl Left<'_> {
    /// Takes a tensor's values; it must have this shape if it exists.
    pub(super) fn take<const N: usize>(
        &mut self,
        name: &str,
        wanted: [usize; N],
    ) -> Result<Option<Vec<f32>>, SavedError> {
        let Some((shape, values)) = self.tensors.remove(name) else {
            return Ok(None);
        };
        match shape == wanted {
            true => Ok(Some(values)),
            false => Err(self.wrong(format!("'{name}' {wanted:?}"), format!("{shape:?}"))),
        }
    }

    /// A tensor's shape, if it exists.
    pub(super) fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(|(shape, _)| shape.as_slice())
    }

    /// The name of the first unused tensor, for messages.
    pub(super) fn first(&self) -> String {
        (self.tensors.keys().next()).map_or_else(none, |name| format!("'{name}'"))
    }

    pub(super) fn wrong(&self, wanted: String, found: String) -> SavedError {
        SavedError::wrong(self.path, wanted, found)
    }
}

pub(super) fn none() -> String {
    "none".to_string()
}
