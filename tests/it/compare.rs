//! `compare` on the command line: what it prints and with which exit code.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use tempfile::TempDir;

fn reports(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("reports");
    folder.join(name).display().to_string()
}

fn compare(arguments: &[&str]) -> assert_cmd::assert::Assert {
    Command::cargo_bin("promptshift")
        .expect("cargo builds it")
        .arg("compare")
        .args(arguments)
        .assert()
}

#[test]
fn a_record_does_not_lose_against_itself() {
    let folder = reports("squad-to-textbookqa/prompt-seed0");
    compare(&[&folder, &folder])
        .code(0)
        .stdout(contains("A and B are identical").and(contains("textbookqa")))
        .stderr("");
}

#[test]
fn a_loss_is_exit_code_one() {
    // Prompt tuning is worse on its source, but not on the target.
    let (model, prompt) = (
        reports("squad-to-textbookqa/model-seed0"),
        reports("squad-to-textbookqa/prompt-seed0"),
    );
    compare(&[&model, &prompt])
        .code(1)
        .stdout(contains("B loses").and(contains("squad")))
        .stderr("significant loss\n");
    compare(&[&prompt, &model, "--metric", "exact_match"])
        .code(1)
        .stdout(contains("exact match on textbookqa"));
}

#[test]
fn errors_are_never_exit_code_one() {
    let one = reports("squad-to-textbookqa/prompt-seed0");
    compare(&[&one, "/nowhere"])
        .code(3)
        .stdout("")
        .stderr(contains("/nowhere"));
    compare(&[&one, &reports("squad-to-all/prompt-seed0")])
        .code(3)
        .stdout("")
        .stderr(contains("the list of domains"));
    compare(&[&one, &one, "--metric", "bleu"])
        .code(3)
        .stderr(contains("'bleu'").and(contains("exact_match")));
    compare(&[&one, &one, "--alpha", "2"]).code(2);
    compare(&[&one]).code(2);
}

/// A line in the format of `predict`.
fn line(id: &str, f1: f64, tokens: usize) -> String {
    format!(
        r#"{{"domain":"squad","id":"{id}","passage":"p{id}","prediction":"x","answers":["x"],"score":{{"span":{{"exact_match":{f1},"f1":{f1}}}}},"log_prob":-0.5,"input_tokens":{tokens},"output_tokens":2,"cut":false,"token_ids":[5,1]}}"#
    )
}

fn file(folder: &TempDir, name: &str, f1: impl Fn(usize) -> f64, tokens: usize) -> String {
    let lines: Vec<String> = (0..60)
        .map(|place| line(&place.to_string(), f1(place), tokens))
        .collect();
    let path = folder.path().join(name);
    fs::write(&path, lines.join("\n") + "\n").expect("written");
    path.display().to_string()
}

#[test]
fn predictions_files_are_paired_by_example() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let good = file(&folder, "good.jsonl", |_| 1.0, 9);
    let bad = file(&folder, "bad.jsonl", |place| f64::from(place % 3 != 0), 9);
    let longer = file(&folder, "longer.jsonl", |_| 1.0, 10);
    compare(&[&good, &bad])
        .code(1)
        .stdout(contains("33.3 points F1 on squad"));
    compare(&[&bad, &good]).code(0);
    compare(&[&good, &longer])
        .code(3)
        .stderr(contains("template or cut").and(contains("9 tokens")));
    // Truncated, and with an example twice.
    let text = fs::read_to_string(&good).expect("readable");
    fs::write(&bad, &text[..text.len() - 40]).expect("written");
    compare(&[&good, &bad])
        .code(3)
        .stderr(contains("bad.jsonl, line 60"));
    fs::write(&bad, format!("{text}{}\n", line("7", 1.0, 9))).expect("written");
    compare(&[&good, &bad])
        .code(3)
        .stderr(contains("bad.jsonl").and(contains("'7' again")));
}

#[test]
fn a_run_keeps_what_its_statistics_need() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = |arguments: &[&str]| {
        Command::cargo_bin("promptshift")
            .expect("cargo builds it")
            .current_dir(folder.path())
            .args(arguments)
            .assert()
            .code(0)
    };
    let transfer = "transfer squad->textbookqa --methods prompt --seeds 1 --steps 2 --batch-size 2 \
                    --train-rows 8 --eval-rows 6 --validation-rows 6 --out out --quiet";
    run(&transfer.split(' ').collect::<Vec<_>>());
    let home = folder.path().join("out/prompt-seed0");
    let record = fs::read_to_string(home.join("record.json")).expect("readable");
    assert!(record.contains("squad@validation.jsonl"), "{record}");
    let answers = fs::read_to_string(home.join("squad@validation.jsonl")).expect("readable");
    assert_eq!(answers.lines().count(), 6);
    let target = fs::read_to_string(home.join("textbookqa.jsonl")).expect("readable");
    for kept in ["question_word", "answer_position"] {
        assert!(target.contains(kept), "{target}");
    }
    let home = home.display().to_string();
    run(&["compare", &home, &home]);
}
