//! What can be wrong with a file of rows; rows are counted from 0.

use thiserror::Error;

/// What is to be done about a file of which a part is missing or changed.
pub(super) const CUT: &str =
    "it was cut off or changed after it was written: download it or write it again";

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
        /// What the system says.
        found: String,
    },
    /// It is something else, or its end is cut off.
    #[error("{file}: wanted a whole parquet file, found: {found}; {advice}")]
    NotParquet {
        /// The file.
        file: String,
        /// What the reader says.
        found: String,
        /// What it is instead, as its first bytes tell, and how to go on.
        advice: &'static str,
    },
    /// A column that can't be decompressed.
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
    /// It holds columns and no rows.
    #[error("{file}: wanted rows, found 0")]
    Empty {
        /// The file.
        file: String,
    },
    /// Its footer is whole and its rows are not.
    #[error("{file}: damaged after row {row}: {found}; {cut}", cut = CUT)]
    Damaged {
        /// The file.
        file: String,
        /// Rows read before.
        row: usize,
        /// What the reader says.
        found: String,
    },
    /// A column is missing.
    #[error("{file}: wanted a column '{column}', found only: {}", .found.join(", "))]
    MissingColumn {
        /// The file.
        file: String,
        /// The column, with dots between a struct and its fields.
        column: String,
        /// The columns that it has.
        found: Vec<String>,
    },
    /// A column holds something else.
    #[error("{file}: column '{column}': wanted {wanted}, found {found}")]
    WrongType {
        /// The file.
        file: String,
        /// The column.
        column: String,
        /// The kind of value needed.
        wanted: &'static str,
        /// The Arrow type found.
        found: String,
    },
    /// A value is absent.
    #[error("{file}: column '{column}', row {row}: wanted {wanted}, found null")]
    Null {
        /// The file.
        file: String,
        /// The column.
        column: String,
        /// The row.
        row: usize,
        /// The kind of value needed.
        wanted: &'static str,
    },
    /// Two rows of one name that are not the same.
    #[error(
        "{file}: {place}: wanted a name of its own for each row, by which predictions are told apart, found '{name}' \
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
        /// How to go on.
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
    /// A value that its column cannot hold.
    #[error("{file}: column '{column}', row {row}: wanted {wanted}, found {found}")]
    Value {
        /// The file.
        file: String,
        /// The column.
        column: String,
        /// The row.
        row: usize,
        /// What it has to be.
        wanted: String,
        /// What it is.
        found: String,
    },
    /// A line of a file of lines; lines are counted from 1, as editors do.
    #[error("{file}: line {line}: wanted {wanted}, found {found}")]
    Line {
        /// The file.
        file: String,
        /// The line.
        line: usize,
        /// What it has to be.
        wanted: &'static str,
        /// What it is.
        found: String,
    },
}
