//! Tokens of a `spiece.model` compared with those of the SentencePiece library (tests/golden/make_sentencepiece.py),
//! and folders that contain one.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use promptshift::backbone::BackboneChoice;
use promptshift::hash::sha256;
use promptshift::t5::T5Config;
use promptshift::tokenizer::Tokenizer;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::parity::golden;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sentencepiece(file: &str) -> PathBuf {
    golden("sentencepiece_tiny").join(file)
}

/// The miniature's configuration with `vocab_size` rows of embeddings.
fn config(vocab_size: usize) -> T5Config {
    let mut config = T5Config::read(&root().join("models/nano/config.json")).expect("bundled");
    config.vocab_size = vocab_size;
    config
}

/// Ids, byte ranges and decoded text, as the scripts lay them out.
fn tokens(tokenizer: &Tokenizer, text: &str) -> Value {
    let (ids, ranges) = tokenizer.encode_with_offsets(text);
    assert_eq!(tokenizer.encode(text), ids);
    json!({"decoded": tokenizer.decode(&ids), "ids": ids, "ranges": ranges})
}

#[test]
fn tokens_are_those_of_sentencepiece() {
    let file = std::fs::read(sentencepiece("reference.json")).expect("a committed file");
    let reference: Value = serde_json::from_slice(&file).expect("JSON");
    let texts = reference["texts"].as_array().expect("texts");
    for name in ["unigram.model", "byte_fallback.model"] {
        let wanted = &reference[name];
        let size = wanted["size"].as_u64().expect("a number") as usize;
        let bytes = std::fs::read(sentencepiece(name)).expect("a committed file");
        let tokenizer = Tokenizer::parse_sentencepiece(&bytes, name, &config(size)).expect(name);
        assert_eq!(tokenizer.size(), size);
        for (at, text) in texts.iter().enumerate() {
            let text = text.as_str().expect("a string");
            let found = tokens(&tokenizer, text);
            for part in ["ids", "ranges", "decoded"] {
                assert_eq!(found[part], wanted[part][at], "{name}: {part} of {text:?}");
            }
        }
    }
}

/// Writes the tokens of any texts by any model, for `tests/golden/compare_sentencepiece.py`.
#[test]
#[ignore = "wants PROMPTSHIFT_SPIECE, PROMPTSHIFT_TEXTS and PROMPTSHIFT_TOKENS"]
fn tokens_of_any_model() {
    let path = |name| PathBuf::from(std::env::var_os(name).expect(name));
    let model = std::fs::read(path("PROMPTSHIFT_SPIECE")).expect("a model");
    let texts = std::fs::read(path("PROMPTSHIFT_TEXTS")).expect("texts");
    let texts: Vec<String> = serde_json::from_slice(&texts).expect("a list of strings");
    let tokenizer =
        Tokenizer::parse_sentencepiece(&model, "spiece.model", &config(32_128)).expect("a model");
    let tokens: Vec<Value> = texts.iter().map(|text| tokens(&tokenizer, text)).collect();
    let json = serde_json::to_vec(&tokens).expect("JSON");
    std::fs::write(path("PROMPTSHIFT_TOKENS"), json).expect("written");
}

/// The bundled miniature in a folder, without its tokenizer.
fn folder() -> TempDir {
    let folder = TempDir::new().expect("made");
    for file in ["config.json", "model.safetensors"] {
        let bundled = root().join("models/nano").join(file);
        std::fs::copy(bundled, folder.path().join(file)).expect("copied");
    }
    folder
}

fn load(folder: &TempDir) -> Result<promptshift::backbone::Backbone, String> {
    BackboneChoice::Folder(folder.path().to_path_buf())
        .load(&Device::flex())
        .map_err(|e| e.to_string())
}

#[test]
fn a_folder_is_read_with_its_tokenizer() {
    let folder = folder();
    let error = load(&folder).expect_err("no tokenizer");
    assert!(
        error.contains("tokenizer.json") && error.contains("spiece.model"),
        "{error}"
    );

    // Wide enough for the miniature's embeddings: 2,204 pieces and 100 sentinels.
    let spiece = folder.path().join("spiece.model");
    let bytes = widened(
        &std::fs::read(sentencepiece("unigram.model")).expect("committed"),
        2_204,
    );
    std::fs::write(&spiece, &bytes).expect("written");
    let backbone = load(&folder).expect("a unigram model");
    assert_eq!(backbone.tokenizer_sha256, sha256(&bytes));
    assert_eq!(backbone.tokenizer.size(), 2_304);
    assert_eq!(backbone.tokenizer.sentinel(0), Some(2_303));

    std::fs::write(&spiece, &bytes[..1_000]).expect("written");
    let error = load(&folder).expect_err("cut short");
    assert!(error.contains("spiece.model: not a"), "{error}");

    let small = std::fs::read(sentencepiece("unigram.model")).expect("committed");
    std::fs::write(&spiece, &small).expect("written");
    let error = load(&folder).expect_err("another model's");
    assert!(
        error.contains("spiece.model: 900 ids") && error.contains("2304"),
        "{error}"
    );

    // A tokenizer.json takes precedence.
    let json = root().join("models/nano/tokenizer.json");
    std::fs::copy(&json, folder.path().join("tokenizer.json")).expect("copied");
    let backbone = load(&folder).expect("the bundled tokenizer");
    let bytes = std::fs::read(json).expect("bundled");
    assert_eq!(backbone.tokenizer_sha256, sha256(&bytes));
}

#[test]
fn a_tokenizers_own_lengths_are_ignored() {
    let bytes = std::fs::read(root().join("models/nano/tokenizer.json")).expect("bundled");
    let mut json: Value = serde_json::from_slice(&bytes).expect("JSON");
    json["truncation"] = json!({
        "direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0
    });
    json["padding"] = json!({
        "strategy": {"Fixed": 4}, "direction": "Right", "pad_to_multiple_of": null,
        "pad_id": 0, "pad_type_id": 0, "pad_token": "<pad>"
    });
    let config = config(2_304);
    let plain = Tokenizer::parse(&bytes, "plain", &config).expect("bundled");
    let bytes = serde_json::to_vec(&json).expect("JSON");
    let limited = Tokenizer::parse(&bytes, "limited", &config).expect("the same");
    for text in [
        "a",
        "The river was named after its first mayor, and so was the town.",
    ] {
        assert_eq!(tokens(&limited, text), tokens(&plain, text));
    }
}

/// A `spiece.model` padded with unused pieces to `size`: protobuf fields may be in any order, so they are appended.
fn widened(model: &[u8], size: usize) -> Vec<u8> {
    const PIECES: usize = 800;
    let mut bytes = model.to_vec();
    for id in PIECES..size {
        let name = format!("unused{id:04}");
        // Field 1 (pieces) of 14 bytes: its field 1 (piece), then its field 3 (type), UNUSED.
        bytes.extend([0x0a, 14, 0x0a, 10]);
        bytes.extend(name.as_bytes());
        bytes.extend([0x18, 5]);
    }
    bytes
}
