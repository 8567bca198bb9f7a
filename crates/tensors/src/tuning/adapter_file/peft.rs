//! Adapters as PEFT saves them, one converter a method: [`lora`], [`ia3`], [`prefix`].
//!
//! PEFT calls a tensor by the path of its module in Transformers' T5, which is the name of the weight in
//! a checkpoint, behind `base_model.model.`. What a folder switches on that has no place here is refused
//! by its key, and a tensor that no place takes by its name: nothing is read in part.

mod ia3;
mod lora;
mod prefix;

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Origin, Tensors, tensors};
use crate::backbone::Backbone;
use crate::checkpoint::Weights;
use crate::network::Config as NetworkConfig;
use crate::t5::T5Config;
use crate::tuning::Tuned;
use crate::tuning::peft_folder::{self, Config};
use crate::tuning::prompt_file::PromptFileError;
use promptshift_numbers::recipe::{DeltaRecipe, Method, PrefixPlaces};

/// What PEFT has a form of.
pub(super) const WANTED: &str = "an adapter of lora, ia3 or prefix-decoder, which PEFT has as well";

/// LoRA of every map of T5-xxl at rank 64 is 2 GiB.
const MOST_BYTES: u64 = 1 << 31;

const ROOT: &str = "base_model.model";

/// A folder as it was read.
#[derive(Debug, Clone)]
pub(super) struct Adapter {
    config: Config,
    base_model: Option<String>,
    method: Method,
    tensors: Tensors,
    /// The tensors' file.
    path: PathBuf,
    sha256: String,
}

/// An adapter on a backbone; nothing is on the tape.
pub(super) struct Placed {
    pub(super) delta: DeltaRecipe,
    pub(super) tuned: Tuned,
}

/// Keys of the configuration, and tensors.
struct Written {
    keys: Vec<(&'static str, Value)>,
    tensors: Weights,
}

impl Adapter {
    /// Reads a folder.
    pub(super) fn read(folder: &Path) -> Result<Self, PromptFileError> {
        let config = peft_folder::config(folder, &[lora::TYPE, ia3::TYPE, prefix::TYPE])?;
        let method = match config.peft_type.as_str() {
            lora::TYPE => Method::Lora,
            ia3::TYPE => Method::Ia3,
            _ => Method::PrefixDecoder,
        };
        let file = peft_folder::tensors(folder, MOST_BYTES)?;
        Ok(Adapter {
            base_model: config.base_model(),
            config,
            method,
            tensors: tensors(&file.bytes, &file.path, "PEFT's tensors, finite numbers")?,
            path: file.path,
            sha256: file.sha256,
        })
    }

    pub(super) fn method(&self) -> Method {
        self.method
    }

    pub(super) fn sha256(&self) -> &str {
        &self.sha256
    }

    pub(super) fn origin(&self) -> Origin<'_> {
        Origin::Peft {
            method: self.method,
            base_model: self.base_model.as_deref(),
            sha256: &self.sha256,
        }
    }

    /// The backbone with this adapter.
    pub(super) fn onto(&self, backbone: &Backbone) -> Result<Placed, PromptFileError> {
        let Some(t5) = backbone.config.t5() else {
            let wanted = format!(
                "an adapter for '{}', {}",
                backbone.name,
                backbone.config.kind()
            );
            let found = "one of SEQ_2_SEQ_LM, which is read onto a T5".to_string();
            return Err(PromptFileError::wrong(&self.path, wanted, found));
        };
        let mut left = Left {
            tensors: self.tensors.clone(),
            path: &self.path,
        };
        let model = backbone.model.clone();
        let placed = match self.config.peft_type.as_str() {
            lora::TYPE => lora::read(&self.config, &mut left, t5, model),
            ia3::TYPE => ia3::read(&self.config, &mut left, t5, model),
            _ => prefix::read(&self.config, &mut left, t5, model),
        }?;
        left.end(&backbone.name)?;
        Ok(placed)
    }
}

/// The folder's files by name, or what PEFT has no form of.
pub(super) fn files(
    delta: &DeltaRecipe,
    tuned: Tuned,
    config: &NetworkConfig,
    base_model: Option<&str>,
) -> Result<Vec<(&'static str, Vec<u8>)>, String> {
    let config: &T5Config = config
        .t5()
        .ok_or_else(|| format!("one of {}, where only a T5's is written", config.kind()))?;
    let (peft_type, written) = match delta {
        DeltaRecipe::Lora(recipe) => (lora::TYPE, lora::write(recipe, tuned, config)),
        DeltaRecipe::Scales => (ia3::TYPE, ia3::write(tuned, config)),
        DeltaRecipe::Prefix(recipe) if recipe.places == PrefixPlaces::Decoder => {
            (prefix::TYPE, prefix::write(recipe, &tuned, config))
        }
        DeltaRecipe::Prefix(_) => {
            return Err("prefixes of every attention, where PEFT has the decoder's alone".into());
        }
        other => return Err(other.name().to_string()),
    };
    let tensors = written.tensors.to_bytes(peft_folder::header());
    Ok(peft_folder::files(
        peft_type,
        base_model,
        written.keys,
        tensors,
    ))
}

/// The tensors that no place has taken yet.
struct Left<'a> {
    tensors: Tensors,
    path: &'a Path,
}

impl Left<'_> {
    /// The values of a tensor, which must have this shape, if it is there.
    fn take(
        &mut self,
        name: &str,
        wanted: [usize; 2],
    ) -> Result<Option<Vec<f32>>, PromptFileError> {
        let Some((shape, values)) = self.tensors.remove(name) else {
            return Ok(None);
        };
        match shape == wanted {
            true => Ok(Some(values)),
            false => Err(self.wrong(format!("'{name}' {wanted:?}"), format!("{shape:?}"))),
        }
    }

    /// Nothing may be left.
    fn end(self, backbone: &str) -> Result<(), PromptFileError> {
        match self.tensors.keys().next() {
            None => Ok(()),
            Some(name) => Err(self.wrong(
                format!("tensors that '{backbone}' has a place for"),
                format!("'{name}'"),
            )),
        }
    }

    fn wrong(&self, wanted: String, found: String) -> PromptFileError {
        PromptFileError::wrong(self.path, wanted, found)
    }
}

/// `[rows, columns]` → `[columns, rows]`: Transformers holds a map's weights `[out, in]`.
fn transposed(values: &[f32], [rows, columns]: [usize; 2]) -> Vec<f32> {
    (0..columns)
        .flat_map(|column| (0..rows).map(move |row| values[row * columns + column]))
        .collect()
}
