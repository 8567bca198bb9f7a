//! A prompt in PEFT's format (huggingface/peft, `PROMPT_TUNING` and `P_TUNING`): `adapter_config.json` and
//! `adapter_model.safetensors` with a single tensor `prompt_embeddings`.
//!
//! For an encoder-decoder, PEFT creates `num_virtual_tokens × num_transformer_submodules` rows, by default
//! twice as many as requested, but its forward pass reads only the first `num_virtual_tokens`
//! (`PeftModelForSeq2SeqLM.forward`, 0.21). So only those are the prompt, and exports set
//! `num_transformer_submodules` to 1, which PEFT supports. For a network with one stack all rows are read.
//!
//! For P-tuning, PEFT saves the network's output, as promptshift does: an ordinary prompt. The configuration
//! gives the type of network, but its weights are not saved, so training can't be resumed.

use std::path::Path;

use serde_json::Value;

use super::folder::{self, CONFIG, Config, Task};
use crate::tuning::saved::error::SavedError;
use crate::tuning::saved::metadata::Origin;
use crate::tuning::saved::tensors;
use crate::tuning::soft_prompt::Vectors;
use promptshift_numbers::recipe::Method;

/// Why a BERT's prompt is neither exported to PEFT nor imported from it.
pub const NO_BERT: &str = "a BERT's prompt comes after the first token here and has no positions; in PEFT it comes \
     before it, shifts every token's position, and a classifier reads its first vector";

const TENSOR: &str = "prompt_embeddings";
const PROMPT_TUNING: &str = "PROMPT_TUNING";
const P_TUNING: &str = "P_TUNING";

/// The key of P-tuning's type of network.
const NETWORK: &str = "encoder_reparameterization_type";

/// Far larger than any prompt: 100 vectors of T5-xxl have 1.6 MB.
pub(in crate::tuning::saved) const MOST_BYTES: u64 = 1 << 28;

/// Reads a folder: the rows that PEFT uses, and the prompt's origin.
pub(in crate::tuning::saved) fn read(path: &Path) -> Result<(Vectors, Origin), SavedError> {
    let config = folder::config(path, &[PROMPT_TUNING, P_TUNING])?;
    let method = method(&config)?;
    let asked = config.positive("num_virtual_tokens")?;
    // A configuration written by hand may omit the number of submodules, which is then one or two.
    let most = match config.task {
        None | Some(Task::Seq2SeqLm) => 2,
        Some(_) => 1,
    };
    let times = match config.count("num_transformer_submodules")? {
        None => 1..=most,
        Some(n) if (1..=most).contains(&n) => n..=n,
        Some(n) => {
            let wanted = match most {
                1 => "num_transformer_submodules 1, as there is one stack",
                _ => "num_transformer_submodules 1 or 2",
            };
            return Err(config.wrong(wanted, n.to_string()));
        }
    };
    let file = folder::tensors(path, MOST_BYTES)?;
    let vectors = tensors::only(&file.bytes, TENSOR, &file.path)?;
    let width = config.count("token_dim")?;
    if let Some(wanted) = width.filter(|&wanted| wanted != vectors.width()) {
        return Err(SavedError::wrong(
            &file.path,
            format!("vectors with {CONFIG}'s token_dim {wanted}"),
            format!("vectors {} wide", vectors.width()),
        ));
    }
    if !times
        .clone()
        .any(|n| asked.checked_mul(n) == Some(vectors.length()))
    {
        return Err(SavedError::wrong(
            &file.path,
            format!(
                "{CONFIG}'s num_virtual_tokens {asked} × num_transformer_submodules {} rows",
                times.end()
            ),
            format!("{} rows", vectors.length()),
        ));
    }
    let origin = Origin::Peft {
        method,
        base_model: config.base_model(),
        sha256: file.sha256,
        unknown: config.unknown,
        task: config.task,
    };
    Ok((vectors.first(asked), origin))
}

/// The method that tuned the prompt.
fn method(config: &Config) -> Result<Method, SavedError> {
    if config.peft_type == PROMPT_TUNING {
        return Ok(Method::Prompt);
    }
    // PEFT's default.
    let network = config.word(NETWORK).unwrap_or("MLP".to_string());
    match network.as_str() {
        "MLP" => Ok(Method::Ptuning),
        "LSTM" => Ok(Method::PtuningLstm),
        _ => Err(config.wrong(format!("{NETWORK} MLP or LSTM"), network)),
    }
}

/// The folder's files by name: the prompt saved once, for this task and the model that PEFT should refer to
/// as `base_model`.
pub(in crate::tuning::saved) fn files(
    vectors: &Vectors,
    method: Method,
    task: Task,
    base_model: Option<&str>,
) -> Vec<(&'static str, Vec<u8>)> {
    let (peft_type, own_key) = match method {
        Method::Ptuning => (P_TUNING, (NETWORK, "MLP")),
        Method::PtuningLstm => (P_TUNING, (NETWORK, "LSTM")),
        // PEFT's initialisation of a new prompt, which the saved tensor replaces.
        _ => (PROMPT_TUNING, ("prompt_tuning_init", "RANDOM")),
    };
    let keys: [(&'static str, Value); 4] = [
        ("num_transformer_submodules", 1.into()),
        ("num_virtual_tokens", vectors.length().into()),
        (own_key.0, own_key.1.into()),
        ("token_dim", vectors.width().into()),
    ];
    let tensors = vectors.weights(TENSOR).to_bytes(folder::header());
    folder::files(peft_type, Some(task), base_model, keys, tensors)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;
    use tempfile::TempDir;

    use super::*;
    use crate::tuning::saved::peft::folder::TENSORS;

    fn vectors(rows: usize) -> Vectors {
        let values = (0..rows * 3).map(|v| v as f32 / 8.0).collect();
        Vectors::new(&[rows, 3], values, Path::new("")).expect("finite")
    }

    /// A folder as PEFT writes it for two virtual tokens, with this many rows.
    fn folder(rows: usize) -> TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, bytes) in files(&vectors(2), Method::Prompt, Task::Seq2SeqLm, Some("t5")) {
            fs::write(folder.path().join(name), bytes).expect("written");
        }
        let tensors = vectors(rows).weights(TENSOR).to_bytes(Default::default());
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

    /// The method of a prompt from PEFT.
    fn of(origin: &Origin) -> Method {
        match origin {
            Origin::Peft { method, .. } => *method,
            Origin::Own(_) | Origin::Npy { .. } => panic!("from PEFT"),
        }
    }

    fn refused(folder: &TempDir) -> String {
        read(folder.path())
            .expect_err("must be refused")
            .to_string()
    }

    #[test]
    fn the_first_rows_are_the_prompt_whether_there_are_twice_as_many_or_not() {
        let single = folder(2);
        assert_eq!(read(single.path()).expect("ours").0, vectors(2));
        let doubled = folder(4);
        set(&doubled, "num_transformer_submodules", 2.into());
        assert_eq!(read(doubled.path()).expect("PEFT's").0, vectors(2));
        for rows in [2, 4] {
            let unsaid = folder(rows);
            set(&unsaid, "num_transformer_submodules", Value::Null);
            assert_eq!(read(unsaid.path()).expect("either").0, vectors(2));
        }
    }

    #[test]
    fn p_tuning_s_result_is_a_prompt() {
        for method in [Method::Prompt, Method::Ptuning, Method::PtuningLstm] {
            let folder = folder(2);
            for (name, bytes) in files(&vectors(2), method, Task::CausalLm, None) {
                fs::write(folder.path().join(name), bytes).expect("written");
            }
            let (found, origin) = read(folder.path()).expect("ours");
            assert_eq!((found, of(&origin)), (vectors(2), method));
        }
        let other = folder(2);
        set(&other, "peft_type", "P_TUNING".into());
        let (_, origin) = read(other.path()).expect("the default");
        assert_eq!(of(&origin), Method::Ptuning);
        set(&other, NETWORK, "GRU".into());
        assert!(refused(&other).contains("found GRU"));
    }

    #[test]
    fn one_stack_has_one_prompt() {
        let folder = folder(2);
        set(&folder, "task_type", "CAUSAL_LM".into());
        let read = |folder: &TempDir| read(folder.path()).expect("PEFT's").1;
        let is_causal = |origin| {
            matches!(
                origin,
                Origin::Peft {
                    task: Some(Task::CausalLm),
                    ..
                }
            )
        };
        assert!(is_causal(read(&folder)));
        set(&folder, "num_transformer_submodules", 2.into());
        assert!(refused(&folder).contains("as there is one stack, found 2"));
        set(&folder, "num_transformer_submodules", 1.into());
        set(&folder, "use_tomorrows_prompt", "yes".into());
        let Origin::Peft { unknown, .. } = read(&folder) else {
            panic!("PEFT's");
        };
        assert_eq!(unknown, ["use_tomorrows_prompt yes"]);
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
            ("task_type", json!("TOKEN_CLS"), "found task_type TOKEN_CLS"),
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
        let other = vectors(2).weights("lora_A").to_bytes(Default::default());
        fs::write(&tensors, other).expect("written");
        assert!(refused(&folder).contains("found tensors: lora_A"));
        fs::rename(&tensors, folder.path().join("adapter_model.bin")).expect("renamed");
        assert!(refused(&folder).contains("a pickle"));
        fs::remove_file(folder.path().join("adapter_model.bin")).expect("removed");
        assert!(refused(&folder).contains("no such file"));
        fs::write(folder.path().join(CONFIG), "{").expect("written");
        assert!(refused(&folder).contains("JSON"));
        fs::remove_file(folder.path().join(CONFIG)).expect("removed");
        assert!(refused(&folder).contains(CONFIG));
    }
}
