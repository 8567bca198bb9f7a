//! Shifts other than of the domain's texts: of labels, of the surface, of groups.

use std::path::Path;

use assert_cmd::Command;
use predicates::str::contains;
use promptshift::record::folder::{StoredRecord, find};
use promptshift::record::{Prediction, Score};

fn promptshift(folder: &Path) -> Command {
    let mut command = Command::cargo_bin("promptshift").expect("cargo builds it");
    command.current_dir(folder);
    command
}

const TINY: [&str; 14] = [
    "--methods",
    "model",
    "--seeds",
    "1",
    "--steps",
    "30",
    "--batch-size",
    "8",
    "--train-rows",
    "200",
    "--eval-rows",
    "40",
    "--validation-rows",
    "8",
];

/// The record of the tuned model.
fn tuned(folder: &Path) -> StoredRecord {
    let records = find(&folder.join("runs")).expect("records").into_iter();
    let mut tuned = records.filter(|stored| stored.record.training.is_some());
    tuned.next().expect("one was tuned")
}

/// A domain's predictions.
fn of<'a>(stored: &'a StoredRecord, domain: &str) -> &'a [Prediction] {
    let mut evaluations = stored.record.evaluations.iter();
    let place = evaluations.position(|one| one.domain == domain);
    &stored.predictions[place.expect("it was evaluated")]
}

#[test]
fn predictions_of_three_classes_are_scored_as_two_and_in_the_groups_of_the_card() {
    let folder = tempfile::tempdir().expect("a folder");
    let likelihood = [
        "transfer",
        "mnli->snli,hans",
        "--quiet",
        "--score-by",
        "likelihood",
    ];
    promptshift(folder.path())
        .args(likelihood)
        .args(TINY)
        .assert()
        .success();
    let stored = tuned(folder.path());
    let classes = ["entailment", "neutral", "contradiction"];
    for prediction in of(&stored, "hans") {
        let said = classes
            .iter()
            .position(|class| *class == prediction.prediction);
        let read = said.map(|class| class.min(1));
        let gold = usize::from(prediction.answers == ["non-entailment"]);
        let score = Score::Label {
            gold,
            predicted: read,
        };
        assert!(
            said.is_some() && prediction.score == score,
            "{prediction:?}"
        );
        let shares = prediction.class_log_probs.as_ref().expect("ranked");
        let sum: f64 = shares.iter().map(|log| log.exp()).sum();
        assert!(shares.len() == 2 && (sum - 1.0).abs() < 1e-6, "{shares:?}");
        let group = prediction
            .traits
            .as_ref()
            .and_then(|traits| traits.group.as_deref());
        assert!(
            matches!(group, Some("constituent" | "lexical_overlap")),
            "{group:?}"
        );
    }
    let shares = of(&stored, "snli")
        .iter()
        .map(|one| one.class_log_probs.as_ref());
    assert!(shares.flatten().all(|shares| shares.len() == 3));
    let grouped = |domain: &str| {
        let traits = of(&stored, domain)
            .iter()
            .filter_map(|one| one.traits.as_ref());
        traits.filter(|traits| traits.group.is_some()).count()
    };
    assert_eq!((grouped("snli"), grouped("hans")), (0, 40));
    // Scored again from what is stored, every metric is the same.
    let again = promptshift(folder.path())
        .args(["score", "runs"])
        .output()
        .expect("run");
    let table = String::from_utf8(again.stdout).expect("text");
    let rows = table
        .lines()
        .filter(|line| line.contains("hans") || line.contains("snli"));
    let pairs: Vec<(String, String)> = rows
        .map(|line| {
            let cells: Vec<&str> = line
                .split_whitespace()
                .filter(|cell| *cell != "│")
                .collect();
            let [.., recorded, again] = cells.as_slice() else {
                panic!("{line}");
            };
            (recorded.to_string(), again.to_string())
        })
        .collect();
    assert!(
        pairs.len() >= 8 && pairs.iter().all(|(one, other)| one == other),
        "{table}"
    );
}

#[test]
fn a_variant_of_the_source_has_the_source_s_rows_with_another_surface() {
    let folder = tempfile::tempdir().expect("a folder");
    let words = [
        "transfer",
        "squad->squad@typos,squad@question-first",
        "--quiet",
    ];
    promptshift(folder.path())
        .args(words)
        .args(TINY)
        .assert()
        .success()
        .stdout(contains("squad@typos"));
    let stored = tuned(folder.path());
    let rows = |domain: &str| -> Vec<(String, String, Vec<String>)> {
        let rows = of(&stored, domain).iter();
        rows.map(|one| (one.id.clone(), one.passage.clone(), one.answers.clone()))
            .collect()
    };
    assert_eq!(rows("squad"), rows("squad@typos"));
    assert_eq!(rows("squad"), rows("squad@question-first"));
    let excerpts = |domain: &str| -> Vec<String> {
        let mut evaluations = stored.record.evaluations.iter();
        let found = evaluations
            .find(|one| one.domain == domain)
            .expect("evaluated");
        found.excerpts.iter().map(|one| one.input.clone()).collect()
    };
    assert_ne!(excerpts("squad"), excerpts("squad@typos"));
    let first = &excerpts("squad@question-first")[0];
    assert!(!first.starts_with("question: "), "{first}");
    // Nothing is computed again, and another variant trains nothing.
    promptshift(folder.path())
        .args(["transfer", "squad->squad@lowercase", "--dry-run"])
        .args(TINY)
        .assert()
        .success()
        .stdout(contains("1 training found, 0 to do"));
}

#[test]
fn what_is_no_variant_is_refused_with_those_that_are() {
    let folder = tempfile::tempdir().expect("a folder");
    for (transfer, part) in [
        (
            "squad->squad@typo",
            "'squad' has no variant 'typo': did you mean 'typos'? known: typos, lowercase, no-punctuation, \
             question-first",
        ),
        (
            "squad@typos->textbookqa",
            "a variant after '@' in a target alone",
        ),
        (
            "hans->mnli",
            "'hans' has the labels entailment, non-entailment and 'mnli' entailment,",
        ),
    ] {
        promptshift(folder.path())
            .args(["transfer", transfer, "--dry-run"])
            .assert()
            .code(2)
            .stderr(contains(part));
    }
}
