//! Records that were truncated, edited, duplicated or copied from elsewhere: `report` and `compare` give an error
//! that names the file, and never a number.

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use tempfile::TempDir;

/// A copy of a committed report's records, to be damaged.
fn copy() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let home = folder.path().join("records");
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("reports/squad-to-textbookqa");
    copy_folder(&committed, &home);
    (folder, home)
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("readable") {
        let path = entry.expect("readable").path();
        let place = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy_folder(&path, &place);
        } else {
            fs::copy(&path, &place).expect("copied");
        }
    }
}

fn edit(path: &Path, change: impl Fn(String) -> String) {
    let text = fs::read_to_string(path).expect("readable");
    let changed = change(text.clone());
    assert_ne!(text, changed, "the edit changes something");
    fs::write(path, changed).expect("written");
}

/// Asserts that both commands refuse a damaged folder with an error that contains `names`.
fn refused(home: &Path, names: &[&str]) {
    for (verb, code) in [("report", 1), ("compare", 3)] {
        let mut command = Command::cargo_bin("promptshift").expect("cargo builds it");
        command.arg(verb).arg(home);
        if verb == "compare" {
            command.arg(home);
        }
        let mut assert = command
            .assert()
            .code(code)
            .stdout("")
            .stderr(contains("panicked").not());
        for name in names {
            assert = assert.stderr(contains(*name));
        }
    }
}

#[test]
fn a_truncated_file_is_named() {
    let (_folder, home) = copy();
    let half = |text: String| text[..text.len() / 2].to_owned();
    edit(&home.join("prompt-seed1/textbookqa.jsonl"), half);
    refused(&home, &["prompt-seed1", "textbookqa.jsonl", "truncated"]);
    let (_folder, home) = copy();
    edit(&home.join("model-seed0/record.json"), half);
    refused(&home, &["model-seed0", "record.json"]);
}

#[test]
fn an_edited_prediction_is_named() {
    let (_folder, home) = copy();
    edit(&home.join("prompt-seed0/squad.jsonl"), |text| {
        text.replacen("\"f1\":0.0", "\"f1\":1.0", 1)
    });
    refused(&home, &["prompt-seed0", "squad.jsonl", "changed"]);
}

#[test]
fn predictions_of_another_run_are_refused() {
    let (_folder, home) = copy();
    fs::copy(
        home.join("model-seed0/squad.jsonl"),
        home.join("model-seed1/squad.jsonl"),
    )
    .expect("copied");
    refused(&home, &["model-seed1", "squad.jsonl", "SHA-256"]);
}

#[test]
fn an_edited_score_is_detected() {
    let (_folder, home) = copy();
    edit(&home.join("prompt-seed0/record.json"), |text| {
        // Every record's F1 begins like this, and none is above 1.
        text.replacen("\"f1\": 0.", "\"f1\": 0.01", 1)
    });
    Command::cargo_bin("promptshift")
        .expect("cargo builds it")
        .arg("report")
        .arg(&home)
        .assert()
        .code(1)
        .stdout("")
        .stderr(contains("prompt-seed0").and(contains("edited or damaged")));
}

#[test]
fn a_share_above_one_is_named() {
    let (_folder, home) = copy();
    let record = home.join("prompt-seed0/record.json");
    // An older record without a seal, in which anything may have been changed.
    let text = fs::read_to_string(&record).expect("readable");
    let mut value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    value.as_object_mut().expect("an object").remove("sha256");
    value["evaluations"][0]["floor"] = 1e12.into();
    fs::write(&record, value.to_string()).expect("written");
    Command::cargo_bin("promptshift")
        .expect("cargo builds it")
        .arg("report")
        .arg(&home)
        .assert()
        .code(1)
        .stdout("")
        .stderr(contains("prompt-seed0").and(contains("the floor of squad in [0, 1]")))
        .stderr(contains("1000000000000"));
}

#[test]
fn duplicate_records_are_both_named() {
    let (_folder, home) = copy();
    copy_folder(&home.join("prompt-seed0"), &home.join("prompt-seed0-copy"));
    Command::cargo_bin("promptshift")
        .expect("cargo builds it")
        .arg("report")
        .arg(&home)
        .assert()
        .code(1)
        .stdout("")
        .stderr(contains("prompt-seed0 and").and(contains("prompt-seed0-copy")));
}

#[test]
fn a_missing_cell_is_missing_and_never_zero() {
    let (_folder, home) = copy();
    fs::remove_dir_all(home.join("model-seed1")).expect("removed");
    Command::cargo_bin("promptshift")
        .expect("cargo builds it")
        .arg("report")
        .arg(&home)
        .assert()
        .code(0)
        .stdout(contains("| model tuning, 1 | unfinished | unfinished |"));
}

/// A short undamaged transfer with both methods.
fn run_in(folder: &Path) -> PathBuf {
    let home = folder.join("run");
    let short = [
        "transfer",
        "squad->textbookqa",
        "--steps",
        "2",
        "--seeds",
        "1",
        "--eval-rows",
        "4",
        "--validation-rows",
        "4",
        "--out",
    ];
    let mut command = Command::cargo_bin("promptshift").expect("cargo builds it");
    command
        .current_dir(folder)
        .args(short)
        .arg(&home)
        .assert()
        .success();
    home
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("readable") {
        let path = entry.expect("readable").path();
        match path.is_dir() {
            true => files.extend(files_below(&path)),
            false => files.push(path),
        }
    }
    files.sort();
    files
}

/// The arguments of a command that reads this file of a run.
fn reader(home: &Path, file: &Path) -> Option<Vec<String>> {
    let text = |path: &Path| path.to_str().expect("Unicode").to_string();
    let name = file.file_name()?.to_str()?;
    let words = |words: &[&str]| {
        words
            .iter()
            .map(|word| word.to_string())
            .collect::<Vec<_>>()
    };
    match name {
        "prompt.safetensors" => Some([words(&["prompt", "show"]), vec![text(file)]].concat()),
        "plan.json" => Some(
            [
                words(&[
                    "transfer",
                    "squad->textbookqa",
                    "--steps",
                    "2",
                    "--seeds",
                    "1",
                ]),
                words(&[
                    "--eval-rows",
                    "4",
                    "--validation-rows",
                    "4",
                    "--quiet",
                    "--out",
                ]),
                vec![text(home)],
            ]
            .concat(),
        ),
        // Only `--model` reads a whole model back, and it needs a tokenizer in the same folder.
        "model.safetensors" => None,
        _ if name.ends_with(".json") || name.ends_with(".jsonl") => {
            Some([words(&["report"]), vec![text(home)]].concat())
        }
        _ => None,
    }
}

#[test]
fn a_flipped_bit_anywhere_in_a_run_is_detected_or_has_no_effect() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let home = run_in(folder.path());
    let mut kinds = std::collections::BTreeSet::new();
    for file in files_below(&home) {
        let Some(arguments) = reader(&home, &file) else {
            continue;
        };
        let run = || {
            let mut command = Command::cargo_bin("promptshift").expect("cargo builds it");
            command
                .current_dir(folder.path())
                .args(&arguments)
                .output()
                .expect("it runs")
        };
        let undamaged = run();
        assert!(undamaged.status.success(), "{arguments:?}: {undamaged:?}");
        let bytes = fs::read(&file).expect("readable");
        let name = file.file_name().expect("a name").to_str().expect("Unicode");
        kinds.insert(name.to_string());
        for nth in 0..5 {
            let mut damaged = bytes.clone();
            let place = (2 * nth + 1) * bytes.len() / 10;
            damaged[place] ^= 1 << (nth + 1);
            fs::write(&file, &damaged).expect("written");
            let found = run();
            let told = String::from_utf8_lossy(&found.stderr);
            let place = format!("{}, byte {place}: {told}", file.display());
            assert!(!told.contains("panicked"), "{place}");
            match found.status.success() {
                true => assert_eq!(found.stdout, undamaged.stdout, "{place}"),
                false => assert!(told.contains(name), "{place}"),
            }
        }
        fs::write(&file, &bytes).expect("written");
    }
    for kind in [
        "plan.json",
        "record.json",
        "textbookqa.jsonl",
        "prompt.safetensors",
    ] {
        assert!(kinds.contains(kind), "no {kind} in {kinds:?}");
    }
}

/// Predictions of every cell below a folder, by their paths in it.
fn predictions(out: &Path) -> std::collections::BTreeMap<PathBuf, Vec<u8>> {
    let files = files_below(out).into_iter();
    let lines = files.filter(|file| file.extension().is_some_and(|end| end == "jsonl"));
    lines
        .map(|file| {
            let name = file.strip_prefix(out).expect("below").to_owned();
            (name, fs::read(&file).expect("readable"))
        })
        .collect()
}

/// A store with the results for one target is used for two, after flipping each of its bits.
#[test]
fn a_flipped_bit_anywhere_in_the_store_is_detected_or_has_no_effect() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    run_in(folder.path());
    let store = folder.path().join("runs/store");
    let untouched = folder.path().join("untouched");
    copy_folder(&store, &untouched);
    let run = |out: &str| {
        let words = "transfer squad->textbookqa,race --steps 2 --seeds 1 --eval-rows 4 --validation-rows 4 --jobs 1";
        Command::cargo_bin("promptshift")
            .expect("cargo builds it")
            .current_dir(folder.path())
            .args(words.split(' '))
            .args(["--quiet", "--out", out])
            .output()
            .expect("it runs")
    };
    assert!(run("wanted").status.success());
    let wanted = predictions(&folder.path().join("wanted"));
    let mut found = 0;
    for file in files_below(&untouched) {
        let bytes = fs::read(&file).expect("readable");
        for place in [bytes.len() / 3, bytes.len() * 9 / 10] {
            fs::remove_dir_all(&store).expect("removed");
            copy_folder(&untouched, &store);
            let inside = file.strip_prefix(&untouched).expect("below");
            let mut damaged = bytes.clone();
            damaged[place] ^= 4;
            fs::write(store.join(inside), damaged).expect("written");
            let out = format!("out-{found}-{place}");
            let ended = run(&out);
            let told = String::from_utf8_lossy(&ended.stderr);
            let at = format!("{}, byte {place}: {told}", inside.display());
            assert!(!told.contains("panicked"), "{at}");
            let name = file.file_name().expect("a name").to_string_lossy();
            match ended.status.success() {
                true => assert!(predictions(&folder.path().join(&out)) == wanted, "{at}"),
                false => {
                    assert!(told.contains(&*name), "{at}");
                    found += 1;
                }
            }
        }
    }
    assert!(found > 10, "{found} of the damages were found");
}
