//! Restores the result of a training bit for bit: answering with it later, or tuning it further, gives the
//! same results as if it had stayed in memory.
//!
//! The file that is saved for other uses ([`Tuned::save`]) may be incomplete: P-tuning saves the prompt but
//! not the network that produces it. This module determines which file is complete:
//!
//! | file | after | tensors |
//! |---|---|---|
//! | `model.safetensors` | model tuning, also from random weights, with any head | all, by Hugging Face's names |
//! | `adapter.safetensors` | methods that save an adapter and discard nothing | the trained ones, by path |
//! | `trained.safetensors` | all other methods | the trained ones, by path |
//!
//! [`Tuned::save`] writes the first two files, so weights are not written twice. Everything that is in none
//! of them (the backbone, and parameters that a method draws and freezes) is recreated from the backbone's
//! files and the seed.

use std::fs;
use std::path::Path;

use super::error::SavedError;
use super::metadata::{Made, Metadata};
use super::{adapter, prompt, tensors};
use crate::backbone::Backbone;
use crate::checkpoint::{CheckpointError, Weights};
use crate::network::Config;
use crate::tuning::apply::{TuningError, attach, is_trainable, supports};
use crate::tuning::inputs::MethodInputs;
use crate::tuning::methods::{self, Leaves};
use crate::tuning::tuned::Tuned;
use promptshift_numbers::recipe::Recipe;
use promptshift_numbers::record::difference;
use promptshift_numbers::record::folder::StoreError;
use promptshift_numbers::record::{Cell, Provenance, SavedDelta};
use promptshift_text::hash::sha256;

/// The file's name in a folder.
pub const FILE: &str = "trained.safetensors";

/// The "wanted" part of errors.
const WANTED: &str = "the result of a promptshift training";

/// The files that a training saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedTraining {
    /// The prompt, adapter or model for answering, written by [`Tuned::save`].
    pub answering: SavedDelta,
    /// The file that [`restored`] reads; the same file if that is complete.
    pub trained: SavedDelta,
}

/// Why the result of a training can't be restored.
#[derive(Debug, thiserror::Error)]
pub enum TrainedError {
    /// The file is absent, damaged, from another training, or does not contain the recipe's tensors.
    #[error(transparent)]
    File(#[from] SavedError),
    /// A whole model's weights do not match the backbone's configuration.
    #[error(transparent)]
    Weights(#[from] CheckpointError),
    /// The method can't be applied to the backbone.
    #[error(transparent)]
    Places(#[from] TuningError),
}

/// Whether a recipe trains a whole model, which is saved as `model.safetensors`.
fn leaves_model(recipe: &Recipe) -> bool {
    methods::delta(&recipe.delta).leaves() == Leaves::Model
}

/// Writes the result of a training into `folder`: the file for answering and, if that is incomplete, also
/// `trained.safetensors`. `tuned` must still have what only training needs, so call this before
/// [`Tuned::into_inference`]. `metadata` contains the recipe and the seed.
///
/// # Errors
/// A file can't be written.
pub fn save_trained(
    tuned: &Tuned,
    recipe: &Recipe,
    config: &Config,
    metadata: &Metadata,
    folder: &Path,
) -> Result<SavedTraining, StoreError> {
    let finished = tuned.clone().into_inference();
    let answering = finished.save_as(Some(recipe), config, metadata, folder)?;
    let trained = match leaves_model(recipe) {
        true => answering.clone(),
        false => {
            let bytes = trained_bytes(tuned, recipe, config, metadata);
            match delta_of(&answering.file, &bytes) {
                same if same == answering => same,
                _ => write(FILE, &bytes, folder)?,
            }
        }
    };
    Ok(SavedTraining { answering, trained })
}

/// The bytes of a file that [`restored`] reads: a whole model's weights, or all tensors that the recipe
/// trains, by their paths in [`Tuned`].
pub fn trained_bytes(
    tuned: &Tuned,
    recipe: &Recipe,
    config: &Config,
    metadata: &Metadata,
) -> Vec<u8> {
    match leaves_model(recipe) {
        true => model_bytes(tuned, metadata),
        false => trained_tensors(tuned, recipe, config, metadata),
    }
}

/// Restores the `tuned` that was passed to [`save_trained`], bit for bit, from the file that it returned as
/// `trained`. Backbone, recipe, words and seed must be those passed to [`apply`](crate::tuning::apply()),
/// because frozen random parameters are drawn again. Nothing requires gradients until
/// [`resumed`](crate::tuning::resumed).
///
/// # Errors
/// The file is absent or damaged, it belongs to another recipe, seed or backbone, or its tensors are not
/// exactly those that the recipe trains, with the right shapes and finite values.
pub fn restored(
    backbone: &Backbone,
    recipe: &Recipe,
    words: &MethodInputs,
    seed: u64,
    path: &Path,
) -> Result<Tuned, TrainedError> {
    let bytes = fs::read(path).map_err(SavedError::io(path))?;
    let metadata = Metadata::read(&bytes, path, WANTED)?;
    metadata.check(path, backbone)?;
    check_training(&metadata, recipe, seed, path)?;
    supports(recipe, backbone.config.kind())?;
    if leaves_model(recipe) {
        let weights = Weights::parse(&bytes, &path.display().to_string())?;
        drop(bytes);
        // All values come from the file, so no initial values are drawn.
        let start = Tuned::untuned_on(backbone, recipe.head, seed);
        return Ok(Tuned {
            backbone: start.backbone.with_weights(&backbone.config, weights)?,
            ..start
        });
    }
    let found = tensors::parse(&bytes, path, WANTED)?;
    drop(bytes);
    let start = attach(backbone, recipe, words, seed)?;
    let is_saved = |path: &str| is_trainable(recipe, path, &backbone.config);
    Ok(tensors::filled(start, found, is_saved, path)?)
}

/// Checks that a file was saved by the training of this recipe and seed: the tensors of another training
/// could match but have a different meaning.
fn check_training(
    metadata: &Metadata,
    recipe: &Recipe,
    seed: u64,
    path: &Path,
) -> Result<(), SavedError> {
    let wrong = |wanted: String, found: String| Err(SavedError::wrong(path, wanted, found));
    let Made::Tuned {
        recipe: made,
        seed: made_with,
        ..
    } = &metadata.made
    else {
        return wrong(WANTED.to_string(), metadata.title());
    };
    if *made_with != seed.to_string() {
        return wrong(format!("a training with seed {seed}"), made_with.clone());
    }
    let made: Recipe = match serde_json::from_str(made) {
        Ok(made) => made,
        Err(error) => return wrong(WANTED.to_string(), format!("a recipe, but {error}")),
    };
    match difference::first(recipe, &made) {
        None => Ok(()),
        Some(other) => wrong(
            format!("a training with {} {}", other.field, other.first),
            other.second,
        ),
    }
}

/// The name of a whole model's file, as in Hugging Face's layout.
const MODEL: &str = "model.safetensors";

impl Tuned {
    /// Writes the tuned result into `folder`.
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

    /// Writes the result of a recipe into `folder` in its form for other uses: a prompt, an adapter or a
    /// whole model.
    fn save_as(
        &self,
        recipe: Option<&Recipe>,
        config: &Config,
        metadata: &Metadata,
        folder: &Path,
    ) -> Result<SavedDelta, StoreError> {
        let adapted = recipe.filter(|recipe| {
            let headed = recipe.head.is_some() && !recipe.is_model_tuning();
            headed || methods::delta(&recipe.delta).leaves() == Leaves::Adapter
        });
        let (name, bytes) = match (adapted, self.vectors()) {
            (Some(recipe), _) => (
                adapter::FILE,
                trained_tensors(self, recipe, config, metadata),
            ),
            (None, Some(vectors)) => (prompt::FILE, prompt::to_bytes(&vectors, metadata)),
            (None, None) => (MODEL, model_bytes(self, metadata)),
        };
        write(name, &bytes, folder)
    }
}

/// The file of a whole model.
fn model_bytes(tuned: &Tuned, metadata: &Metadata) -> Vec<u8> {
    let weights = tuned.backbone.weights();
    metadata.sealed(&weights)
}

/// The file with everything that a recipe trains, by path.
fn trained_tensors(
    tuned: &Tuned,
    recipe: &Recipe,
    config: &Config,
    metadata: &Metadata,
) -> Vec<u8> {
    metadata.sealed(&tensors::of(tuned, |path| {
        is_trainable(recipe, path, config)
    }))
}

/// Writes a file with this name.
fn write(name: &str, bytes: &[u8], folder: &Path) -> Result<SavedDelta, StoreError> {
    let path = folder.join(name);
    std::fs::write(&path, bytes).map_err(|source| StoreError::Io {
        action: "write",
        path: path.clone(),
        source,
    })?;
    Ok(delta_of(name, bytes))
}

/// The record entry of a file with this name.
fn delta_of(name: &str, bytes: &[u8]) -> SavedDelta {
    SavedDelta {
        file: name.to_string(),
        bytes: bytes.len() as u64,
        sha256: sha256(bytes),
    }
}

#[cfg(test)]
mod tests;
