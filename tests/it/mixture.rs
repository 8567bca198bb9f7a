//! One prompt for several sources.

use std::collections::BTreeSet;

use assert_cmd::Command;
use predicates::str::contains;
use promptshift::batch::Batches;
use promptshift::domain::mixture::Mixing;
use promptshift::domain::{Example, Task};
use promptshift::leakage::Seen;
use promptshift::recipe::Limits;
use promptshift::record::folder::find;
use promptshift::train::TrainingSet;
use proptest::prelude::*;

use crate::tuning::{domain, nano, squad};

fn promptshift(folder: &std::path::Path) -> Command {
    let mut command = Command::cargo_bin("promptshift").expect("cargo builds it");
    command.current_dir(folder);
    command
}

const TINY: [&str; 14] = [
    "--methods",
    "prompt",
    "--seeds",
    "1",
    "--steps",
    "2",
    "--batch-size",
    "2",
    "--train-rows",
    "8",
    "--eval-rows",
    "6",
    "--validation-rows",
    "6",
];

#[test]
fn a_mixture_is_trained_and_reported_by_domain() {
    let folder = tempfile::tempdir().expect("a folder");
    promptshift(folder.path())
        .args([
            "transfer",
            "squad + race -> textbookqa",
            "--mixing",
            "equal",
            "--quiet",
        ])
        .args(TINY)
        .assert()
        .success()
        .stdout(contains("squad+race"));
    let records = find(&folder.path().join("runs")).expect("records");
    let prompt = records.first().expect("the prompt's, by name");
    let out = prompt.folder.parent().expect("an output folder");
    let name = out.file_name().expect("a name").to_string_lossy();
    assert!(
        name.starts_with("squad+race-to-textbookqa-mini-nano-"),
        "{name}"
    );
    let record = &prompt.record;
    assert_eq!(record.cell.setting.source, "squad+race");
    assert_eq!(record.cell.setting.mixing, Some(Mixing::Equal));
    let domains: Vec<&str> = record
        .evaluations
        .iter()
        .map(|e| e.domain.as_str())
        .collect();
    assert_eq!(domains, ["squad+race", "textbookqa"]);
    // Equally many rows of each.
    for answers in [&prompt.predictions[0], &prompt.validation] {
        let of = |name: &str| {
            let traits = answers.iter().filter_map(|line| line.traits.as_ref());
            traits
                .filter(|traits| traits.domain.as_deref() == Some(name))
                .count()
        };
        assert_eq!((of("squad"), of("race"), answers.len()), (6, 6, 12));
        let ids: BTreeSet<&str> = answers.iter().map(|line| line.id.as_str()).collect();
        assert_eq!(ids.len(), 12);
        assert!(
            ids.iter()
                .all(|id| id.starts_with("squad/") || id.starts_with("race/"))
        );
    }
    let files: Vec<&str> = record
        .provenance
        .data_sha256
        .keys()
        .map(String::as_str)
        .collect();
    for file in [
        "squad/train",
        "race/train",
        "race/validation",
        "squad/test",
        "textbookqa/test",
    ] {
        assert!(files.contains(&file), "{file} in {files:?}");
    }
    let counted: Vec<String> = (record.leakage.iter())
        .map(|rows| format!("{} {}", rows.domain, rows.split))
        .collect();
    assert_eq!(
        counted[..4],
        [
            "squad train",
            "race train",
            "squad validation",
            "race validation"
        ]
    );
    assert!(record.notes[0].contains("8 of 8 of squad, 8 of 8 of race (equal mixing)"));
    let report = std::fs::read_to_string(out.join("report.md")).expect("written");
    assert!(
        report.contains("squad and race together, at the same rate"),
        "{report}"
    );
    // Recomputed from the cards: `score` understands the mixture's name.
    promptshift(folder.path())
        .args(["score", "runs"])
        .assert()
        .success();
}

#[test]
fn mixing_is_for_mixtures() {
    let folder = tempfile::tempdir().expect("a folder");
    for (arguments, wanted) in [
        (
            ["squad->textbookqa", "--mixing", "equal"],
            "'squad' is one source",
        ),
        (
            ["squad+race->textbookqa", "--mixing", "evenly"],
            "wanted proportional",
        ),
        (
            ["squad+qqp->textbookqa", "--mixing", "equal"],
            "a mixture of one task's domains",
        ),
    ] {
        promptshift(folder.path())
            .arg("transfer")
            .args(arguments)
            .assert()
            .code(2)
            .stderr(contains(wanted));
    }
}

/// A target's rows count as seen if they occur in any of the sources.
#[test]
fn rows_of_any_source_count_as_seen() {
    let (squad, race) = (squad(4), domain("race", 4));
    let all: Vec<Example> = squad.iter().chain(&race).cloned().collect();
    let seen = Seen::of(&all);
    assert!(
        squad
            .iter()
            .chain(&race)
            .all(|example| seen.has_any_of(example))
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Each source is drawn at its rate, and no row is drawn twice before all have been drawn once.
    #[test]
    fn sources_are_drawn_at_their_rates(cap in 1usize..9, seed: u64) {
        let (first, second) = (squad(9), domain("race", 3));
        let limits = Limits::default_for(Task::ExtractiveQa);
        let mixing = Mixing::Proportional { cap };
        let set = TrainingSet::of_sources(&[&first, &second], mixing, &nano().tokenizer, &limits);
        let shares = mixing.shares(&[9, 3]);
        let found: Vec<usize> = set.shares().iter().map(|share| share.each_epoch).collect();
        prop_assert_eq!(&found, &shares);
        let epoch: usize = shares.iter().sum();
        let mut batches = Batches::mixed(set.encodings(), set.shares(), 1, set.pad(), seed);
        let mut times = [0; 12];
        for _ in 0..epoch {
            let batch = batches.next_batch();
            let row = set.encodings().iter().position(|encoding| {
                promptshift::batch::Batch::of(&[encoding], set.pad()) == batch
            });
            times[row.expect("one of them")] += 1;
        }
        prop_assert_eq!(times[..9].iter().sum::<i32>() as usize, shares[0]);
        prop_assert_eq!(times[9..].iter().sum::<i32>() as usize, shares[1]);
        prop_assert!(times.iter().all(|&times| times <= 1));
    }
}
