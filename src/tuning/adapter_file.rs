//! `adapter.safetensors`: what a method trained, by its path in the tuned model, with the same
//! metadata as a prompt's file. It holds the recipe, so that the places can be made again and filled.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Tensor, TensorData};
use safetensors::SafeTensors;

use super::method::ParameterPath;
use super::prompt_file::{Made, Metadata, PromptFileError};
use super::{Labels, Parameter, Tuned, method, place, trains};
use crate::backbone::Backbone;
use crate::checkpoint::{Weights, floats};
use crate::domain::wording::Wording;
use crate::network::Config;
use crate::recipe::{PromptInit, Recipe};

/// The file's name in a record's folder.
pub const FILE: &str = "adapter.safetensors";

/// An adapter as it was read, not yet on a backbone.
#[derive(Debug, Clone)]
pub struct AdapterFile {
    path: PathBuf,
    metadata: Metadata,
    recipe: Recipe,
    tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
}

/// The file's bytes: every parameter of `tuned` that the recipe trains.
pub(super) fn to_bytes(
    tuned: &Tuned,
    recipe: &Recipe,
    config: &Config,
    metadata: &Metadata,
) -> Vec<u8> {
    let mut weights = Weights::empty("");
    method::visit(tuned, |parameter| {
        let Parameter {
            path,
            shape,
            values,
            ..
        } = parameter;
        if trains(recipe, &path, config) {
            weights.put(&path, shape, values);
        }
    });
    weights.to_bytes(metadata.entries())
}

impl AdapterFile {
    /// Reads an `adapter.safetensors`, or the folder (a record's) that holds one.
    ///
    /// # Errors
    /// It is absent, damaged, or not one of promptshift's.
    pub fn open(path: &Path) -> Result<Self, PromptFileError> {
        let path = match path.is_dir() {
            true => path.join(FILE),
            false => path.to_owned(),
        };
        let bytes = fs::read(&path).map_err(PromptFileError::io(&path))?;
        let wrong = |found: String| {
            PromptFileError::wrong(&path, "an adapter that promptshift saved", found)
        };
        let (_, header) = SafeTensors::read_metadata(&bytes)
            .map_err(|e| wrong(format!("{} bytes, no safetensors: {e}", bytes.len())))?;
        let entries = header.metadata().clone().unwrap_or_default();
        let metadata = Metadata::parse(&entries, &path)?;
        let Made::Tuned { recipe, .. } = &metadata.made else {
            return Err(wrong("an imported prompt".to_string()));
        };
        let recipe: Recipe =
            serde_json::from_str(recipe).map_err(|e| wrong(format!("a recipe, but {e}")))?;
        // With a head of its own, a prompt is saved as an adapter too.
        if recipe.delta.is_none() && (recipe.head.is_none() || recipe.is_model_tuning()) {
            return Err(wrong("a recipe without a delta".to_string()));
        }
        let file = SafeTensors::deserialize(&bytes).map_err(|e| wrong(e.to_string()))?;
        let mut tensors = BTreeMap::new();
        for (name, view) in file.tensors() {
            let values =
                floats(&view).ok_or_else(|| wrong(format!("'{name}' of {:?}", view.dtype())))?;
            if let Some(value) = values.iter().find(|value| !value.is_finite()) {
                return Err(wrong(format!("{value} in '{name}'")));
            }
            tensors.insert(name, (view.shape().to_vec(), values));
        }
        Ok(AdapterFile {
            path,
            metadata,
            recipe,
            tensors,
        })
    }

    /// The domain that it was tuned on.
    pub fn source(&self) -> Option<&str> {
        self.metadata.source()
    }

    /// How the examples that it was tuned on were worded.
    pub fn wording(&self) -> Option<&Wording> {
        self.metadata.wording()
    }

    /// The places that the file's tensors take, with values that do not matter.
    fn places(&self, backbone: &Backbone) -> Result<Tuned, PromptFileError> {
        let mut recipe = self.recipe.clone();
        if let Some(prompt) = &mut recipe.prompt {
            prompt.init = PromptInit::Uniform;
        }
        place(backbone, &recipe, &Labels::default(), 0).map_err(|error| {
            PromptFileError::wrong(&self.path, "a recipe that can be met", error.to_string())
        })
    }

    /// The backbone with this adapter; nothing is on the tape. One loaded backbone serves any number
    /// of adapters: weights that no adapter changes are shared.
    ///
    /// # Errors
    /// It was tuned for other weights or another tokenizer, or its tensors are not those of its recipe.
    pub fn onto(&self, backbone: &Backbone) -> Result<Tuned, PromptFileError> {
        self.metadata.check(&self.path, backbone)?;
        let tuned = self.places(backbone)?.finished();
        let mut fill = Fill {
            path: ParameterPath::default(),
            left: self.tensors.clone(),
            trains: |path: &str| trains(&self.recipe, path, &backbone.config),
            wrong: None,
        };
        let tuned = tuned.map(&mut fill);
        let found = fill.wrong.or_else(|| {
            fill.left
                .keys()
                .next()
                .map(|name| format!("'{name}' as well"))
        });
        match found {
            None => Ok(tuned),
            Some(found) => Err(PromptFileError::wrong(
                &self.path,
                "the tensors that its recipe trains",
                found,
            )),
        }
    }
}

/// Puts a file's tensors where they belong.
struct Fill<F> {
    path: ParameterPath,
    left: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
    trains: F,
    /// The first thing that did not fit.
    wrong: Option<String>,
}

impl<F: Fn(&str) -> bool> ModuleMapper for Fill<F> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, container: &str) {
        self.path.exit(container);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = self.path.to_string();
        if !(self.trains)(&name) {
            return param;
        }
        let wanted = param.val().dims();
        match self.left.remove(&name) {
            Some((shape, values)) if shape == wanted => {
                let data = TensorData::new(values, wanted);
                Param::from_tensor(Tensor::from_data(data, &param.val().device()))
            }
            found => {
                let found = found.map_or("nothing".to_string(), |(shape, _)| format!("{shape:?}"));
                self.wrong
                    .get_or_insert(format!("{found} for '{name}' {wanted:?}"));
                param
            }
        }
    }
}
