//! Tokens of a `spiece.model` and of byte pairs compared with those of the SentencePiece library and of llama.cpp's
//! expressions (tests/golden/make_sentencepiece.py and make_byte_pairs.py), and folders that contain one.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use promptshift::backbone::{BackboneChoice, folder_tokenizer};
use promptshift::gguf::{Gguf, tokenizer_json};
use promptshift::hash::sha256;
use promptshift::network::Config;
use promptshift::t5::T5Config;
use promptshift::tokenizer::{Begins, Tokenizer};
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

fn byte_pairs(file: &str) -> Vec<u8> {
    std::fs::read(golden("byte_pairs_tiny").join(file)).expect("a committed file")
}

/// As many rows of embeddings as the largest of these vocabularies needs.
const ROWS: usize = 720;

fn of_gguf(name: &str) -> Tokenizer {
    let name = format!("{name}.gguf");
    let file = Gguf::parse(byte_pairs(&name), &name).expect("GGUF");
    let json = tokenizer_json(&file).expect("a supported tokenizer");
    Tokenizer::parse_of_lines(&json, &name, ROWS).expect("of lines")
}

fn of_model(name: &str, begins: Begins) -> Tokenizer {
    let name = format!("{name}.model");
    Tokenizer::parse_byte_pairs(&byte_pairs(&name), &name, begins, ROWS).expect("byte pairs")
}

#[test]
fn byte_pairs_are_those_of_sentencepiece_and_llama_cpp() {
    let reference: Value = serde_json::from_slice(&byte_pairs("reference.json")).expect("JSON");
    let texts: Vec<String> = serde_json::from_value(reference["texts"].clone()).expect("texts");
    let ids = |name: &str| -> Vec<Vec<u32>> {
        serde_json::from_value(reference[name].clone()).expect("ids")
    };
    let models = ["llama", "gemma"].map(|name| (name, of_model(name, Begins::Plainly)));
    let ggufs = ["llama", "gemma", "llama-bpe", "qwen2"].map(|name| (name, of_gguf(name)));
    for (name, tokenizer) in models.into_iter().chain(ggufs) {
        for (text, wanted) in texts.iter().zip(ids(name)) {
            assert_eq!(tokenizer.encode(text), wanted, "{name}: {text:?}");
            // Qwen2 composes characters; a line ends an answer.
            let line = text.lines().next().unwrap_or_default();
            let is_plain = text.trim() == text && line == text && !text.contains('▁');
            if name != "qwen2" && is_plain {
                assert_eq!(tokenizer.decode(&wanted), *line, "{name}");
            }
        }
    }
}

/// What a model answers continues its input with a space, which Llama 2's tokenizer puts there itself.
#[test]
fn outputs_continue_inputs_and_inputs_begin_as_the_files_say() {
    let text = "Context: The mill.\nAnswer:";
    for (name, first) in [("llama", 1), ("gemma", 2), ("llama-bpe", 600)] {
        let mut both = vec![of_gguf(name)];
        if name != "llama-bpe" {
            both.push(of_model(name, Begins::WithToken));
        }
        for tokenizer in both {
            let (input, ranges) = tokenizer.encode_input(text);
            assert_eq!(input[0], first, "{name}");
            assert_eq!(input[1..], tokenizer.encode(text), "{name}");
            assert_eq!(ranges.last(), Some(&(text.len() - 1, text.len())), "{name}");
            let answer = tokenizer.encode_output("in the water");
            let whole = tokenizer.encode(&format!("{text} in the water"));
            assert_eq!([&input[1..], &answer].concat(), whole, "{name}");
            assert_eq!(tokenizer.decode(&answer), "in the water");
            assert_eq!(
                tokenizer.encode(&format!("{text}\n")).last(),
                Some(&tokenizer.end())
            );
        }
    }
    let (input, _) = of_gguf("qwen2").encode_input(text);
    assert_eq!(input, of_gguf("qwen2").encode(text));
}

#[test]
fn a_folders_byte_pairs_begin_as_its_settings_say_and_are_refused_if_others_change_them() {
    let folder = TempDir::new().expect("a temporary folder");
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes);
    write("tokenizer.model", &byte_pairs("llama.model")).expect("written");
    let config = std::fs::read(golden("llama_tiny/config.json")).expect("a committed file");
    let mut config: Value = serde_json::from_slice(&config).expect("JSON");
    config["vocab_size"] = ROWS.into();
    let config = Config::parse(config.to_string().as_bytes(), "config.json").expect("a Llama");
    let read = |settings: Value| {
        write("tokenizer_config.json", settings.to_string().as_bytes()).expect("written");
        folder_tokenizer(folder.path(), &config).map(|(tokenizer, _)| tokenizer)
    };
    for (settings, first) in [
        (json!({}), Some(1)),
        (json!({"add_bos_token": true, "legacy": false}), Some(1)),
        (json!({"add_bos_token": false}), None),
        (
            json!({"added_tokens_decoder": {"1": {"content": "<s>"}}}),
            Some(1),
        ),
    ] {
        let tokenizer = read(settings).expect("byte pairs");
        let (ids, _) = tokenizer.encode_input("a");
        assert_eq!(ids.first().copied().filter(|&id| id == 1), first);
    }
    for settings in [
        json!({"add_eos_token": true}),
        json!({"added_tokens_decoder": {"700": {"content": "<|im_start|>"}}}),
    ] {
        let error = read(settings).expect_err("changed").to_string();
        assert!(error.contains("wanted tokenizer.json"), "{error}");
    }
    write("added_tokens.json", br#"{"<|im_start|>": 700}"#).expect("written");
    let error = read(json!({})).expect_err("changed").to_string();
    assert!(error.contains("<|im_start|>"), "{error}");
}

/// A unigram model, and byte pairs of another kind than Llama 2's or Gemma's.
#[test]
fn other_models_than_byte_pairs_are_refused_by_name() {
    let parse = |bytes: &[u8]| {
        Tokenizer::parse_byte_pairs(bytes, "tokenizer.model", Begins::WithToken, ROWS)
    };
    let unigram = std::fs::read(sentencepiece("unigram.model")).expect("a committed file");
    let error = parse(&unigram).expect_err("unigram").to_string();
    assert!(error.contains("model_type Unigram"), "{error}");
    let whole = byte_pairs("gemma.model");
    for at in (0..whole.len()).step_by(61) {
        assert!(parse(&whole[..at]).is_err(), "{at}");
        let mut damaged = whole.clone();
        damaged[at] ^= 0x55;
        // Some damage changes a piece into another one; none panics.
        let _ = parse(&damaged);
    }
}

/// Writes the tokens of any texts by any model, for `tests/golden/compare_sentencepiece.py`.
#[test]
#[ignore = "wants PROMPTSHIFT_SPIECE, PROMPTSHIFT_TEXTS and PROMPTSHIFT_TOKENS"]
fn tokens_of_any_model() {
    let path = |name| PathBuf::from(std::env::var_os(name).expect(name));
    let model = path("PROMPTSHIFT_SPIECE");
    let is_byte_pairs = model.ends_with("tokenizer.model");
    let model = std::fs::read(model).expect("a model");
    let texts = std::fs::read(path("PROMPTSHIFT_TEXTS")).expect("texts");
    let texts: Vec<String> = serde_json::from_slice(&texts).expect("a list of strings");
    let tokenizer = match is_byte_pairs {
        true => Tokenizer::parse_byte_pairs(&model, "tokenizer.model", Begins::Plainly, 32_000),
        false => Tokenizer::parse_sentencepiece(&model, "spiece.model", &config(32_128)),
    };
    let tokenizer = tokenizer.expect("a model");
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
