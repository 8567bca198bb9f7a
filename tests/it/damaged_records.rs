//! Records that were cut off, edited, doubled or brought from elsewhere, as `report` and `compare`
//! meet them: an error that names the file, and never a number.

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use tempfile::TempDir;

/// A copy of a committed report's records, to be spoilt.
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

/// What both verbs say of a spoilt folder must name `file`.
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
fn a_cut_file_is_named() {
    let (_folder, home) = copy();
    let half = |text: String| text[..text.len() / 2].to_owned();
    edit(&home.join("prompt-seed1/textbookqa.jsonl"), half);
    refused(&home, &["prompt-seed1", "textbookqa.jsonl", "cut off"]);
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
fn another_run_s_predictions_are_foreign() {
    let (_folder, home) = copy();
    fs::copy(
        home.join("model-seed0/squad.jsonl"),
        home.join("model-seed1/squad.jsonl"),
    )
    .expect("copied");
    refused(&home, &["model-seed1", "squad.jsonl", "SHA-256"]);
}

#[test]
fn an_edited_score_is_found_out() {
    let (_folder, home) = copy();
    edit(&home.join("prompt-seed0/record.json"), |text| {
        // Any record's F1 begins so, and none is above 1.
        text.replacen("\"f1\": 0.", "\"f1\": 0.01", 1)
    });
    Command::cargo_bin("promptshift")
        .expect("cargo builds it")
        .arg("report")
        .arg(&home)
        .assert()
        .code(1)
        .stdout("")
        .stderr(contains("prompt-seed0").and(contains("f1 on squad is 0.01")));
}

#[test]
fn a_record_that_is_there_twice_is_named_twice() {
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
        .stdout(contains("| model tuning, 1 | missing | missing |"));
}
