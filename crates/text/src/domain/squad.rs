//! SQuAD's columns on the Hub (`rajpurkar/squad`): `id`, `context`, `question` and `answers`, a
//! struct of the lists `text` and `answer_start`. `facts`, a list of texts, is ours and optional.
//!
//! `answer_start` counts code points. It says which of several places with an answer's text is meant,
//! which only heads that learn places need: where it is absent or wrong (`verify` tells), the first is.

use super::parquet::{Batch, Table, TableError};
use super::row::{QuestionRow, Row};

/// The columns that are read.
pub const COLUMNS: [&str; 4] = ["id", "context", "question", "answers.text"];

/// The optional column of a passage's facts.
pub const FACTS: &str = "facts";

/// The optional column of the answers' places.
const STARTS: &str = "answers.answer_start";

/// The columns to read from a file.
pub fn columns(table: &Table) -> Vec<&'static str> {
    let mut columns = with_facts(&COLUMNS, table);
    columns.extend(table.has(STARTS).then_some(STARTS));
    columns
}

/// The rows of a batch.
pub fn rows(batch: &Batch) -> Result<Vec<Row>, TableError> {
    let [id, context, question, answers] = COLUMNS;
    questions(batch, id, context, question, answers)
}

/// `columns`, and [`FACTS`] where the file lists them.
pub(super) fn with_facts(columns: &[&'static str], table: &Table) -> Vec<&'static str> {
    let facts = table.has(FACTS).then_some(FACTS);
    columns.iter().copied().chain(facts).collect()
}

/// Questions from columns of these names.
pub(super) fn questions(
    batch: &Batch,
    id: &str,
    context: &str,
    question: &str,
    answers: &str,
) -> Result<Vec<Row>, TableError> {
    let ids = batch.texts(id)?;
    let contexts = batch.texts(context)?;
    let questions = batch.texts(question)?;
    let answer_lists = batch.text_lists(answers)?;
    let fact_lists = if batch.has(FACTS) {
        batch.text_lists(FACTS)?
    } else {
        vec![Vec::new(); ids.len()]
    };
    let starts = batch.integer_lists(STARTS).unwrap_or_default();
    if let Some(row) = answer_lists.iter().position(Vec::is_empty) {
        return Err(TableError::NoAnswer {
            file: batch.file().to_string(),
            column: answers.to_string(),
            row: batch.place(row),
        });
    }
    let texts = ids.into_iter().zip(contexts).zip(questions);
    let lists = answer_lists.into_iter().zip(fact_lists);
    Ok(texts
        .zip(lists)
        .enumerate()
        .map(|(row, (((id, context), question), (answers, facts)))| {
            let first = starts.get(row).and_then(|starts| starts.first());
            Row::Question(QuestionRow {
                id,
                answer_start: first.and_then(|first| byte_of(&answers[0], &context, *first)),
                context,
                question,
                answers,
                facts,
            })
        })
        .collect())
}

/// The byte of the context's code point `start`, if the answer stands there.
fn byte_of(answer: &str, context: &str, start: i64) -> Option<usize> {
    let (byte, _) = context.char_indices().nth(usize::try_from(start).ok()?)?;
    context[byte..].starts_with(answer).then_some(byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sample::{answers, lists, read, texts, write};
    use std::path::Path;

    fn questions_of(path: &Path) -> Result<Vec<QuestionRow>, TableError> {
        let columns = columns(&crate::domain::parquet::TableFile::Disk(path.into()).open()?);
        let rows = read(path, &columns, rows)?;
        Ok(rows
            .into_iter()
            .filter_map(|row| match row {
                Row::Question(row) => Some(row),
                _ => None,
            })
            .collect())
    }

    #[test]
    fn questions_answers_and_facts_are_read() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = write(
            &folder.path().join("a.parquet"),
            vec![
                ("id", texts(&["a", "b"])),
                ("title", texts(&["", ""])),
                ("context", texts(&["C é.", "D."])),
                ("question", texts(&["Q?", "R?"])),
                ("answers", answers(&[&["x", "y"], &["z"]])),
                ("facts", lists(&[&["x", "w"], &[]])),
            ],
        );
        let rows = questions_of(&path).expect("a whole file");
        assert_eq!(rows.len(), 2);
        assert_eq!(
            (rows[0].id.as_str(), rows[0].context.as_str()),
            ("a", "C é.")
        );
        assert_eq!(rows[0].answers, ["x", "y"]);
        assert_eq!(rows[0].facts, ["x", "w"]);
        assert_eq!((rows[1].question.as_str(), rows[1].facts.len()), ("R?", 0));
        // The starts of this sample are 0, where "x" does not stand.
        assert_eq!(rows[0].answer_start, None);
    }

    #[test]
    fn a_place_is_counted_in_code_points_and_holds_the_answer() {
        let context = "Café 9, café 9";
        assert_eq!(byte_of("9", context, 5), Some(6));
        assert_eq!(byte_of("9", context, 13), Some(15));
        assert_eq!(byte_of("9", context, 6), None);
        assert_eq!(byte_of("9", context, 99), None);
        assert_eq!(byte_of("9", context, -1), None);
    }

    #[test]
    fn a_question_without_an_answer_is_named_by_its_row() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = write(
            &folder.path().join("a.parquet"),
            vec![
                ("id", texts(&["a", "b"])),
                ("context", texts(&["C", "D"])),
                ("question", texts(&["Q", "R"])),
                ("answers", answers(&[&["x"], &[]])),
            ],
        );
        let message = questions_of(&path)
            .expect_err("row 1 has no answer")
            .to_string();
        assert!(
            message
                .ends_with("column 'answers.text', row 1: wanted at least one answer, found none"),
            "{message}"
        );
    }

    #[test]
    fn another_schema_is_refused_by_column() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let lacking = write(
            &folder.path().join("a.parquet"),
            vec![("id", texts(&["a"])), ("text", texts(&["C"]))],
        );
        let message = questions_of(&lacking).expect_err("no context").to_string();
        assert!(
            message.ends_with("wanted a column 'context', found only: id, text"),
            "{message}"
        );
        let listed = write(
            &folder.path().join("b.parquet"),
            vec![
                ("id", texts(&["a"])),
                ("context", lists(&[&["C"]])),
                ("question", texts(&["Q"])),
                ("answers", answers(&[&["x"]])),
            ],
        );
        let message = questions_of(&listed).expect_err("a list").to_string();
        assert!(
            message.contains("column 'context': wanted text, found List"),
            "{message}"
        );
    }
}
