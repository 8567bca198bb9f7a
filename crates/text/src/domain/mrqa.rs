//! MRQA's columns on the Hub (`mrqa-workshop/mrqa`): `qid`, `context`, `question` and `answers`, a
//! list of texts. Tokens, detected spans and `subset` are not read.

use super::parquet::{Batch, Table, TableError};
use super::row::Row;
use super::squad;

/// The columns that are read.
pub const COLUMNS: [&str; 4] = ["qid", "context", "question", "answers"];

/// The columns to read from a file.
pub fn columns(table: &Table) -> Vec<&'static str> {
    squad::with_facts(&COLUMNS, table)
}

/// The rows of a batch.
pub fn rows(batch: &Batch) -> Result<Vec<Row>, TableError> {
    let [id, context, question, answers] = COLUMNS;
    squad::questions(batch, id, context, question, answers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sample::{lists, read, texts, write};

    #[test]
    fn answers_are_a_list() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = write(
            &folder.path().join("a.parquet"),
            vec![
                ("subset", texts(&["BioASQ", "BioASQ"])),
                ("context", texts(&["C", "C"])),
                ("qid", texts(&["a", "b"])),
                ("question", texts(&["Q", "R"])),
                ("answers", lists(&[&["x"], &["y", "z"]])),
            ],
        );
        let found = read(&path, &COLUMNS, rows).expect("a whole file");
        let Row::Question(second) = &found[1] else {
            panic!("a question");
        };
        assert_eq!((second.id.as_str(), second.question.as_str()), ("b", "R"));
        assert_eq!(second.answers, ["y", "z"]);
    }
}
