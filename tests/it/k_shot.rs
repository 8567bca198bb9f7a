//! Few-shot tuning on the target after zero-shot evaluation.

use std::path::Path;

use assert_cmd::Command;
use predicates::str::contains;
use promptshift::record::folder::{StoredRecord, find};

fn promptshift(folder: &Path) -> Command {
    let mut command = Command::cargo_bin("promptshift").expect("cargo builds it");
    command.current_dir(folder);
    command
}

/// Two methods with one seed, in `out`.
fn transfer(folder: &Path, out: &str, more: &[&str]) {
    promptshift(folder)
        .args([
            "transfer",
            "squad->textbookqa",
            "--methods",
            "prompt,lora,instruction",
        ])
        .args([
            "--seeds",
            "1",
            "--steps",
            "2",
            "--batch-size",
            "3",
            "--train-rows",
            "8",
        ])
        .args([
            "--eval-rows",
            "6",
            "--validation-rows",
            "6",
            "--quiet",
            "--out",
            out,
        ])
        .args(more)
        .assert()
        .success();
}

fn record(folder: &Path, out: &str, name: &str) -> StoredRecord {
    let records = find(&folder.join(out).join(name)).expect("a record");
    records.into_iter().next().expect("one")
}

#[test]
fn few_shot_tuning_starts_from_the_tuned_result_and_does_not_change_zero_shot_scores() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    transfer(folder, "zero", &[]);
    transfer(
        folder,
        "few",
        &["--tune-on", "4,0,2", "--tune-on-steps", "3"],
    );
    let prompt = record(folder, "few", "prompt-seed0");
    let lora = record(folder, "few", "lora-seed0");
    let zero = record(folder, "zero", "prompt-seed0");
    assert_eq!(prompt.predictions, zero.predictions);
    assert_eq!(
        prompt.record.training.as_ref().map(|t| &t.saved),
        zero.record.training.as_ref().map(|t| &t.saved)
    );
    for found in [&prompt, &lora] {
        let shots = &found.record.k_shots;
        let told: Vec<_> = (shots.iter())
            .map(|shot| (shot.examples, shot.steps, shot.batch_size, shot.ids.len()))
            .collect();
        assert_eq!(told, [(2, 3, 2, 2), (4, 3, 3, 4)]);
        assert!(shots[1].ids.starts_with(&shots[0].ids));
        for (shot, answers) in shots.iter().zip(&found.k_shots) {
            assert_eq!(shot.evaluation.domain, "textbookqa");
            let ids = |answers: &[promptshift::record::Prediction]| {
                answers.iter().map(|one| one.id.clone()).collect::<Vec<_>>()
            };
            assert_eq!(ids(answers), ids(&found.predictions[1]));
            // The answers differ from the zero-shot ones.
            let sure = |answers: &[promptshift::record::Prediction]| {
                answers.iter().map(|one| one.log_prob).collect::<Vec<_>>()
            };
            assert_ne!(sure(answers), sure(&found.predictions[1]));
        }
    }
    let ids = |found: &StoredRecord| found.record.k_shots[1].ids.clone();
    assert_eq!(ids(&prompt), ids(&lora));
    assert!(
        record(folder, "few", "instruction-seed0")
            .record
            .k_shots
            .is_empty()
    );
    assert!(
        prompt
            .record
            .provenance
            .data_sha256
            .contains_key("textbookqa/train")
    );
    let report = std::fs::read_to_string(folder.join("few/report.md")).expect("written");
    assert!(
        report.contains("## With a few examples of the target"),
        "{report}"
    );
    assert!(
        report.contains("| target | method | K = 0 | K = 2 | K = 4 |"),
        "{report}"
    );
    assert!(folder.join("few/figures/k-shot.svg").exists() || report.contains("k-shot.svg"));
    // The folder cannot be used for another experiment.
    promptshift(folder)
        .args([
            "transfer",
            "squad->textbookqa",
            "--methods",
            "prompt",
            "--seeds",
            "1",
        ])
        .args([
            "--train-rows",
            "8",
            "--eval-rows",
            "6",
            "--validation-rows",
            "6",
            "--out",
            "few",
            "--tune-on",
            "2",
        ])
        .assert()
        .code(1)
        .stderr(contains("tune_on"));
}

#[test]
fn a_target_with_too_few_training_rows_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let mini = Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/mini");
    for (domain, split) in [("squad", "train"), ("squad", "test"), ("race", "test")] {
        let home = folder.path().join("data").join(domain);
        std::fs::create_dir_all(&home).expect("made");
        let file = format!("{split}.parquet");
        std::fs::copy(mini.join(domain).join(&file), home.join(&file)).expect("copied");
    }
    let refused = |transfer: &str, more: &[&str], wanted: &str| {
        promptshift(folder.path())
            .args([
                "transfer",
                transfer,
                "--eval-rows",
                "6",
                "--validation-rows",
                "6",
                "--train-rows",
                "8",
            ])
            .args(more)
            .assert()
            .failure()
            .stderr(contains(wanted));
    };
    refused(
        "squad->race",
        &["--tune-on", "4", "--data", "data"],
        "'race' has no rows to tune on",
    );
    refused(
        "squad->race",
        &["--tune-on", "100000"],
        "--tune-on 100000: 'race' has",
    );
    refused("squad->race", &["--tune-on-steps", "5"], "--tune-on");
    refused(
        "squad->race",
        &["--tune-on", "some"],
        "invalid value 'some'",
    );
}
