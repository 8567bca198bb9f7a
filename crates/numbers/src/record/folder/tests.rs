use std::collections::BTreeMap;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;
use crate::recipe::Limits;
use crate::record::{Evaluation, Provenance, Role, Score, Traits, ValidationAnswers};
use promptshift_text::domain::{Split, Task};
use promptshift_text::transfer::Transfer;

fn cell(seed: u64) -> Cell {
    Cell {
        setting: Setting {
            eval_rows: Some(2),
            ..Setting::new(
                &Transfer {
                    source: "squad".to_owned(),
                    targets: vec!["race".to_owned()],
                },
                "nano",
                "mini",
                Limits {
                    input: 64,
                    target: 8,
                    answer: 8,
                },
            )
        },
        method: Method::Prompt,
        seed,
        trials: None,
        recipe: None,
        elsewhere: None,
    }
}

fn predictions(domain: &str) -> Vec<Prediction> {
    (0..2)
        .map(|index| Prediction {
            id: format!("{domain}-{index}"),
            passage: "p".to_owned(),
            prediction: "a \"quoted\"\nline".to_owned(),
            answers: vec!["b".to_owned()],
            score: Score::Span {
                exact_match: 0.0,
                f1: 1.0 / 3.0,
            },
            log_prob: -0.1,
            class_log_probs: None,
            input_tokens: 3,
            output_tokens: 2,
            cut: false,
            traits: None,
        })
        .collect()
}

fn record(cell: &Cell, draft: &Draft) -> Record {
    let evaluations = [("squad", Role::Source), ("race", Role::Target)]
        .into_iter()
        .map(|(domain, role)| {
            let written =
                write_predictions(draft.path(), domain, &predictions(domain)).expect("written");
            Evaluation {
                domain: domain.to_owned(),
                role,
                task: Task::ExtractiveQa,
                split: Split::Test,
                examples: 2,
                cut_inputs: 0,
                metrics: BTreeMap::from([("f1".to_owned(), 1.0 / 3.0)]),
                floor: None,
                seconds: 0.5,
                generated_tokens: 4,
                peak_bytes: 1,
                predictions: written.file,
                predictions_sha256: written.sha256,
                excerpts: Vec::new(),
            }
        })
        .collect();
    Record {
        version: RECORD_VERSION,
        cell: cell.clone(),
        provenance: Provenance {
            version: "0".to_owned(),
            revision: "r".to_owned(),
            command: "c".to_owned(),
            data_sha256: BTreeMap::from([("squad/test".to_owned(), "1".to_owned())]),
            model_sha256: "2".to_owned(),
            tokenizer_sha256: "3".to_owned(),
            device: "cpu".to_owned(),
            processor: "p".to_owned(),
            gpu: None,
            node: None,
            threads: 1,
            side_by_side: 1,
            software: BTreeMap::new(),
            started_unix_seconds: 0,
        },
        notes: Vec::new(),
        model_notes: Vec::new(),
        leakage: Vec::new(),
        training: None,
        search: None,
        k_shots: Vec::new(),
        evaluations,
        validation: None,
        answered: Vec::new(),
        texts: Default::default(),
    }
}

/// A folder with one finished cell.
fn written() -> (tempfile::TempDir, StoredRecord) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = RunFolder::open(folder.path(), &[cell(1)]).expect("an empty folder is fine");
    let draft = store.begin(&cell(1)).expect("nothing is there");
    let record = record(&cell(1), &draft);
    let stored = draft.finish(&record).expect("finished");
    assert_eq!(stored.record, record);
    drop(store);
    (folder, stored)
}

fn message<T: std::fmt::Debug>(result: Result<T, StoreError>) -> String {
    result.expect_err("an error was wanted").to_string()
}

#[test]
fn a_written_record_is_found_again() {
    let (folder, stored) = written();
    assert_eq!(stored.folder, folder.path().join("prompt-seed1"));
    assert_eq!(stored.predictions[1], predictions("race"));
    assert_eq!(
        find(folder.path()).expect("found"),
        std::slice::from_ref(&stored)
    );
    let store = RunFolder::open(folder.path(), &[cell(1)]).expect("our own folder");
    assert_eq!(store.existing(&cell(1)).expect("readable"), Some(stored));
    assert_eq!(store.existing(&cell(2)).expect("readable"), None);
    let error = message(store.begin(&cell(1)));
    assert!(error.contains("never overwritten"), "{error}");
}

#[test]
fn predictions_of_validation_and_checkpoints_are_read_and_checked() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = RunFolder::open(folder.path(), &[cell(1)]).expect("an empty folder is fine");
    let draft = store.begin(&cell(1)).expect("nothing is there");
    let mut record = record(&cell(1), &draft);
    let mut answers = predictions("squad");
    answers[0].traits = Some(Traits {
        group: None,
        domain: None,
        question_word: Some("who".to_owned()),
        answer_position: Some(0.25),
    });
    let written = write_predictions(draft.path(), "squad@validation", &answers).expect("written");
    record.validation = Some(ValidationAnswers {
        examples: 2,
        predictions: written.file,
        predictions_sha256: written.sha256,
    });
    let stored = draft.finish(&record).expect("finished");
    assert_eq!(stored.validation, answers);
    let path = stored.folder.join("squad@validation.jsonl");
    let text = fs::read_to_string(&path).expect("readable");
    fs::write(&path, text.replace("0.25", "0.75")).expect("written");
    let error = message(find(folder.path()));
    assert!(error.contains("squad@validation.jsonl"), "{error}");
    assert!(error.contains("changed or truncated"), "{error}");
}

#[test]
fn compressed_predictions_are_read() {
    let (_folder, stored) = written();
    let plain = stored.folder.join("race.jsonl");
    let packed = stored.folder.join("race.jsonl.gz");
    let pack = |bytes: &[u8]| {
        let mut packing = GzEncoder::new(Vec::new(), Compression::default());
        packing.write_all(bytes).expect("packed");
        packing.finish().expect("packed")
    };
    let bytes = fs::read(&plain).expect("read");
    fs::write(&packed, pack(&bytes)).expect("written");
    fs::remove_file(&plain).expect("removed");
    assert_eq!(read(&stored.folder).expect("read"), stored);

    fs::write(&packed, pack(&bytes[1..])).expect("written");
    let error = message(read(&stored.folder));
    assert!(error.contains("changed or truncated"), "{error}");

    fs::write(&packed, &pack(&bytes)[..40]).expect("written");
    let error = message(read(&stored.folder));
    assert!(error.contains("race.jsonl.gz"), "{error}");
}

#[test]
fn a_record_of_another_cell_is_an_error_that_names_the_field() {
    let (folder, stored) = written();
    let mut other = cell(1);
    other.setting.eval_rows = Some(3);
    let error = message(RunFolder::open(folder.path(), std::slice::from_ref(&other)));
    assert!(
        error.contains("eval_rows is 2 there, and 3 was asked for"),
        "{error}"
    );
    let store = RunFolder::open(folder.path(), &[cell(1)]).expect("our own folder");
    let mut recipe = crate::recipe::Recipe::paper_prompt();
    recipe.budget.steps = 7;
    let mut other = cell(1);
    other.recipe = Some(recipe);
    let error = message(store.existing(&other));
    assert!(error.contains("recipe is null there"), "{error}");
    let mut inputs = stored.record.provenance.clone();
    assert!(stored.check_inputs(&inputs).is_ok());
    inputs
        .data_sha256
        .insert("squad/test".to_owned(), "9".to_owned());
    let error = message(stored.check_inputs(&inputs));
    assert!(
        error.contains("data_sha256.squad/test is \"1\" there, and \"9\" was asked for"),
        "{error}"
    );
}

#[test]
fn changed_and_truncated_files_are_errors() {
    let (folder, _) = written();
    let home = folder.path().join("prompt-seed1");
    let edit = |name: &str, change: &dyn Fn(String) -> String| {
        let path = home.join(name);
        let before = fs::read_to_string(&path).expect("readable");
        fs::write(&path, change(before.clone())).expect("writable");
        let error = message(find(folder.path()));
        assert!(error.contains(name), "{error}");
        fs::write(&path, before).expect("writable");
        error
    };
    let error = edit("race.jsonl", &|text| text.replace("race-1", "race-7"));
    assert!(error.contains("changed or truncated"), "{error}");
    let error = edit("race.jsonl", &|text| text[..text.len() / 2].to_owned());
    assert!(error.contains("SHA-256"), "{error}");
    let error = edit("record.json", &|text| text[..text.len() / 2].to_owned());
    assert!(error.contains("wanted a promptshift record"), "{error}");
    let error = edit("record.json", &|text| {
        text.replacen("\"seconds\": 0.5", "\"seconds\": 0.4", 1)
    });
    assert!(error.contains("edited or damaged"), "{error}");
    // An older record without a seal is checked by its content.
    let sealed = fs::read(home.join(RECORD)).expect("readable");
    let value = crate::record::seal::opened(&sealed).expect("unchanged");
    let older = serde_json::to_string_pretty(&value).expect("JSON");
    fs::write(home.join(RECORD), older).expect("writable");
    let error = edit("record.json", &|_| "{\"hello\": 1}".to_owned());
    assert!(error.contains("JSON without a version"), "{error}");
    let error = edit("record.json", &|text| {
        text.replacen("\"version\": 1", "\"version\": 9", 1)
    });
    assert!(error.contains("found version 9"), "{error}");
    let error = edit("record.json", &|text| {
        text.replacen("\"examples\": 2", "\"examples\": 5", 1)
    });
    assert!(error.contains("wanted 5 predictions"), "{error}");
    let error = edit("record.json", &|text| {
        text.replace("race.jsonl", "../../race.jsonl")
    });
    assert!(error.contains("files in its folder"), "{error}");
    let error = edit("record.json", &|text| {
        text.replacen("\"domain\": \"race\"", "\"domain\": \"drop\"", 1)
    });
    assert!(
        error.contains("wanted evaluations of source and targets: squad, race"),
        "{error}"
    );
    fs::remove_file(home.join("squad.jsonl")).expect("removable");
    let error = message(find(folder.path()));
    assert!(
        error.contains("cannot read") && error.contains("squad.jsonl"),
        "{error}"
    );
}

#[test]
fn folders_of_other_programs_are_left_alone() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("thesis.tex"), "x").expect("written");
    let error = message(RunFolder::open(folder.path(), &[cell(1)]));
    assert!(error.contains("'thesis.tex'"), "{error}");
    let error = message(RunFolder::open(
        &folder.path().join("thesis.tex"),
        &[cell(1)],
    ));
    assert!(error.contains("is a file"), "{error}");
    fs::write(folder.path().join(PLAN), "{}").expect("written");
    let error = message(RunFolder::open(folder.path(), &[cell(1)]));
    assert!(error.contains("plan.json: wanted the plan"), "{error}");
    let error = message(find(folder.path()));
    assert!(error.contains("no record.json"), "{error}");
    let error = message(find(&folder.path().join("nowhere")));
    assert!(
        error.contains("cannot list") && error.contains("nowhere"),
        "{error}"
    );
}

#[test]
fn left_overs_of_killed_runs_are_removed() {
    let (folder, _) = written();
    let left = folder.path().join(".partial-prompt-seed2");
    fs::create_dir(&left).expect("made");
    fs::write(left.join(RECORD), "{\"version\": 1").expect("written");
    assert_eq!(find(folder.path()).expect("the finished one").len(), 1);
    let store = RunFolder::open(folder.path(), &[cell(2)]).expect("our own folder");
    assert!(!left.exists());
    let draft = store.begin(&cell(2)).expect("nothing is there");
    let writing = draft.path().to_owned();
    assert!(writing.exists());
    drop(draft);
    assert!(!writing.exists());
}

#[test]
fn a_folder_has_one_writer() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = RunFolder::open(folder.path(), &[cell(1)]).expect("an empty folder is fine");
    let error = message(RunFolder::open(folder.path(), &[cell(2)]));
    assert!(error.contains("another promptshift is writing"), "{error}");
    drop(store);
    RunFolder::open(folder.path(), &[cell(2)]).expect("the first writer is gone");
}

#[test]
fn records_with_nan_are_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = RunFolder::open(folder.path(), &[cell(1)]).expect("an empty folder is fine");
    let draft = store.begin(&cell(1)).expect("nothing is there");
    let mut record = record(&cell(1), &draft);
    record.evaluations[0]
        .metrics
        .insert("f1".to_owned(), f64::NAN);
    let error = message(draft.finish(&record));
    assert!(
        error.contains("record.json") && error.contains("null"),
        "{error}"
    );
    assert_eq!(store.existing(&cell(1)).expect("readable"), None);
}

#[test]
fn a_failed_cell_is_listed_until_it_has_a_record() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = RunFolder::open(folder.path(), &[cell(1)]).expect("an empty folder is fine");
    let draft = store.begin(&cell(1)).expect("nothing is there");
    let provenance = record(&cell(1), &draft).provenance;
    draft.fail("the loss is NaN", &provenance).expect("written");
    let reason = "the loss is NaN".to_owned();
    let failed = Unfinished {
        cell: cell(1),
        end: End::Failed { reason },
    };
    let found = unfinished(folder.path()).expect("readable");
    assert_eq!(found, std::slice::from_ref(&failed));
    // A second attempt, and a new cell.
    drop(store);
    let store = RunFolder::open(folder.path(), &[cell(2), cell(1)]).expect("of one setting");
    let missing = Unfinished {
        cell: cell(2),
        end: End::Missing,
    };
    let found = unfinished(folder.path()).expect("readable");
    assert_eq!(found, [failed, missing.clone()]);
    let draft = store.begin(&cell(1)).expect("nothing is there");
    let record = record(&cell(1), &draft);
    draft.finish(&record).expect("finished");
    assert_eq!(unfinished(folder.path()).expect("readable"), [missing]);
}

#[test]
fn an_edited_failure_is_an_error() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = RunFolder::open(folder.path(), &[cell(1)]).expect("an empty folder is fine");
    let draft = store.begin(&cell(1)).expect("nothing is there");
    let provenance = record(&cell(1), &draft).provenance;
    draft.fail("the loss is NaN", &provenance).expect("written");
    let file = folder.path().join("failed-prompt-seed1.json");
    let text = fs::read_to_string(&file).expect("written");
    fs::write(&file, &text[..text.len() / 2]).expect("cut");
    let error = message(unfinished(folder.path()));
    assert!(error.contains("failed-prompt-seed1.json"), "{error}");
}
