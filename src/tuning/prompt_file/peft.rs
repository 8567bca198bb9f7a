//! PEFT's folder of a prompt (huggingface/peft, `PROMPT_TUNING`): `adapter_config.json` and
//! `adapter_model.safetensors` with one tensor `prompt_embeddings`.
//!
//! For an encoder-decoder PEFT makes `num_virtual_tokens × num_transformer_submodules` rows, twice
//! as many as asked for by default, and its forward pass reads the first `num_virtual_tokens` of
//! them alone (`PeftModelForSeq2SeqLM.forward`, 0.21). So those are the prompt; and what is written
//! here says `num_transformer_submodules` 1, which PEFT keeps to.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{PromptFileError, Vectors, own};
use crate::provenance::sha256;

/// The configuration's name.
pub const CONFIG: &str = "adapter_config.json";

const TENSORS: &str = "adapter_model.safetensors";
const PICKLE: &str = "adapter_model.bin";
const TENSOR: &str = "prompt_embeddings";
const TYPE: &str = "PROMPT_TUNING";
const TASK: &str = "SEQ_2_SEQ_LM";

/// What is read of `adapter_config.json`.
#[derive(Deserialize)]
struct Config {
    num_virtual_tokens: usize,
    num_transformer_submodules: Option<usize>,
    token_dim: Option<usize>,
    base_model_name_or_path: Option<String>,
}

/// A prompt from such a folder.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Adapter {
    /// The rows that PEFT uses.
    pub(super) vectors: Vectors,
    /// The model that PEFT trained it for, as it was called there.
    pub(super) base_model: Option<String>,
    /// SHA-256 of the tensors' file.
    pub(super) sha256: String,
}

/// Reads a folder.
pub(super) fn read(folder: &Path) -> Result<Adapter, PromptFileError> {
    let config = config(&folder.join(CONFIG))?;
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
    let bytes = super::contents(&path)?;
    let vectors = own::tensor(&bytes, TENSOR, &path)?;
    if let Some(wanted) = config.token_dim.filter(|&wanted| wanted != vectors.width()) {
        return Err(PromptFileError::wrong(
            &path,
            format!("vectors of {CONFIG}'s token_dim {wanted}"),
            format!("vectors {} wide", vectors.width()),
        ));
    }
    let asked = config.num_virtual_tokens;
    // Written by hand it may leave the number of submodules out: one or two then.
    let times = config.num_transformer_submodules.map_or(1..=2, |n| n..=n);
    if !times
        .clone()
        .any(|n| asked.checked_mul(n) == Some(vectors.length()))
    {
        return Err(PromptFileError::wrong(
            &path,
            format!(
                "{CONFIG}'s num_virtual_tokens {asked} × num_transformer_submodules {} rows",
                times.end()
            ),
            format!("{} rows", vectors.length()),
        ));
    }
    Ok(Adapter {
        vectors: vectors.first(asked),
        base_model: config.base_model_name_or_path,
        sha256: sha256(&bytes),
    })
}

/// Reads and checks `adapter_config.json`.
fn config(path: &Path) -> Result<Config, PromptFileError> {
    let wrong = |wanted: &str, found: String| PromptFileError::wrong(path, wanted, found);
    let bytes = super::contents(path)?;
    let json: Value = serde_json::from_slice(&bytes)
        .map_err(|e| wrong("PEFT's configuration, JSON", e.to_string()))?;
    let text = |key: &str| match json.get(key) {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(other) => Some(other.to_string()),
    };
    match text("peft_type") {
        Some(found) if found == TYPE => {}
        Some(found) => {
            return Err(wrong(
                "peft_type PROMPT_TUNING",
                format!("peft_type {found}"),
            ));
        }
        None => return Err(wrong("peft_type PROMPT_TUNING", "no peft_type".to_string())),
    }
    if let Some(found) = text("task_type").filter(|found| found != TASK) {
        return Err(wrong(
            "task_type SEQ_2_SEQ_LM, as T5 is an encoder-decoder",
            format!("task_type {found}"),
        ));
    }
    let config: Config = serde_json::from_value(json)
        .map_err(|e| wrong("the keys of PEFT's prompt tuning", e.to_string()))?;
    if config.num_virtual_tokens == 0 {
        return Err(wrong("num_virtual_tokens of at least 1", "0".to_string()));
    }
    match config.num_transformer_submodules {
        None | Some(1 | 2) => Ok(config),
        Some(n) => Err(wrong("num_transformer_submodules 1 or 2", n.to_string())),
    }
}

/// The folder's files by name: the prompt once, for `base_model` as PEFT is to call it.
pub(super) fn files(vectors: &Vectors, base_model: Option<&str>) -> Vec<(&'static str, Vec<u8>)> {
    let config = json!({
        "base_model_name_or_path": base_model,
        "inference_mode": true,
        "num_transformer_submodules": 1,
        "num_virtual_tokens": vectors.length(),
        "peft_type": TYPE,
        // How PEFT would start a new one; what is saved takes its place.
        "prompt_tuning_init": "RANDOM",
        "task_type": TASK,
        "token_dim": vectors.width(),
    });
    let mut text = serde_json::to_vec_pretty(&config).expect("plain data");
    text.push(b'\n');
    let metadata = [("format".to_string(), "pt".to_string())].into();
    vec![
        (CONFIG, text),
        (TENSORS, own::safetensors(TENSOR, vectors, metadata)),
    ]
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    fn vectors(rows: usize) -> Vectors {
        let values = (0..rows * 3).map(|v| v as f32 / 8.0).collect();
        Vectors::new(&[rows, 3], values, Path::new("")).expect("finite")
    }

    /// A folder as PEFT writes it for two virtual tokens, with so many rows.
    fn folder(rows: usize) -> TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, bytes) in files(&vectors(2), Some("t5")) {
            fs::write(folder.path().join(name), bytes).expect("written");
        }
        let tensors = own::safetensors(TENSOR, &vectors(rows), Default::default());
        fs::write(folder.path().join(TENSORS), tensors).expect("written");
        folder
    }

    /// Sets a key of the configuration.
    fn set(folder: &TempDir, key: &str, value: Value) {
        let path = folder.path().join(CONFIG);
        let text = fs::read_to_string(&path).expect("written");
        let mut config: Value = serde_json::from_str(&text).expect("JSON");
        config[key] = value;
        fs::write(&path, config.to_string()).expect("written");
    }

    fn refused(folder: &TempDir) -> String {
        read(folder.path())
            .expect_err("must be refused")
            .to_string()
    }

    #[test]
    fn the_first_rows_are_the_prompt_whether_there_are_twice_as_many_or_not() {
        let single = folder(2);
        assert_eq!(read(single.path()).expect("ours").vectors, vectors(2));
        let doubled = folder(4);
        set(&doubled, "num_transformer_submodules", 2.into());
        assert_eq!(read(doubled.path()).expect("PEFT's").vectors, vectors(2));
        for rows in [2, 4] {
            let unsaid = folder(rows);
            set(&unsaid, "num_transformer_submodules", Value::Null);
            assert_eq!(read(unsaid.path()).expect("either").vectors, vectors(2));
        }
    }

    #[test]
    fn rows_and_widths_that_contradict_the_configuration_are_named() {
        for rows in [1, 3, 4] {
            let text = refused(&folder(rows));
            assert!(
                text.contains("num_virtual_tokens 2") && text.contains(&format!("{rows} rows")),
                "{text}"
            );
        }
        let doubled = folder(2);
        set(&doubled, "num_transformer_submodules", 2.into());
        assert!(refused(&doubled).contains("2 rows"));
        let wide = folder(2);
        set(&wide, "token_dim", 768.into());
        let text = refused(&wide);
        assert!(
            text.contains("token_dim 768") && text.contains("3 wide"),
            "{text}"
        );
    }

    #[test]
    fn other_adapters_are_refused_by_name() {
        for (key, value, found) in [
            ("peft_type", json!("LORA"), "found peft_type LORA"),
            ("peft_type", json!("PREFIX_TUNING"), "PREFIX_TUNING"),
            ("peft_type", Value::Null, "no peft_type"),
            ("task_type", json!("CAUSAL_LM"), "CAUSAL_LM"),
            ("num_virtual_tokens", json!(0), "found 0"),
            ("num_virtual_tokens", json!("two"), "\"two\""),
            ("num_virtual_tokens", json!(-2), "-2"),
            ("num_transformer_submodules", json!(3), "found 3"),
        ] {
            let folder = folder(2);
            set(&folder, key, value);
            let text = refused(&folder);
            assert!(text.contains(CONFIG) && text.contains(found), "{text}");
        }
    }

    #[test]
    fn files_that_are_absent_or_damaged_are_named() {
        let folder = folder(2);
        let tensors = folder.path().join(TENSORS);
        let whole = fs::read(&tensors).expect("written");
        fs::write(&tensors, &whole[..whole.len() - 5]).expect("written");
        assert!(refused(&folder).contains(TENSORS));
        let other = own::safetensors("lora_A", &vectors(2), Default::default());
        fs::write(&tensors, other).expect("written");
        assert!(refused(&folder).contains("found tensors: lora_A"));
        fs::rename(&tensors, folder.path().join(PICKLE)).expect("renamed");
        assert!(refused(&folder).contains("a pickle"));
        fs::remove_file(folder.path().join(PICKLE)).expect("removed");
        assert!(refused(&folder).contains("no such file"));
        fs::write(folder.path().join(CONFIG), "{").expect("written");
        assert!(refused(&folder).contains("JSON"));
        fs::remove_file(folder.path().join(CONFIG)).expect("removed");
        assert!(refused(&folder).contains(CONFIG));
    }
}
