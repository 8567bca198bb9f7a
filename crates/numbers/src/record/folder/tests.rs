use std::collections::BTreeMap;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;
use crate::fixture::{LIMITS, assert_refused, prediction, provenance};
use crate::record::{Evaluation, Role, Score, Traits, ValidationAnswers};
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
                LIMITS,
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
    let score = Score::Span {
        exact_match: 0.0,
        f1: 1.0 / 3.0,
    };
    let texts = ["a \"quoted\"\nline", "b"];
    let one = |index| prediction(&format!("{domain}-{index}"), texts, score);
    (0..2).map(one).collect()
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
        provenance: provenance(),
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

/// A folder for a cell.
fn opened() -> (tempfile::TempDir, RunFolder) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = RunFolder::open(folder.path(), &[cell(1)]).expect("an empty folder is fine");
    (folder, store)
}

/// A folder with one finished cell.
fn written() -> (tempfile::TempDir, StoredRecord) {
    let (folder, store) = opened();
    let draft = store.begin(&cell(1)).expect("nothing is there");
    let record = record(&cell(1), &draft);
    let stored = draft.finish(&record).expect("finished");
    assert_eq!(stored.record, record);
    (folder, stored)
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
    assert_refused(store.begin(&cell(1)), &["never overwritten"]);
}

#[test]
fn predictions_of_validation_and_checkpoints_are_read_and_checked() {
    let (folder, store) = opened();
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
    let words = ["squad@validation.jsonl", "changed or truncated"];
    assert_refused(find(folder.path()), &words);
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
    assert_refused(read(&stored.folder), &["changed or truncated"]);

    fs::write(&packed, &pack(&bytes)[..40]).expect("written");
    assert_refused(read(&stored.folder), &["race.jsonl.gz"]);
}

#[test]
fn a_record_of_another_cell_is_an_error_that_names_the_field() {
    let (folder, stored) = written();
    let mut other = cell(1);
    other.setting.eval_rows = Some(3);
    let words = "eval_rows is 2 there, and 3 was asked for";
    assert_refused(RunFolder::open(folder.path(), &[other]), &[words]);
    let store = RunFolder::open(folder.path(), &[cell(1)]).expect("our own folder");
    let mut recipe = crate::recipe::Recipe::paper_prompt();
    recipe.budget.steps = 7;
    let mut other = cell(1);
    other.recipe = Some(recipe);
    assert_refused(store.existing(&other), &["recipe is null there"]);
    let mut inputs = stored.record.provenance.clone();
    assert!(stored.check_inputs(&inputs).is_ok());
    inputs.data_sha256 = BTreeMap::from([("squad/test".to_owned(), "9".to_owned())]);
    let words = "data_sha256.squad/test is \"1\" there, and \"9\" was asked for";
    assert_refused(stored.check_inputs(&inputs), &[words]);
}

#[test]
fn changed_and_truncated_files_are_errors() {
    let (folder, _) = written();
    let home = folder.path().join("prompt-seed1");
    let edit = |name: &str, change: &dyn Fn(String) -> String, words: &str| {
        let path = home.join(name);
        let before = fs::read_to_string(&path).expect("readable");
        fs::write(&path, change(before.clone())).expect("writable");
        assert_refused(find(folder.path()), &[name, words]);
        fs::write(&path, before).expect("writable");
    };
    let replace = |name: &str, old: &str, new: &str, words: &str| {
        edit(name, &|text| text.replacen(old, new, 1), words);
    };
    let half = |text: String| text[..text.len() / 2].to_owned();
    replace("race.jsonl", "race-1", "race-7", "changed or truncated");
    edit("race.jsonl", &half, "SHA-256");
    edit("record.json", &half, "wanted a promptshift record");
    let seconds = ["\"seconds\": 0.5", "\"seconds\": 0.4"];
    replace("record.json", seconds[0], seconds[1], "edited or damaged");
    // An older record without a seal is checked by its content.
    let sealed = fs::read(home.join(RECORD)).expect("readable");
    let value = crate::record::seal::opened(&sealed).expect("unchanged");
    let older = serde_json::to_string_pretty(&value).expect("JSON");
    fs::write(home.join(RECORD), older).expect("writable");
    let other = |_| "{\"hello\": 1}".to_owned();
    edit("record.json", &other, "JSON without a version");
    for (old, new, words) in [
        ("\"version\": 1", "\"version\": 9", "found version 9"),
        ("\"examples\": 2", "\"examples\": 5", "wanted 5 predictions"),
        ("\"race.jsonl", "\"../../race.jsonl", "files in its folder"),
        (
            "\"domain\": \"race\"",
            "\"domain\": \"drop\"",
            "wanted evaluations of source and targets: squad, race",
        ),
    ] {
        replace("record.json", old, new, words);
    }
    fs::remove_file(home.join("squad.jsonl")).expect("removable");
    assert_refused(find(folder.path()), &["cannot read", "squad.jsonl"]);
}

#[test]
fn folders_of_other_programs_are_left_alone() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("thesis.tex"), "x").expect("written");
    let open = |folder: &Path| RunFolder::open(folder, &[cell(1)]);
    assert_refused(open(folder.path()), &["'thesis.tex'"]);
    assert_refused(open(&folder.path().join("thesis.tex")), &["is a file"]);
    fs::write(folder.path().join(PLAN), "{}").expect("written");
    assert_refused(open(folder.path()), &["plan.json: wanted the plan"]);
    assert_refused(find(folder.path()), &["no record.json"]);
    let nowhere = folder.path().join("nowhere");
    assert_refused(find(&nowhere), &["cannot list", "nowhere"]);
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
    let (folder, store) = opened();
    let busy = RunFolder::open(folder.path(), &[cell(2)]);
    assert_refused(busy, &["another promptshift is writing"]);
    drop(store);
    RunFolder::open(folder.path(), &[cell(2)]).expect("the first writer is gone");
}

#[test]
fn records_with_nan_are_refused() {
    let (_folder, store) = opened();
    let draft = store.begin(&cell(1)).expect("nothing is there");
    let mut record = record(&cell(1), &draft);
    record.evaluations[0].metrics = BTreeMap::from([("f1".to_owned(), f64::NAN)]);
    assert_refused(draft.finish(&record), &["record.json", "null"]);
    assert_eq!(store.existing(&cell(1)).expect("readable"), None);
}

#[test]
fn a_failed_cell_is_listed_until_it_has_a_record() {
    let (folder, store) = opened();
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
    let (folder, store) = opened();
    let draft = store.begin(&cell(1)).expect("nothing is there");
    let provenance = record(&cell(1), &draft).provenance;
    draft.fail("the loss is NaN", &provenance).expect("written");
    let file = folder.path().join("failed-prompt-seed1.json");
    let text = fs::read_to_string(&file).expect("written");
    fs::write(&file, &text[..text.len() / 2]).expect("cut");
    assert_refused(unfinished(folder.path()), &["failed-prompt-seed1.json"]);
}
