//! The seeds of fuzzing: valid files of each kind. Small committed files are used unchanged; for large ones a smaller
//! file of the kind is created.

use std::path::Path;

use arrow::array::ArrayRef;
use serde_json::Value;
use tempfile::TempDir;

use promptshift::recipe::FrozenWeights;
use promptshift::tuning::saved::{self, AdapterFile, Made, Metadata, PromptFile, save_trained};
use promptshift::tuning::{self, MethodInputs};

use crate::readers::{
    BETWEEN, CONFIGS, SEED, T5_TOKENIZER, backbones, committed, recipes, repository,
    trained_backbone,
};

#[allow(dead_code)]
#[path = "../it/hostile/files.rs"]
mod files;

use files::{answers, columns, integers, lists, null_texts, questions, texts};

/// Files of a kind, each of which its reader accepts.
///
/// # Panics
/// There is no kind of this name, or a committed file is missing.
pub fn seeds(kind: &str) -> Vec<Vec<u8>> {
    match kind {
        "parquet_rows" => parquet_rows(),
        "mrqa_lines" => mrqa_lines(),
        "card" => cards(),
        "template" => named("datasets/templates", "toml"),
        "verbalizer" => verbalizers(),
        "sweep" => sweeps(),
        "safetensors" => golden(&[
            "t5_v1_1_tiny/model.safetensors",
            "bert_tiny/model.safetensors",
            "bert_words_tiny/model.safetensors",
            "modernbert_tiny/model.safetensors",
            "llama_tiny/model.safetensors",
            "gpt2_tiny/model.safetensors",
        ]),
        "config" => CONFIGS.map(committed).to_vec(),
        "pytorch_model" => golden(&["t5_v1_0_tiny/pytorch_model.bin"]),
        "gguf" => golden(&["llama_tiny/model.gguf"]),
        "tokenizer_json" => {
            let mut files = golden(&[
                "bert_tiny/tokenizer.json",
                "llama_tiny/tokenizer.json",
                "gpt2_tiny/tokenizer.json",
            ]);
            files.push(T5_TOKENIZER.as_bytes().to_vec());
            files
        }
        "spiece_model" => golden(&[
            "sentencepiece_tiny/unigram.model",
            "sentencepiece_tiny/byte_fallback.model",
        ]),
        "vocab_txt" => golden(&["bert_tiny/vocab.txt"]),
        "npy" => numpy(),
        "prompt_folder" => peft_folders(Tuned::Prompt),
        "adapter_folder" => peft_folders(Tuned::Adapter),
        "own_prompt" => own(Tuned::Prompt),
        "own_adapter" => own(Tuned::Adapter),
        "trained" => trained(),
        "record" => vec![record()],
        "predictions" => vec![prediction_lines()],
        other => panic!("no kind '{other}'"),
    }
}

/// The kind of a tuned result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tuned {
    Prompt,
    Adapter,
}

fn golden(names: &[&str]) -> Vec<Vec<u8>> {
    let names = names.iter();
    names
        .map(|name| committed(&format!("tests/golden/{name}")))
        .collect()
}

/// The files of a committed folder with this ending, in the order of their names.
fn named(folder: &str, ending: &str) -> Vec<Vec<u8>> {
    let entries = std::fs::read_dir(repository().join(folder)).expect("a committed folder");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("readable").path())
        .collect();
    paths.retain(|path| path.extension().is_some_and(|found| found == ending));
    paths.sort();
    let read = |path: &Path| std::fs::read(path).expect("a committed file");
    paths.iter().map(|path| read(path)).collect()
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder can be made")
}

/// The example of the documents, and one with most kinds of values.
fn sweeps() -> Vec<Vec<u8>> {
    let page = committed("docs/sweeps.md");
    let page = String::from_utf8(page).expect("text");
    let block = page.split("```toml\n").nth(1).expect("an example");
    let documented = block.split("```").next().expect("it ends");
    let own = "[defaults]\nquick = true\nlearning-rate = [\"prompt=0.3\", \"model=1e-3\"]\nseeds = [7, 11]\n\
               [[transfer]]\ntransfer = [\"squad:race\"]\nmodel = [\"nano\"]\ntrials = 2\ntune-on = [4, 16]\n";
    [documented, own]
        .map(|text| text.as_bytes().to_vec())
        .into()
}

/// A few rows in each of the layouts.
fn parquet_rows() -> Vec<Vec<u8>> {
    let pairs: files::Columns = vec![
        ("question1", texts(&["The mill is old.", "It turns."])),
        ("question2", texts(&["The mill is old.", "It stands."])),
        ("label", integers(&[1, 0])),
        ("idx", integers(&[0, 1])),
    ];
    let subsets: files::Columns = vec![
        ("subset", texts(&["RACE", "DROP"])),
        ("context", texts(&["C", "D"])),
        ("qid", texts(&["a", "b"])),
        ("question", null_texts(&[Some("What?"), Some("Which?")])),
        ("answers", lists(&[&["C"], &["D"]])),
    ];
    let index = |parts: &[(&'static str, [i64; 2])]| -> ArrayRef {
        let parts = parts
            .iter()
            .map(|(part, numbers)| (*part, integers(numbers)));
        columns::structure(parts.collect())
    };
    let options: files::Columns = vec![
        ("paragraph", texts(&["The mill is old.", "It turns."])),
        ("question", texts(&["What is old?", "What turns?"])),
        ("answer", texts(&["The mill.", "The brook."])),
        (
            "idx",
            index(&[
                ("paragraph", [0, 0]),
                ("question", [0, 1]),
                ("answer", [0, 1]),
            ]),
        ),
        ("label", integers(&[1, 0])),
    ];
    let cloze: files::Columns = vec![
        ("passage", texts(&["Ann met Bob.", "Bob met Ann."])),
        (
            "query",
            texts(&["@placeholder met Bob.", "@placeholder met Ann."]),
        ),
        ("entities", lists(&[&["Ann", "Bob"], &["Ann", "Bob"]])),
        ("idx", index(&[("passage", [0, 1]), ("query", [0, 1])])),
        ("answers", lists(&[&["Ann"], &["Bob"]])),
    ];
    let referents: files::Columns = vec![
        (
            "text",
            texts(&["Ann met Bob, and she waved.", "Bob met Ann, and he waved."]),
        ),
        ("span1_index", integers(&[0, 0])),
        ("span2_index", integers(&[4, 4])),
        ("span1_text", texts(&["Ann", "Bob"])),
        ("span2_text", texts(&["she", "he"])),
        ("label", integers(&[1, 1])),
    ];
    let squad = files::with(questions(), ("answers", answers(&[&["C"], &["D"]])));
    let folder = folder();
    [squad, pairs, subsets, options, cloze, referents]
        .map(|columns| files::table(&folder.path().join("rows.parquet"), columns))
        .into_iter()
        // In the layout of another writer: compressed, with dictionaries.
        .chain([committed("datasets/mini/qqp/validation.parquet")])
        .collect()
}

fn mrqa_lines() -> Vec<Vec<u8>> {
    let text = concat!(
        r#"{"header": {"dataset": "RACE", "split": "dev"}}"#,
        "\n",
        r#"{"id": "", "context": "The mill is old.", "qas": [{"qid": "a", "question": "What is old?", "#,
        r#""answers": ["The mill"], "detected_answers": [{"text": "The mill", "char_spans": [[0, 7]], "#,
        r#""token_spans": [[0, 1]]}]}, {"qid": "b", "question": "How is it?", "answers": ["old"], "#,
        r#""detected_answers": [{"text": "old", "char_spans": [[12, 14]]}]}]}"#,
        "\n"
    );
    vec![text.as_bytes().to_vec(), files::gzip(text)]
}

/// Bundled cards under another name, without keys that only bundled cards have.
fn cards() -> Vec<Vec<u8>> {
    let names = [
        "squad",
        "race",
        "mrqa_squad",
        "qqp",
        "copa",
        "multirc",
        "record",
        "wsc",
    ];
    let cards = names.map(|name| {
        let text = String::from_utf8(committed(&format!("datasets/{name}.toml"))).expect("text");
        let lines = text.lines().filter(|line| !line.starts_with("miniature"));
        let own = lines.map(|line| match line.starts_with("name = ") {
            true => "name = \"own\"",
            false => line,
        });
        own.map(|line| format!("{line}\n"))
            .collect::<String>()
            .into_bytes()
    });
    cards.to_vec()
}

fn verbalizers() -> Vec<Vec<u8>> {
    let texts = [
        "about = \"plain\"\n[words]\nnot_duplicate = [\"no\"]\nduplicate = [\"yes\", \"right\"]\n",
        "about = \"sums\"\naggregate = \"sum\"\n[words]\nnot_equivalent = [\"no\"]\nequivalent = [\"yes\"]\n",
    ];
    texts.map(|text| text.as_bytes().to_vec()).to_vec()
}

fn numpy() -> Vec<Vec<u8>> {
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 32), }\n";
    vec![
        committed("tests/golden/peft_tiny/exported.npy"),
        files::npy(header, &[0; 256]),
    ]
}

/// The PEFT folders with a prompt, or those with an adapter: configuration, a zero byte, tensors.
fn peft_folders(wanted: Tuned) -> Vec<Vec<u8>> {
    let folders = peft_paths(wanted);
    let packed = folders.iter().map(|folder| {
        let read = |name: &str| std::fs::read(folder.join(name)).expect("a committed file");
        let mut bytes = read("adapter_config.json");
        bytes.push(BETWEEN);
        bytes.extend(read("adapter_model.safetensors"));
        bytes
    });
    packed.collect()
}

fn peft_paths(wanted: Tuned) -> Vec<std::path::PathBuf> {
    let of = |home: &str, names: &[&str]| {
        let home = repository().join("tests/golden").join(home);
        names.iter().map(|name| home.join(name)).collect::<Vec<_>>()
    };
    match wanted {
        Tuned::Prompt => [
            of("peft_tiny", &["trained", "ptuning"]),
            of("peft_llama_tiny", &["prompt", "ptuning"]),
            of("peft_gpt2_tiny", &["prompt", "ptuning"]),
        ]
        .concat(),
        Tuned::Adapter => [
            of("peft_bert_tiny", &["ia3", "lora", "lora_spans"]),
            of("peft_gpt2_tiny", &["dora", "ia3", "lora", "lora_pattern"]),
            of(
                "peft_llama_tiny",
                &["ia3", "lora", "lora_partial", "vera", "vera_partial"],
            ),
            of(
                "peft_tiny",
                &["ia3", "prefix_even", "prefix_odd", "vera_unsaved"],
            ),
        ]
        .concat(),
    }
}

/// promptshift's own files: results imported from PEFT, and a prompt tuned here.
fn own(wanted: Tuned) -> Vec<Vec<u8>> {
    let backbones = backbones();
    let imported = peft_paths(wanted).into_iter().map(|path| {
        let made = backbones.iter().find_map(|backbone| match wanted {
            Tuned::Prompt => {
                let prompt = PromptFile::open(&path).expect("a committed prompt");
                let metadata = prompt.adopt(backbone).ok()?;
                Some(saved::prompt_bytes(&prompt.vectors, &metadata))
            }
            Tuned::Adapter => {
                let adapter = AdapterFile::open(&path).expect("a committed adapter");
                adapter.adopt(backbone).ok()
            }
        });
        made.expect("it fits one of the networks")
    });
    let tuned = match wanted {
        Tuned::Prompt => vec![committed(
            "reports/inspect/of-race/prompt-seed0/prompt.safetensors",
        )],
        Tuned::Adapter => Vec::new(),
    };
    imported.chain(tuned).collect()
}

/// The results of trainings without steps.
fn trained() -> Vec<Vec<u8>> {
    let backbones = backbones();
    let backbone = trained_backbone(&backbones);
    let folder = folder();
    let left = recipes().map(|recipe| {
        let metadata = Metadata {
            version: "0".to_string(),
            backbone: backbone.name.clone(),
            backbone_sha256: backbone.model_sha256.clone(),
            tokenizer_sha256: backbone.tokenizer_sha256.clone(),
            network: Some(backbone.config.kind()),
            made: Made::Tuned {
                method: "any".to_string(),
                source: "squad".to_string(),
                seed: SEED.to_string(),
                recipe: serde_json::to_string(&recipe).expect("plain data"),
                wording: Box::default(),
                longest_input: None,
                frozen_weights: FrozenWeights::F32,
            },
        };
        let start = tuning::apply(backbone, &recipe, &MethodInputs::default(), SEED);
        let start = start.expect("it fits").off_tape();
        let saved = save_trained(&start, &recipe, &backbone.config, &metadata, folder.path());
        let file = saved.expect("written").trained.file;
        std::fs::read(folder.path().join(file)).expect("written")
    });
    left.to_vec()
}

/// Where a small record is.
const RECORD: &str = "reports/minilm-qqp-to-mrpc/untuned";

/// A record, a zero byte, and a few of its predictions.
fn record() -> Vec<u8> {
    let mut bytes = committed(&format!("{RECORD}/record.json"));
    bytes.push(BETWEEN);
    bytes.extend(recorded_lines());
    bytes
}

/// The first predictions of that record's source.
fn recorded_lines() -> Vec<u8> {
    let record: Value =
        serde_json::from_slice(&committed(&format!("{RECORD}/record.json"))).expect("JSON");
    let name = record["evaluations"][0]["predictions"]
        .as_str()
        .expect("a file's name");
    let packed = committed(&format!("{RECORD}/{name}.gz"));
    let mut text = String::new();
    std::io::Read::read_to_string(
        &mut flate2::read::MultiGzDecoder::new(&packed[..]),
        &mut text,
    )
    .expect("gzipped lines");
    text.split_inclusive('\n')
        .take(4)
        .collect::<String>()
        .into_bytes()
}

/// Lines in the format of `predict`.
fn prediction_lines() -> Vec<u8> {
    let lines = recorded_lines();
    let lines = lines
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty());
    lines
        .flat_map(|line| {
            let mut line: Value = serde_json::from_slice(line).expect("a prediction");
            line["domain"] = "qqp".into();
            line["token_ids"] = vec![5, 1].into();
            format!("{line}\n").into_bytes()
        })
        .collect()
}
