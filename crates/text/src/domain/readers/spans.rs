//! Checks the answer positions stated in files, in code points. They do not affect scores, and only
//! span-predicting heads use SQuAD's; [`verify`](crate::domain::verify) compares them with the contexts.

use std::path::Path;

use super::answers;
use super::mrqa_lines::MrqaLines;
use super::{DataFile, rows_of_subset, subset_column};
use crate::domain::card::Card;
use crate::domain::parquet::{Batch, TableError, TableFile};

/// SQuAD's columns: each text has a start offset, in any of the layouts of answers.
const SQUAD: [&str; 2] = ["context", "answers.answer_start"];
/// MRQA's columns: each span of a text has both ends, the last character included.
const MRQA: [&str; 3] = [
    "context",
    "detected_answers.text",
    "detected_answers.char_spans",
];

/// A span of a context.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Span {
    /// The first code point.
    start: i64,
    /// The code point after the last; absent if it follows from the text's length.
    end: Option<i64>,
    /// The expected text of the span.
    text: String,
}

/// The number of a file's spans, and of the correct ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SpanCounts {
    /// All spans.
    pub all: usize,
    /// Spans that contain their text.
    pub right: usize,
    /// Spans that would be correct if starts counted bytes of UTF-8.
    pub in_bytes: usize,
    /// Spans that would be correct if starts counted units of UTF-16, as in Java and JavaScript.
    pub in_utf16: usize,
}

impl SpanCounts {
    fn add(&mut self, context: &str, spans: &[Span]) {
        self.all += spans.len();
        for span in spans {
            self.right += usize::from(span.stands_in(context));
            self.in_bytes += usize::from(span.starts_at(context, char::len_utf8));
            self.in_utf16 += usize::from(span.starts_at(context, char::len_utf16));
        }
    }

    /// Adds the counts of another file.
    pub fn add_all(&mut self, other: SpanCounts) {
        self.all += other.all;
        self.right += other.right;
        self.in_bytes += other.in_bytes;
        self.in_utf16 += other.in_utf16;
    }
}

/// Counts the spans of a domain's questions in a file; `None` if the file states none.
///
/// # Errors
/// The file can't be read, or its spans have another type.
pub fn count(card: &Card, file: &DataFile) -> Result<Option<SpanCounts>, TableError> {
    match file {
        DataFile::Table(file) => in_table(card, file),
        DataFile::Lines(path) => in_lines(path),
    }
}

fn in_lines(path: &Path) -> Result<Option<SpanCounts>, TableError> {
    let mut lines = MrqaLines::open(path.to_owned())?;
    let mut counts: Option<SpanCounts> = None;
    while let Some(line) = lines.next_stated().transpose()? {
        for answers in line.qas.into_iter().filter_map(|qa| qa.detected_answers) {
            let counts = counts.get_or_insert_default();
            for answer in answers {
                let spans = answer.char_spans.into_iter();
                let spans: Vec<Span> = spans
                    .map(|span| Span::of_mrqa(span, &answer.text))
                    .collect();
                counts.add(&line.context, &spans);
            }
        }
    }
    Ok(counts)
}

fn in_table(card: &Card, file: &TableFile) -> Result<Option<SpanCounts>, TableError> {
    let table = file.open()?;
    let has_all = |columns: &[&str]| columns.iter().all(|column| table.has(column));
    let (mut columns, read): (Vec<&str>, fn(&Batch) -> _) = if has_all(&SQUAD) {
        let answers = answers::columns(&table).into_iter();
        (["context"].into_iter().chain(answers).collect(), of_squad)
    } else if has_all(&MRQA) {
        (MRQA.to_vec(), of_mrqa)
    } else {
        return Ok(None);
    };
    let mut counts = SpanCounts::default();
    columns.extend(subset_column(card, &table));
    for batch in table.batches(&columns, None)? {
        let batch = rows_of_subset(card, batch?)?.0;
        let contexts = batch.texts("context")?;
        let spans: Vec<Vec<Span>> = read(&batch)?;
        for (context, spans) in contexts.iter().zip(spans) {
            counts.add(context, &spans);
        }
    }
    Ok(Some(counts))
}

impl Span {
    /// An MRQA span, whose last code point is included.
    fn of_mrqa((start, last): (i64, i64), text: &str) -> Span {
        Span {
            start,
            end: Some(last.saturating_add(1)),
            text: text.to_string(),
        }
    }

    /// Whether the text occurs at the start, if starts count `units` for each character before it.
    fn starts_at(&self, context: &str, units: fn(char) -> usize) -> bool {
        let Ok(start) = usize::try_from(self.start) else {
            return false;
        };
        let mut passed = 0;
        let mut rest = context.chars();
        while passed < start {
            let Some(next) = rest.next() else {
                return false;
            };
            passed += units(next);
        }
        passed == start && rest.as_str().starts_with(&self.text)
    }

    fn stands_in(&self, context: &str) -> bool {
        let length = self.text.chars().count();
        let ends = match (self.end, i64::try_from(length)) {
            (Some(end), Ok(length)) => end.checked_sub(self.start) == Some(length),
            (None, _) => true,
            (_, Err(_)) => false,
        };
        let Ok(start) = usize::try_from(self.start) else {
            return false;
        };
        let found = context.chars().skip(start).take(length);
        ends && found.eq(self.text.chars())
    }
}

fn of_squad(batch: &Batch) -> Result<Vec<Vec<Span>>, TableError> {
    let rows = answers::read(batch)?.into_iter();
    let spans = rows.map(|answers| {
        let span = |answer: answers::Answer| {
            Some(Span {
                start: answer.start?,
                end: None,
                text: answer.text,
            })
        };
        answers.into_iter().filter_map(span).collect()
    });
    Ok(spans.collect())
}

fn of_mrqa(batch: &Batch) -> Result<Vec<Vec<Span>>, TableError> {
    let [_, texts, spans] = MRQA;
    let (texts, spans) = (
        batch.text_lists(texts)?,
        batch.span_lists(spans, "start", "end")?,
    );
    let lengths = || texts.iter().map(Vec::len).zip(spans.iter().map(Vec::len));
    if let Some(row) = lengths().position(|(texts, spans)| texts != spans) {
        let wanted = format!("one for each of {} answers", texts[row].len());
        return Err(batch.value(MRQA[2], row, wanted, spans[row].len().to_string()));
    }
    let rows = texts.into_iter().zip(spans);
    let rows = rows.map(|(texts, spans)| {
        let of_text = texts.into_iter().zip(spans).flat_map(|(text, spans)| {
            let spans = spans.into_iter();
            spans.map(move |span| Span::of_mrqa(span, &text))
        });
        of_text.collect()
    });
    Ok(rows.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sample::{card, gzip, integers, list_of, lists, structure, texts, write};
    use std::path::PathBuf;

    /// The number of all spans and of the correct ones.
    fn count_in(name: &str, path: PathBuf) -> Result<Option<(usize, usize)>, String> {
        let file = match path.extension() {
            Some(gz) if gz == "gz" => DataFile::Lines(path),
            _ => DataFile::Table(TableFile::Disk(path)),
        };
        let found = count(&card(name), &file).map_err(|error| error.to_string())?;
        Ok(found.map(|found| (found.all, found.right)))
    }

    fn squad(path: &Path, starts: [i64; 3]) -> PathBuf {
        let starts = list_of(integers(&starts), [2, 1].into_iter(), "item");
        let answers = structure(vec![
            ("text", lists(&[&["mill", "é"], &["Tor"]])),
            ("answer_start", starts),
        ]);
        write(
            path,
            vec![
                ("context", texts(&["Café 🐦 mill", "Tor"])),
                ("answers", answers),
            ],
        )
    }

    #[test]
    fn squad_s_offsets_count_code_points() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.parquet");
        for (starts, right) in [([7, 3, 0], 3), ([8, 3, 0], 2), ([-1, 3, 99], 1)] {
            let found = count_in("squad", squad(&path, starts)).expect("a whole file");
            assert_eq!(found, Some((3, right)), "{starts:?}");
        }
    }

    #[test]
    fn starts_in_other_units_are_recognised() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.parquet");
        // "mill" occurs at code point 7, after é of two bytes and a bird of four bytes or two UTF-16 units.
        for (start, wanted) in [(7, [1, 0, 0]), (11, [0, 1, 0]), (8, [0, 0, 1]), (6, [0; 3])] {
            let starts = list_of(integers(&[start]), [1].into_iter(), "item");
            let answers = structure(vec![
                ("text", lists(&[&["mill"]])),
                ("answer_start", starts),
            ]);
            write(
                &path,
                vec![("context", texts(&["Café 🐦 mill"])), ("answers", answers)],
            );
            let file = DataFile::Table(TableFile::Disk(path.clone()));
            let found = count(&card("squad"), &file)
                .expect("a whole file")
                .expect("starts");
            assert_eq!(
                [found.right, found.in_bytes, found.in_utf16],
                wanted,
                "{start}"
            );
        }
    }

    /// Two rows, only the second from RACE; its answer occurs twice in the context.
    fn mrqa(path: &Path, ends: [i64; 3]) -> PathBuf {
        let of_answers =
            |values: [i64; 3]| list_of(integers(&values), [1, 2].into_iter(), "element");
        let spans = structure(vec![
            ("start", of_answers([0, 0, 9])),
            ("end", of_answers(ends)),
        ]);
        let detected = structure(vec![
            ("text", lists(&[&["mill"], &["mill"]])),
            ("char_spans", list_of(spans, [1, 1].into_iter(), "item")),
        ]);
        write(
            path,
            vec![
                ("subset", texts(&["DROP", "RACE"])),
                ("context", texts(&["oats", "mill and mill"])),
                ("detected_answers", detected),
            ],
        )
    }

    #[test]
    fn mrqa_s_spans_are_nested_and_hold_both_ends() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.parquet");
        for (ends, right) in [([3, 3, 12], 2), ([3, 4, 12], 1)] {
            let found = count_in("race", mrqa(&path, ends)).expect("a whole file");
            assert_eq!(found, Some((2, right)), "{ends:?}");
        }
        let found = count_in("squad", mrqa(&path, [3, 3, 12])).expect("a whole file");
        assert_eq!(found, Some((3, 2)));
    }

    #[test]
    fn mrqa_s_lines_state_their_spans() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.jsonl.gz");
        let with = |detected: &str| {
            let line =
                format!(r#"{{"context": "Café 🐦 mill", "qas": [{{"qid": "a"{detected}}}]}}"#);
            gzip(&path, &format!("{{\"header\": {{}}}}\n{line}\n{line}"));
            count_in("race", path.clone())
        };
        let spans = |spans: &str| {
            with(&format!(
                r#", "detected_answers": [{{"text": "mill", "char_spans": {spans}}}]"#
            ))
        };
        for (at, all, right) in [
            ("[[7, 10]]", 2, 2),
            ("[[7, 11], [7, 10]]", 4, 2),
            ("[[10, 13]]", 2, 0),
            ("[[-9223372036854775808, 9223372036854775807]]", 2, 0),
            ("[]", 0, 0),
        ] {
            assert_eq!(spans(at), Ok(Some((all, right))), "{at}");
        }
        assert_eq!(with(""), Ok(None));
        let message = spans("[[7]]").expect_err("half a span");
        assert!(
            message.contains("a.jsonl.gz: line 2: wanted a context with the spans"),
            "{message}"
        );
    }

    #[test]
    fn places_are_as_many_as_answers() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.parquet");
        let answers = structure(vec![
            ("text", lists(&[&["C"], &["C", "C"]])),
            (
                "answer_start",
                list_of(integers(&[0, 0]), [1, 1].into_iter(), "item"),
            ),
        ]);
        write(
            &path,
            vec![("context", texts(&["C", "C"])), ("answers", answers)],
        );
        let message = count_in("squad", path).expect_err("one is missing");
        assert!(
            message.ends_with(
                "column 'answers.answer_start', row 1: wanted one for each of 2 answers, found 1"
            ),
            "{message}"
        );
    }

    #[test]
    fn a_file_without_spans_has_none_and_other_types_are_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.parquet");
        write(&path, vec![("context", texts(&["C"]))]);
        assert_eq!(count_in("squad", path.clone()), Ok(None));
        let answers = structure(vec![
            ("text", lists(&[&["C"]])),
            ("answer_start", lists(&[&["0"]])),
        ]);
        write(
            &path,
            vec![("context", texts(&["C"])), ("answers", answers)],
        );
        let message = count_in("squad", path).expect_err("texts");
        assert!(
            message
                .contains("column 'answers.answer_start': wanted a list of integers, found List"),
            "{message}"
        );
    }
}
