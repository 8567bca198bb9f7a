//! MultiRC's columns on the Hub (`aps/super_glue`): the texts listed in the card, `label` and `idx`, a struct
//! of the integers `paragraph`, `question` and `answer`.

use super::glue;
use crate::domain::card::{Card, LABEL};
use crate::domain::parquet::{Batch, TableError};
use crate::domain::row::{LabelledRow, Row};

const INDICES: [&str; 3] = ["idx.paragraph", "idx.question", "idx.answer"];

/// The maximum number of questions in a paragraph; a question's identifier combines both numbers.
const QUESTIONS: u64 = 1 << 20;

/// The columns to read from a file.
pub fn columns(card: &Card) -> Vec<&str> {
    let texts = card.texts.iter().map(String::as_str);
    texts.chain([LABEL]).chain(INDICES).collect()
}

/// The rows of a batch, named `paragraph-question-answer`.
pub fn rows(card: &Card, batch: &Batch) -> Result<Vec<Row>, TableError> {
    let [paragraphs, questions, answers] = INDICES.map(|column| indices(batch, column));
    let (paragraphs, questions, answers) = (paragraphs?, questions?, answers?);
    Ok(glue::labelled(card, batch)?
        .into_iter()
        .enumerate()
        .map(|(at, row)| {
            let (paragraph, question) = (paragraphs[at], questions[at]);
            Row::Labelled(LabelledRow {
                id: format!("{paragraph}-{question}-{}", answers[at]),
                question: Some(paragraph * QUESTIONS + question),
                ..row
            })
        })
        .collect())
}

fn indices(batch: &Batch, column: &str) -> Result<Vec<u64>, TableError> {
    batch
        .integers(column)?
        .into_iter()
        .enumerate()
        .map(|(row, index)| {
            let index = index.ok_or_else(|| batch.null(column, "an integer", row))?;
            match u64::try_from(index) {
                Ok(index) if index < QUESTIONS => Ok(index),
                _ => Err(TableError::Value {
                    file: batch.file().to_string(),
                    column: column.to_string(),
                    row: batch.place(row),
                    wanted: format!("a number in 0..{QUESTIONS}"),
                    found: index.to_string(),
                }),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sample::{card, integers, read, structure, texts, write};
    use arrow::array::ArrayRef;

    fn file(questions: &[i64]) -> Vec<(&'static str, ArrayRef)> {
        vec![
            ("paragraph", texts(&["P", "P", "P"])),
            ("question", texts(&["Q", "Q", "R"])),
            ("answer", texts(&["a", "b", "c"])),
            (
                "idx",
                structure(vec![
                    ("paragraph", integers(&[2, 2, 2])),
                    ("question", integers(questions)),
                    ("answer", integers(&[0, 1, 0])),
                ]),
            ),
            ("label", integers(&[0, 1, 1])),
        ]
    }

    fn rows_of(questions: &[i64]) -> Result<Vec<LabelledRow>, String> {
        let card = card("multirc");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = write(&folder.path().join("a.parquet"), file(questions));
        let found = read(&path, &columns(&card), |batch| rows(&card, batch));
        let found = found.map_err(|error| error.to_string())?;
        Ok(found
            .into_iter()
            .map(|row| match row {
                Row::Labelled(row) => row,
                other => panic!("{other:?}"),
            })
            .collect())
    }

    #[test]
    fn answers_to_one_question_share_its_number() {
        let found = rows_of(&[5, 5, 6]).expect("a whole file");
        let ids: Vec<&str> = found.iter().map(|row| row.id.as_str()).collect();
        assert_eq!(ids, ["2-5-0", "2-5-1", "2-6-0"]);
        assert_eq!(found[0].question, found[1].question);
        assert_ne!(found[1].question, found[2].question);
        assert_eq!(found[1].texts, ["Q", "b", "P"]);
        assert_eq!((found[1].passage, found[1].label), (Some(2), 1));
    }

    #[test]
    fn a_question_without_a_number_is_named_by_its_row() {
        let message = rows_of(&[5, -1, 6]).expect_err("no number");
        assert!(
            message
                .ends_with("column 'idx.question', row 1: wanted a number in 0..1048576, found -1"),
            "{message}"
        );
    }
}
