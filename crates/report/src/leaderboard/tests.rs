use super::*;
use crate::fixture::{Fixture, as_method, assert_has};
use serde_json::Value;
use std::path::Path;

fn two_studies() -> Vec<StoredRecord> {
    let mut records = Fixture::one_target().records();
    records.extend(Fixture::pairs().records().into_iter().map(|mut stored| {
        stored.folder = Path::new("pairs").join(&stored.folder);
        stored
    }));
    records
}

#[test]
fn a_row_for_each_method_the_best_first() {
    let board = leaderboard(&two_studies(), &[]).expect("consistent");
    let rows = (board.rows.iter()).map(|row| (row.source.as_str(), row.method));
    let rows: Vec<(&str, Method)> = rows.collect();
    let order = [Method::Model, Method::Prompt, Method::Untuned];
    let wanted = ["qqp", "squad"].map(|source| order.map(|method| (source, method)));
    assert_eq!(rows, wanted.concat());
    assert_eq!(board.rows[3].records.len(), 3);
    let markdown = board.document().markdown("");
    assert_has(
        &markdown,
        "| 3 | 2,560 | 31.0 | 320.0 | F1 | mini | textbookqa |",
    );
}

#[test]
fn recipes_of_one_method_have_separate_rows() {
    let mut records = Fixture::one_target().records();
    let prompts = as_method(&records, Method::Prompt);
    records.push(StoredRecord {
        folder: Path::new("length-5/untuned").to_owned(),
        ..records[0].clone()
    });
    for mut stored in prompts {
        stored.folder = Path::new("length-5").join(&stored.folder);
        let recipe = stored.record.cell.recipe.as_mut().expect("a tuned run");
        recipe.prompt.as_mut().expect("a prompt").length = 5;
        records.push(stored);
    }
    let board = leaderboard(&records, &[]).expect("an ablation beside a transfer");
    let rows: Vec<(Method, usize, Option<&str>)> = (board.rows.iter())
        .map(|row| (row.method, row.seeds.len(), row.recipe.as_deref()))
        .collect();
    for row in [
        (Method::Prompt, 3, Some("prompt.length 20")),
        (Method::Prompt, 3, Some("prompt.length 5")),
        (Method::Model, 3, None),
    ] {
        assert!(rows.contains(&row), "{rows:?}");
    }
    let untuned = (board.rows.iter()).filter(|row| row.method == Method::Untuned);
    let records_of: Vec<usize> = untuned.map(|row| row.records.len()).collect();
    assert_eq!(records_of, [2], "one backbone, found in two folders");
    let markdown = board.document().markdown("");
    assert_has(&markdown, "| prompt tuning (prompt.length 5) |");
    // Two records of the same recipe and seed are still an error.
    records.push(StoredRecord {
        folder: Path::new("copy").to_owned(),
        ..records[1].clone()
    });
    let error = leaderboard(&records, &[]).expect_err("a copy").to_string();
    assert_has(&error, "copy");
}

#[test]
fn rows_on_different_hardware_name_it() {
    let mut records = two_studies();
    let markdown = |records: &[StoredRecord]| {
        let board = leaderboard(records, &[]).expect("consistent");
        board.document().markdown("")
    };
    assert!(!markdown(&records).contains("| computed on |"));
    for stored in &mut records {
        if stored.record.cell.method == Method::Prompt {
            stored.record.provenance.processor = "Other CPU".to_owned();
        }
    }
    let unlike = markdown(&records);
    assert_has(&unlike, "| computed on |");
    assert_eq!(unlike.matches("| Other CPU (cpu) |").count(), 2, "{unlike}");
}

#[test]
fn the_page_can_be_sorted() {
    let page = leaderboard(&two_studies(), &[]).expect("consistent").page();
    assert_has(&page, "<script>\nfor (const table");
    assert!(!page.contains("src=") && !page.contains("http"), "{page}");
}

/// Asserts that a value and everything in it conform to the schema.
fn holds(value: &Value, schema: &Value, root: &Value, at: &str) {
    let schema = match schema.get("$ref").and_then(Value::as_str) {
        Some(name) => root
            .pointer(name.trim_start_matches('#'))
            .unwrap_or_else(|| panic!("{name} is not in the schema")),
        None => schema,
    };
    match value {
        Value::Object(fields) => {
            let known = schema["properties"]
                .as_object()
                .unwrap_or_else(|| panic!("{at} is no object in the schema"));
            for (key, value) in fields {
                let schema = known
                    .get(key)
                    .unwrap_or_else(|| panic!("{at}.{key} is not in the schema"));
                holds(value, schema, root, &format!("{at}.{key}"));
            }
            for key in schema["required"].as_array().expect("a list") {
                let key = key.as_str().expect("a name");
                assert!(fields.contains_key(key), "{at}.{key} is missing");
            }
        }
        Value::Array(items) => {
            for item in items {
                holds(item, &schema["items"], root, &format!("{at}[]"));
            }
        }
        _ => {}
    }
}

#[test]
fn the_json_conforms_to_its_schema() {
    let schema: Value = serde_json::from_str(SCHEMA).expect("JSON");
    let board = leaderboard(&two_studies(), &[]).expect("consistent");
    let json: Value = serde_json::from_str(&board.json()).expect("JSON");
    assert_eq!(json["version"], schema["properties"]["version"]["const"]);
    assert_eq!(json["schema"], schema["properties"]["schema"]["const"]);
    holds(&json, &schema, &schema, "leaderboard");
}
