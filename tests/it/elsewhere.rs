//! Methods tuned elsewhere, evaluated together with methods tuned here.

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;
use promptshift::recipe::Method;
use promptshift::record::Form;
use promptshift::record::folder::{StoredRecord, find};
use serde_json::Value;

fn promptshift(folder: &Path) -> Command {
    let mut command = Command::cargo_bin("promptshift").expect("cargo builds it");
    command.current_dir(folder);
    command
}

/// `transfer` on a few rows, with one seed of each method.
fn transfer(folder: &Path, methods: &str, out: &str, more: &[&str]) -> Command {
    let mut command = promptshift(folder);
    command
        .args(["transfer", "squad->textbookqa", "--methods", methods])
        .args(["--seeds", "1", "--steps", "2", "--batch-size", "3"])
        .args(["--train-rows", "8", "--validation-rows", "6"])
        .args(["--eval-rows", "6", "--quiet", "--out", out])
        .args(more);
    command
}

fn record(folder: &Path, out: &str, name: &str) -> StoredRecord {
    let records = find(&folder.join(out).join(name)).expect("a record");
    records.into_iter().next().expect("one")
}

/// A folder like that of a nano fine-tuned with Transformers: `weights` with configuration and tokenizer.
fn whole_model(folder: &Path, weights: &Path) {
    let nano = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/nano");
    fs::create_dir(folder).expect("made");
    for file in ["config.json", "tokenizer.json"] {
        fs::copy(nano.join(file), folder.join(file)).expect("copied");
    }
    fs::copy(weights, folder.join("model.safetensors")).expect("copied");
}

/// A study of three methods, and the results in the formats of other programs: `peft`, `prompt.npy`, `lora` and
/// `whole` in the folder.
fn tuned(folder: &Path) {
    transfer(folder, "prompt,lora,model", "here", &[])
        .assert()
        .success();
    let run = |arguments: &[&str]| {
        promptshift(folder).args(arguments).assert().success();
    };
    run(&["prompt", "export", "here/prompt-seed0", "peft"]);
    run(&["prompt", "export", "here/prompt-seed0", "prompt.npy"]);
    let lora = ["adapter", "export", "here/lora-seed0", "lora"];
    run(&[&lora[..], &["--model", "nano"]].concat());
    let weights = folder.join("here/model-seed0/model.safetensors");
    whole_model(&folder.join("whole"), &weights);
}

fn texts(stored: &StoredRecord) -> Vec<&str> {
    let answers = stored.predictions.iter().flatten();
    answers.map(|one| one.prediction.as_str()).collect()
}

fn report(folder: &Path, out: &str) -> String {
    fs::read_to_string(folder.join(out).join("report.md")).expect("written")
}

#[test]
fn exported_results_answer_the_same_when_evaluated_as_tuned_elsewhere() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    tuned(folder);

    transfer(
        folder,
        "prompt,model",
        "prompts",
        &["--tuned", "mine=peft,prompt.npy"],
    )
    .assert()
    .success();
    let own = record(folder, "prompts", "prompt-seed0");
    for (name, path) in [
        ("elsewhere-seed0", "peft"),
        ("elsewhere-seed1", "prompt.npy"),
    ] {
        let given = record(folder, "prompts", name);
        assert_eq!(given.predictions, own.predictions, "{path}");
        assert_eq!(given.record.cell.method, Method::Elsewhere);
        assert!(given.record.training.is_none() && given.record.cell.recipe.is_none());
        let told = given.record.cell.elsewhere.expect("it says what it is");
        assert_eq!((told.name.as_str(), told.path.as_str()), ("mine", path));
        let found = told.found.expect("it was read");
        let trained = own.record.training.as_ref().expect("trained");
        assert_eq!(found.form, Form::Prompt);
        assert_eq!(found.parameters, trained.trainable_parameters);
        assert_eq!(found.total_parameters, trained.total_parameters);
    }
    let text = report(folder, "prompts");
    let row = (text
        .lines()
        .find(|line| line.starts_with("| mine (tuned elsewhere)")))
    .unwrap_or_else(|| panic!("no row: {text}"));
    println!("{row}\n{text}");
    assert!(text.contains("its scores may not be zero-shot"), "{text}");

    for (name, path, form) in [
        ("lora", "lora", Form::Adapter),
        ("model", "whole", Form::Model),
    ] {
        let given = format!("their {name}={path}");
        transfer(folder, name, path_of(path), &["--tuned", &given])
            .assert()
            .success();
        let own = record(folder, path_of(path), &format!("{name}-seed0"));
        let given = record(folder, path_of(path), "elsewhere-seed0");
        assert_eq!(texts(&given), texts(&own), "{path}");
        let told = given.record.cell.elsewhere.expect("it says what it is");
        let found = told.found.expect("it was read");
        let trained = own.record.training.as_ref().expect("trained");
        assert_eq!(found.form, form);
        assert_eq!(found.parameters, trained.trainable_parameters, "{path}");
        assert!(report(folder, path_of(path)).contains(&format!("their {name} (tuned elsewhere)")));
    }
}

/// The output folder of a study with the result at `path`.
fn path_of(path: &str) -> &'static str {
    match path {
        "lora" => "with-lora",
        _ => "with-whole",
    }
}

#[test]
fn report_and_json_include_it_and_mark_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    tuned(folder);
    let tuned = ["--tuned", "mine=peft"];
    let printed = transfer(
        folder,
        "prompt,model",
        "out",
        &[&tuned[..], &["--json"]].concat(),
    )
    .assert()
    .success();
    let json: Value = serde_json::from_slice(&printed.get_output().stdout).expect("JSON");
    let text = json.to_string();
    assert!(text.contains("mine (tuned elsewhere)"), "{text}");
    let before = report(folder, "out");
    fs::remove_file(folder.join("out/report.md")).expect("there");
    promptshift(folder)
        .args(["report", "out"])
        .assert()
        .success()
        .stdout(contains("mine (tuned elsewhere)"));
    let again = report(folder, "out");
    assert_eq!(before, again);
    for verb in ["leaderboard", "score"] {
        promptshift(folder).args([verb, "out"]).assert().success();
    }
    promptshift(folder)
        .args(["export", "out", "--out", "tables"])
        .assert()
        .success();
    // Nothing is evaluated again.
    let mut command = transfer(folder, "prompt,model", "out", &tuned);
    command.assert().success();
    transfer(
        folder,
        "prompt,model",
        "other",
        &[&tuned[..], &["--dry-run"]].concat(),
    )
    .assert()
    .success()
    .stdout(contains("mine (tuned elsewhere), run 0: done"));
}

#[test]
fn results_that_do_not_fit_are_refused_before_training() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let refused = |tuned: &str, code: i32, wanted: &[&str]| {
        let mut assert = transfer(folder, "prompt", "out", &["--tuned", tuned])
            .assert()
            .code(code);
        for words in wanted {
            assert = assert.stderr(contains(*words));
        }
        assert.stderr(contains("panicked").not());
        let trainings = folder.join(".promptshift/trainings");
        assert!(
            !folder.join("out").exists() && !trainings.exists(),
            "{tuned}"
        );
    };
    refused("mine", 2, &["NAME=DIR"]);
    refused("mi|ne=peft", 2, &["mi|ne"]);
    refused("mine=nowhere", 2, &["'nowhere' does not exist"]);
    fs::create_dir(folder.join("empty")).expect("made");
    refused("mine=empty", 1, &["empty: wanted", "an empty folder"]);
    fs::write(folder.join("words.npy"), "not a matrix").expect("written");
    refused("mine=words.npy", 1, &["words.npy"]);

    // A prompt of another width, and a model of another size.
    let npy = narrow(folder);
    refused(&format!("mine={npy}"), 1, &[npy, "another model"]);
    let nano = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/nano");
    whole_model(&folder.join("smaller"), &nano.join("model.safetensors"));
    let config: PathBuf = folder.join("smaller/config.json");
    let mut json: Value = serde_json::from_slice(&fs::read(&config).expect("there")).expect("JSON");
    json["num_heads"] = 1.into();
    fs::write(&config, json.to_string()).expect("written");
    refused("mine=smaller", 1, &["config.json", "num_heads: 1"]);
    json["model_type"] = "bert".into();
    fs::write(&config, json.to_string()).expect("written");
    refused("mine=smaller", 1, &["config.json"]);
}

/// A matrix of 2 vectors of 3 numbers, as NumPy writes it.
fn narrow(folder: &Path) -> &'static str {
    let mut header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }".to_owned();
    while !(10 + header.len() + 1).is_multiple_of(64) {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.bytes());
    bytes.extend([1.0_f32; 6].iter().flat_map(|number| number.to_le_bytes()));
    fs::write(folder.join("narrow.npy"), bytes).expect("written");
    "narrow.npy"
}
