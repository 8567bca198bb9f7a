//! Where files say that answers stand in their contexts: counted in code points. Nothing is learnt or
//! scored by these offsets; [`verify`](super::verify) holds them against the contexts.

use super::card::Card;
use super::own;
use super::parquet::{Batch, TableError, TableFile};

/// SQuAD's: a text starts at its offset.
const SQUAD: [&str; 3] = ["context", "answers.text", "answers.answer_start"];
/// MRQA's: each of a text's spans has both its ends, the last character included.
const MRQA: [&str; 3] = [
    "context",
    "detected_answers.text",
    "detected_answers.char_spans",
];

/// A stretch of a context.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Span {
    /// The first code point.
    start: i64,
    /// The code point behind the last; absent where only the text's length tells.
    end: Option<i64>,
    /// What should stand there.
    text: String,
}

/// Spans of a file, and those of them at which their text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SpanCounts {
    /// All of them.
    pub all: usize,
    /// Those that are right.
    pub right: usize,
}

/// Counts the spans of a domain's questions in a parquet file; `None` where it states none.
///
/// # Errors
/// The file can't be read, or its spans are of another type.
pub fn count(card: &Card, file: &TableFile) -> Result<Option<SpanCounts>, TableError> {
    let table = file.open()?;
    let (columns, read): (_, fn(&Batch) -> _) = if SQUAD.iter().all(|column| table.has(column)) {
        (SQUAD, of_squad)
    } else if MRQA.iter().all(|column| table.has(column)) {
        (MRQA, of_mrqa)
    } else {
        return Ok(None);
    };
    let mut counts = SpanCounts::default();
    let subset = own::columns(card, &table);
    let columns: Vec<&str> = columns.into_iter().chain(subset).collect();
    for batch in table.batches(&columns, None)? {
        let batch = own::rows(card, batch?)?.0;
        let contexts = batch.texts("context")?;
        let spans: Vec<Vec<Span>> = read(&batch)?;
        for (context, spans) in contexts.iter().zip(spans) {
            counts.all += spans.len();
            counts.right += spans.iter().filter(|span| span.stands_in(context)).count();
        }
    }
    Ok(Some(counts))
}

impl Span {
    fn stands_in(&self, context: &str) -> bool {
        let length = self.text.chars().count();
        let ends = match (self.end, i64::try_from(length)) {
            (Some(end), Ok(length)) => end - self.start == length,
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
    let [_, texts, starts] = SQUAD;
    let texts = batch.text_lists(texts)?;
    let spans = texts.into_iter().zip(batch.integer_lists(starts)?);
    let spans = spans.map(|(texts, starts)| {
        let span = |(text, start)| Span {
            start,
            end: None,
            text,
        };
        texts.into_iter().zip(starts).map(span).collect()
    });
    Ok(spans.collect())
}

fn of_mrqa(batch: &Batch) -> Result<Vec<Vec<Span>>, TableError> {
    let [_, texts, spans] = MRQA;
    let rows = batch.text_lists(texts)?.into_iter();
    let rows = rows.zip(batch.span_lists(spans, "start", "end")?);
    let rows = rows.map(|(texts, spans)| {
        let of_text = texts.into_iter().zip(spans).flat_map(|(text, spans)| {
            spans.into_iter().map(move |(start, last)| Span {
                start,
                end: Some(last + 1),
                text: text.clone(),
            })
        });
        of_text.collect()
    });
    Ok(rows.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sample::{card, integers, list_of, lists, structure, texts, write};
    use std::path::{Path, PathBuf};

    fn count_in(name: &str, path: PathBuf) -> Result<Option<SpanCounts>, String> {
        let found = count(&card(name), &TableFile::Disk(path));
        found.map_err(|error| error.to_string())
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
            assert_eq!(found, Some(SpanCounts { all: 3, right }), "{starts:?}");
        }
    }

    /// Two rows, of which only the second is RACE's; its answer stands twice in the context.
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
            assert_eq!(found, Some(SpanCounts { all: 2, right }), "{ends:?}");
        }
        let found = count_in("squad", mrqa(&path, [3, 3, 12])).expect("a whole file");
        assert_eq!(found, Some(SpanCounts { all: 3, right: 2 }));
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
