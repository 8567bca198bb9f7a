//! What tuning leaves behind: `prompt.safetensors` `[P, D]` or a whole `model.safetensors`, with
//! the backbone, the domain, the recipe and the seed in its metadata.

use std::collections::BTreeMap;
use std::path::Path;

use super::Tuned;
use crate::provenance::sha256;
use crate::record::store::StoreError;
use crate::record::{Cell, Provenance, SavedDelta};
use crate::t5::Weights;

/// The tensor's name in `prompt.safetensors`.
pub const PROMPT: &str = "prompt";

impl Tuned {
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
        let (name, weights) = match &self.prompt {
            Some(prompt) => {
                let vectors = prompt.vectors();
                let shape = vectors.dims().to_vec();
                let values = vectors.into_data().try_to_vec().expect("prompts are f32");
                let mut weights = Weights::empty("");
                weights.put(PROMPT, shape, values);
                ("prompt.safetensors", weights)
            }
            None => ("model.safetensors", self.backbone.weights()),
        };
        let path = folder.join(name);
        let bytes = weights.to_bytes(metadata(cell, provenance));
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

fn metadata(cell: &Cell, provenance: &Provenance) -> BTreeMap<String, String> {
    let recipe = serde_json::to_string(&cell.recipe).expect("a recipe is plain data");
    [
        ("format", "pt".to_string()),
        ("promptshift_version", provenance.version.clone()),
        ("method", cell.method.name().to_string()),
        ("source", cell.source.clone()),
        ("seed", cell.seed.to_string()),
        ("recipe", recipe),
        ("backbone", cell.model.clone()),
        ("backbone_sha256", provenance.model_sha256.clone()),
        ("tokenizer_sha256", provenance.tokenizer_sha256.clone()),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_string(), value))
    .collect()
}
