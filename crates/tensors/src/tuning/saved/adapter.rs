//! `adapter.safetensors`: the parameters that a method trained, by path in the tuned model, with the same
//! metadata as a prompt's file. The metadata contain the recipe, which determines the parameters to create
//! before they are filled. PEFT's adapter folders can also be read and written.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::SavedError;
use super::metadata::{Made, Metadata, Origin};
use super::peft::{self, folder, prompt::NO_BERT};
use super::prompt::{listing, name};
use super::tensors::{self, Tensors};
use crate::backbone::Backbone;
use crate::tuning::apply::{attach, is_trainable};
use crate::tuning::inputs::MethodInputs;
use crate::tuning::methods::{self, Leaves, lora};
use crate::tuning::tuned::Tuned;
use promptshift_numbers::recipe::{DeltaRecipe, HeadForm, PromptInit, PromptRecipe, Recipe};
use promptshift_text::atomic_file;

/// The file's name in a record's folder.
pub const FILE: &str = "adapter.safetensors";

/// The "wanted" part of errors.
const WANTED: &str = "an adapter that promptshift saved";

/// An adapter as read, not yet applied to a backbone.
#[derive(Debug, Clone)]
pub struct AdapterFile {
    /// The path that it was read from.
    pub path: PathBuf,
    /// Its provenance.
    pub origin: Origin,
    contents: Contents,
}

#[derive(Debug, Clone)]
enum Contents {
    /// promptshift's own format.
    Own {
        recipe: Box<Recipe>,
        tensors: Tensors,
    },
    /// PEFT's format.
    Peft(peft::Adapter),
}

/// A recipe for a delta that another program trained; its training settings are unknown and never read.
fn imported(delta: DeltaRecipe, head: Option<HeadForm>) -> Recipe {
    Recipe {
        prompt: None,
        delta,
        head,
        ..Recipe::paper_prompt()
    }
}

impl AdapterFile {
    /// Reads an `adapter.safetensors`, a record's folder that contains one, or a PEFT folder.
    ///
    /// # Errors
    /// It is absent, damaged, or none of these.
    pub fn open(path: &Path) -> Result<Self, SavedError> {
        let file = path.join(FILE);
        match (path.is_dir(), file.exists()) {
            (false, _) => AdapterFile::open_file(path),
            (true, true) => AdapterFile::open_file(&file),
            (true, false) if folder::is_one(path) => {
                let (adapter, origin) = peft::Adapter::read(path)?;
                Ok(AdapterFile {
                    path: path.to_owned(),
                    origin,
                    contents: Contents::Peft(adapter),
                })
            }
            (true, false) => {
                let wanted = "adapter.safetensors, or PEFT's adapter_config.json with \
                              adapter_model.safetensors";
                let found = listing(path)?;
                Err(SavedError::wrong(path, wanted, found))
            }
        }
    }

    fn open_file(path: &Path) -> Result<Self, SavedError> {
        let bytes = fs::read(path).map_err(SavedError::io(path))?;
        let wrong = |found: String| SavedError::wrong(path, WANTED, found);
        let metadata = Metadata::read(&bytes, path, WANTED)?;
        let no_recipe = |e: serde_json::Error| wrong(format!("a recipe, but {e}"));
        let recipe: Recipe = match &metadata.made {
            Made::Tuned { recipe, .. } => serde_json::from_str(recipe).map_err(no_recipe)?,
            Made::Imported {
                delta: Some(delta),
                head,
                ..
            } => imported(serde_json::from_str(delta).map_err(no_recipe)?, *head),
            Made::Imported { delta: None, .. } => {
                return Err(wrong("an imported prompt".to_string()));
            }
            Made::Subspace { .. } => return Err(wrong("a subspace of prompts".to_string())),
        };
        // A prompt with an added head is saved as an adapter too.
        let is_adapter = match methods::delta(&recipe.delta).leaves() {
            Leaves::Model => false,
            Leaves::Prompt => recipe.head.is_some(),
            Leaves::Adapter => true,
        };
        if !is_adapter {
            return Err(wrong("a recipe without a delta".to_string()));
        }
        Ok(AdapterFile {
            path: path.to_owned(),
            origin: Origin::Own(metadata),
            contents: Contents::Own {
                recipe: Box::new(recipe),
                tensors: tensors::parse(&bytes, path, WANTED)?,
            },
        })
    }

    /// The number of values in it, if the file alone determines it; PEFT's depends on the backbone.
    pub fn numbers(&self) -> Option<usize> {
        match &self.contents {
            Contents::Own { tensors, .. } => {
                Some(tensors.values().map(|(_, values)| values.len()).sum())
            }
            Contents::Peft(_) => None,
        }
    }

    /// The backbone with this adapter; nothing requires gradients. One loaded backbone can be used for any
    /// number of adapters: they share the weights that they do not change.
    ///
    /// # Errors
    /// The adapter was tuned for other weights or another tokenizer, or its tensors do not match its recipe
    /// or, from PEFT, this backbone.
    pub fn onto(&self, backbone: &Backbone) -> Result<Tuned, SavedError> {
        match &self.contents {
            Contents::Own { recipe, tensors } => {
                if let Some(metadata) = self.origin.metadata() {
                    metadata.check(&self.path, backbone)?;
                }
                self.filled(recipe, tensors, backbone)
            }
            Contents::Peft(adapter) => Ok(adapter.onto(backbone)?.tuned),
        }
    }

    /// Creates a recipe's parameters and fills them with these tensors.
    fn filled(
        &self,
        recipe: &Recipe,
        tensors: &Tensors,
        backbone: &Backbone,
    ) -> Result<Tuned, SavedError> {
        let mut start = recipe.clone();
        if let DeltaRecipe::Subspace(subspace) = &recipe.delta {
            // Training saves only the prompt.
            start.delta = DeltaRecipe::Prompt;
            start.prompt = Some(PromptRecipe {
                length: subspace.length,
                init: PromptInit::Uniform,
            });
        }
        if let Some(prompt) = &mut start.prompt {
            // The initialisation is arbitrary, since it is overwritten.
            prompt.init = PromptInit::Uniform;
        }
        let numbers = self.numbers().unwrap_or_default();
        tensors::check_sizes(&start, &backbone.config, numbers).map_err(|found| {
            SavedError::wrong(
                &self.path,
                "a recipe that matches the sizes of its tensors",
                found,
            )
        })?;
        let tuned = attach(backbone, &start, &MethodInputs::default(), 0).map_err(|error| {
            SavedError::wrong(
                &self.path,
                "a recipe that can be applied",
                error.to_string(),
            )
        })?;
        let (tuned, tensors) = (tuned.into_inference(), tensors.clone());
        let is_saved = |path: &str| is_trainable(recipe, path, &backbone.config);
        tensors::filled(tuned, tensors, is_saved, &self.path)
    }

    /// Converts it to an `adapter.safetensors` for `backbone`; returns the file's bytes.
    ///
    /// # Errors
    /// It does not match the backbone, or is already in promptshift's format.
    pub fn adopt(&self, backbone: &Backbone) -> Result<Vec<u8>, SavedError> {
        let (adapter, method, sha256) = match (&self.contents, &self.origin) {
            (Contents::Peft(adapter), Origin::Peft { method, sha256, .. }) => {
                (adapter, method, sha256)
            }
            (_, origin) => {
                let backbone = origin.metadata().map_or("", |own| own.backbone.as_str());
                return Err(SavedError::wrong(
                    &self.path,
                    "PEFT's folder to import",
                    format!("an adapter for '{backbone}' that needs no import"),
                ));
            }
        };
        let peft::Placed { delta, head, tuned } = adapter.onto(backbone)?;
        let made = Made::Imported {
            from: format!("{} (peft)", name(&self.path)),
            sha256: sha256.clone(),
            method: method.name().to_string(),
            delta: Some(serde_json::to_string(&delta).expect("plain data")),
            head,
        };
        let metadata = Metadata::imported(made, backbone);
        let recipe = imported(delta, head);
        let is_saved = |path: &str| is_trainable(&recipe, path, &backbone.config);
        Ok(metadata.sealed(&tensors::of(&tuned, is_saved)))
    }

    /// Writes it as a PEFT folder to a new path.
    ///
    /// # Errors
    /// It does not match the backbone, PEFT can't represent it, the path exists, or it can't be written.
    pub fn export(&self, backbone: &Backbone, out: &Path) -> Result<(), SavedError> {
        let base_model = match &self.origin {
            Origin::Own(metadata) => Some(metadata.backbone.as_str()),
            Origin::Peft { base_model, .. } => base_model.as_deref(),
            Origin::Npy { .. } => None,
        };
        let files = peft::files(self.placed(backbone)?, &backbone.config, base_model)
            .map_err(|found| SavedError::wrong(&self.path, peft::WANTED, found))?;
        Ok(atomic_file::write_folder(out, &files)?)
    }

    /// The backbone's weights with the updates of LoRA, DoRA or VeRA merged into them, as a checkpoint's
    /// `model.safetensors`: the same answers up to rounding, at the cost of the backbone alone.
    ///
    /// # Errors
    /// It does not match the backbone, or is none of these.
    pub fn merged(&self, backbone: &Backbone) -> Result<Vec<u8>, SavedError> {
        let peft::Placed { delta, tuned, .. } = self.placed(backbone)?;
        match delta {
            DeltaRecipe::Lora(_) | DeltaRecipe::Vera(_) => {
                let weights = lora::merged(&tuned).weights();
                Ok(weights.to_bytes(folder::header()))
            }
            other => {
                let wanted = "LoRA, DoRA or VeRA, whose updates can be merged into weights";
                let found = methods::delta(&other).about().name;
                Err(SavedError::wrong(&self.path, wanted, found))
            }
        }
    }

    fn placed(&self, backbone: &Backbone) -> Result<peft::Placed, SavedError> {
        match &self.contents {
            Contents::Own { recipe, .. } => {
                let tuned = self.onto(backbone)?;
                if recipe.delta == DeltaRecipe::Prompt {
                    let found = format!("a soft prompt with a head: {}", NO_BERT);
                    return Err(SavedError::wrong(&self.path, peft::WANTED, found));
                }
                Ok(peft::Placed {
                    delta: recipe.delta.clone(),
                    head: recipe.head,
                    tuned,
                })
            }
            Contents::Peft(adapter) => adapter.onto(backbone),
        }
    }
}
