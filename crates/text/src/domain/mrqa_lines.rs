//! MRQA as first published (`SQuAD.jsonl.gz`): gzipped lines of JSON, a header and then a context
//! with its questions a line (github.com/mrqa/MRQA-Shared-Task-2019, README).
//!
//! Tokens are not read, and spans only where [`spans`](super::spans) asks for them. A line is read at a
//! time, so memory does not grow with the file.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;

use flate2::read::MultiGzDecoder;
use serde::Deserialize;

use super::parquet::TableError;
use super::row::{QuestionRow, Row};

/// The longest line that is read; the longest published ones are shorter than a megabyte.
const LONGEST: u64 = 64 << 20;

#[derive(Deserialize)]
struct Header {
    #[allow(
        dead_code,
        reason = "its presence is what makes the first line a header"
    )]
    header: serde_json::Map<String, serde_json::Value>,
}

#[derive(Deserialize)]
struct Line {
    context: String,
    qas: Vec<Question>,
}

#[derive(Deserialize)]
struct Question {
    qid: String,
    question: String,
    answers: Vec<String>,
}

/// A line's context and where it says that answers stand.
#[derive(Deserialize)]
pub(super) struct Stated {
    pub(super) context: String,
    pub(super) qas: Vec<Detected>,
}

/// A question's answers where they were found.
#[derive(Deserialize)]
pub(super) struct Detected {
    pub(super) detected_answers: Option<Vec<DetectedAnswer>>,
}

/// An answer and its places, in code points, the last character included.
#[derive(Deserialize)]
pub(super) struct DetectedAnswer {
    pub(super) text: String,
    pub(super) char_spans: Vec<(i64, i64)>,
}

/// The rows of a file, a context at a time.
pub struct MrqaLines {
    file: String,
    lines: BufReader<MultiGzDecoder<BufReader<File>>>,
    line: usize,
}

impl MrqaLines {
    /// Opens a file and reads its header.
    pub fn open(path: PathBuf) -> Result<MrqaLines, TableError> {
        let file = path.display().to_string();
        let opened = File::open(&path).map_err(|error| TableError::Open {
            file: file.clone(),
            wanted: "a file of MRQA's (.jsonl.gz)",
            found: error.to_string(),
        })?;
        let mut lines = MrqaLines {
            file,
            lines: BufReader::new(MultiGzDecoder::new(BufReader::new(opened))),
            line: 0,
        };
        let wanted = "MRQA's header, {\"header\": {…}}";
        match lines.read_line(wanted)? {
            None => Err(TableError::Empty { file: lines.file }),
            Some(text) => {
                let header: Result<Header, _> = serde_json::from_slice(&text);
                header.map_err(|error| lines.wrong(wanted, error.to_string()))?;
                Ok(lines)
            }
        }
    }

    /// The next line, without what ends it; `None` behind the last.
    fn read_line(&mut self, wanted: &'static str) -> Result<Option<Vec<u8>>, TableError> {
        self.line += 1;
        let mut text = Vec::new();
        let read = (&mut self.lines).take(LONGEST).read_until(b'\n', &mut text);
        match read {
            Err(error) => Err(self.wrong(wanted, error.to_string())),
            Ok(0) => Ok(None),
            Ok(length) if length as u64 == LONGEST && text.last() != Some(&b'\n') => Err(self
                .wrong(
                    wanted,
                    format!("more than {LONGEST} bytes without a line's end"),
                )),
            Ok(_) => Ok(Some(text)),
        }
    }

    /// The next context with the places of its answers, instead of its rows; `None` behind the last.
    pub(super) fn next_stated(&mut self) -> Option<Result<Stated, TableError>> {
        let wanted = "a context with the spans of its answers";
        let text = self.read_line(wanted).transpose()?;
        Some(text.and_then(|text| {
            serde_json::from_slice(&text).map_err(|error| self.wrong(wanted, error.to_string()))
        }))
    }

    fn rows(&self, text: &[u8]) -> Result<Vec<Row>, TableError> {
        let line: Line = serde_json::from_slice(text)
            .map_err(|error| self.wrong("a context with its questions", error.to_string()))?;
        line.qas
            .into_iter()
            .map(|question| {
                if question.answers.is_empty() {
                    let found = format!("none for '{}'", question.qid);
                    return Err(self.wrong("at least one answer", found));
                }
                Ok(Row::Question(QuestionRow {
                    id: question.qid,
                    context: line.context.clone(),
                    question: question.question,
                    answers: question.answers,
                    answer_start: None,
                    facts: Vec::new(),
                }))
            })
            .collect()
    }

    fn wrong(&self, wanted: &'static str, found: String) -> TableError {
        TableError::Line {
            file: self.file.clone(),
            line: self.line,
            wanted,
            found,
        }
    }
}

impl Iterator for MrqaLines {
    type Item = Result<Vec<Row>, TableError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.read_line("a context with its questions") {
            Ok(None) => None,
            Ok(Some(text)) => Some(self.rows(&text)),
            Err(error) => Some(Err(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sample::gzip;

    const HEADER: &str = r#"{"header": {"dataset": "Mills", "split": "dev"}}"#;
    const LINE: &str = r#"{"id": "", "context": "Orla's mill.", "qas": [
        {"qid": "a", "question": "Whose?", "answers": ["Orla", "Orla's"],
         "detected_answers": [{"text": "Orla", "char_spans": [[0, 3]], "token_spans": [[0, 0]]}]},
        {"qid": "b", "question": "What?", "answers": ["mill"], "detected_answers": []}]}"#;

    fn read(lines: &[&str]) -> Result<Vec<Row>, String> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let lines: Vec<String> = lines.iter().map(|line| line.replace('\n', " ")).collect();
        let path = gzip(&folder.path().join("test.jsonl.gz"), &lines.join("\n"));
        let lines = MrqaLines::open(path).map_err(|error| error.to_string())?;
        let rows: Result<Vec<Vec<Row>>, TableError> = lines.collect();
        rows.map(|rows| rows.concat())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn every_question_of_a_context_is_a_row() {
        let rows = read(&[HEADER, LINE, LINE]).expect("a whole file");
        assert_eq!(rows.len(), 4);
        let Row::Question(row) = &rows[1] else {
            panic!("a question");
        };
        assert_eq!((row.id.as_str(), row.question.as_str()), ("b", "What?"));
        assert_eq!(row.context, "Orla's mill.");
        assert_eq!(rows[0].passage(), rows[1].passage());
    }

    #[test]
    fn what_is_wrong_is_named_by_its_line() {
        let unanswered = LINE.replace(r#"["mill"]"#, "[]");
        for (lines, part) in [
            (&[LINE][..], "line 1: wanted MRQA's header"),
            (
                &[HEADER, "{}"],
                "line 2: wanted a context with its questions, found missing field",
            ),
            (&[HEADER, LINE, "{\"context\""], "line 3: wanted a context"),
            (
                &[HEADER, &unanswered],
                "line 2: wanted at least one answer, found none for 'b'",
            ),
            (&[""], "test.jsonl.gz: wanted rows, found 0"),
        ] {
            let message = read(lines).expect_err(part);
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn a_file_that_is_cut_or_not_gzipped_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let long = vec![LINE.replace('\n', " "); 200].join("\n");
        let path = gzip(
            &folder.path().join("a.jsonl.gz"),
            &format!("{HEADER}\n{long}"),
        );
        let bytes = std::fs::read(&path).expect("the file just written");
        std::fs::write(&path, &bytes[..bytes.len() / 2]).expect("written");
        let cut =
            MrqaLines::open(path.clone()).and_then(|lines| lines.collect::<Result<Vec<_>, _>>());
        assert!(
            cut.expect_err("cut")
                .to_string()
                .contains("a.jsonl.gz: line ")
        );
        std::fs::write(&path, HEADER).expect("written");
        let message = MrqaLines::open(path.clone())
            .err()
            .expect("plain text")
            .to_string();
        assert!(
            message.contains("line 1: wanted MRQA's header"),
            "{message}"
        );
        std::fs::remove_file(&path).expect("removed");
        let message = MrqaLines::open(path).err().expect("no file").to_string();
        assert!(
            message.contains("a.jsonl.gz: wanted a file of MRQA's"),
            "{message}"
        );
    }
}
