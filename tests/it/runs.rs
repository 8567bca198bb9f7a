//! `promptshift runs`: the contents of the store, and removing what is not used.

use std::path::Path;

use assert_cmd::Command;
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;
use promptshift::store::Store;
use serde_json::Value;

fn promptshift(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::cargo_bin("promptshift").expect("cargo builds it");
    command.current_dir(folder).args(arguments);
    command.env_remove("PROMPTSHIFT_STORE");
    command
}

fn transfer(folder: &Path) {
    let sizes =
        "--seeds 1 --steps 2 --batch-size 2 --train-rows 8 --eval-rows 4 --validation-rows 4";
    let mut command = promptshift(folder, &["transfer", "squad->race", "--methods", "prompt"]);
    command.args(sizes.split(' '));
    command.args(["--quiet", "--out", "out"]).assert().success();
}

fn printed(folder: &Path, arguments: &[&str]) -> String {
    let done = promptshift(folder, arguments).assert().success();
    String::from_utf8(done.get_output().stdout.clone()).expect("text")
}

fn trainings(folder: &Path) -> Vec<Value> {
    let json = printed(folder, &["runs", "--json"]);
    serde_json::from_str(&json).expect("an array")
}

#[test]
fn trainings_that_no_report_uses_are_listed_and_removed() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    assert_eq!(
        printed(folder, &["runs"]),
        "There is no store in runs/store yet.\n"
    );
    assert_eq!(trainings(folder), Vec::<Value>::new());
    promptshift(folder, &["runs", "--prune", "--yes"])
        .assert()
        .success();
    assert!(!folder.join("runs").exists(), "looking makes nothing");

    transfer(folder);
    let found = trainings(folder);
    assert_eq!(found.len(), 1);
    let of = |key: &str| found[0][key].clone();
    assert_eq!(of("state"), "trained");
    assert_eq!(of("method"), "prompt");
    assert_eq!(of("seed"), 0);
    assert_eq!(of("source"), "squad");
    assert_eq!(of("steps"), 2);
    assert_eq!(of("has_weights"), true);
    assert_eq!(of("is_referred_to"), true);
    assert!(of("train_seconds").as_f64() > Some(0.0));
    assert!(of("size_bytes").as_u64() > Some(1000));
    let text = printed(folder, &["runs"]);
    let widest = text.lines().filter(|line| !line.starts_with("Store: "));
    assert!(
        widest.map(|line| line.chars().count()).max() <= Some(80),
        "{text}"
    );
    assert!(text.contains("\n1 training, "), "{text}");
    assert!(!text.contains("no report refers to"), "{text}");
    assert!(printed(folder, &["runs", "--prune"]).contains("Nothing to remove"));

    std::fs::remove_dir_all(folder.join("out")).expect("removed");
    let text = printed(folder, &["runs"]);
    let summary = "; no report refers to 1 training and 2 folders of answers, ";
    assert!(text.contains(summary), "{text}");
    // There is no terminal to ask for confirmation.
    promptshift(folder, &["runs", "--prune"])
        .write_stdin("y\n")
        .assert()
        .code(2)
        .stdout(contains("training").and(contains("untuned-")))
        .stderr(contains("nothing was removed").and(contains("--yes")));
    assert_eq!(trainings(folder).len(), 1);
    // Nothing is removed while another process uses the store.
    let store = Store::open(&folder.join("runs/store"), None).expect("a store");
    promptshift(folder, &["runs", "--prune", "--yes"])
        .assert()
        .code(1)
        .stderr(contains("in use").and(contains(std::process::id().to_string())));
    drop(store);
    assert_eq!(trainings(folder).len(), 1);
    let pruned = printed(folder, &["runs", "--prune", "--yes"]);
    assert!(pruned.contains("Removed 3 folders, "), "{pruned}");
    assert!(pruned.contains("may have been moved"), "{pruned}");
    assert_eq!(trainings(folder), Vec::<Value>::new());
    assert!(printed(folder, &["runs"]).starts_with("No trainings, "));

    transfer(folder);
    let again = trainings(folder);
    assert_eq!(again.len(), 1);
    assert_eq!(again[0]["name"], of("name"));
    assert_eq!(
        again[0]["best_validation_score"],
        of("best_validation_score")
    );
}

#[test]
fn a_folder_with_other_content_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let trainings = folder.path().join("thesis/trainings/first");
    std::fs::create_dir_all(&trainings).expect("made");
    for more in [&[] as &[&str], &["--prune", "--yes"]] {
        promptshift(folder.path(), &["runs", "--store", "thesis"])
            .args(more)
            .assert()
            .code(1)
            .stderr(contains("no store of promptshift's"));
    }
    assert!(trainings.exists());
    promptshift(folder.path(), &["runs", "--yes"])
        .assert()
        .code(2)
        .stderr(contains("--prune"));
}
