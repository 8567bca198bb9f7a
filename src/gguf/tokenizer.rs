//! The tokenizer in a file's metadata, as a `tokenizer.json`: byte-level BPE alone.

use serde_json::{Map, json};

use super::{Gguf, GgufError, Value};

const WANTED: &str = "a byte-level BPE tokenizer (tokenizer.ggml.model gpt2, tokenizer.ggml.pre smollm or gpt-2); or such a model in a folder with its tokenizer.json";

/// Control and user-defined tokens, which text is first searched for.
const ADDED: [i64; 2] = [3, 4];

/// The bytes of a `tokenizer.json` for the tokenizer of a file.
///
/// # Errors
/// It has none, or one of another kind.
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
    if file.truth("tokenizer.ggml.add_space_prefix") == Some(true) {
        return Err(wrong("tokenizer.ggml.add_space_prefix".to_string()));
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
