//! The committed reports are rendered from their records.

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use assert_cmd::cargo::cargo_bin;
use promptshift::record::folder::find;
use promptshift::record::{ablation, ensemble};
use promptshift::report::bench::{self, Benchmarks};
use promptshift::report::document::Document;
use promptshift::report::document::html::{Tables, page};
use promptshift::report::leaderboard::leaderboard;
use promptshift::report::{self, analyse};

/// Folders of transfers' records.
fn committed() -> Vec<PathBuf> {
    let is_other =
        |folder: &PathBuf| is_ablation(folder) || is_bench(folder) || is_inspection(folder);
    let mut folders = folders();
    folders.retain(|folder| !is_other(folder));
    folders
}

fn is_bench(folder: &Path) -> bool {
    folder.join(bench::FILE).exists()
}

/// A report on what prompts learned, with its records in a folder inside.
fn is_inspection(folder: &Path) -> bool {
    folder.join("figures/prompts.svg").exists()
}

fn is_ablation(folder: &Path) -> bool {
    ablation::is_in(folder) || ensemble::is_in(folder)
}

fn folders() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("reports");
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("reports/ is committed")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.is_dir())
        .collect();
    found.sort();
    found
}

#[test]
fn committed_inspections_equal_their_rendering() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in folders().into_iter().filter(|folder| is_inspection(folder)) {
        let prompts = (find(&folder)
            .expect("records beside the report")
            .into_iter())
        .map(|stored| stored.folder.strip_prefix(root).expect("below").to_owned());
        let out = tempfile::tempdir().expect("a temporary folder");
        Command::new(cargo_bin("promptshift"))
            .current_dir(root)
            .arg("inspect")
            .args(prompts)
            .arg("--out")
            .arg(out.path())
            .assert()
            .success();
        let read = |folder: &Path| std::fs::read_to_string(folder.join("report.md"));
        assert!(
            read(out.path()).expect("written") == read(&folder).expect("committed"),
            "{} is not what its prompts say: run `promptshift inspect` on them again",
            folder.display()
        );
    }
}

/// Asserts that a committed report, its HTML page if any, and its figures are those of a document.
fn is_committed(document: &Document, folder: &Path) {
    let same = |file: PathBuf, rendered: &str| {
        let written = std::fs::read_to_string(&file).expect("committed");
        assert!(
            written == rendered,
            "{} is not what its records say: run `promptshift report {} --html`",
            file.display(),
            folder.display()
        );
    };
    same(folder.join("report.md"), &document.markdown("figures"));
    if folder.join("report.html").exists() {
        same(folder.join("report.html"), &page(document, Tables::Still));
    }
    for figure in document.figures() {
        same(folder.join("figures").join(&figure.name), &figure.svg);
    }
}

#[test]
fn committed_reports_equal_their_rendering() {
    let reports = committed();
    assert!(!reports.is_empty(), "no report is committed");
    for folder in reports {
        let records = find(&folder).expect("records beside the report");
        let report = analyse(&records, &[]).expect("they belong together");
        is_committed(&report.document, &folder);
    }
}

#[test]
fn committed_ablations_equal_their_rendering() {
    for folder in folders().into_iter().filter(|folder| is_ablation(folder)) {
        let document = match ablation::is_in(&folder) {
            true => report::ablation::document(&ablation::read(&folder).expect("an ablation")),
            false => report::ensemble::document(&ensemble::read(&folder).expect("an ensemble")),
        };
        is_committed(&document.expect("records that belong together"), &folder);
    }
}

#[test]
fn committed_benchmarks_equal_their_rendering() {
    for folder in folders().into_iter().filter(|folder| is_bench(folder)) {
        let kept = Benchmarks::kept(&folder).expect("numbers beside the report");
        is_committed(&bench::document(&kept), &folder);
    }
}

/// Fields that were added to records later, by the object that contains them.
const ADDED: [(&str, &str); 4] = [
    ("", "notes"),
    ("", "hygiene"),
    ("/cell", "answers"),
    ("/evaluations/0", "excerpts"),
];

#[test]
fn older_records_without_added_fields_are_still_read() {
    let committed = committed().remove(0);
    let home = std::fs::read_dir(&committed)
        .expect("readable")
        .map(|entry| entry.expect("readable").path())
        .find(|path| path.join("record.json").exists())
        .expect("a record");
    let folder = tempfile::tempdir().expect("a temporary folder");
    for entry in std::fs::read_dir(&home).expect("readable") {
        let path = entry.expect("readable").path();
        let name = path.file_name().expect("a name");
        std::fs::copy(&path, folder.path().join(name)).expect("copied");
    }
    let file = folder.path().join("record.json");
    let text = std::fs::read_to_string(&file).expect("readable");
    let mut record: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    for (object, field) in ADDED {
        let object = record.pointer_mut(object).expect("an object");
        object.as_object_mut().expect("an object").remove(field);
    }
    std::fs::write(&file, record.to_string()).expect("written");
    let board = leaderboard(&find(folder.path()).expect("a record"), &[]).expect("one record");
    assert_eq!(board.rows.len(), 1);
}
