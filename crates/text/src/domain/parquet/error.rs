//! Errors of a file of rows, and recognition of files that are not parquet. Rows are counted from 0.

use thiserror::Error;

/// The remedy for a truncated or altered file.
pub(super) const CUT: &str =
    "it was truncated or changed after it was written: download it or write it again";

/// Why a file could not be read as rows.
#[derive(Debug, Error)]
pub enum TableError {
    /// It cannot be opened.
    #[error("{file}: wanted {wanted}, found: {found}")]
    Open {
        /// The file.
        file: String,
        /// The kind of file.
        wanted: &'static str,
        /// The system's error.
        found: String,
    },
    /// It has another format or is truncated.
    #[error("{file}: wanted a whole parquet file, found: {found}; {advice}")]
    NotParquet {
        /// The file.
        file: String,
        /// The reader's error.
        found: String,
        /// What its first bytes show it to be, and the remedy.
        advice: &'static str,
    },
    /// A column with an unsupported compression.
    #[error(
        "{file}: column '{column}': wanted it in zstd, snappy, gzip, brotli, lz4 or uncompressed, found it in LZO: \
         write the file again in one of these"
    )]
    Compression {
        /// The file.
        file: String,
        /// The column.
        column: String,
    },
    /// It has columns but no rows.
    #[error("{file}: wanted rows, found 0")]
    Empty {
        /// The file.
        file: String,
    },
    /// Its footer is intact but its rows are not.
    #[error("{file}: damaged after row {row}: {found}; {cut}", cut = CUT)]
    Damaged {
        /// The file.
        file: String,
        /// The number of rows read before.
        row: usize,
        /// The reader's error.
        found: String,
    },
    /// A column is missing.
    #[error("{file}: wanted a column '{column}', found only: {}", .found.join(", "))]
    MissingColumn {
        /// The file.
        file: String,
        /// The column, with dots between a struct and its fields.
        column: String,
        /// The columns in the file.
        found: Vec<String>,
    },
    /// A column has another type.
    #[error("{file}: column '{column}': wanted {wanted}, found {found}")]
    WrongType {
        /// The file.
        file: String,
        /// The column.
        column: String,
        /// The kind of value wanted.
        wanted: &'static str,
        /// The Arrow type found.
        found: String,
    },
    /// A value is null.
    #[error("{file}: column '{column}', row {row}: wanted {wanted}, found null")]
    Null {
        /// The file.
        file: String,
        /// The column.
        column: String,
        /// The row.
        row: usize,
        /// The kind of value wanted.
        wanted: &'static str,
    },
    /// Two different rows have one name.
    #[error(
        "{file}: {place}: wanted a unique name for each row, which identifies its prediction, found '{name}' \
         again, with {differs} than {first}: {advice}"
    )]
    Repeated {
        /// The file.
        file: String,
        /// `row 7` or `line 7`.
        place: Box<str>,
        /// The name of both.
        name: String,
        /// What differs.
        differs: &'static str,
        /// The file and place of the first.
        first: Box<str>,
        /// The remedy.
        advice: &'static str,
    },
    /// A question without an answer.
    #[error("{file}: column '{column}', row {row}: wanted at least one answer, found none")]
    NoAnswer {
        /// The file.
        file: String,
        /// The column.
        column: String,
        /// The row.
        row: usize,
    },
    /// GLUE's test files have no labels: they are -1.
    #[error(
        "{file}: column '{column}', row {row}: wanted a label, found -1, which is how GLUE marks \
         unlabelled rows: this file cannot be scored, use the validation file as the test"
    )]
    Unlabelled {
        /// The file.
        file: String,
        /// The column.
        column: String,
        /// The row.
        row: usize,
    },
    /// A class index that has no label.
    #[error(
        "{file}: column '{column}', row {row}: wanted a label in 0..{classes}, found {found}: the card's \
         labels are counted from 0"
    )]
    LabelRange {
        /// The file.
        file: String,
        /// The column.
        column: String,
        /// The row.
        row: usize,
        /// The number of classes.
        classes: usize,
        /// The label.
        found: i64,
    },
    /// A value that is invalid in its column.
    #[error("{file}: column '{column}', row {row}: wanted {wanted}, found {found}")]
    Value {
        /// The file.
        file: String,
        /// The column.
        column: String,
        /// The row.
        row: usize,
        /// The value wanted.
        wanted: String,
        /// The value found.
        found: String,
    },
    /// An invalid line of a file of lines; lines are counted from 1, as in editors.
    #[error("{file}: line {line}: wanted {wanted}, found {found}")]
    Line {
        /// The file.
        file: String,
        /// The line.
        line: usize,
        /// What was wanted.
        wanted: &'static str,
        /// What was found.
        found: String,
    },
}

/// The number of first bytes inspected.
pub(super) const FIRST: usize = 512;

/// Magic bytes of formats mistaken for parquet.
const BEGINNINGS: [(&[u8], &str); 10] = [
    (b"PAR1", CUT),
    (
        b"version https://git-lfs",
        "it is a Git LFS pointer instead of the file: run `git lfs pull` in its repository",
    ),
    (b"ARROW1", ARROW),
    (b"\xff\xff\xff\xff", ARROW),
    (
        b"\x1f\x8b",
        "it is a gzip file: rename it to .jsonl.gz if it has MRQA's lines, otherwise unpack it",
    ),
    (b"PK\x03\x04", "it is a zip file: unpack it"),
    (b"{", JSON),
    (b"[", JSON),
    (b"<", WEB),
    (b"SQLite", "it is a database: write its table as parquet"),
];

const ARROW: &str = "it is an Arrow file, from datasets' save_to_disk or Feather: write it as parquet \
                     (datasets: Dataset.to_parquet)";
const JSON: &str = "it is JSON: rename it to .jsonl if it has MRQA's lines, otherwise write it as \
                    parquet (datasets: load_dataset(\"json\", …) and Dataset.to_parquet)";
const WEB: &str =
    "it is a web page, such as a saved error page, instead of the file: download the file itself";
const TEXT: &str =
    "it is text, such as CSV: write it as parquet (pandas: read_csv and DataFrame.to_parquet)";

/// What a file with these first bytes is, and the remedy.
pub(super) fn advice(first: &[u8]) -> &'static str {
    let first = first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(first);
    let known = (BEGINNINGS.iter()).find(|(beginning, _)| first.starts_with(beginning));
    match known {
        Some((_, advice)) => advice,
        None if !first.is_empty() && is_text(first) => TEXT,
        None => CUT,
    }
}

/// Whether these bytes are UTF-8 without control characters; a last character may be cut off.
fn is_text(bytes: &[u8]) -> bool {
    let whole = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    let plain = |c: char| !c.is_control() || c.is_whitespace();
    whole.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_formats_than_parquet_are_recognised() {
        for (first, part) in [
            (&b"PAR1\x15\x04"[..], "truncated"),
            (
                b"version https://git-lfs.github.com/spec/v1\n",
                "git lfs pull",
            ),
            (b"ARROW1\0\0", "Arrow"),
            (b"\xff\xff\xff\xff\x10\0", "Arrow"),
            (b"\x1f\x8b\x08", "gzip"),
            (b"{\"version\": \"1.1\"", "JSON"),
            (b"\xef\xbb\xbf[{", "JSON"),
            (b"<!DOCTYPE html>", "web page"),
            ("id,context\n1,Café".as_bytes(), "CSV"),
            (&"Café".as_bytes()[..4], "CSV"),
            (b"\0\x01\x02", "truncated"),
            (b"", "truncated"),
        ] {
            assert!(advice(first).contains(part), "{first:?}");
        }
    }
}
