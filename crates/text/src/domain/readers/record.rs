//! ReCoRD's columns on the Hub (`aps/super_glue`): `passage`, `query`, the lists of texts `entities` and
//! `answers`, and `idx`, a struct of the integers `passage` and `query`.

use crate::domain::parquet::{Batch, TableError};
use crate::domain::row::{ClozeRow, Row};

/// The columns to read.
pub const COLUMNS: [&str; 6] = [
    "passage",
    "query",
    "entities",
    "answers",
    "idx.passage",
    "idx.query",
];

/// The rows of a batch, named `passage-query`.
pub fn rows(batch: &Batch) -> Result<Vec<Row>, TableError> {
    let [passage, query, entities, answers, of_passage, of_query] = COLUMNS;
    let (passages, queries) = (batch.texts(passage)?, batch.texts(query)?);
    let (entities, lists) = (batch.text_lists(entities)?, batch.text_lists(answers)?);
    let (of_passage, of_query) = (batch.integers(of_passage)?, batch.integers(of_query)?);
    let texts = passages.into_iter().zip(queries);
    texts
        .zip(entities.into_iter().zip(lists))
        .enumerate()
        .map(|(row, ((passage, query), (entities, right)))| {
            if right.is_empty() {
                return Err(TableError::NoAnswer {
                    file: batch.file().to_string(),
                    column: answers.to_string(),
                    row: batch.place(row),
                });
            }
            let id = match (of_passage[row], of_query[row]) {
                (Some(passage), Some(query)) => format!("{passage}-{query}"),
                _ => return Err(batch.null("idx", "two integers", row)),
            };
            Ok(Row::Cloze(ClozeRow {
                id,
                passage,
                query,
                entities,
                answers: right,
            }))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sample::{integers, lists, read, structure, texts, write};

    fn rows_of(answers: &[&[&str]]) -> Result<Vec<Row>, String> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = write(
            &folder.path().join("a.parquet"),
            vec![
                ("passage", texts(&["Ola met Per.", "Ola met Per."])),
                (
                    "query",
                    texts(&["@placeholder was met.", "@placeholder came."]),
                ),
                ("entities", lists(&[&["Ola", "Per"], &["Ola", "Per"]])),
                ("answers", lists(answers)),
                (
                    "idx",
                    structure(vec![
                        ("passage", integers(&[7, 7])),
                        ("query", integers(&[0, 1])),
                    ]),
                ),
            ],
        );
        read(&path, &COLUMNS, rows).map_err(|error| error.to_string())
    }

    #[test]
    fn queries_entities_and_answers_are_read() {
        let found = rows_of(&[&["Per"], &["Ola", "Per"]]).expect("a whole file");
        let Row::Cloze(second) = &found[1] else {
            panic!("a gap to fill");
        };
        assert_eq!(
            (second.id.as_str(), second.query.as_str()),
            ("7-1", "@placeholder came.")
        );
        assert_eq!(second.answers, ["Ola", "Per"]);
        assert_eq!(second.entities, ["Ola", "Per"]);
    }

    #[test]
    fn the_unlabelled_test_file_is_refused_by_row() {
        let message = rows_of(&[&["Per"], &[]]).expect_err("row 1 has no answer");
        assert!(
            message.ends_with("column 'answers', row 1: wanted at least one answer, found none"),
            "{message}"
        );
    }
}
