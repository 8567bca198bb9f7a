//! Unusual checkpoints: saved by another version, under other names, with NaNs, with unknown keys, with fewer
//! positions than inputs have tokens.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use assert_cmd::Command;
use burn::tensor::Device;
use promptshift::backbone::{Backbone, BackboneChoice, BackboneError};
use promptshift::checkpoint::{CheckpointError, Weights};
use promptshift::layers::{Dropout, Injected, Tokens};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::parity::{golden, values};

/// The files of a model in their own folder: configuration, tokenizer, weights.
struct Model {
    folder: TempDir,
}

impl Model {
    fn of(files: &Path) -> Self {
        let folder = TempDir::new().expect("made");
        for name in ["config.json", "tokenizer.json", "model.safetensors"] {
            let bytes = fs::read(files.join(name)).expect("committed");
            fs::write(folder.path().join(name), bytes).expect("written");
        }
        Model { folder }
    }

    fn nano() -> Self {
        Model::of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("models/nano"))
    }

    fn llama() -> Self {
        Model::of(&golden("llama_tiny"))
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// With other keys in its configuration.
    fn with_keys(self, keys: Value) -> Self {
        let path = self.path().join("config.json");
        let mut config: Value =
            serde_json::from_slice(&fs::read(&path).expect("written")).expect("JSON");
        for (key, value) in keys.as_object().expect("keys") {
            config[key] = value.clone();
        }
        fs::write(path, config.to_string()).expect("written");
        self
    }

    /// With other weights.
    fn with_weights(self, change: impl Fn(&mut Tensors)) -> Self {
        let path = self.path().join("model.safetensors");
        let bytes = fs::read(&path).expect("written");
        let file = safetensors::SafeTensors::deserialize(&bytes).expect("safetensors");
        let mut tensors: Tensors = (file.tensors().into_iter())
            .map(|(name, view)| {
                let numbers = view.data().chunks_exact(4);
                let numbers = numbers.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
                (name, (view.shape().to_vec(), numbers.collect()))
            })
            .collect();
        change(&mut tensors);
        let mut weights = Weights::empty("");
        for (name, (shape, values)) in tensors {
            weights.put(&name, shape, values);
        }
        fs::write(path, weights.to_bytes(BTreeMap::new())).expect("written");
        self
    }

    fn load(&self) -> Result<Backbone, BackboneError> {
        BackboneChoice::Folder(self.path().to_owned()).load(&Device::flex())
    }

    fn loaded(&self) -> Backbone {
        self.load().expect("every tensor has its place")
    }
}

/// Shape and values by name.
type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// The logits of a few tokens.
fn logits(backbone: &Backbone) -> Vec<f32> {
    let inputs = Tokens::padded(&[[5_u32, 9, 200, 31], [7, 8, 9, 1]], 0);
    let targets = Tokens::padded(&[[12_u32, 1], [3, 1]], 0);
    let off = &mut Dropout::off();
    let encoded = (backbone.model).encode(&inputs, Injected::default(), off);
    values(backbone.model.logits(&encoded, &targets))
}

fn negative((shape, values): &(Vec<usize>, Vec<f32>)) -> (Vec<usize>, Vec<f32>) {
    (shape.clone(), values.iter().map(|value| -value).collect())
}

/// v1.1 as Transformers 5 saves it: declared tied, but with a head.
#[test]
fn a_t5_saved_by_transformers_5_is_the_same() {
    let saved = json!({
        "tie_word_embeddings": true, "scale_decoder_outputs": false, "dense_act_fn": "gelu_new",
        "is_gated_act": true, "dropout_rate": 0.1, "transformers_version": "5.24.0"
    });
    let (before, after) = (
        Model::nano().loaded(),
        Model::nano().with_keys(saved).loaded(),
    );
    assert_eq!(logits(&before), logits(&after));
    assert_eq!(before.config.parameters(), after.config.parameters());
    assert!(!after.config.is_tied());
    assert_eq!(after.notes, Vec::<String>::new());
}

#[test]
fn a_head_that_differs_from_the_embedding_is_used_regardless_of_the_configuration() {
    let tied = Model::llama();
    let other = Model::llama().with_weights(|tensors| {
        let head = negative(&tensors["model.embed_tokens.weight"]);
        tensors.insert("lm_head.weight".to_owned(), head);
    });
    let (tied, other) = (tied.loaded(), other.loaded());
    let wanted: Vec<f32> = logits(&tied).iter().map(|logit| -logit).collect();
    assert_eq!(logits(&other), wanted);
    assert!(tied.config.is_tied() && !other.config.is_tied());
    let [vocabulary, width] = other.model.embedding().dims();
    let more = other.config.parameters() - tied.config.parameters();
    assert_eq!(more, vocabulary * width);
    assert!(other.notes[0].contains("lm_head"), "{:?}", other.notes);

    // A head equal to the embedding does not count.
    let copy = Model::llama().with_weights(|tensors| {
        let head = tensors["model.embed_tokens.weight"].clone();
        tensors.insert("lm_head.weight".to_owned(), head);
    });
    let copy = copy.loaded();
    assert_eq!(logits(&copy), logits(&tied));
    assert!(copy.config.is_tied() && copy.notes.is_empty());
}

#[test]
fn weights_are_found_under_any_of_their_names() {
    let copies = ["encoder.embed_tokens.weight", "decoder.embed_tokens.weight"];
    let wanted = logits(&Model::nano().loaded());
    for names in [&copies[..1], &copies[1..], &copies] {
        let model = Model::nano().with_weights(|tensors| {
            let shared = tensors.remove("shared.weight").expect("it");
            for name in names {
                tensors.insert((*name).to_owned(), shared.clone());
            }
        });
        assert_eq!(logits(&model.loaded()), wanted, "{names:?}");
    }
    let prefixed = |prefix: &'static str| {
        move |tensors: &mut Tensors| {
            let all = std::mem::take(tensors).into_iter();
            *tensors = all
                .map(|(name, tensor)| (format!("{prefix}{name}"), tensor))
                .collect();
        }
    };
    for prefix in ["module.", "_orig_mod.", "module._orig_mod."] {
        let model = Model::nano().with_weights(prefixed(prefix));
        assert_eq!(logits(&model.loaded()), wanted, "{prefix}");
        let model = Model::llama().with_weights(prefixed(prefix));
        assert_eq!(
            logits(&model.loaded()),
            logits(&Model::llama().loaded()),
            "{prefix}"
        );
    }
    // A Llama without a head, and one with only the head's name.
    let wanted = logits(&Model::llama().loaded());
    let bare = Model::llama().with_weights(|tensors| {
        let all = std::mem::take(tensors).into_iter();
        *tensors = (all
            .map(|(name, tensor)| (name.trim_start_matches("model.").to_owned(), tensor)))
        .collect();
    });
    assert_eq!(logits(&bare.loaded()), wanted);
    let head = Model::llama().with_weights(|tensors| {
        let shared = tensors.remove("model.embed_tokens.weight").expect("it");
        tensors.insert("lm_head.weight".to_owned(), shared);
    });
    assert_eq!(logits(&head.loaded()), wanted);
}

#[test]
fn copies_that_differ_are_refused() {
    let model = Model::nano().with_weights(|tensors| {
        let other = negative(&tensors["shared.weight"]);
        tensors.insert("decoder.embed_tokens.weight".to_owned(), other);
    });
    let error = model.load().expect_err("two embeddings");
    let BackboneError::Checkpoint(CheckpointError::Copy { copy, of, .. }) = &error else {
        panic!("{error}");
    };
    assert_eq!(
        (copy.as_str(), of.as_str()),
        ("decoder.embed_tokens.weight", "shared.weight")
    );
}

#[test]
fn nan_weights_are_refused_with_name_and_count() {
    let norm = "decoder.final_layer_norm.weight";
    for (value, wanted) in [
        (
            f32::NAN,
            "'decoder.final_layer_norm.weight' (2 NaN and 0 infinite of 128)",
        ),
        (
            f32::NEG_INFINITY,
            "'decoder.final_layer_norm.weight' (0 NaN and 2 infinite of 128)",
        ),
    ] {
        let model = Model::nano().with_weights(|tensors| {
            let (_, values) = tensors.get_mut(norm).expect("it");
            values[3..5].fill(value);
        });
        let error = model.load().expect_err("no numbers");
        let BackboneError::Checkpoint(CheckpointError::NotFinite {
            count: 1, tensors, ..
        }) = &error
        else {
            panic!("{error}");
        };
        assert_eq!(tensors, wanted);
    }
}

#[test]
fn embeddings_may_be_padded_beyond_the_tokenizer() {
    let before = Model::nano().loaded();
    let [_, width] = before.model.embedding().dims();
    for rows in [2_560, 3_072, 4_096] {
        let model = Model::nano()
            .with_keys(json!({"vocab_size": rows}))
            .with_weights(|tensors| {
                for name in ["shared.weight", "lm_head.weight"] {
                    let (shape, values) = tensors.get_mut(name).expect("it");
                    shape[0] = rows;
                    values.resize(rows * width, 0.0);
                }
            });
        let padded = model.loaded();
        assert!(padded.notes[0].contains("2304 ids"), "{:?}", padded.notes);
        assert!(
            padded.notes[0].contains(&format!("{rows} rows")),
            "{:?}",
            padded.notes
        );
        for (wanted, found) in logits(&before)
            .chunks(2_304)
            .zip(logits(&padded).chunks(rows))
        {
            for (wanted, found) in wanted.iter().zip(found) {
                assert!((wanted - found).abs() < 1e-4, "{wanted} {found}");
            }
        }
    }
}

/// Runs the program in the model's folder.
fn run(model: &Model, words: &str) -> (i32, String) {
    let output = Command::cargo_bin("promptshift")
        .expect("cargo builds it")
        .current_dir(model.path())
        .args(words.split(' '))
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!said.contains("panicked"), "{said}");
    (output.status.code().expect("a code"), said)
}

fn mini(domain: &str) -> String {
    format!(
        "{}/datasets/mini/{domain}/test.parquet",
        env!("CARGO_MANIFEST_DIR")
    )
}

fn predict(model: &Model, rest: &str) -> (i32, String) {
    let data = mini("squad");
    run(
        model,
        &format!("predict --model . --data {data} --domain squad --out p.jsonl {rest}"),
    )
}

#[test]
fn an_unknown_key_is_reported_to_the_user_and_in_record_and_report() {
    let model = Model::nano().with_keys(json!({"logits_scaling": 8.0}));
    let (code, said) = predict(&model, "--rows 2");
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("logits_scaling 8.0"), "{said}");

    let (code, said) = run(
        &model,
        "transfer squad->duorc --model . --methods prompt --seeds 1 --steps 1 --jobs 1 \
        --train-rows 4 --eval-rows 2 --validation-rows 2 --batch-size 2 --out o",
    );
    assert_eq!(code, 0, "{said}");
    assert_eq!(said.matches("logits_scaling 8.0").count(), 1, "{said}");
    let records = promptshift::record::folder::find(&model.path().join("o")).expect("records");
    assert_eq!(records.len(), 2);
    for stored in records {
        let notes = stored.record.model_notes;
        assert!(
            matches!(&notes[..], [note] if note.contains("logits_scaling 8.0")),
            "{notes:?}"
        );
    }
    let report = fs::read_to_string(model.path().join("o/report.md")).expect("written");
    assert!(
        report.contains("logits") && report.contains("not known here"),
        "{report}"
    );
}

/// Finite weights whose states overflow.
fn overflowing() -> Model {
    Model::nano().with_weights(|tensors| {
        let (_, values) = tensors
            .get_mut("decoder.final_layer_norm.weight")
            .expect("it");
        values.fill(3e38);
    })
}

#[test]
fn nan_logits_fail_the_run_and_give_no_score() {
    let model = overflowing();
    let (code, said) = predict(&model, "--rows 2");
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("NaN or infinite"), "{said}");
    assert!(!model.path().join("p.jsonl").exists());

    let (code, said) = run(
        &model,
        "transfer squad->duorc --model . --methods prompt --seeds 1 --steps 1 --jobs 1 \
        --train-rows 4 --eval-rows 2 --validation-rows 2 --batch-size 2 --out o",
    );
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains("NaN or infinite") || said.contains("not a finite number"),
        "{said}"
    );
    let records = promptshift::record::folder::find(&model.path().join("o"));
    assert!(records.map_or(true, |records| records.is_empty()));
}

#[test]
fn predictions_are_scored() {
    let model = Model::nano();
    let (code, said) = predict(&model, "--rows 4");
    assert_eq!(code, 0, "{said}");
    let (code, said) = run(&model, "score p.jsonl");
    assert_eq!(code, 0, "{said}");
}

/// A GPT-2 with this number of positions.
fn gpt2(positions: usize) -> Model {
    Model::of(&golden("gpt2_tiny"))
        .with_keys(json!({"n_positions": positions}))
        .with_weights(|tensors| {
            let name = tensors
                .keys()
                .find(|name| name.ends_with("wpe.weight"))
                .expect("positions")
                .clone();
            let (shape, values) = tensors.get_mut(&name).expect("it");
            let (had, width) = (shape[0], shape[1]);
            *values = (0..positions)
                .flat_map(|at| values[at % had * width..][..width].to_vec())
                .collect();
            shape[0] = positions;
        })
}

/// The longest input of a file of predictions.
fn longest(model: &Model, file: &str) -> usize {
    let lines = promptshift::predictions::read(&model.path().join(file)).expect("predictions");
    lines
        .iter()
        .map(|line| line.prediction.input_tokens)
        .max()
        .expect("lines")
}

#[test]
fn inputs_are_limited_by_positions_with_a_warning() {
    let model = gpt2(64);
    let (code, said) = predict(&model, "--rows 3");
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("truncated after 32 tokens instead of 512: it has 64 positions"),
        "{said}"
    );
    assert_eq!(longest(&model, "p.jsonl"), 32);

    let model = gpt2(160);
    let (code, said) = run(
        &model,
        "transfer squad->duorc --model . --methods prompt --prompt-length 20 --seeds 1 \
        --steps 1 --jobs 1 --train-rows 4 --eval-rows 2 --validation-rows 2 --batch-size 2 --out o",
    );
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("truncated after 43 tokens instead of 512: it has 160 positions"),
        "{said}"
    );
    let records = promptshift::record::folder::find(&model.path().join("o")).expect("records");
    assert_eq!(records.len(), 2);
    let mut tuned = None;
    for stored in &records {
        assert_eq!(stored.record.cell.setting.limits.input, 43);
        assert!(stored.record.model_notes[0].contains("truncated after 43 tokens"));
        if stored.record.training.is_some() {
            tuned = Some(stored);
        }
    }
    // A tuned prompt is evaluated with the limits that it was tuned with, and answers as in its record.
    let tuned = tuned.expect("prompt tuning");
    let prompt = tuned.folder.join("prompt.safetensors");
    let (code, said) = predict(&model, &format!("--rows 2 --prompt {}", prompt.display()));
    assert_eq!(code, 0, "{said}");
    assert_eq!(longest(&model, "p.jsonl"), 43);

    let (code, said) = run(
        &gpt2(100),
        "transfer squad->duorc --model . --methods prompt --prompt-length 20 --out o",
    );
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("100 positions"), "{said}");
}

#[test]
fn a_failure_inside_a_reader_is_reported_for_the_file() {
    let model = Model::nano();
    let path = model.path().join("tokenizer.json");
    let mut bytes = fs::read(&path).expect("written");
    let at = bytes.len() / 2;
    bytes[at..at + 64].fill(0);
    fs::write(&path, bytes).expect("written");
    let (code, said) = predict(&model, "--rows 2");
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains("tokenizer.json: not a tokenizer.json"),
        "{said}"
    );

    let bert = Model::of(&golden("bert_tiny"));
    fs::remove_file(bert.path().join("tokenizer.json")).expect("written");
    fs::write(
        bert.path().join("vocab.txt"),
        "[PAD]\n[CLS]\n[SEP]\n[MASK]\na\n",
    )
    .expect("written");
    let (code, said) = predict(&bert, "--rows 2");
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("vocab.txt: no token '[UNK]'"), "{said}");
}
