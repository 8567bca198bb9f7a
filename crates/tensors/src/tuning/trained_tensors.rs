//! The tensors that a recipe trains, by their paths in [`Tuned`]: out of a tuned model, to and from the bytes of
//! a safetensors file, and into a model of the same places.

use std::collections::BTreeMap;
use std::path::Path;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Tensor, TensorData};
use safetensors::SafeTensors;

use super::apply::is_trainable;
use super::prompt_file::{Metadata, PromptFileError};
use super::tuned::Tuned;
use crate::checkpoint::{Weights, floats, seal};
use crate::network::Config;
use crate::parameters::{self, Parameter, ParameterPath};
use promptshift_numbers::recipe::Recipe;

/// Shape and values by name.
pub(super) type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// A sealed file of every parameter of `tuned` that the recipe trains.
pub(super) fn to_bytes(
    tuned: &Tuned,
    recipe: &Recipe,
    config: &Config,
    metadata: &Metadata,
) -> Vec<u8> {
    let mut weights = Weights::empty("");
    parameters::visit(tuned, |parameter| {
        let Parameter {
            path,
            shape,
            values,
            ..
        } = parameter;
        if is_trainable(recipe, &path, config) {
            weights.put(&path, shape, values);
        }
    });
    seal::sealed(metadata.entries(), |metadata| weights.to_bytes(metadata))
}

/// The tensors of a safetensors file, finite numbers all of them; f16 and bf16 become f32.
pub(super) fn parse(bytes: &[u8], path: &Path, wanted: &str) -> Result<Tensors, PromptFileError> {
    let wrong = |found: String| PromptFileError::wrong(path, wanted, found);
    let file = SafeTensors::deserialize(bytes)
        .map_err(|e| wrong(format!("{} bytes, no safetensors: {e}", bytes.len())))?;
    let mut tensors = BTreeMap::new();
    for (name, view) in file.tensors() {
        let values =
            floats(&view).ok_or_else(|| wrong(format!("'{name}' of {:?}", view.dtype())))?;
        if let Some(value) = values.iter().find(|value| !value.is_finite()) {
            return Err(wrong(format!("{value} in '{name}'")));
        }
        tensors.insert(name, (view.shape().to_vec(), values));
    }
    Ok(tensors)
}

/// `tuned` with these tensors in place of all that the recipe trains; `path` is what errors call their file.
///
/// # Errors
/// One is absent, has another shape, or has no place.
pub(super) fn filled(
    tuned: Tuned,
    tensors: Tensors,
    recipe: &Recipe,
    config: &Config,
    path: &Path,
) -> Result<Tuned, PromptFileError> {
    let mut fill = Fill {
        path: ParameterPath::default(),
        left: tensors,
        is_trainable: |path: &str| is_trainable(recipe, path, config),
        wrong: None,
    };
    let tuned = tuned.map(&mut fill);
    let found = fill.wrong.or_else(|| {
        let name = fill.left.keys().next()?;
        Some(format!("'{name}' as well"))
    });
    match found {
        None => Ok(tuned),
        Some(found) => Err(PromptFileError::wrong(
            path,
            "the tensors that its recipe trains",
            found,
        )),
    }
}

/// Puts a file's tensors where they belong.
struct Fill<F> {
    path: ParameterPath,
    left: Tensors,
    is_trainable: F,
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
        if !(self.is_trainable)(&name) {
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
