//! Questions on contexts: the columns of SQuAD on the Hub (`rajpurkar/squad`: `id`, `context`, `question`,
//! `answers`) and of MRQA (`mrqa-workshop/mrqa`: `qid` instead of `id`). Either is accepted, whichever the
//! card states; `answers` reads the answers. The optional list of texts `facts` is specific to promptshift.
//! MRQA's tokens, detected spans and `subset` are not read here.
//!
//! `answer_start` counts code points and selects one of several occurrences of the answer, which only
//! span-predicting heads need. Where it is absent or wrong, the first occurrence is used, and a note and
//! `verify` report this.

use super::answers;
use crate::domain::card::Schema;
use crate::domain::parquet::{Batch, Table, TableError};
use crate::domain::row::{QuestionRow, Row};

const CONTEXT: &str = "context";
const QUESTION: &str = "question";

/// The optional column of a passage's facts.
pub const FACTS: &str = "facts";

/// The columns to read from a file.
pub fn columns(schema: Schema, table: &Table) -> Vec<&'static str> {
    let id = name_column(schema, |column| table.has(column));
    let facts = table.has(FACTS).then_some(FACTS);
    [id, CONTEXT, QUESTION]
        .into_iter()
        .chain(answers::columns(table))
        .chain(facts)
        .collect()
}

/// The column with the rows' names: the schema's, or the other schema's if only that exists.
fn name_column(schema: Schema, has: impl Fn(&str) -> bool) -> &'static str {
    let [own, other] = match schema {
        Schema::Mrqa => ["qid", "id"],
        _ => ["id", "qid"],
    };
    if has(other) && !has(own) { other } else { own }
}

/// The rows of a batch, and the number of those with a wrong position for their first answer.
pub fn rows(schema: Schema, batch: &Batch) -> Result<(Vec<Row>, usize), TableError> {
    let id = name_column(schema, |column| batch.has(column));
    let names = batch.names(id)?;
    let contexts = batch.texts(CONTEXT)?;
    let questions = batch.texts(QUESTION)?;
    let answers = answers::read(batch)?;
    let facts = if batch.has(FACTS) {
        batch.text_lists(FACTS)?
    } else {
        vec![Vec::new(); names.len()]
    };
    let texts = names.into_iter().zip(contexts).zip(questions);
    let mut misplaced = 0;
    let rows: Result<Vec<Row>, TableError> = texts
        .zip(answers.into_iter().zip(facts))
        .enumerate()
        .map(|(row, (((name, context), question), (answers, facts)))| {
            let first = &answers[0];
            let start = (first.start).and_then(|start| byte_of(&first.text, &context, start));
            misplaced += usize::from(first.start.is_some() && start.is_none());
            Ok(Row::Question(QuestionRow {
                group: None,
                id: name.ok_or_else(|| batch.null(id, "a name", row))?,
                answer_start: start,
                context,
                question,
                answers: answers.into_iter().map(|answer| answer.text).collect(),
                facts,
            }))
        })
        .collect();
    Ok((rows?, misplaced))
}

/// The report's note on wrong answer positions, if any.
pub fn note(misplaced: usize) -> Option<String> {
    (misplaced > 0).then(|| {
        format!(
            "{misplaced} of the rows read have an answer_start, counted in characters, at which their answer \
             does not occur: a span-predicting head is trained on its first occurrence instead"
        )
    })
}

/// The byte offset of the code point `start`, if the answer occurs there.
fn byte_of(answer: &str, context: &str, start: i64) -> Option<usize> {
    let (byte, _) = context.char_indices().nth(usize::try_from(start).ok()?)?;
    context[byte..].starts_with(answer).then_some(byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::parquet::TableFile;
    use crate::domain::sample::{answers, integers, lists, read, texts, write};
    use std::path::Path;

    fn questions_of(path: &Path) -> Result<Vec<QuestionRow>, TableError> {
        let columns = columns(Schema::Squad, &TableFile::Disk(path.into()).open()?);
        let rows = read(path, &columns, |batch| Ok(rows(Schema::Squad, batch)?.0))?;
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
        // The starts in this sample are 0, where "x" does not occur.
        assert_eq!(rows[0].answer_start, None);
    }

    #[test]
    fn misplaced_answers_are_counted() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let columns = |golds: &[&[&str]]| {
            vec![
                ("id", texts(&["a", "b"])),
                ("context", texts(&["Cé x.", "D."])),
                ("question", texts(&["Q?", "R?"])),
                ("answers", answers(golds)),
            ]
        };
        let count = |golds: &[&[&str]]| {
            let path = write(&folder.path().join("a.parquet"), columns(golds));
            let columns = super::columns(Schema::Squad, &TableFile::Disk(path.clone()).open()?);
            let counts = read(&path, &columns, |batch| {
                Ok(vec![rows(Schema::Squad, batch)?.1])
            })?;
            Ok::<usize, TableError>(counts.iter().sum())
        };
        // The starts are 0.
        assert_eq!(count(&[&["Cé"], &["D"]]).expect("a whole file"), 0);
        assert_eq!(count(&[&["x"], &["D"]]).expect("a whole file"), 1);
        assert_eq!(note(0), None);
        assert!(note(1).is_some_and(|note| note.starts_with("1 of the rows read")));
    }

    #[test]
    fn names_are_text_or_integers_in_either_column() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = |names: Vec<(&str, arrow::array::ArrayRef)>| {
            let mut columns = names;
            columns.push(("context", texts(&["C", "C"])));
            columns.push(("question", texts(&["Q", "R"])));
            columns.push(("answers", lists(&[&["x"], &["y", "z"]])));
            write(&folder.path().join("a.parquet"), columns)
        };
        let named = |schema: Schema, path: &Path| -> Result<Vec<String>, TableError> {
            let columns = columns(schema, &TableFile::Disk(path.into()).open()?);
            let rows = read(path, &columns, |batch| Ok(rows(schema, batch)?.0))?;
            Ok(rows.iter().map(|row| row.id().to_string()).collect())
        };
        let (squad, mrqa) = (Schema::Squad, Schema::Mrqa);
        let only = file(vec![("qid", texts(&["a", "b"]))]);
        assert_eq!(named(squad, &only).expect("rows"), ["a", "b"]);
        let only = file(vec![("id", integers(&[7, 8]))]);
        assert_eq!(named(mrqa, &only).expect("rows"), ["7", "8"]);
        let both = file(vec![("id", integers(&[7, 8])), ("qid", texts(&["a", "b"]))]);
        assert_eq!(named(squad, &both).expect("rows"), ["7", "8"]);
        assert_eq!(named(mrqa, &both).expect("rows"), ["a", "b"]);
        let none = file(Vec::new());
        let message = named(mrqa, &none).expect_err("no name").to_string();
        assert!(
            message.contains("wanted a column 'qid', found only"),
            "{message}"
        );
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
