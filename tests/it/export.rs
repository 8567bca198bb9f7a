//! `export` of committed records, read as data frames.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type};
use assert_cmd::Command;
use assert_cmd::assert::Assert;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use predicates::prelude::*;
use predicates::str::contains;
use promptshift::record::folder::find;

fn reports(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("reports");
    folder.join(name)
}

fn export(arguments: &[&Path]) -> Assert {
    Command::cargo_bin("promptshift")
        .expect("cargo builds it")
        .arg("export")
        .args(arguments)
        .assert()
}

fn batches(path: &Path) -> Vec<RecordBatch> {
    let file = File::open(path).expect("written");
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("parquet");
    let batches = reader.build().expect("parquet");
    batches.map(|batch| batch.expect("a batch")).collect()
}

/// Rows of one cell: folder, domain, K of K-shot, and the split.
type Key = (String, String, Option<i64>, String);

/// The sum of a column and the number of values, for each cell.
fn sums(batches: &[RecordBatch], column: &str) -> BTreeMap<Key, (f64, usize)> {
    let mut sums = BTreeMap::new();
    for batch in batches {
        let column_named = |name: &str| batch.column_by_name(name).expect(name);
        let text = |name: &str, row| column_named(name).as_string::<i32>().value(row).to_owned();
        let few_shot = column_named("few_shot").as_primitive::<Int64Type>();
        let numbers = column_named(column).as_primitive::<Float64Type>();
        for row in (0..batch.num_rows()).filter(|&row| numbers.is_valid(row)) {
            let shots = few_shot.is_valid(row).then(|| few_shot.value(row));
            let key = (
                text("folder", row),
                text("domain", row),
                shots,
                text("split", row),
            );
            let sum: &mut (f64, usize) = sums.entry(key).or_default();
            sum.0 += numbers.value(row);
            sum.1 += 1;
        }
    }
    sums
}

#[test]
fn the_mean_over_examples_is_the_score_of_their_cell() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("tables");
    // A folder and one inside it: each record is exported once.
    let (study, inside) = (reports("k-shot"), reports("k-shot/prompt-seed0"));
    let records = find(&study).expect("records");
    export(&[&study, &inside, "--out".as_ref(), &out])
        .success()
        .stdout("")
        .stderr(contains(format!("{} records: ", records.len())).and(contains("cells.parquet")));

    let cells = sums(&batches(&out.join("cells.parquet")), "value");
    let wanted = records.iter().map(|stored| {
        let record = &stored.record;
        record.evaluations.len() + record.k_shots.len()
    });
    assert_eq!(cells.len(), wanted.sum::<usize>());
    let shots = cells
        .keys()
        .filter(|(_, _, few_shot, _)| few_shot.is_some());
    assert_eq!(
        shots.count(),
        9 * 2 * 4,
        "nine tuned runs, two targets, four numbers"
    );

    let mut examples = sums(&batches(&out.join("examples.parquet")), "f1");
    for (cell, (value, rows)) in &cells {
        let (sum, count) = examples.remove(cell).expect("examples of the cell");
        assert_eq!(*rows, 1, "{cell:?}");
        assert!((sum / count as f64 - value).abs() < 1e-9, "{cell:?}");
    }
    let rest: Vec<_> = examples.keys().map(|(_, _, _, split)| split).collect();
    assert_eq!(
        rest, ["validation"; 9],
        "source validation of nine tuned runs"
    );
}

#[test]
fn redacted_records_can_be_exported() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("tables");
    export(&[&reports("smollm2"), "--out".as_ref(), &out]).success();
    for batch in batches(&out.join("cells.parquet")) {
        let texts = batch.column_by_name("texts").expect("a column");
        let texts = texts.as_string::<i32>();
        assert!(texts.iter().all(|text| text == Some("hashed")));
    }
    for batch in batches(&out.join("examples.parquet")) {
        let predictions = batch.column_by_name("prediction").expect("a column");
        let mut predictions = predictions.as_string::<i32>().iter().flatten();
        assert!(predictions.all(|text| text.is_empty() || text.starts_with("sha256:")));
    }
}

#[test]
fn csv_has_a_line_for_each_row() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("tables");
    let home = reports("squad-to-textbookqa/prompt-seed0");
    let csv: [&Path; 2] = ["--format".as_ref(), "csv".as_ref()];
    export(&[&home, "--out".as_ref(), &out, csv[0], csv[1]])
        .success()
        .stderr(contains("2 rows in ").and(contains("examples.csv")));
    let cells = fs::read_to_string(out.join("cells.csv")).expect("written");
    let lines: Vec<&str> = cells.lines().collect();
    assert_eq!(lines.len(), 3);
    assert!(lines[0].starts_with("folder,source,domain,role,task,split,method,seed,few_shot,"));
    let start = format!("{},squad,", home.display());
    let target = "textbookqa,target,extractive_qa,test,prompt,0,,nano,f32,mini,";
    assert!(lines[1].starts_with(&format!("{start}squad,source,")));
    assert!(
        lines[2].starts_with(&format!("{start}{target}")),
        "{}",
        lines[2]
    );
}

#[test]
fn tables_are_never_overwritten_and_never_partial() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("tables");
    let home = reports("squad-to-textbookqa/prompt-seed0");
    fs::create_dir(&out).expect("made");
    export(&[&home, "--out".as_ref(), &out])
        .code(1)
        .stderr(contains("tables exists already"));
    assert_eq!(fs::read_dir(&out).expect("kept").count(), 0);

    // The second record is damaged, after the first one has been written.
    let records = folder.path().join("records");
    for name in ["a", "b"] {
        fs::create_dir_all(records.join(name)).expect("made");
        for entry in fs::read_dir(&home).expect("readable") {
            let path = entry.expect("readable").path();
            let to = records.join(name).join(path.file_name().expect("a name"));
            fs::copy(&path, to).expect("copied");
        }
    }
    fs::write(records.join("b/squad.jsonl"), "{}\n").expect("written");
    export(&[&records, "--out".as_ref(), &folder.path().join("half")])
        .code(1)
        .stderr(contains("b/squad.jsonl"));
    let mut left: Vec<_> = (fs::read_dir(folder.path()).expect("readable"))
        .map(|entry| entry.expect("readable").file_name())
        .collect();
    left.sort();
    assert_eq!(left, ["records", "tables"]);
}

#[test]
fn invalid_arguments_give_exit_code_two() {
    export(&[&reports("k-shot")])
        .code(2)
        .stderr(contains("--out"));
    export(&["--out".as_ref(), "tables".as_ref()]).code(2);
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("tables");
    export(&["/nowhere".as_ref(), "--out".as_ref(), &out])
        .code(1)
        .stderr(contains("/nowhere"));
    assert!(!out.exists());
}
