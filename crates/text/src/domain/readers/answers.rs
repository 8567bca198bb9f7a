//! The right answers to a question and their positions, in each layout found in files.
//!
//! | column | found in |
//! |---|---|
//! | `answers`, a struct of the lists `text` and `answer_start` | SQuAD on the Hub |
//! | `answers`, a struct of one `text` and one `answer_start` | data sets with one answer each |
//! | `answers`, a list of structs of `text` and `answer_start` | SQuAD's own JSON |
//! | `answers`, a list of texts | MRQA on the Hub |
//! | `answers.text` and `answers.answer_start`, lists | a flattened table (`Dataset.flatten`) |
//! | `answers`, text that is JSON of one of the first four | a table converted from CSV |
//!
//! Positions are always optional. Text that is not JSON is an error, because it could be one answer or a list
//! in another notation.

use serde::Deserialize;

use crate::domain::parquet::{Batch, Table, TableError};

const ANSWERS: &str = "answers";
const TEXT: &str = "answers.text";
const START: &str = "answers.answer_start";

/// The accepted layouts of `answers`.
const SHAPES: &str = "a list of texts, or 'text' and 'answer_start' as a struct or a list of structs, or JSON of these";

/// A right answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    /// Its text.
    pub text: String,
    /// Its first code point in the context, if stated in the file.
    pub start: Option<i64>,
}

/// The columns to read from a file.
pub(super) fn columns(table: &Table) -> Vec<&'static str> {
    match (table.has(TEXT), table.has(START)) {
        (false, _) => vec![ANSWERS],
        (true, false) => vec![TEXT],
        (true, true) => vec![TEXT, START],
    }
}

/// The answers of each row, at least one.
///
/// # Errors
/// Their layout is unknown, or a row has none.
pub(super) fn read(batch: &Batch) -> Result<Vec<Vec<Answer>>, TableError> {
    let (column, answers) = if batch.has(TEXT) {
        let flat = batch.is_flat(TEXT);
        let one = batch.is_text(TEXT) && !flat;
        (TEXT, if one { one_each(batch)? } else { lists(batch)? })
    } else if batch.is_list(ANSWERS) {
        let texts = batch.text_lists(ANSWERS)?.into_iter();
        (ANSWERS, texts.map(without_places).collect())
    } else if batch.is_text(ANSWERS) {
        (ANSWERS, json(batch)?)
    } else {
        return Err(batch.mistyped(ANSWERS, SHAPES));
    };
    match answers.iter().position(Vec::is_empty) {
        None => Ok(answers),
        Some(row) => Err(TableError::NoAnswer {
            file: batch.file().to_string(),
            column: column.to_string(),
            row: batch.place(row),
        }),
    }
}

fn without_places(texts: Vec<String>) -> Vec<Answer> {
    let answer = |text| Answer { text, start: None };
    texts.into_iter().map(answer).collect()
}

/// One text and one position for each row.
fn one_each(batch: &Batch) -> Result<Vec<Vec<Answer>>, TableError> {
    let texts = batch.texts(TEXT)?;
    let starts = match batch.has(START) {
        true => batch.integers(START)?,
        false => vec![None; texts.len()],
    };
    let answers = texts.into_iter().zip(starts);
    Ok(answers
        .map(|(text, start)| vec![Answer { text, start }])
        .collect())
}

/// Lists of texts and of their positions.
fn lists(batch: &Batch) -> Result<Vec<Vec<Answer>>, TableError> {
    let texts = batch.text_lists(TEXT)?;
    let starts = match batch.has(START) {
        true => batch.integer_lists(START)?,
        false => vec![Vec::new(); texts.len()],
    };
    let rows = texts.into_iter().zip(starts).enumerate();
    rows.map(|(row, (texts, starts))| {
        let [wanted, found] = [texts.len(), starts.len()];
        joined(texts, starts).ok_or_else(|| {
            let wanted = format!("one for each of {wanted} answers");
            batch.value(START, row, wanted, found.to_string())
        })
    })
    .collect()
}

/// Texts with their positions; `None` unless there are as many positions as texts, or no positions.
fn joined(texts: Vec<String>, starts: Vec<Option<i64>>) -> Option<Vec<Answer>> {
    if starts.is_empty() {
        return Some(without_places(texts));
    }
    let as_many = texts.len() == starts.len();
    let answers = texts.into_iter().zip(starts);
    as_many.then(|| {
        answers
            .map(|(text, start)| Answer { text, start })
            .collect()
    })
}

/// `answers` as JSON.
#[derive(Deserialize)]
#[serde(untagged)]
enum Json {
    Texts(Vec<String>),
    Rows(Vec<JsonAnswer>),
    One(JsonAnswer),
    Columns {
        text: Vec<String>,
        #[serde(default)]
        answer_start: Vec<Option<i64>>,
    },
}

#[derive(Deserialize)]
struct JsonAnswer {
    text: String,
    answer_start: Option<i64>,
}

impl From<JsonAnswer> for Answer {
    fn from(answer: JsonAnswer) -> Answer {
        Answer {
            text: answer.text,
            start: answer.answer_start,
        }
    }
}

/// Maximum number of characters quoted from a text that is not JSON.
const SHOWN: usize = 60;

fn json(batch: &Batch) -> Result<Vec<Vec<Answer>>, TableError> {
    let rows = batch.texts(ANSWERS)?.into_iter().enumerate();
    rows.map(|(row, text)| {
        let answers = match serde_json::from_str(&text) {
            Ok(Json::Texts(texts)) => Some(without_places(texts)),
            Ok(Json::Rows(answers)) => Some(answers.into_iter().map(Answer::from).collect()),
            Ok(Json::One(answer)) => Some(vec![answer.into()]),
            Ok(Json::Columns { text, answer_start }) => joined(text, answer_start),
            Err(_) => None,
        };
        answers.ok_or_else(|| {
            let shown: String = text.chars().take(SHOWN).collect();
            let wanted = format!("{SHAPES}, such as {{\"text\": [\"an answer\"]}}");
            batch.value(ANSWERS, row, wanted, format!("the text {shown:?}"))
        })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::parquet::TableFile;
    use crate::domain::sample::{self, integers, list_of, lists, structure, texts, write};
    use arrow::array::{ArrayRef, FixedSizeListArray, Float64Array, Int32Array, NullArray};
    use arrow::datatypes::Field;
    use std::sync::Arc;

    /// The answers of a file with these columns.
    fn of(file: Vec<(&str, ArrayRef)>) -> Result<Vec<Vec<Answer>>, String> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = write(&folder.path().join("a.parquet"), file);
        let table = TableFile::Disk(path.clone()).open().expect("a whole file");
        let found = sample::read(&path, &columns(&table), read);
        found.map_err(|error| error.to_string())
    }

    fn answers(rows: &[&[(&str, Option<i64>)]]) -> Vec<Vec<Answer>> {
        let answer = |(text, start): &(&str, Option<i64>)| Answer {
            text: text.to_string(),
            start: *start,
        };
        rows.iter()
            .map(|row| row.iter().map(answer).collect())
            .collect()
    }

    /// Two rows: two answers, then one.
    fn in_lists(values: ArrayRef) -> ArrayRef {
        list_of(values, [2, 1].into_iter(), "element")
    }

    fn both() -> Vec<Vec<Answer>> {
        answers(&[
            &[("mill", Some(3)), ("a mill", Some(1))],
            &[("Tor", Some(0))],
        ])
    }

    #[test]
    fn every_shape_gives_the_same_answers() {
        let text = || lists(&[&["mill", "a mill"], &["Tor"]]);
        let start = || in_lists(integers(&[3, 1, 0]));
        let json = |rows: [&str; 2]| texts(&rows);
        let struct_of_lists = structure(vec![("text", text()), ("answer_start", start())]);
        let list_of_structs = in_lists(structure(vec![
            ("text", texts(&["mill", "a mill", "Tor"])),
            ("answer_start", integers(&[3, 1, 0])),
        ]));
        for file in [
            vec![("answers", struct_of_lists)],
            vec![("answers", list_of_structs)],
            vec![("answers.text", text()), ("answers.answer_start", start())],
            vec![(
                "answers",
                json([
                    r#"{"text": ["mill", "a mill"], "answer_start": [3, 1]}"#,
                    r#"{"text": "Tor", "answer_start": 0}"#,
                ]),
            )],
            vec![(
                "answers",
                json([
                    r#"[{"text": "mill", "answer_start": 3}, {"answer_start": 1, "text": "a mill"}]"#,
                    r#"{"text": ["Tor"], "answer_start": [0]}"#,
                ]),
            )],
        ] {
            assert_eq!(of(file), Ok(both()));
        }
    }

    #[test]
    fn places_may_be_absent_null_or_floats() {
        let text = || lists(&[&["mill", "a mill"], &["Tor"]]);
        let none = answers(&[&[("mill", None), ("a mill", None)], &[("Tor", None)]]);
        let with = |start: ArrayRef| structure(vec![("text", text()), ("answer_start", start)]);
        let nulls: ArrayRef = Arc::new(NullArray::new(3));
        let json = texts(&[r#"["mill", "a mill"]"#, r#"{"text": ["Tor"]}"#]);
        for column in [
            structure(vec![("text", text())]),
            with(in_lists(nulls)),
            with(list_of(integers(&[]), [0, 0].into_iter(), "item")),
            text(),
            json,
        ] {
            assert_eq!(of(vec![("answers", column)]).as_ref(), Ok(&none));
        }
        let some: ArrayRef = Arc::new(Int32Array::from(vec![Some(3), None, Some(0)]));
        let found = of(vec![("answers", with(in_lists(some)))]).expect("answers");
        assert_eq!([found[0][0].start, found[0][1].start], [Some(3), None]);
        let floats: ArrayRef = Arc::new(Float64Array::from(vec![3.0, 1.0, 0.0]));
        assert_eq!(of(vec![("answers", with(in_lists(floats)))]), Ok(both()));
    }

    #[test]
    fn single_answers_may_be_bare_or_in_lists() {
        let bare = structure(vec![
            ("text", texts(&["mill", "Tor"])),
            ("answer_start", integers(&[3, 0])),
        ]);
        let one = |values: ArrayRef| -> ArrayRef {
            let field = Field::new("item", values.data_type().clone(), true);
            Arc::new(FixedSizeListArray::new(Arc::new(field), 1, values, None))
        };
        let fixed = structure(vec![
            ("text", one(texts(&["mill", "Tor"]))),
            ("answer_start", one(integers(&[3, 0]))),
        ]);
        let wanted = answers(&[&[("mill", Some(3))], &[("Tor", Some(0))]]);
        for column in [bare, fixed] {
            assert_eq!(of(vec![("answers", column)]).as_ref(), Ok(&wanted));
        }
    }

    #[test]
    fn ambiguous_settings_are_refused_by_name() {
        let python = "{'text': ['mill'], 'answer_start': [3]}";
        for (file, parts) in [
            (
                vec![("answers", texts(&["mill", "Tor"]))],
                [
                    "column 'answers', row 0: wanted a list of texts",
                    "\"mill\"",
                ],
            ),
            (
                vec![("answers", texts(&[r#"["mill"]"#, python]))],
                ["column 'answers', row 1: wanted ", "{'text': ['mill']"],
            ),
            (
                vec![("answers.text", texts(&["['mill']", "Tor"]))],
                [
                    "column 'answers.text': wanted a list of texts",
                    "found Utf8",
                ],
            ),
            (
                vec![("answers", integers(&[1, 2]))],
                ["column 'answers': wanted a list of texts", "found Int64"],
            ),
            (
                vec![(
                    "answers",
                    structure(vec![("spans", lists(&[&["a"], &["b"]]))]),
                )],
                ["column 'answers': wanted a list of texts", "found Struct("],
            ),
            (
                vec![("answers", lists(&[&["mill"], &[]]))],
                ["column 'answers', row 1: wanted at least one answer", ""],
            ),
            (
                vec![("answer", lists(&[&["mill"], &["Tor"]]))],
                ["wanted a column 'answers', found only: answer", ""],
            ),
            (
                vec![(
                    "answers",
                    texts(&[r#"{"text": ["a", "b"], "answer_start": [0]}"#, "[]"]),
                )],
                ["column 'answers', row 0: wanted ", "answer_start"],
            ),
        ] {
            let message = of(file).expect_err(parts[0]);
            assert!(parts.iter().all(|part| message.contains(part)), "{message}");
        }
    }
}
