//! A folder as PEFT's `save_pretrained` leaves it (huggingface/peft, 0.21): `adapter_config.json` and
//! `adapter_model.safetensors`. What is in them differs by method:
//! [`prompt_file`](super::prompt_file) reads soft prompts, [`adapter_file`](super::adapter_file) adapters.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::prompt_file::PromptFileError;
use promptshift_text::hash::sha256;

/// The configuration's name.
pub(super) const CONFIG: &str = "adapter_config.json";

/// The tensors' name.
pub(super) const TENSORS: &str = "adapter_model.safetensors";

const PICKLE: &str = "adapter_model.bin";
const TASK: &str = "SEQ_2_SEQ_LM";

/// The configuration, for a T5.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Config {
    path: PathBuf,
    json: Map<String, Value>,
    /// PEFT's name of the method.
    pub(super) peft_type: String,
}

/// Whether a folder is one of PEFT's, by its configuration.
pub(super) fn is_one(folder: &Path) -> bool {
    folder.join(CONFIG).exists()
}

/// Reads and checks the configuration; `types` are the methods that are wanted.
pub(super) fn config(folder: &Path, types: &[&str]) -> Result<Config, PromptFileError> {
    let path = folder.join(CONFIG);
    let wrong = |wanted: &str, found: String| PromptFileError::wrong(&path, wanted, found);
    let bytes = contents(&path, MOST_CONFIG_BYTES)?;
    let json: Map<String, Value> = serde_json::from_slice(&bytes)
        .map_err(|e| wrong("PEFT's configuration, JSON", e.to_string()))?;
    let config = Config {
        path: path.clone(),
        peft_type: word(&json, "peft_type").unwrap_or_default(),
        json,
    };
    if !types.contains(&config.peft_type.as_str()) {
        let found = match config.peft_type.as_str() {
            "" => "no peft_type".to_string(),
            found => format!("peft_type {found}"),
        };
        return Err(wrong(&format!("peft_type {}", types.join(" or ")), found));
    }
    match word(&config.json, "task_type").filter(|found| found != TASK) {
        None => Ok(config),
        Some(found) => Err(wrong(
            "task_type SEQ_2_SEQ_LM, as T5 is an encoder-decoder",
            format!("task_type {found}"),
        )),
    }
}

/// A key's value as a text, `None` where it is absent or null.
fn word(json: &Map<String, Value>, key: &str) -> Option<String> {
    match json.get(key) {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(other) => Some(other.to_string()),
    }
}

impl Config {
    /// A key's value, `None` where it is absent or null.
    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.json.get(key).filter(|value| !value.is_null())
    }

    /// A key's value as a text.
    pub(super) fn word(&self, key: &str) -> Option<String> {
        word(&self.json, key)
    }

    /// A whole number.
    pub(super) fn count(&self, key: &str) -> Result<Option<usize>, PromptFileError> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        match value.as_u64().and_then(|n| usize::try_from(n).ok()) {
            Some(count) => Ok(Some(count)),
            None => Err(self.wrong(format!("{key}, a whole number"), value.to_string())),
        }
    }

    /// A whole number of at least 1 that must be there.
    pub(super) fn positive(&self, key: &str) -> Result<usize, PromptFileError> {
        match self.count(key)? {
            Some(count) if count > 0 => Ok(count),
            found => Err(self.wrong(
                format!("{key} of at least 1"),
                found.map_or("none".to_string(), |n| n.to_string()),
            )),
        }
    }

    /// Refuses what a key switches on: `off` are the values that switch nothing on, besides null,
    /// `false` and what is empty.
    pub(super) fn switched_off(
        &self,
        keys: &[&str],
        off: &[&str],
        why: &str,
    ) -> Result<(), PromptFileError> {
        for key in keys {
            let on = match self.get(key) {
                None | Some(Value::Bool(false)) => false,
                Some(Value::Array(values)) => !values.is_empty(),
                Some(Value::Object(values)) => !values.is_empty(),
                Some(Value::String(value)) => !off.contains(&value.as_str()),
                Some(_) => true,
            };
            if on {
                let found = format!("{key} {}", self.word(key).unwrap_or_default());
                return Err(self.wrong(format!("an adapter without {key}: {why}"), found));
            }
        }
        Ok(())
    }

    /// The model as PEFT called it: a hub name or a path of the machine that it was trained on.
    pub(super) fn base_model(&self) -> Option<String> {
        self.word("base_model_name_or_path")
    }

    /// What is wrong with this configuration.
    pub(super) fn wrong(
        &self,
        wanted: impl Into<String>,
        found: impl Into<String>,
    ) -> PromptFileError {
        PromptFileError::wrong(&self.path, wanted, found)
    }
}

/// A tensors' file.
pub(super) struct Tensors {
    pub(super) path: PathBuf,
    pub(super) bytes: Vec<u8>,
    pub(super) sha256: String,
}

/// Reads the tensors' file, never a pickle in its place; a larger one than `most` bytes is refused.
pub(super) fn tensors(folder: &Path, most: u64) -> Result<Tensors, PromptFileError> {
    let path = folder.join(TENSORS);
    if !path.exists() {
        let found = match folder.join(PICKLE).exists() {
            true => format!(
                "{PICKLE}, a pickle, which is never read (save_pretrained(..., safe_serialization=True))"
            ),
            false => "no such file".to_string(),
        };
        return Err(PromptFileError::wrong(folder, TENSORS, found));
    }
    let bytes = contents(&path, most)?;
    let sha256 = sha256(&bytes);
    Ok(Tensors {
        path,
        bytes,
        sha256,
    })
}

const MOST_CONFIG_BYTES: u64 = 1 << 24;

/// A file's bytes, if there are not too many.
pub(super) fn contents(path: &Path, most: u64) -> Result<Vec<u8>, PromptFileError> {
    let size = fs::metadata(path).map_err(PromptFileError::io(path))?.len();
    if size > most {
        return Err(PromptFileError::wrong(
            path,
            format!("at most {most} bytes"),
            format!("{size} bytes"),
        ));
    }
    fs::read(path).map_err(PromptFileError::io(path))
}

/// The two files by name: a configuration of these keys besides those that all methods have.
pub(super) fn files(
    peft_type: &str,
    base_model: Option<&str>,
    keys: impl IntoIterator<Item = (&'static str, Value)>,
    tensors: Vec<u8>,
) -> Vec<(&'static str, Vec<u8>)> {
    let shared = [
        ("base_model_name_or_path", base_model.into()),
        ("inference_mode", true.into()),
        ("peft_type", peft_type.into()),
        ("task_type", TASK.into()),
    ];
    let config: Map<String, Value> = (shared.into_iter().chain(keys))
        .map(|(key, value)| (key.to_string(), value))
        .collect();
    let mut text = serde_json::to_vec_pretty(&config).expect("plain data");
    text.push(b'\n');
    vec![(CONFIG, text), (TENSORS, tensors)]
}

/// The header's metadata that Transformers' libraries look for.
pub(super) fn header() -> std::collections::BTreeMap<String, String> {
    [("format".to_string(), "pt".to_string())].into()
}
