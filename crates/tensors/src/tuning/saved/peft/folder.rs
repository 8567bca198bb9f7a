//! A folder in the format of PEFT's `save_pretrained` (huggingface/peft, 0.21): `adapter_config.json` and
//! `adapter_model.safetensors`. Their contents depend on the method: [`prompt`](super::prompt) reads soft
//! prompts, [`Adapter`](super::Adapter) adapters.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::keys::{self, Changed};
use crate::backbone::Backbone;
use crate::network::Kind;
use crate::tuning::saved::error::SavedError;
use promptshift_text::hash::sha256;

/// The name of the configuration file.
pub(in crate::tuning::saved) const CONFIG: &str = "adapter_config.json";

/// The name of the file with the tensors.
pub(in crate::tuning::saved) const TENSORS: &str = "adapter_model.safetensors";

const PICKLE: &str = "adapter_model.bin";

/// PEFT's `task_type`, which implies the kind of network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// A T5.
    Seq2SeqLm,
    /// A Llama or a GPT-2.
    CausalLm,
    /// A BERT with a classifier.
    SeqCls,
    /// A BERT with a span head.
    QuestionAns,
}

impl Task {
    const ALL: [Task; 4] = [
        Task::Seq2SeqLm,
        Task::CausalLm,
        Task::SeqCls,
        Task::QuestionAns,
    ];

    /// PEFT's name.
    pub fn name(self) -> &'static str {
        match self {
            Task::Seq2SeqLm => "SEQ_2_SEQ_LM",
            Task::CausalLm => "CAUSAL_LM",
            Task::SeqCls => "SEQ_CLS",
            Task::QuestionAns => "QUESTION_ANS",
        }
    }

    /// Checks that the backbone has this kind; `path` is the file that requires it, for errors.
    pub(in crate::tuning::saved) fn check(
        self,
        backbone: &Backbone,
        path: &Path,
    ) -> Result<(), SavedError> {
        let kind = backbone.config.kind();
        match self.kind() == kind {
            true => Ok(()),
            false => Err(SavedError::wrong(
                path,
                format!(
                    "task_type {}, as '{}' is {kind}",
                    tasks(Some(kind)),
                    backbone.name
                ),
                format!("task_type {self}"),
            )),
        }
    }

    /// The kind of network that this task needs here.
    pub fn kind(self) -> Kind {
        match self {
            Task::Seq2SeqLm => Kind::T5,
            Task::CausalLm => Kind::DecoderOnly,
            Task::SeqCls | Task::QuestionAns => Kind::Bert,
        }
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The task names for a kind of network, or for all kinds, for messages.
fn tasks(of: Option<Kind>) -> String {
    let fits = |task: &Task| of.is_none_or(|kind| task.kind() == kind);
    let names: Vec<&str> = (Task::ALL.into_iter().filter(fits))
        .map(Task::name)
        .collect();
    names.join(" or ")
}

/// The configuration.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::tuning::saved) struct Config {
    path: PathBuf,
    json: Map<String, Value>,
    /// PEFT's name of the method.
    pub(in crate::tuning::saved) peft_type: String,
    /// Absent if it was trained without a task type, or if the file was written by hand.
    pub(in crate::tuning::saved) task: Option<Task>,
    /// Unknown keys that are set, each as `key value`.
    pub(in crate::tuning::saved) unknown: Vec<String>,
}

/// Whether a folder is a PEFT folder, which its configuration file shows.
pub(in crate::tuning::saved) fn is_one(folder: &Path) -> bool {
    folder.join(CONFIG).exists()
}

/// Reads and checks the configuration; `types` are the accepted methods.
pub(in crate::tuning::saved) fn config(
    folder: &Path,
    types: &[&str],
) -> Result<Config, SavedError> {
    let path = folder.join(CONFIG);
    let wrong = |wanted: &str, found: String| SavedError::wrong(&path, wanted, found);
    let bytes = contents(&path, MOST_CONFIG_BYTES)?;
    let json: Map<String, Value> = serde_json::from_slice(&bytes)
        .map_err(|e| wrong("PEFT's configuration, JSON", e.to_string()))?;
    let peft_type = word(&json, "peft_type").unwrap_or_default();
    if !types.contains(&peft_type.as_str()) {
        let found = match peft_type.as_str() {
            "" => "no peft_type".to_string(),
            found => format!("peft_type {found}"),
        };
        return Err(wrong(&format!("peft_type {}", types.join(" or ")), found));
    }
    let task = match word(&json, "task_type") {
        None => None,
        Some(found) => match Task::ALL.into_iter().find(|task| task.name() == found) {
            Some(task) => Some(task),
            None => {
                let wanted = format!("task_type {}", tasks(None));
                return Err(wrong(&wanted, format!("task_type {found}")));
            }
        },
    };
    let unknown = keys::unknown(&json, &peft_type).map_err(|changed| {
        let Changed { name, value, what } = changed;
        let wanted = format!("an adapter without {name}, because {what}");
        wrong(&wanted, format!("{name} {value}"))
    })?;
    Ok(Config {
        path,
        json,
        peft_type,
        task,
        unknown,
    })
}

/// A key's value as text; `None` if it is absent or null.
fn word(json: &Map<String, Value>, key: &str) -> Option<String> {
    match json.get(key) {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(other) => Some(other.to_string()),
    }
}

impl Config {
    /// A key's value; `None` if it is absent or null.
    pub(in crate::tuning::saved) fn get(&self, key: &str) -> Option<&Value> {
        self.json.get(key).filter(|value| !value.is_null())
    }

    /// A key's value as text.
    pub(in crate::tuning::saved) fn word(&self, key: &str) -> Option<String> {
        word(&self.json, key)
    }

    /// An integer.
    pub(in crate::tuning::saved) fn count(&self, key: &str) -> Result<Option<usize>, SavedError> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        match value.as_u64().and_then(|n| usize::try_from(n).ok()) {
            Some(count) => Ok(Some(count)),
            None => Err(self.wrong(format!("{key}, an integer"), value.to_string())),
        }
    }

    /// A required integer of at least 1.
    pub(in crate::tuning::saved) fn positive(&self, key: &str) -> Result<usize, SavedError> {
        match self.count(key)? {
            Some(count) if count > 0 => Ok(count),
            found => Err(self.wrong(
                format!("{key} of at least 1"),
                found.map_or("none".to_string(), |n| n.to_string()),
            )),
        }
    }

    /// A list of names; `None` if the key is absent or has another type.
    pub(in crate::tuning::saved) fn names(&self, key: &str) -> Option<Vec<&str>> {
        let values = self.get(key)?.as_array()?;
        Some(values.iter().filter_map(Value::as_str).collect())
    }

    /// Checks that the task matches the backbone's kind of network, if one is given.
    pub(in crate::tuning::saved) fn check_task(
        &self,
        backbone: &Backbone,
    ) -> Result<(), SavedError> {
        match self.task {
            Some(task) => task.check(backbone, &self.path),
            None => Ok(()),
        }
    }

    /// The model's name in PEFT: a Hub name, or a path on the training machine.
    pub(in crate::tuning::saved) fn base_model(&self) -> Option<String> {
        self.word("base_model_name_or_path")
    }

    /// An error about this configuration.
    pub(in crate::tuning::saved) fn wrong(
        &self,
        wanted: impl Into<String>,
        found: impl Into<String>,
    ) -> SavedError {
        SavedError::wrong(&self.path, wanted, found)
    }
}

/// The file with the tensors.
pub(in crate::tuning::saved) struct Tensors {
    pub(in crate::tuning::saved) path: PathBuf,
    pub(in crate::tuning::saved) bytes: Vec<u8>,
    pub(in crate::tuning::saved) sha256: String,
}

/// Reads the file with the tensors, never a pickle; refuses a file of more than `most` bytes.
pub(in crate::tuning::saved) fn tensors(folder: &Path, most: u64) -> Result<Tensors, SavedError> {
    let path = folder.join(TENSORS);
    if !path.exists() {
        let found = match folder.join(PICKLE).exists() {
            true => format!(
                "{PICKLE}, a pickle, which is never read (save_pretrained(..., safe_serialization=True))"
            ),
            false => "no such file".to_string(),
        };
        return Err(SavedError::wrong(folder, TENSORS, found));
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

/// A file's bytes, unless it is too large.
pub(in crate::tuning::saved) fn contents(path: &Path, most: u64) -> Result<Vec<u8>, SavedError> {
    let size = fs::metadata(path).map_err(SavedError::io(path))?.len();
    if size > most {
        return Err(SavedError::wrong(
            path,
            format!("at most {most} bytes"),
            format!("{size} bytes"),
        ));
    }
    fs::read(path).map_err(SavedError::io(path))
}

/// Both files by name; `keys` are added to the configuration keys of all methods.
pub(in crate::tuning::saved) fn files(
    peft_type: &str,
    task: Option<Task>,
    base_model: Option<&str>,
    keys: impl IntoIterator<Item = (&'static str, Value)>,
    tensors: Vec<u8>,
) -> Vec<(&'static str, Vec<u8>)> {
    let shared = [
        ("base_model_name_or_path", base_model.into()),
        ("inference_mode", true.into()),
        ("peft_type", peft_type.into()),
        ("task_type", task.map(Task::name).into()),
    ];
    let config: Map<String, Value> = (shared.into_iter().chain(keys))
        .map(|(key, value)| (key.to_string(), value))
        .collect();
    let mut text = serde_json::to_vec_pretty(&config).expect("plain data");
    text.push(b'\n');
    vec![(CONFIG, text), (TENSORS, tensors)]
}

/// The header metadata that Transformers' libraries expect.
pub(in crate::tuning::saved) fn header() -> std::collections::BTreeMap<String, String> {
    [("format".to_string(), "pt".to_string())].into()
}
