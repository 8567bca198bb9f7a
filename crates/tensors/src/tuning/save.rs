//! What tuning leaves behind: `prompt.safetensors` `[P, D]`, `adapter.safetensors` or a whole
//! `model.safetensors`, with the backbone, the domain, the recipe and the seed in its [`Metadata`].

use std::path::Path;

use super::adapter_file;
use super::methods;
use super::prompt_file::{self, Metadata};
use super::trained_tensors;
use super::tuned::Tuned;
use crate::checkpoint::seal;
use crate::network::Config;
use promptshift_numbers::recipe::Recipe;
use promptshift_numbers::record::folder::StoreError;
use promptshift_numbers::record::{Cell, Provenance, SavedDelta};
use promptshift_text::hash::sha256;

/// The name of a whole model's file, which is Hugging Face's.
pub(super) const MODEL: &str = "model.safetensors";

impl Tuned {
    /// Writes what was tuned into `folder`.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn save(
        &self,
        cell: &Cell,
        config: &Config,
        provenance: &Provenance,
        folder: &Path,
    ) -> Result<SavedDelta, StoreError> {
        let metadata = Metadata::of_cell(cell, config.kind(), provenance);
        self.save_as(cell.recipe.as_ref(), config, &metadata, folder)
    }

    /// Writes what a recipe came to into `folder`, in the form that it has for others: a prompt, an adapter or
    /// a whole model.
    pub(super) fn save_as(
        &self,
        recipe: Option<&Recipe>,
        config: &Config,
        metadata: &Metadata,
        folder: &Path,
    ) -> Result<SavedDelta, StoreError> {
        let adapted = recipe.filter(|recipe| {
            let headed = recipe.head.is_some() && !recipe.is_model_tuning();
            headed || methods::delta(&recipe.delta).leaves_adapter()
        });
        let (name, bytes) = match (adapted, self.vectors()) {
            (Some(recipe), _) => (
                adapter_file::FILE,
                trained_tensors::to_bytes(self, recipe, config, metadata),
            ),
            (None, Some(vectors)) => (prompt_file::FILE, prompt_file::to_bytes(&vectors, metadata)),
            (None, None) => (MODEL, model_bytes(self, metadata)),
        };
        write(name, &bytes, folder)
    }
}

/// A whole model's file.
pub(super) fn model_bytes(tuned: &Tuned, metadata: &Metadata) -> Vec<u8> {
    let weights = tuned.backbone.weights();
    seal::sealed(metadata.entries(), |metadata| weights.to_bytes(metadata))
}

/// Writes a file of this name.
pub(super) fn write(name: &str, bytes: &[u8], folder: &Path) -> Result<SavedDelta, StoreError> {
    let path = folder.join(name);
    std::fs::write(&path, bytes).map_err(|source| StoreError::Io {
        action: "write",
        path: path.clone(),
        source,
    })?;
    Ok(delta_of(name, bytes))
}

/// What is recorded of a file of this name.
pub(super) fn delta_of(name: &str, bytes: &[u8]) -> SavedDelta {
    SavedDelta {
        file: name.to_string(),
        bytes: bytes.len() as u64,
        sha256: sha256(bytes),
    }
}
