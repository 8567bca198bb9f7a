//! Writes both tables of synthetic records and reads them back.

mod reading;
mod records;

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::*;
use reading::{parse_csv, read_parquet};
use records::{recorded_cells, recorded_examples, records};

const SCHEMA: &str = include_str!("../../../../docs/tables.md");

/// The places of columns in the JSON of a record, and the columns there, in the form `column=field` where the names
/// differ.
type Places<'a> = &'a [(&'a str, &'a str)];

const CELLS: Places<'static> = &[
    ("", "folder"),
    (
        "/evaluation",
        "domain role task split examples cut_inputs floor eval_seconds=seconds",
    ),
    ("/evaluation", "eval_peak_bytes=peak_bytes generated_tokens"),
    (
        "/record/cell",
        "source method seed model suite answers train_rows validation_rows eval_rows trials",
    ),
    (
        "/record/cell/limits",
        "input_limit_tokens=input target_limit_tokens=target",
    ),
    ("/record/cell/limits", "answer_limit_tokens=answer"),
    ("/record/cell/recipe/optimizer", "learning_rate"),
    ("/record/cell/recipe/budget", "batch_size"),
    ("/record/cell/recipe/prompt", "prompt_length=length"),
    ("/record/cell/elsewhere", "tuned_elsewhere=name"),
    (
        "/record/cell/elsewhere/found",
        "tuned_elsewhere_sha256=sha256",
    ),
    (
        "/shot",
        "few_shot=examples few_shot_steps=steps few_shot_batch_size=batch_size",
    ),
    ("/shot", "few_shot_train_seconds=train_seconds"),
    (
        "/record/training",
        "trainable_parameters total_parameters train_examples=examples",
    ),
    (
        "/record/training",
        "train_cut_inputs=cut_inputs steps best_step stop train_tokens=tokens",
    ),
    (
        "/record/training",
        "train_seconds validation_seconds train_peak_bytes=peak_bytes",
    ),
    (
        "/record/training",
        "train_reserved_peak_bytes=reserved_peak_bytes",
    ),
    ("/record/training/saved", "saved_bytes=bytes"),
    (
        "/record/provenance",
        "version revision command device processor gpu node threads side_by_side",
    ),
    (
        "/record/provenance",
        "started_unix_seconds model_sha256 tokenizer_sha256",
    ),
    ("/record", "texts"),
    // Text that is JSON, compared by value.
    ("/record/cell", "recipe_json=recipe mixing_json=mixing"),
    ("/record/provenance", "data_sha256_json=data_sha256"),
];

const EXAMPLES: Places<'static> = &[
    ("", "folder"),
    ("/record/cell", "source method seed model"),
    ("/evaluation", "domain role task"),
    ("/shot", "few_shot=examples"),
    (
        "/prediction",
        "id passage prediction answers log_prob class_log_probs",
    ),
    ("/prediction", "input_tokens output_tokens cut"),
    ("/prediction/score/span", "exact_match f1"),
    ("/prediction/score/option", "question"),
    ("/classes", "gold predicted"),
    (
        "/prediction/traits",
        "question_word answer_position member_domain=domain",
    ),
];

/// Each column with the JSON pointer of its values.
fn pointers<'a>(places: Places<'a>) -> Vec<(&'a str, String)> {
    let at = |(place, columns): &(&'a str, &'a str)| {
        let columns = columns
            .split(' ')
            .map(|one| one.split_once('=').unwrap_or((one, one)));
        let pointers = columns.map(|(column, field)| (column, format!("{place}/{field}")));
        pointers.collect::<Vec<_>>()
    };
    places.iter().flat_map(at).collect()
}

fn written(folder: &Path, format: Format, records: &[StoredRecord]) -> Written {
    let mut tables = Tables::create(folder, format).expect("a folder");
    for stored in records {
        tables.write(stored).expect("a record");
    }
    tables.finish().expect("written")
}

fn pointed(row: &Value, pointer: &str) -> Value {
    row.pointer(pointer).cloned().unwrap_or_default()
}

#[test]
fn cells_have_the_values_of_records() {
    let (records, folder) = (records(), tempfile::tempdir().expect("a folder"));
    let count = written(folder.path(), Format::Parquet, &records).cells;
    let (rows, kinds) = read_parquet(&folder.path().join("cells.parquet"));
    let recorded = recorded_cells(&records);
    assert_eq!((rows.len(), count), (recorded.len(), recorded.len()));
    let few_shot = rows.iter().filter(|row| !row["few_shot"].is_null());
    assert_eq!(
        few_shot.count(),
        2 * 4 * 3,
        "two numbers, four tuned runs, three tasks"
    );

    let by_hand = "metric value second_metric second_value wording frozen_weights";
    let columns = pointers(CELLS);
    assert_eq!(columns.len(), 62);
    let named = |name: &str| columns.iter().any(|(one, _)| *one == name);
    let covered = |name: &str| named(name) || by_hand.split(' ').any(|one| one == name);
    for (name, _) in &kinds {
        assert!(covered(name), "{name} is compared with nothing");
    }
    for (row, recorded) in rows.iter().zip(&recorded) {
        for (name, pointer) in &columns {
            let wanted = match (*name, pointed(recorded, pointer)) {
                ("texts", Value::Null) => json!("kept"),
                (_, wanted) => wanted,
            };
            let found = match (&row[*name], name.ends_with("_json")) {
                (Value::String(text), true) => serde_json::from_str(text).expect("JSON"),
                (found, _) => found.clone(),
            };
            assert_eq!(found, wanted, "{name}");
        }
        let metrics = match row["task"].as_str() {
            Some("extractive_qa") => ["f1", "exact_match"],
            Some("paraphrase") => ["accuracy", "f1"],
            _ => ["f1", "exact_match"],
        };
        let of = |name: &str| recorded["evaluation"]["metrics"][name].clone();
        assert_eq!([&row["metric"], &row["second_metric"]], metrics);
        assert!(row["value"].is_f64() && row["value"] == of(metrics[0]));
        assert!(row["second_value"].is_f64() && row["second_value"] == of(metrics[1]));
        assert_eq!(row["wording"], "generation");
        assert_eq!(row["frozen_weights"], "f32");
    }
}

#[test]
fn examples_have_the_values_of_predictions() {
    let (records, folder) = (records(), tempfile::tempdir().expect("a folder"));
    let count = written(folder.path(), Format::Parquet, &records).examples;
    let (rows, kinds) = read_parquet(&folder.path().join("examples.parquet"));
    let recorded = recorded_examples(&records);
    assert_eq!((rows.len(), count), (recorded.len(), recorded.len()));

    let columns = pointers(EXAMPLES);
    assert_eq!(columns.len(), 26);
    for (name, _) in &kinds {
        let is_covered = columns.iter().any(|(one, _)| one == name);
        assert!(is_covered || name == "split" || name == "right", "{name}");
    }
    for (row, (recorded, split)) in rows.iter().zip(&recorded) {
        for (name, pointer) in &columns {
            assert_eq!(row[*name], pointed(recorded, pointer), "{name}");
        }
        assert_eq!(row["split"], *split);
        let right = match &row["gold"] {
            Value::Null => row["exact_match"] == 1.0,
            gold => row["predicted"] == *gold,
        };
        assert_eq!(row["right"], right);
    }
    // Every column has at least one value to compare.
    for (name, _) in &kinds {
        let has_value = rows.iter().any(|row| !row[name].is_null());
        assert!(has_value, "{name} is always null");
    }
}

#[test]
fn csv_and_parquet_have_the_same_values() {
    let (records, folder) = (records(), tempfile::tempdir().expect("a folder"));
    let parquet = written(folder.path(), Format::Parquet, &records);
    assert_eq!(written(folder.path(), Format::Csv, &records), parquet);
    for table in ["cells", "examples"] {
        let path = |ending: &str| folder.path().join(format!("{table}.{ending}"));
        let (rows, kinds) = read_parquet(&path("parquet"));
        let text = fs::read_to_string(path("csv")).expect("UTF-8");
        let mut lines = parse_csv(&text);
        let header: Vec<String> = lines.remove(0).into_iter().flatten().collect();
        let names: Vec<String> = kinds.iter().map(|(name, _)| name.clone()).collect();
        assert_eq!(header, names);
        assert_eq!(lines.len(), rows.len());
        for (line, row) in lines.into_iter().zip(rows) {
            assert_eq!(line.len(), kinds.len());
            for (field, (name, kind)) in line.into_iter().zip(&kinds) {
                let found = match (field, *kind) {
                    (None, _) => Value::Null,
                    (Some(text), "string") => Value::String(text),
                    // Numbers, booleans and lists are JSON.
                    (Some(text), _) => serde_json::from_str(&text).expect("JSON"),
                };
                assert_eq!(found, row[name], "{table}: {name}");
            }
        }
    }
}

#[test]
fn the_documentation_has_every_column_in_its_order() {
    let folder = tempfile::tempdir().expect("a folder");
    written(folder.path(), Format::Parquet, &[]);
    for table in ["cells", "examples"] {
        let (rows, kinds) = read_parquet(&folder.path().join(format!("{table}.parquet")));
        assert!(rows.is_empty());
        let (_, section) = SCHEMA.split_once(&format!("\n## {table}\n")).expect(table);
        let section = section.split("\n## ").next().expect("a section");
        let documented: Vec<(String, &str)> = (section.lines())
            .filter_map(|line| line.strip_prefix("| `")?.split_once("` | "))
            .map(|(name, rest)| (name.to_owned(), rest.split(" | ").next().expect("a type")))
            .collect();
        assert_eq!(documented, kinds, "{table}");
    }
}

#[test]
fn a_record_that_contradicts_its_predictions_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut stored = records().remove(0);
    let metrics = &mut stored.record.evaluations[0].metrics;
    metrics.insert("f1".to_owned(), 0.999);
    let mut tables = Tables::create(folder.path(), Format::Csv).expect("a folder");
    match tables.write(&stored).expect_err("another F1") {
        ExportError::Record(error) => assert!(matches!(*error, ReportError::Metric { .. })),
        error => panic!("{error}"),
    }
}

#[test]
fn an_existing_table_is_not_overwritten() {
    let folder = tempfile::tempdir().expect("a folder");
    for (format, name) in [
        (Format::Parquet, "cells.parquet"),
        (Format::Csv, "examples.csv"),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, "mine").expect("written");
        let error = Tables::create(folder.path(), format).expect_err("taken");
        let is_named = matches!(&error, ExportError::Io { path: named, .. } if *named == path);
        assert!(is_named, "{error}");
        assert_eq!(fs::read_to_string(&path).expect("kept"), "mine");
    }
}
