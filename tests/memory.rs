//! Memory does not grow with a file. A binary of its own: the allocator counts the whole process, so
//! nothing else may run beside it.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, ListArray, RecordBatch, StringArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use promptshift::domain::card::Card;
use promptshift::domain::catalogue::Catalogue;
use promptshift::domain::draw::Take;
use promptshift::domain::suite::Suite;
use promptshift::memory::peak_of;

/// Rows of the file; its texts take about 250 MB.
const ROWS: usize = 2_000_000;
/// Every so many rows one is of the data set asked for.
const EVERY: usize = 4_000;
/// What reading may take beyond what was allocated before.
const BOUND: u64 = 24 << 20;

fn batch(rows: std::ops::Range<usize>) -> RecordBatch {
    let length = rows.len();
    let column = |text: &dyn Fn(usize) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(rows.clone().map(text)))
    };
    let answers = ListArray::new(
        Arc::new(Field::new("element", DataType::Utf8, true)),
        OffsetBuffer::from_lengths(vec![1; length]),
        column(&|row| format!("{row}")),
        None,
    );
    let subset = |row: usize| {
        if row.is_multiple_of(EVERY) {
            "RACE"
        } else {
            "DROP"
        }
        .to_string()
    };
    let context = |row: usize| {
        format!("The mill of number {row} stands by a brook and grinds oats for {row} farms.")
    };
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("subset", column(&subset)),
        ("context", column(&context)),
        ("qid", column(&|row| format!("question-{row}"))),
        (
            "question",
            column(&|row| format!("Which number has mill {row}?")),
        ),
        ("answers", Arc::new(answers)),
    ];
    RecordBatch::try_from_iter(columns).expect("columns of one length")
}

/// Writes the file in the row groups that writers make by default, of about a million rows.
fn write(path: &Path) {
    fs::create_dir_all(path.parent().expect("a file in a folder")).expect("a folder");
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .build();
    let file = File::create(path).expect("a new file");
    let mut writer =
        ArrowWriter::try_new(file, batch(0..1).schema(), Some(properties)).expect("a schema");
    for first in (0..ROWS).step_by(10_000) {
        writer
            .write(&batch(first..first + 10_000))
            .expect("written");
    }
    writer.close().expect("a footer");
}

/// Rows read of a card's test split, and the bytes that this took beyond those before.
fn read(suite: &Suite, card: &Card, take: Take) -> (usize, u64) {
    let target = suite.target(card).expect("has test");
    let ((), before) = peak_of(|| ());
    let (rows, peak) = peak_of(|| suite.read(card, &target, take).expect("rows"));
    (rows.examples.len(), peak.saturating_sub(before))
}

#[test]
fn a_file_of_two_million_rows_is_read_in_little_memory() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(&folder.path().join("race/test.parquet"));
    let suite = Suite::Folder(folder.path().to_path_buf());
    let catalogue = Catalogue::bundled();
    let card = catalogue.get("race").expect("a bundled card");

    let (rows, bytes) = read(&suite, card, Take::All);
    assert_eq!(
        rows,
        ROWS / EVERY,
        "every row is looked at and these are kept"
    );
    assert!(bytes < BOUND, "a data set among others took {bytes} bytes");

    let whole = Card {
        source: None,
        ..card.clone()
    };
    let (rows, bytes) = read(&suite, &whole, Take::First(1_000));
    assert_eq!(rows, 1_000);
    assert!(bytes < BOUND, "the first rows took {bytes} bytes");

    let (rows, bytes) = read(&suite, &whole, Take::Drawn(1_000));
    assert_eq!(rows, 1_000);
    assert!(bytes < BOUND, "rows drawn from all took {bytes} bytes");
}
