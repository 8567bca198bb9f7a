//! What tuning leaves behind: `prompt.safetensors` `[P, D]` or a whole `model.safetensors`, with
//! the backbone, the domain, the recipe and the seed in its [`Metadata`].

use std::path::Path;

use super::Tuned;
use super::prompt_file::{self, Metadata, Vectors};
use crate::provenance::sha256;
use crate::record::store::StoreError;
use crate::record::{Cell, Provenance, SavedDelta};

impl Tuned {
    /// The prompt as plain numbers, where there is one.
    pub fn vectors(&self) -> Option<Vectors> {
        let vectors = self.prompt.as_ref()?.vectors();
        let shape = vectors.dims();
        let values = vectors.into_data().try_to_vec().expect("prompts are f32");
        Some(Vectors::of_rows(shape, values))
    }

    /// Writes what was tuned into `folder`.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn save(
        &self,
        cell: &Cell,
        provenance: &Provenance,
        folder: &Path,
    ) -> Result<SavedDelta, StoreError> {
        let metadata = Metadata::of_cell(cell, provenance);
        let (name, bytes) = match self.vectors() {
            Some(vectors) => (
                prompt_file::FILE,
                prompt_file::to_bytes(&vectors, &metadata),
            ),
            None => {
                let weights = self.backbone.weights();
                ("model.safetensors", weights.to_bytes(metadata.entries()))
            }
        };
        let path = folder.join(name);
        std::fs::write(&path, &bytes).map_err(|source| StoreError::Io {
            action: "write",
            path: path.clone(),
            source,
        })?;
        Ok(SavedDelta {
            file: name.to_string(),
            bytes: bytes.len() as u64,
            sha256: sha256(&bytes),
        })
    }
}
