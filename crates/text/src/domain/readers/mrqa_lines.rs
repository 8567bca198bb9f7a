//! MRQA's original JSON lines (`SQuAD.jsonl.gz`): a header line, then one context with its questions per line
//! (github.com/mrqa/MRQA-Shared-Task-2019, README). Gzip is detected by the first bytes. Empty lines and a
//! byte-order mark are skipped.
//!
//! Tokens are not read, and spans only for [`spans`](super::spans). Lines are read one at a time, so memory
//! does not grow with file size.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;

use flate2::read::MultiGzDecoder;
use serde::Deserialize;

use crate::domain::parquet::TableError;
use crate::domain::row::{QuestionRow, Row};

/// The longest line accepted; published lines are shorter than a megabyte.
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
    qid: Name,
    question: String,
    answers: Vec<String>,
}

/// A question's identifier.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a `qid` of text or an integer")]
enum Name {
    Text(String),
    Integer(i64),
}

/// A line's context and the answer positions it states.
#[derive(Deserialize)]
pub(super) struct Stated {
    pub(super) context: String,
    pub(super) qas: Vec<Detected>,
}

/// A question's answers with their detected positions.
#[derive(Deserialize)]
pub(super) struct Detected {
    pub(super) detected_answers: Option<Vec<DetectedAnswer>>,
}

/// An answer and its spans in code points; a span includes its last character.
#[derive(Deserialize)]
pub(super) struct DetectedAnswer {
    pub(super) text: String,
    pub(super) char_spans: Vec<(i64, i64)>,
}

/// The rows of a file, one context at a time.
pub struct MrqaLines {
    file: String,
    lines: Box<dyn BufRead>,
    line: usize,
    questions: usize,
}

/// The first bytes of gzip.
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// U+FEFF in UTF-8, which some editors write at the start.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// MRQA's header.
const HEADER: &str = "MRQA's header, {\"header\": {…}}";

impl MrqaLines {
    /// The expected kind of file.
    pub(super) const WANTED: &str = "an MRQA file (.jsonl.gz or .jsonl)";

    /// Opens a file and reads its header.
    pub fn open(path: PathBuf) -> Result<MrqaLines, TableError> {
        let file = path.display().to_string();
        let open_error = |error: io::Error| TableError::Open {
            file: file.clone(),
            wanted: MrqaLines::WANTED,
            found: error.to_string(),
        };
        let mut opened = BufReader::new(File::open(&path).map_err(open_error)?);
        let gzipped = opened.fill_buf().map_err(open_error)?.starts_with(&GZIP);
        let mut lines = MrqaLines {
            lines: if gzipped {
                Box::new(BufReader::new(MultiGzDecoder::new(opened)))
            } else {
                Box::new(opened)
            },
            file,
            line: 0,
            questions: 0,
        };
        match lines.read_line(HEADER)? {
            None => Err(TableError::Empty { file: lines.file }),
            Some(text) => {
                let header: Result<Header, _> = serde_json::from_slice(&text);
                header.map_err(|error| {
                    let found = keys(&text).unwrap_or_else(|| error.to_string());
                    lines.wrong(HEADER, found)
                })?;
                Ok(lines)
            }
        }
    }

    /// The number of the last line read, from 1.
    pub(super) fn line(&self) -> usize {
        self.line
    }

    /// The next non-empty line; `None` after the last.
    fn read_line(&mut self, wanted: &'static str) -> Result<Option<Vec<u8>>, TableError> {
        loop {
            self.line += 1;
            let mut text = Vec::new();
            let read = (&mut self.lines).take(LONGEST).read_until(b'\n', &mut text);
            match read {
                Err(error) => return Err(self.wrong(wanted, error.to_string())),
                Ok(0) => return Ok(None),
                Ok(length) if length as u64 == LONGEST && text.last() != Some(&b'\n') => {
                    let found = format!("more than {LONGEST} bytes without a newline");
                    return Err(self.wrong(wanted, found));
                }
                Ok(_) => {}
            }
            if self.line == 1 && text.starts_with(BYTE_ORDER_MARK) {
                text.drain(..BYTE_ORDER_MARK.len());
            }
            if !text.trim_ascii().is_empty() {
                return Ok(Some(text));
            }
        }
    }

    /// The next context with its answer positions, instead of its rows; `None` after the last.
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
                let id = match question.qid {
                    Name::Text(name) => name,
                    Name::Integer(name) => name.to_string(),
                };
                if question.answers.is_empty() {
                    let found = format!("none for '{id}'");
                    return Err(self.wrong("at least one answer", found));
                }
                Ok(Row::Question(QuestionRow {
                    group: None,
                    id,
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

/// Describes a line that is an object by its keys.
fn keys(text: &[u8]) -> Option<String> {
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(text).ok()?;
    let keys: Vec<&str> = object.keys().map(String::as_str).collect();
    Some(match keys.as_slice() {
        [] => "an empty object".to_string(),
        keys if keys.contains(&"question") => format!(
            "a row of a table, {}: write tables as parquet (datasets: load_dataset(\"json\", …) and to_parquet)",
            keys.join(", ")
        ),
        keys => format!("an object of {}", keys.join(", ")),
    })
}

impl Iterator for MrqaLines {
    type Item = Result<Vec<Row>, TableError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.read_line("a context with its questions") {
            Ok(None) if self.questions == 0 => Some(Err(TableError::Empty {
                file: self.file.clone(),
            })),
            Ok(None) => None,
            Ok(Some(text)) => Some(
                self.rows(&text)
                    .inspect(|rows| self.questions += rows.len()),
            ),
            Err(error) => Some(Err(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sample::gzip;

    const FIRST: &str = r#"{"header": {"dataset": "Mills", "split": "dev"}}"#;
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
        let rows = read(&[FIRST, LINE, LINE]).expect("a whole file");
        assert_eq!(rows.len(), 4);
        let Row::Question(row) = &rows[1] else {
            panic!("a question");
        };
        assert_eq!((row.id.as_str(), row.question.as_str()), ("b", "What?"));
        assert_eq!(row.context, "Orla's mill.");
        assert_eq!(rows[0].passage(), rows[1].passage());
    }

    #[test]
    fn errors_name_their_line() {
        let unanswered = LINE.replace(r#"["mill"]"#, "[]");
        for (lines, part) in [
            (
                &[LINE][..],
                "line 1: wanted MRQA's header, {\"header\": {…}}, found an object of context, id, qas",
            ),
            (&["[]"], "line 1: wanted MRQA's header"),
            (
                &[r#"{"question": "Q", "answers": []}"#],
                "found a row of a table, answers, question: write tables as parquet",
            ),
            (&[FIRST], "test.jsonl.gz: wanted rows, found 0"),
            (&[FIRST, "", LINE, "{}"], "line 4: wanted a context"),
            (
                &[FIRST, &LINE.replace("\"b\"", "1.5")],
                "line 2: wanted a context with its questions, found a `qid` of text or an integer",
            ),
            (
                &[FIRST, "{}"],
                "line 2: wanted a context with its questions, found missing field",
            ),
            (&[FIRST, LINE, "{\"context\""], "line 3: wanted a context"),
            (
                &[FIRST, &unanswered],
                "line 2: wanted at least one answer, found none for 'b'",
            ),
            (&[""], "test.jsonl.gz: wanted rows, found 0"),
        ] {
            let message = read(lines).expect_err(part);
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn lines_may_be_plain_blank_marked_and_named_by_integers() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let line = LINE.replace('\n', " ");
        let named = |qid: &str| line.replace(r#""qid": "a""#, &format!(r#""qid": {qid}"#));
        let text = format!("\u{feff}{FIRST}\r\n\r\n  \n{}\n\n", named("17"));
        let path = folder.path().join("a.jsonl");
        for path in [
            gzip(&folder.path().join("a.jsonl.gz"), &text),
            std::fs::write(&path, &text)
                .map(|()| path)
                .expect("written"),
        ] {
            let mut lines = MrqaLines::open(path).expect("a header");
            let rows = lines.next().expect("a line").expect("a context");
            let names: Vec<&str> = rows.iter().map(Row::id).collect();
            assert_eq!((names.as_slice(), lines.line()), (&["17", "b"][..], 4));
            assert!(lines.next().is_none());
        }
    }

    #[test]
    fn a_file_that_is_cut_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let long = vec![LINE.replace('\n', " "); 200].join("\n");
        let path = gzip(
            &folder.path().join("a.jsonl.gz"),
            &format!("{FIRST}\n{long}"),
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
        std::fs::remove_file(&path).expect("removed");
        let message = MrqaLines::open(path).err().expect("no file").to_string();
        assert!(
            message.contains("a.jsonl.gz: wanted an MRQA file"),
            "{message}"
        );
    }
}
