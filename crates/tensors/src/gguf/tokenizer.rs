//! Converts the tokenizer in a file's metadata to a `tokenizer.json`: byte-level BPE, or SentencePiece's byte pairs.

use serde_json::{Map, json};

use super::value::Value;
use super::{Gguf, GgufError};
use crate::tokenizer::{BytePairs, beginning};

const WANTED: &str = "a tokenizer of byte pairs that adds nothing after a text (tokenizer.ggml.model llama; or gpt2 with tokenizer.ggml.pre smollm, gpt-2, llama-bpe or qwen2); or such a model in a folder with its tokenizer.json";

/// Control and user-defined tokens, which are matched in a text before all other tokens.
const ADDED: [i64; 2] = [3, 4];

/// How Llama 3 and Qwen2 cut a text into the words of byte-level BPE; `{}` stands for a run of digits. Transformers'
/// `TikTokenConverter` and `Qwen2Converter` (`convert_slow_tokenizer.py`), and llama.cpp's `llm_tokenizer_bpe`.
const WORDS: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|{}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// The bytes of a `tokenizer.json` equivalent to a file's tokenizer.
///
/// # Errors
/// There is none, or an unsupported one.
pub fn tokenizer_json(file: &Gguf) -> Result<Vec<u8>, GgufError> {
    let wrong = |found: String| file.wrong(WANTED, found);
    if file.truth("tokenizer.ggml.add_eos_token") == Some(true) {
        return Err(wrong("tokenizer.ggml.add_eos_token true".to_string()));
    }
    match file.text("tokenizer.ggml.model") {
        Some("gpt2") => byte_level(file),
        Some("llama") => sentencepiece(file),
        other => Err(wrong(format!("tokenizer.ggml.model {other:?}"))),
    }
}

/// The id of the token that begins every input, if one does; `default` where the file does not say.
fn first(file: &Gguf, default: bool) -> Result<Option<u32>, GgufError> {
    const ID: &str = "tokenizer.ggml.bos_token_id";
    if !(file.truth("tokenizer.ggml.add_bos_token")).unwrap_or(default) {
        return Ok(None);
    }
    match file.size(ID).and_then(|id| u32::try_from(id).ok()) {
        Some(id) => Ok(Some(id)),
        None => Err(file.wrong(
            WANTED,
            format!("tokenizer.ggml.add_bos_token true without {ID}"),
        )),
    }
}

fn texts(file: &Gguf, key: &str) -> Result<Vec<String>, GgufError> {
    let list = (file.list(key)).ok_or_else(|| file.wrong(WANTED, format!("no {key}")))?;
    let text = |value: &Value| match value {
        Value::Text(text) => Ok(text.clone()),
        other => Err(file.wrong(WANTED, format!("{other:?} in {key}"))),
    };
    list.iter().map(text).collect()
}

fn sentencepiece(file: &Gguf) -> Result<Vec<u8>, GgufError> {
    let wrong = |found: String| file.wrong(WANTED, found);
    let tokens = texts(file, "tokenizer.ggml.tokens")?;
    let list = |key: &str| {
        let list = file.list(key).filter(|list| list.len() == tokens.len());
        list.ok_or_else(|| wrong(format!("no {key} of every token")))
    };
    let numbers = list("tokenizer.ggml.scores")?
        .iter()
        .map(|score| match score {
            Value::Number(score) => Some(*score as f32),
            _ => None,
        });
    let kinds = (list("tokenizer.ggml.token_type")?.iter()).map(|kind| match kind {
        Value::Integer(kind) => i32::try_from(*kind).ok(),
        _ => None,
    });
    let pieces = (tokens.iter().zip(numbers).zip(kinds))
        .map(|((token, score), kind)| Some((token.clone(), score?, kind?)))
        .collect::<Option<Vec<_>>>();
    let pieces = pieces.ok_or_else(|| wrong("scores or types that are no numbers".to_string()))?;
    // llama.cpp's defaults for this kind.
    let adds_space = file
        .truth("tokenizer.ggml.add_space_prefix")
        .unwrap_or(true);
    BytePairs::new(pieces.into_iter(), adds_space, first(file, true)?)
        .to_json()
        .map_err(|error| wrong(error.to_string()))
}

fn byte_level(file: &Gguf) -> Result<Vec<u8>, GgufError> {
    let wrong = |found: String| file.wrong(WANTED, found);
    if file.truth("tokenizer.ggml.add_space_prefix") == Some(true) {
        return Err(wrong("tokenizer.ggml.add_space_prefix true".to_string()));
    }
    let bytes = |use_regex: bool| {
        json!({
            "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": use_regex
        })
    };
    let split = |digits: &str| {
        let pattern = WORDS.replace("{}", digits);
        json!({
            "type": "Sequence",
            "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false},
                bytes(false)
            ]
        })
    };
    let pre = file.text("tokenizer.ggml.pre");
    let splitting = match pre {
        Some("smollm") => json!({
            "type": "Sequence",
            "pretokenizers": [{"type": "Digits", "individual_digits": true}, bytes(true)]
        }),
        Some("gpt-2") => bytes(true),
        Some("llama-bpe") => split(r"\p{N}{1,3}"),
        Some("qwen2") => split(r"\p{N}"),
        other => return Err(wrong(format!("tokenizer.ggml.pre {other:?}"))),
    };
    let is_llama = pre == Some("llama-bpe");
    let (tokens, merges) = (
        texts(file, "tokenizer.ggml.tokens")?,
        texts(file, "tokenizer.ggml.merges")?,
    );
    let first = match first(file, is_llama)? {
        Some(id) => match tokens.get(id as usize) {
            Some(token) => Some(beginning(id, token)),
            None => {
                return Err(wrong(format!(
                    "tokenizer.ggml.bos_token_id {id} without a token"
                )));
            }
        },
        None => None,
    };
    let kinds = file.list("tokenizer.ggml.token_type").unwrap_or(&[]);
    let is_added = |id: usize| {
        let kind = kinds.get(id);
        matches!(kind, Some(Value::Integer(kind)) if ADDED.contains(kind))
    };
    let added: Vec<serde_json::Value> = (tokens.iter().enumerate())
        .filter(|(id, _)| is_added(*id))
        .map(|(id, token)| {
            json!({
                "id": id, "content": token, "single_word": false, "lstrip": false,
                "rstrip": false, "normalized": false, "special": true
            })
        })
        .collect();
    let vocabulary: Map<String, serde_json::Value> = (tokens.into_iter().enumerate())
        .map(|(id, token)| (token, id.into()))
        .collect();
    let mut json = json!({
        "version": "1.0",
        "added_tokens": added,
        "pre_tokenizer": splitting,
        "decoder": bytes(true),
        "model": {"type": "BPE", "vocab": vocabulary, "merges": merges}
    });
    // Keys that a file without them must not have: its hash is in records.
    if let Some(first) = first {
        json["post_processor"] = first;
    }
    if is_llama {
        json["model"]["ignore_merges"] = true.into();
    }
    if pre == Some("qwen2") {
        json["normalizer"] = json!({"type": "NFC"});
    }
    Ok(serde_json::to_vec(&json).expect("plain data"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// A file with an empty tokenizer, with these values added or replaced.
    fn file(values: &[(&str, Value)]) -> Gguf {
        let text = |text: &str| Value::Text(text.to_string());
        let usual = [
            ("tokenizer.ggml.model", text("gpt2")),
            ("tokenizer.ggml.pre", text("smollm")),
            ("tokenizer.ggml.tokens", Value::List(Vec::new())),
            ("tokenizer.ggml.merges", Value::List(Vec::new())),
        ];
        let all = usual.iter().chain(values);
        Gguf {
            path: "a.gguf".to_string(),
            values: all
                .map(|(key, value)| (key.to_string(), value.clone()))
                .collect(),
            places: BTreeMap::new(),
            bytes: Vec::new(),
        }
    }

    #[test]
    fn a_tokenizer_that_adds_to_a_text_is_refused_by_its_key() {
        for key in [
            "tokenizer.ggml.add_space_prefix",
            "tokenizer.ggml.add_eos_token",
            // Without the token that it adds.
            "tokenizer.ggml.add_bos_token",
        ] {
            let not_added = file(&[(key, Value::Truth(false))]);
            assert!(tokenizer_json(&not_added).is_ok(), "{key}");
            let added = file(&[(key, Value::Truth(true))]);
            let error = tokenizer_json(&added).expect_err(key).to_string();
            assert!(error.contains(&format!("found {key} true")), "{error}");
        }
    }

    #[test]
    fn a_tokenizer_of_another_kind_is_refused_by_name() {
        for (key, name) in [
            ("tokenizer.ggml.model", "bert"),
            ("tokenizer.ggml.pre", "deepseek-llm"),
        ] {
            let other = file(&[(key, Value::Text(name.to_string()))]);
            let error = tokenizer_json(&other).expect_err(name).to_string();
            assert!(error.contains(key) && error.contains(name), "{error}");
            assert!(
                error.contains("smollm, gpt-2, llama-bpe or qwen2"),
                "{error}"
            );
        }
    }

    #[test]
    fn pieces_without_scores_are_refused() {
        let tokens = Value::List(vec![Value::Text("a".to_string())]);
        let other = file(&[
            ("tokenizer.ggml.model", Value::Text("llama".to_string())),
            ("tokenizer.ggml.tokens", tokens),
            ("tokenizer.ggml.scores", Value::List(Vec::new())),
        ]);
        let error = tokenizer_json(&other).expect_err("no score").to_string();
        assert!(error.contains("tokenizer.ggml.scores"), "{error}");
    }
}
