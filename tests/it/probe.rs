//! `promptshift probe`: which initialisation and learning rate learn a source.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use promptshift::record::folder::find;
use promptshift::record::seal::opened;
use promptshift::record::search::Search;
use serde_json::Value;

const TINY: &str =
    "--steps 4 --trials 2 --batch-size 2 --train-rows 8 --validation-rows 8 --jobs 1";

fn promptshift(folder: &Path, words: &str) -> Command {
    let mut command = Command::cargo_bin("promptshift").expect("cargo builds it");
    command
        .current_dir(folder)
        .env_remove("PROMPTSHIFT_STORE")
        .env_remove("PROMPTSHIFT_DEVICE")
        .args(words.split(' '));
    command
}

fn probe(folder: &Path) -> Value {
    let path = folder.join("runs/probe-squad-nano/probe.json");
    opened(&fs::read(path).expect("written")).expect("sealed")
}

fn search(tried: &Value) -> Search {
    serde_json::from_value(tried["search"].clone()).expect("a search")
}

/// The trials without the time that they took.
fn results(probe: &Value) -> Vec<Value> {
    let mut all = probe["tried"].as_array().expect("a list").clone();
    for tried in &mut all {
        for trial in tried["search"]["trials"].as_array_mut().expect("a list") {
            trial["end"]["scored"]["train_seconds"] = Value::Null;
        }
    }
    all
}

#[test]
fn combinations_are_trials_that_a_search_reuses() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let command = format!("probe squad {TINY}");
    promptshift(folder, &format!("{command} --dry-run"))
        .assert()
        .success()
        .stdout(contains("4 combinations of 4 steps, 4 to do"));
    assert!(!folder.join("runs").exists());
    let ended = promptshift(folder, &command).assert().success();
    let shown = String::from_utf8_lossy(&ended.get_output().stdout).into_owned();
    let found = probe(folder);
    let tried = found["tried"].as_array().expect("a list");
    let starts: Vec<&str> = tried
        .iter()
        .filter_map(|one| one["init"].as_str())
        .collect();
    assert_eq!(starts, ["uniform", "vocab"]);
    // The best is the only row with the mark, and has the highest score.
    let marked: Vec<&str> = shown
        .lines()
        .filter(|line| line.trim_end().ends_with(" best"))
        .collect();
    let [marked] = marked[..] else {
        panic!("one row: {shown}");
    };
    let scores = tried.iter().flat_map(|one| search(one).trials);
    let highest = scores.filter_map(|trial| trial.validation_score());
    let highest = format!(" {:.1} ", 100.0 * highest.fold(0.0, f64::max));
    assert!(marked.contains(&highest), "{highest}: {shown}");
    // 8 rows in 4 steps prove nothing.
    assert!(
        shown.contains("Prompt tuning did not learn squad in 4 steps"),
        "{shown}"
    );
    assert_eq!(
        found["provenance"]["command"],
        format!("promptshift {command}")
    );

    // Nothing is computed twice, and workers compute the same.
    promptshift(folder, &command)
        .assert()
        .success()
        .stderr(contains("4 combinations of 4 steps, 0 to do"));
    assert_eq!(probe(folder)["tried"], found["tried"]);
    // Others do not replace them.
    promptshift(folder, &format!("{command} --inits vocab"))
        .assert()
        .code(2)
        .stderr(contains("without other results"));
    assert_eq!(probe(folder)["tried"], found["tried"]);
    let workers = tempfile::tempdir().expect("a folder");
    let by_two = command.replace("--jobs 1", "--jobs 2");
    promptshift(workers.path(), &by_two).assert().success();
    assert_eq!(results(&probe(workers.path())), results(&found));

    // A search with the same steps takes the trials from the store.
    let transfer = format!(
        "transfer squad:race {TINY} --methods prompt,model --seeds 1 --eval-rows 2 --out out"
    );
    promptshift(folder, &format!("{transfer} --init vocab"))
        .assert()
        .success();
    let record = |name: &str| {
        let mut found = find(&folder.join("out").join(name)).expect("a record");
        found.remove(0).record
    };
    let searched = record("prompt-seed0").search.expect("searched");
    assert_eq!(searched, search(&tried[1]));
    // Before its first step, model tuning is the untuned model.
    let curve = record("model-seed0").training.expect("trained").curve;
    assert_eq!(found["untuned_score"], curve[0].validation_score);
}

#[test]
fn starts_are_tried_where_there_is_a_prompt_and_labels_where_there_are_classes() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    for (words, combinations) in [
        ("probe qqp", 6),
        ("probe qqp --methods prompt,lora", 8),
        ("probe squad --methods lora,model", 4),
        ("probe squad --inits vocab", 2),
    ] {
        promptshift(folder, &format!("{words} {TINY} --dry-run"))
            .assert()
            .success()
            .stdout(contains(format!("{combinations} combinations")));
    }
    for (words, wanted) in [
        ("probe squad:race", "promptshift probe squad"),
        ("probe sqad", "did you mean 'squad'"),
        ("probe squad --methods few-shot", "--methods few-shot"),
        ("probe squad --methods promt", "did you mean 'prompt'"),
    ] {
        promptshift(folder, words)
            .assert()
            .code(2)
            .stderr(contains(wanted).and(contains("panicked").not()));
    }
    assert!(!folder.join("runs").exists());
}
