//! `adapter.safetensors`: what a method trained, by its path in the tuned model, with the same
//! metadata as a prompt's file. It holds the recipe, so that the places can be made again and filled.
//! PEFT's folders of adapters are read as well, and written.

mod peft;
mod sizes;

use std::fs;
use std::path::{Path, PathBuf};

use super::apply::attach;
use super::inputs::MethodInputs;
use super::methods::lora;
use super::prompt_file::{Made, Metadata, PromptFileError};
use super::trained_tensors::{self, Tensors};
use super::tuned::Tuned;
use super::{peft_folder, prompt_file};
use crate::backbone::Backbone;
use promptshift_numbers::recipe::{
    DeltaRecipe, HeadForm, Method, PromptInit, PromptRecipe, Recipe,
};
use promptshift_text::atomic_file;
use promptshift_text::domain::wording::Wording;

/// The file's name in a record's folder.
pub const FILE: &str = "adapter.safetensors";

/// What an adapter is refused for, where it is none.
const WANTED: &str = "an adapter that promptshift saved";

/// An adapter as it was read, not yet on a backbone.
#[derive(Debug, Clone)]
pub struct AdapterFile {
    /// Where it was read from.
    pub path: PathBuf,
    contents: Contents,
}

#[derive(Debug, Clone)]
enum Contents {
    /// promptshift's.
    Own {
        metadata: Metadata,
        recipe: Box<Recipe>,
        tensors: Tensors,
    },
    /// PEFT's.
    Peft(peft::Adapter),
}

/// Where an adapter comes from.
#[derive(Debug, Clone, Copy)]
pub enum Origin<'a> {
    /// promptshift: it knows its backbone.
    Own(&'a Metadata),
    /// PEFT.
    Peft {
        /// What tuned it.
        method: Method,
        /// The model as PEFT called it: a hub name or a path of the machine that it was trained on.
        base_model: Option<&'a str>,
        /// SHA-256 of its `adapter_model.safetensors`.
        sha256: &'a str,
        /// What its configuration sets and promptshift does not know, `key value` each: nobody can say whether it
        /// changes what the adapter answers.
        unknown: &'a [String],
    },
}

/// The recipe of a delta that another program trained: how is not known, and nothing reads it.
fn imported(delta: DeltaRecipe, head: Option<HeadForm>) -> Recipe {
    Recipe {
        prompt: None,
        delta,
        head,
        ..Recipe::paper_prompt()
    }
}

impl AdapterFile {
    /// Reads an `adapter.safetensors`, the folder (a record's) that holds one, or a folder of PEFT.
    ///
    /// # Errors
    /// It is absent, damaged, or none of these.
    pub fn open(path: &Path) -> Result<Self, PromptFileError> {
        let file = path.join(FILE);
        match (path.is_dir(), file.exists()) {
            (false, _) => AdapterFile::open_file(path),
            (true, true) => AdapterFile::open_file(&file),
            (true, false) if peft_folder::is_one(path) => Ok(AdapterFile {
                path: path.to_owned(),
                contents: Contents::Peft(peft::Adapter::read(path)?),
            }),
            (true, false) => {
                let wanted = "adapter.safetensors, or PEFT's adapter_config.json with \
                              adapter_model.safetensors";
                let found = prompt_file::listing(path)?;
                Err(PromptFileError::wrong(path, wanted, found))
            }
        }
    }

    fn open_file(path: &Path) -> Result<Self, PromptFileError> {
        let bytes = fs::read(path).map_err(PromptFileError::io(path))?;
        let wrong = |found: String| PromptFileError::wrong(path, WANTED, found);
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
        // With a head of its own, a prompt is saved as an adapter too.
        let is_adapter = match recipe.delta {
            DeltaRecipe::Model => false,
            DeltaRecipe::Prompt => recipe.head.is_some(),
            _ => true,
        };
        if !is_adapter {
            return Err(wrong("a recipe without a delta".to_string()));
        }
        Ok(AdapterFile {
            path: path.to_owned(),
            contents: Contents::Own {
                metadata,
                recipe: Box::new(recipe),
                tensors: trained_tensors::parse(&bytes, path, WANTED)?,
            },
        })
    }

    /// Where it comes from.
    pub fn origin(&self) -> Origin<'_> {
        match &self.contents {
            Contents::Own { metadata, .. } => Origin::Own(metadata),
            Contents::Peft(adapter) => adapter.origin(),
        }
    }

    /// The tokens after which inputs were cut in its training, where these are fewer than otherwise.
    pub fn longest_input(&self) -> Option<usize> {
        match self.origin() {
            Origin::Own(metadata) => metadata.longest_input(),
            Origin::Peft { .. } => None,
        }
    }

    /// What another program's configuration sets and promptshift does not know, `key value` each.
    pub fn unknown(&self) -> &[String] {
        match self.origin() {
            Origin::Own(_) => &[],
            Origin::Peft { unknown, .. } => unknown,
        }
    }

    /// How many numbers it has, where the file alone says so: PEFT's take their places on a backbone first.
    pub fn numbers(&self) -> Option<usize> {
        match &self.contents {
            Contents::Own { tensors, .. } => {
                Some(tensors.values().map(|(_, values)| values.len()).sum())
            }
            Contents::Peft(_) => None,
        }
    }

    /// The domain that it was tuned on, where it is known.
    pub fn source(&self) -> Option<&str> {
        match self.origin() {
            Origin::Own(metadata) => metadata.source(),
            Origin::Peft { .. } => None,
        }
    }

    /// How the examples that it was tuned on were worded, where it is known.
    pub fn wording(&self) -> Option<&Wording> {
        match self.origin() {
            Origin::Own(metadata) => metadata.wording(),
            Origin::Peft { .. } => None,
        }
    }

    /// The backbone with this adapter; nothing is on the tape. One loaded backbone serves any number
    /// of adapters: weights that no adapter changes are shared.
    ///
    /// # Errors
    /// It was tuned for other weights or another tokenizer, or its tensors are not those of its recipe,
    /// or, from PEFT, not those of this backbone's places.
    pub fn onto(&self, backbone: &Backbone) -> Result<Tuned, PromptFileError> {
        match &self.contents {
            Contents::Own {
                metadata,
                recipe,
                tensors,
            } => {
                metadata.check(&self.path, backbone)?;
                self.filled(recipe, tensors, backbone)
            }
            Contents::Peft(adapter) => Ok(adapter.onto(backbone)?.tuned),
        }
    }

    /// The places of a recipe, with these tensors in them.
    fn filled(
        &self,
        recipe: &Recipe,
        tensors: &Tensors,
        backbone: &Backbone,
    ) -> Result<Tuned, PromptFileError> {
        let mut start = recipe.clone();
        if let DeltaRecipe::Subspace(subspace) = &recipe.delta {
            // What training left of it is the prompt.
            start.delta = DeltaRecipe::Prompt;
            start.prompt = Some(PromptRecipe {
                length: subspace.length,
                init: PromptInit::Uniform,
            });
        }
        if let Some(prompt) = &mut start.prompt {
            // Whatever it starts from, it is filled.
            prompt.init = PromptInit::Uniform;
        }
        let numbers = self.numbers().unwrap_or_default();
        sizes::check(&start, &backbone.config, numbers).map_err(|found| {
            PromptFileError::wrong(&self.path, "a recipe of its tensors' sizes", found)
        })?;
        let tuned = attach(backbone, &start, &MethodInputs::default(), 0).map_err(|error| {
            PromptFileError::wrong(&self.path, "a recipe that can be met", error.to_string())
        })?;
        let (tuned, tensors) = (tuned.into_inference(), tensors.clone());
        trained_tensors::filled(tuned, tensors, recipe, &backbone.config, &self.path)
    }

    /// Its bytes as an `adapter.safetensors` for `backbone`.
    ///
    /// # Errors
    /// It does not fit the backbone, or is promptshift's own already.
    pub fn adopt(&self, backbone: &Backbone) -> Result<Vec<u8>, PromptFileError> {
        let adapter = match &self.contents {
            Contents::Peft(adapter) => adapter,
            Contents::Own { metadata, .. } => {
                return Err(PromptFileError::wrong(
                    &self.path,
                    "PEFT's folder to import",
                    format!(
                        "an adapter for '{}' that needs no import",
                        metadata.backbone
                    ),
                ));
            }
        };
        let peft::Placed { delta, head, tuned } = adapter.onto(backbone)?;
        let made = Made::Imported {
            from: format!("{} (peft)", prompt_file::name(&self.path)),
            sha256: adapter.sha256().to_string(),
            method: adapter.method().name().to_string(),
            delta: Some(serde_json::to_string(&delta).expect("plain data")),
            head,
        };
        let metadata = Metadata::imported(made, backbone);
        let recipe = imported(delta, head);
        Ok(trained_tensors::to_bytes(
            &tuned,
            &recipe,
            &backbone.config,
            &metadata,
        ))
    }

    /// Writes PEFT's folder where nothing is yet.
    ///
    /// # Errors
    /// It does not fit the backbone, PEFT has no form of it, something is there, or it can't be written.
    pub fn export(&self, backbone: &Backbone, out: &Path) -> Result<(), PromptFileError> {
        let base_model = match self.origin() {
            Origin::Own(metadata) => Some(metadata.backbone.as_str()),
            Origin::Peft { base_model, .. } => base_model,
        };
        let files = peft::files(self.placed(backbone)?, &backbone.config, base_model)
            .map_err(|found| PromptFileError::wrong(&self.path, peft::WANTED, found))?;
        Ok(atomic_file::write_folder(out, &files)?)
    }

    /// The backbone's weights with LoRA's products folded into them, as a checkpoint's
    /// `model.safetensors`: it answers the same, up to rounding, at the cost of the backbone alone.
    ///
    /// # Errors
    /// It does not fit the backbone, or is no LoRA.
    pub fn merged(&self, backbone: &Backbone) -> Result<Vec<u8>, PromptFileError> {
        let peft::Placed { delta, tuned, .. } = self.placed(backbone)?;
        match delta {
            DeltaRecipe::Lora(_) => {
                let weights = lora::merged(&tuned).weights();
                Ok(weights.to_bytes(peft_folder::header()))
            }
            other => {
                let wanted = "LoRA, whose products can be added to weights";
                Err(PromptFileError::wrong(&self.path, wanted, other.name()))
            }
        }
    }

    fn placed(&self, backbone: &Backbone) -> Result<peft::Placed, PromptFileError> {
        match &self.contents {
            Contents::Own { recipe, .. } => {
                let tuned = self.onto(backbone)?;
                if recipe.delta == DeltaRecipe::Prompt {
                    let found = format!("a soft prompt with a head: {}", prompt_file::NO_BERT);
                    return Err(PromptFileError::wrong(&self.path, peft::WANTED, found));
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
