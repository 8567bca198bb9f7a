//! Models: each file of a committed one replaced in turn, the model loaded and asked.

use promptshift::backbone::BackboneChoice;
use promptshift::bert::BertConfig;
use promptshift::device::Device;
use promptshift::t5::T5Config;
use promptshift::tokenizer::{Case, Tokenizer};
use promptshift::tuning::Tuned;

use super::Outcome;
use super::place::{Place, T5_TOKENIZER, committed};
use super::tuned::answered;

/// The folders of committed models, with the name of their weights.
const MODELS: [(&str, &str); 8] = [
    ("t5_v1_1_tiny", "model.safetensors"),
    ("t5_v1_0_tiny", "pytorch_model.bin"),
    ("bert_tiny", "model.safetensors"),
    ("bert_words_tiny", "model.safetensors"),
    ("distilbert_tiny", "pytorch_model.bin"),
    ("modernbert_tiny", "model.safetensors"),
    ("llama_tiny", "model.safetensors"),
    ("gpt2_tiny", "model.safetensors"),
];

/// The configurations of those models.
pub const CONFIGS: [&str; 8] = [
    "tests/golden/t5_v1_1_tiny/config.json",
    "tests/golden/t5_v1_0_tiny/config.json",
    "tests/golden/bert_tiny/config.json",
    "tests/golden/bert_words_tiny/config.json",
    "tests/golden/distilbert_tiny/config.json",
    "tests/golden/modernbert_tiny/config.json",
    "tests/golden/llama_tiny/config.json",
    "tests/golden/gpt2_tiny/config.json",
];

/// Loads a committed model with one file of it replaced, and asks it.
fn loaded((name, weights): (&str, &str), file: &str, bytes: &[u8]) -> Outcome {
    let place = Place::new();
    let home = |file: &str| committed(&format!("tests/golden/{name}/{file}"));
    place.file("config.json", &home("config.json"));
    place.file(weights, &home(weights));
    match name {
        "bert_words_tiny" => place.file("vocab.txt", &home("vocab.txt")),
        name if name.starts_with("t5") => place.file("tokenizer.json", T5_TOKENIZER.as_bytes()),
        _ => place.file("tokenizer.json", &home("tokenizer.json")),
    };
    place.file(file, bytes);
    asked(&BackboneChoice::Folder(place.path().to_owned()))
}

/// Loads a model, and asks it.
fn asked(choice: &BackboneChoice) -> Outcome {
    let loaded = choice.load(&Device::flex());
    if let Ok(backbone) = &loaded {
        answered(&Tuned::untuned_on(backbone, None, 0), backbone);
    }
    Outcome::of(loaded)
}

/// `model.safetensors` of every kind of network.
pub fn safetensors(bytes: &[u8]) -> Outcome {
    let models = MODELS
        .into_iter()
        .filter(|(_, weights)| *weights == "model.safetensors");
    Outcome::any(models.map(|model| loaded(model, "model.safetensors", bytes)))
}

/// `config.json` of every kind of network.
pub fn config(bytes: &[u8]) -> Outcome {
    Outcome::any(MODELS.map(|model| loaded(model, "config.json", bytes)))
}

/// `pytorch_model.bin`.
pub fn pytorch_model(bytes: &[u8]) -> Outcome {
    loaded(MODELS[1], "pytorch_model.bin", bytes)
}

/// A Llama in one `.gguf`.
pub fn gguf(bytes: &[u8]) -> Outcome {
    let place = Place::new();
    asked(&BackboneChoice::Gguf(place.file("model.gguf", bytes)))
}

/// Texts that a tokenizer is tried on.
const TEXTS: [&str; 4] = [
    "",
    "The mill is old.\nIt turns.",
    "é 東京 🙂\t\u{10fffd}",
    "<pad></s>[SEP]",
];

/// Puts a tokenizer to use.
fn used(tokenizer: &Tokenizer, vocabulary: usize) {
    for text in TEXTS {
        let (ids, _) = tokenizer.encode_input(text);
        tokenizer.decode(&ids);
        tokenizer.encode_output(text);
        tokenizer.encode_with_offsets(text);
    }
    let all: Vec<u32> = (0..vocabulary as u32 + 2).collect();
    tokenizer.decode(&all);
    tokenizer.sentinel(0);
    let _ = (
        tokenizer.end(),
        tokenizer.pad(),
        tokenizer.mask(),
        tokenizer.pair(),
    );
}

/// The tiny T5's configuration, for a vocabulary of this size.
fn t5_config(vocabulary: usize) -> T5Config {
    let bytes = committed(CONFIGS[0]);
    let config = T5Config::parse(&bytes, CONFIGS[0]).expect("a committed configuration");
    T5Config {
        vocab_size: vocabulary,
        ..config
    }
}

/// A configuration for the committed `spiece.model`s.
fn spiece_config() -> T5Config {
    t5_config(900)
}

fn bert_config() -> BertConfig {
    BertConfig::parse(&committed(CONFIGS[2]), CONFIGS[2]).expect("a committed configuration")
}

/// `tokenizer.json` of every kind of network.
pub fn tokenizer_json(bytes: &[u8]) -> Outcome {
    let (t5, bert) = (t5_config(64), bert_config());
    let read = [
        (Tokenizer::parse(bytes, "tokenizer.json", &t5), 64),
        (
            Tokenizer::parse_of_pairs(bytes, "tokenizer.json", &bert),
            bert.vocabulary,
        ),
        // The tiny Llama's vocabulary is the GPT-2's.
        (Tokenizer::parse_of_lines(bytes, "tokenizer.json", 272), 272),
    ];
    Outcome::any(read.map(|(tokenizer, vocabulary)| {
        if let Ok(tokenizer) = &tokenizer {
            used(tokenizer, vocabulary);
        }
        Outcome::of(tokenizer)
    }))
}

/// T5's `spiece.model`.
pub fn spiece_model(bytes: &[u8]) -> Outcome {
    let config = spiece_config();
    let read = Tokenizer::parse_sentencepiece(bytes, "spiece.model", &config);
    if let Ok(tokenizer) = &read {
        used(tokenizer, config.vocab_size);
    }
    Outcome::of(read)
}

/// BERT's `vocab.txt`.
pub fn vocab_txt(bytes: &[u8]) -> Outcome {
    let config = bert_config();
    Outcome::any([Case::Lower, Case::Kept].map(|case| {
        let read = Tokenizer::parse_vocabulary(bytes, "vocab.txt", case, &config);
        if let Ok(tokenizer) = &read {
            used(tokenizer, config.vocabulary);
        }
        Outcome::of(read)
    }))
}
