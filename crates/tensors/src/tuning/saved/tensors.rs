//! promptshift's file format: safetensors with [`Metadata`](super::metadata::Metadata) in the header. It
//! contains the parameters that a recipe trains by their paths in [`Tuned`]; a soft prompt is one tensor.
//!
//! The sizes in the file's recipe determine how much is allocated before the parameters are filled, so they
//! are checked first.

use std::collections::BTreeMap;
use std::path::Path;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Tensor, TensorData};
use safetensors::SafeTensors;

use super::error::SavedError;
use crate::checkpoint::{Weights, floats};
use crate::network::Config;
use crate::parameters::{self, Parameter, ParameterPath};
use crate::tuning::apply::Parameters;
use crate::tuning::methods;
use crate::tuning::soft_prompt::Vectors;
use crate::tuning::tuned::Tuned;
use promptshift_numbers::recipe::{HeadForm, Recipe};

/// Shape and values by name.
pub(super) type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// The parameters of `tuned` at these paths.
pub(super) fn of(tuned: &Tuned, is_saved: impl Fn(&str) -> bool) -> Weights {
    let mut weights = Weights::empty("");
    parameters::visit(tuned, |parameter| {
        let Parameter {
            path,
            shape,
            values,
            ..
        } = parameter;
        if is_saved(&path) {
            weights.put(&path, shape, values);
        }
    });
    weights
}

/// The tensors of a safetensors file, which must all be finite; f16 and bf16 become f32.
pub(super) fn parse(bytes: &[u8], path: &Path, wanted: &str) -> Result<Tensors, SavedError> {
    let wrong = |found: String| SavedError::wrong(path, wanted, found);
    let file = SafeTensors::deserialize(bytes).map_err(|e| {
        wrong(format!(
            "{} bytes that are not safetensors: {e}",
            bytes.len()
        ))
    })?;
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

/// The only tensor of a safetensors file, which must have this name; f16 and bf16 become f32.
pub(super) fn only(bytes: &[u8], name: &str, path: &Path) -> Result<Vectors, SavedError> {
    let wrong = |wanted: String, found: String| SavedError::wrong(path, wanted, found);
    let file = SafeTensors::deserialize(bytes)
        .map_err(|e| wrong("a safetensors file".to_string(), e.to_string()))?;
    let mut names = file.names();
    names.sort_unstable();
    if names != [name] {
        let more = names.len().saturating_sub(3);
        names.truncate(3);
        let mut found = format!("tensors: {}", names.join(", "));
        if more > 0 {
            found = format!("{found} and {more} more");
        }
        return Err(wrong(format!("one tensor '{name}'"), found));
    }
    let view = file.tensor(name).expect("it is listed");
    let values = floats(&view).ok_or_else(|| {
        wrong(
            format!("'{name}' of F32, F16 or BF16"),
            format!("{:?}", view.dtype()),
        )
    })?;
    Vectors::new(view.shape(), values, path)
}

/// Replaces all parameters of `tuned` at these paths by these tensors; errors refer to their file as `path`.
///
/// # Errors
/// One is absent, has another shape, or is unknown.
pub(super) fn filled(
    tuned: Tuned,
    tensors: Tensors,
    is_saved: impl Fn(&str) -> bool,
    path: &Path,
) -> Result<Tuned, SavedError> {
    let mut fill = Fill {
        path: ParameterPath::default(),
        left: tensors,
        is_saved,
        wrong: None,
    };
    let tuned = tuned.map(&mut fill);
    let found = fill.wrong.or_else(|| {
        let name = fill.left.keys().next()?;
        Some(format!("'{name}' as well"))
    });
    match found {
        None => Ok(tuned),
        Some(found) => Err(SavedError::wrong(
            path,
            "the tensors that its recipe trains",
            found,
        )),
    }
}

/// Assigns a file's tensors to parameters.
struct Fill<F> {
    path: ParameterPath,
    left: Tensors,
    is_saved: F,
    /// The first mismatch.
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
        if !(self.is_saved)(&name) {
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

/// The number of allocated parameters may be the backbone's plus this many per value in the file: a network
/// that produces prefixes is allocated although only the prefixes are saved.
const FOR_EACH: usize = 64;

/// Always allowed, whatever the file's size: on a tiny backbone the network is much larger.
const ALWAYS: usize = 1 << 20;

/// The largest size allowed; products of a few such sizes can't overflow.
const LARGEST: usize = 1 << 24;

/// Checks that a recipe's parameters are plausible for a file with this many values.
///
/// # Errors
/// They are not; returns a description of the recipe's sizes.
pub(super) fn check_sizes(recipe: &Recipe, config: &Config, numbers: usize) -> Result<(), String> {
    for (what, size) in sizes(recipe) {
        if size == 0 || size > LARGEST {
            return Err(format!("{what} {size}"));
        }
    }
    let placed = Parameters::of(recipe, config).total - config.parameters();
    let for_each = numbers.saturating_mul(FOR_EACH);
    let most = (config.parameters().saturating_add(ALWAYS)).saturating_add(for_each);
    match placed <= most {
        true => Ok(()),
        false => Err(format!(
            "parameters with {placed} values, but the file has {numbers}"
        )),
    }
}

/// The sizes in a recipe, each of which must be at least 1.
fn sizes(recipe: &Recipe) -> Vec<(&'static str, usize)> {
    let mut sizes = Vec::new();
    sizes.extend(
        recipe
            .prompt
            .iter()
            .map(|prompt| ("a prompt's length of", prompt.length)),
    );
    if let Some(HeadForm::Classes(classes) | HeadForm::Words(classes)) = recipe.head {
        sizes.push(("a head's classes of", classes));
    }
    sizes.extend(methods::delta(&recipe.delta).sizes());
    sizes
}

#[cfg(test)]
mod tests {
    use promptshift_numbers::recipe::{Defaults, DeltaRecipe, Method};

    use super::*;

    fn config() -> Config {
        let json = r#"{"model_type": "gpt2", "vocab_size": 16, "n_embd": 8, "n_layer": 1, "n_head": 2, "n_positions": 32}"#;
        Config::parse(json.as_bytes(), "config.json").expect("a GPT-2")
    }

    #[test]
    fn default_recipes_pass_and_huge_sizes_are_refused() {
        let lora = Recipe::default_for(Defaults::DecoderOnly, Method::Lora);
        let numbers = Parameters::of(&lora, &config()).trainable;
        assert_eq!(check_sizes(&lora, &config(), numbers), Ok(()));
        for (rank, found) in [
            (0, "a rank of 0"),
            (usize::MAX, "a rank of 18446744073709551615"),
            (1 << 20, "parameters with"),
        ] {
            let mut changed = lora.clone();
            let DeltaRecipe::Lora(lora) = &mut changed.delta else {
                panic!("a LoRA");
            };
            lora.rank = rank;
            let error = check_sizes(&changed, &config(), numbers).expect_err("no such rank");
            assert!(error.starts_with(found), "{error}");
        }
    }
}
