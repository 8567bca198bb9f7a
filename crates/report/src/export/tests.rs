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

/// The JSON pointer in the record for each column of `cells`.
const CELLS: [(&str, &str); 61] = [
    ("folder", "/folder"),
    ("source", "/record/cell/source"),
    ("domain", "/evaluation/domain"),
    ("role", "/evaluation/role"),
    ("task", "/evaluation/task"),
    ("split", "/evaluation/split"),
    ("method", "/record/cell/method"),
    ("seed", "/record/cell/seed"),
    ("few_shot", "/shot/examples"),
    ("model", "/record/cell/model"),
    ("suite", "/record/cell/suite"),
    ("answers", "/record/cell/answers"),
    ("train_rows", "/record/cell/train_rows"),
    ("validation_rows", "/record/cell/validation_rows"),
    ("eval_rows", "/record/cell/eval_rows"),
    ("input_limit_tokens", "/record/cell/limits/input"),
    ("target_limit_tokens", "/record/cell/limits/target"),
    ("answer_limit_tokens", "/record/cell/limits/answer"),
    ("examples", "/evaluation/examples"),
    ("cut_inputs", "/evaluation/cut_inputs"),
    ("floor", "/evaluation/floor"),
    ("eval_seconds", "/evaluation/seconds"),
    ("eval_peak_bytes", "/evaluation/peak_bytes"),
    ("generated_tokens", "/evaluation/generated_tokens"),
    (
        "trainable_parameters",
        "/record/training/trainable_parameters",
    ),
    ("total_parameters", "/record/training/total_parameters"),
    ("train_examples", "/record/training/examples"),
    ("train_cut_inputs", "/record/training/cut_inputs"),
    ("steps", "/record/training/steps"),
    ("best_step", "/record/training/best_step"),
    ("stop", "/record/training/stop"),
    ("train_tokens", "/record/training/tokens"),
    ("train_seconds", "/record/training/train_seconds"),
    ("validation_seconds", "/record/training/validation_seconds"),
    ("train_peak_bytes", "/record/training/peak_bytes"),
    ("saved_bytes", "/record/training/saved/bytes"),
    (
        "learning_rate",
        "/record/cell/recipe/optimizer/learning_rate",
    ),
    ("batch_size", "/record/cell/recipe/budget/batch_size"),
    ("prompt_length", "/record/cell/recipe/prompt/length"),
    ("trials", "/record/cell/trials"),
    ("tuned_elsewhere", "/record/cell/elsewhere/name"),
    (
        "tuned_elsewhere_sha256",
        "/record/cell/elsewhere/found/sha256",
    ),
    ("few_shot_steps", "/shot/steps"),
    ("few_shot_batch_size", "/shot/batch_size"),
    ("few_shot_train_seconds", "/shot/train_seconds"),
    ("version", "/record/provenance/version"),
    ("revision", "/record/provenance/revision"),
    ("command", "/record/provenance/command"),
    ("device", "/record/provenance/device"),
    ("processor", "/record/provenance/processor"),
    ("gpu", "/record/provenance/gpu"),
    ("node", "/record/provenance/node"),
    ("threads", "/record/provenance/threads"),
    ("side_by_side", "/record/provenance/side_by_side"),
    (
        "started_unix_seconds",
        "/record/provenance/started_unix_seconds",
    ),
    ("model_sha256", "/record/provenance/model_sha256"),
    ("tokenizer_sha256", "/record/provenance/tokenizer_sha256"),
    ("texts", "/record/texts"),
    // Text that is JSON, compared by value.
    ("recipe_json", "/record/cell/recipe"),
    ("mixing_json", "/record/cell/mixing"),
    ("data_sha256_json", "/record/provenance/data_sha256"),
];

/// The JSON pointers for columns of `examples`.
const EXAMPLES: [(&str, &str); 26] = [
    ("folder", "/folder"),
    ("source", "/record/cell/source"),
    ("domain", "/evaluation/domain"),
    ("role", "/evaluation/role"),
    ("task", "/evaluation/task"),
    ("method", "/record/cell/method"),
    ("seed", "/record/cell/seed"),
    ("few_shot", "/shot/examples"),
    ("model", "/record/cell/model"),
    ("id", "/prediction/id"),
    ("passage", "/prediction/passage"),
    ("prediction", "/prediction/prediction"),
    ("answers", "/prediction/answers"),
    ("exact_match", "/prediction/score/span/exact_match"),
    ("f1", "/prediction/score/span/f1"),
    ("gold", "/classes/gold"),
    ("predicted", "/classes/predicted"),
    ("question", "/prediction/score/option/question"),
    ("log_prob", "/prediction/log_prob"),
    ("class_log_probs", "/prediction/class_log_probs"),
    ("input_tokens", "/prediction/input_tokens"),
    ("output_tokens", "/prediction/output_tokens"),
    ("cut", "/prediction/cut"),
    ("question_word", "/prediction/traits/question_word"),
    ("answer_position", "/prediction/traits/answer_position"),
    ("member_domain", "/prediction/traits/domain"),
];

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

    let by_hand = [
        "metric",
        "value",
        "second_metric",
        "second_value",
        "wording",
    ];
    let covered = |name: &str| CELLS.iter().any(|(one, _)| *one == name) || by_hand.contains(&name);
    for (name, _) in &kinds {
        assert!(covered(name), "{name} is compared with nothing");
    }
    for (row, recorded) in rows.iter().zip(&recorded) {
        for (name, pointer) in CELLS {
            let wanted = match (name, pointed(recorded, pointer)) {
                ("texts", Value::Null) => json!("kept"),
                (_, wanted) => wanted,
            };
            let found = match (&row[name], name.ends_with("_json")) {
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
    }
}

#[test]
fn examples_have_the_values_of_predictions() {
    let (records, folder) = (records(), tempfile::tempdir().expect("a folder"));
    let count = written(folder.path(), Format::Parquet, &records).examples;
    let (rows, kinds) = read_parquet(&folder.path().join("examples.parquet"));
    let recorded = recorded_examples(&records);
    assert_eq!((rows.len(), count), (recorded.len(), recorded.len()));

    for (name, _) in &kinds {
        let is_covered = EXAMPLES.iter().any(|(one, _)| one == name);
        assert!(is_covered || name == "split" || name == "right", "{name}");
    }
    for (row, (recorded, split)) in rows.iter().zip(&recorded) {
        for (name, pointer) in EXAMPLES {
            assert_eq!(row[name], pointed(recorded, pointer), "{name}");
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
