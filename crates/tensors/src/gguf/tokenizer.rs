//! Converts the tokenizer in a file's metadata to a `tokenizer.json`; only byte-level BPE is supported.

use serde_json::{Map, json};

use super::value::Value;
use super::{Gguf, GgufError};

const WANTED: &str = "a byte-level BPE tokenizer that adds nothing to a text (tokenizer.ggml.model gpt2, tokenizer.ggml.pre smollm or gpt-2); or such a model in a folder with its tokenizer.json";

/// Flags that make a tokenizer add tokens to every text; the `tokenizer.json` made here adds none.
const ADDITIONS: [&str; 3] = [
    "tokenizer.ggml.add_space_prefix",
    "tokenizer.ggml.add_bos_token",
    "tokenizer.ggml.add_eos_token",
];

/// Control and user-defined tokens, which are matched in a text before all other tokens.
const ADDED: [i64; 2] = [3, 4];

/// The bytes of a `tokenizer.json` equivalent to a file's tokenizer.
///
/// # Errors
/// There is none, or an unsupported one.
pub fn tokenizer_json(file: &Gguf) -> Result<Vec<u8>, GgufError> {
    let wrong = |found: String| file.wrong(WANTED, found);
    match file.text("tokenizer.ggml.model") {
        Some("gpt2") => {}
        other => return Err(wrong(format!("tokenizer.ggml.model {other:?}"))),
    }
    let bytes = json!({
        "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true
    });
    let splitting = match file.text("tokenizer.ggml.pre") {
        Some("smollm") => json!({
            "type": "Sequence",
            "pretokenizers": [{"type": "Digits", "individual_digits": true}, bytes]
        }),
        Some("gpt-2") => bytes.clone(),
        other => return Err(wrong(format!("tokenizer.ggml.pre {other:?}"))),
    };
    if let Some(key) = (ADDITIONS.iter()).find(|key| file.truth(key) == Some(true)) {
        return Err(wrong(format!("{key} true")));
    }
    let texts = |key: &str| {
        let list = file.list(key).ok_or_else(|| wrong(format!("no {key}")))?;
        let text = |value: &Value| match value {
            Value::Text(text) => Ok(text.clone()),
            other => Err(wrong(format!("{other:?} in {key}"))),
        };
        list.iter().map(text).collect::<Result<Vec<String>, _>>()
    };
    let (tokens, merges) = (
        texts("tokenizer.ggml.tokens")?,
        texts("tokenizer.ggml.merges")?,
    );
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
    let json = json!({
        "version": "1.0",
        "added_tokens": added,
        "pre_tokenizer": splitting,
        "decoder": bytes,
        "model": {"type": "BPE", "vocab": vocabulary, "merges": merges}
    });
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
        for key in ADDITIONS {
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
            ("tokenizer.ggml.model", "llama"),
            ("tokenizer.ggml.pre", "llama-bpe"),
        ] {
            let other = file(&[(key, Value::Text(name.to_string()))]);
            let error = tokenizer_json(&other).expect_err(name).to_string();
            assert!(error.contains(key) && error.contains(name), "{error}");
            assert!(error.contains("smollm or gpt-2"), "{error}");
        }
    }
}
