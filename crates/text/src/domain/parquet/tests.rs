use super::*;
use crate::domain::sample::{list_of, read, texts, write, write_in, write_squad};
use ::parquet::arrow::ArrowWriter;
use ::parquet::basic::{Compression, ZstdLevel};
use ::parquet::file::properties::WriterProperties;
use arrow::array::RecordBatch;
use arrow::array::{ListArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int32Type};
use std::fs;
use std::path::Path;
use std::sync::Arc;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn message(path: &Path) -> String {
    let found = read(path, &["context"], |batch| batch.texts("context"));
    found.expect_err("a bad file").to_string()
}

#[test]
fn every_compression_that_writers_use_is_read() {
    let folder = folder();
    let contexts = ["C é.", "D.", "C é.", "E."];
    for (name, compression) in [
        ("none", Compression::UNCOMPRESSED),
        ("snappy", Compression::SNAPPY),
        ("gzip", Compression::GZIP(Default::default())),
        ("brotli", Compression::BROTLI(Default::default())),
        ("lz4", Compression::LZ4),
        ("lz4_raw", Compression::LZ4_RAW),
        ("zstd", Compression::ZSTD(Default::default())),
    ] {
        let columns = vec![("context", texts(&contexts))];
        let path = write_in(compression, &folder.path().join(name), columns);
        let found = read(&path, &["context"], |batch| batch.texts("context"));
        assert_eq!(found.expect(name), contexts, "{name}");
    }
}

#[test]
fn other_files_than_parquet_are_refused_by_format() {
    let folder = folder();
    let whole = write_squad(&folder.path().join("whole.parquet"), 20);
    let bytes = fs::read(&whole).expect("the file just written");
    let at = |name: &str| folder.path().join(name);
    fs::write(at("none"), b"").expect("a file");
    fs::write(at("text"), b"context,question\n").expect("a file");
    fs::write(at("cut"), &bytes[..bytes.len() - 40]).expect("a file");
    let empty = write(&at("empty"), vec![("context", texts(&[]))]);
    for (path, part) in [
        (
            at("absent"),
            "absent: wanted a parquet file, found: No such file",
        ),
        (
            at("none"),
            "none: wanted a whole parquet file, found: 0 bytes",
        ),
        (at("text"), "text: wanted a whole parquet file, found: "),
        (at("cut"), "cut: wanted a whole parquet file, found: "),
        (
            folder.path().to_path_buf(),
            "wanted a parquet file, found: a folder",
        ),
        (empty, "empty: wanted rows, found 0"),
    ] {
        let message = message(&path);
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn a_size_in_a_header_is_no_allocation() {
    let folder = folder();
    let path = folder.path().join("large.parquet");
    // A page of more than two million bytes: the varint of its size has four bytes, which hold values up to
    // 2²⁷.
    let column = texts(&["mill ".repeat(500_000).as_str()]);
    let batch = RecordBatch::try_from_iter([("context", column)]).expect("one column");
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_dictionary_enabled(false)
        .build();
    let mut bytes = Vec::new();
    let mut writer =
        ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).expect("a schema");
    writer.write(&batch).expect("written");
    writer.close().expect("a footer");
    fs::write(&path, &bytes).expect("a file");
    assert!(read(&path, &["context"], |batch| batch.texts("context")).is_ok());

    // After the file's magic number and the page's type.
    assert_eq!(bytes[4..7], [0x15, 0x00, 0x15]);
    assert!(bytes[7..10].iter().all(|byte| *byte >= 0x80) && bytes[10] < 0x80);
    bytes[7..11].copy_from_slice(&[0xfe, 0xff, 0xff, 0x7f]);
    fs::write(&path, &bytes).expect("a file");
    let message = message(&path);
    assert!(
        message.contains("that claims to decompress to 134217727"),
        "{message}"
    );
}

#[test]
fn damage_anywhere_is_an_error_or_another_text_and_no_panic_gets_out() {
    let folder = folder();
    let whole = write_squad(&folder.path().join("whole.parquet"), 10);
    let bytes = fs::read(&whole).expect("the file just written");
    let columns = ["id", "context", "question", "answers.text"];
    for at in (0..bytes.len()).step_by(7) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0xff;
        let path = folder.path().join("damaged.parquet");
        fs::write(&path, damaged).expect("a file");
        let _ = read(&path, &columns, |batch| {
            batch.text_lists("answers.text")?;
            batch.texts("context")
        });
    }
}

#[test]
fn every_layout_of_text_is_read() {
    let folder = folder();
    let plain = texts(&["a", "é", "a"]);
    let int32 = Box::new(DataType::Int32);
    for kind in [
        DataType::Utf8,
        DataType::LargeUtf8,
        DataType::Utf8View,
        DataType::Dictionary(int32.clone(), Box::new(DataType::Utf8)),
        DataType::Dictionary(int32, Box::new(DataType::LargeUtf8)),
    ] {
        let column = cast(&plain, &kind).expect("a cast of strings");
        let path = write(&folder.path().join("a.parquet"), vec![("context", column)]);
        let found = read(&path, &["context"], |batch| batch.texts("context"));
        assert_eq!(found.expect("texts"), ["a", "é", "a"], "{kind}");
    }
}

#[test]
fn lists_are_found_by_position() {
    let folder = folder();
    for child in ["item", "element", "array"] {
        let column = list_of(texts(&["a", "b", "c"]), [2, 0, 1].into_iter(), child);
        let large = cast(
            &column,
            &DataType::LargeList(Arc::new(Field::new(child, DataType::Utf8, true))),
        )
        .expect("a cast of lists");
        for column in [column, large] {
            let path = write(&folder.path().join("a.parquet"), vec![("answers", column)]);
            let found = read(&path, &["answers"], |batch| batch.text_lists("answers"));
            assert_eq!(found.expect("lists"), [vec!["a", "b"], vec![], vec!["c"]]);
        }
    }
}

#[test]
fn a_null_is_named_by_its_row_in_the_file() {
    let folder = folder();
    let path = folder.path().join("a.parquet");
    let some_null = StringArray::from(vec![Some("a"), Some("b"), Some("c"), None]);
    write(&path, vec![("context", Arc::new(some_null))]);
    let table = TableFile::Disk(path.clone()).open().expect("a whole file");
    let found: Result<Vec<_>, _> = table
        .batches(&["context"], Some(2))
        .expect("the column")
        .map(|batch| batch?.texts("context"))
        .collect();
    let message = found.expect_err("row 3 is null").to_string();
    assert!(
        message.ends_with("column 'context', row 3: wanted text, found null"),
        "{message}"
    );
    let lists = ListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(1)])]);
    write(&path, vec![("answers", Arc::new(lists))]);
    let found = read(&path, &["answers"], |batch| batch.text_lists("answers"));
    let message = found.expect_err("integers").to_string();
    assert!(
        message.contains("wanted a list of texts, found List"),
        "{message}"
    );
}

#[test]
fn a_limit_reads_no_more_than_it_needs() {
    let folder = folder();
    let path = write_squad(&folder.path().join("a.parquet"), 20);
    let table = TableFile::Disk(path).open().expect("a whole file");
    assert_eq!(table.rows(), 20);
    let mut batches = table.batches(&["id"], Some(4)).expect("the column");
    let first = batches.next().expect("a batch").expect("rows");
    assert_eq!((first.rows(), first.place(3)), (4, 3));
    assert!(first.has("id") && !first.has("context"));
}

#[test]
fn a_compiled_file_reads_like_one_on_disk() {
    let folder = folder();
    let path = write_squad(&folder.path().join("a.parquet"), 20);
    let bytes: &'static [u8] = fs::read(&path).expect("the file").leak();
    let name = "mini/a.parquet".to_string();
    let compiled = TableFile::Compiled { name, bytes };
    let disk = TableFile::Disk(path);
    let texts = |file: &TableFile| -> Vec<String> {
        let batches = file
            .open()
            .and_then(|table| table.batches(&["context"], None));
        batches
            .expect("a whole file")
            .flat_map(|batch| batch.and_then(|b| b.texts("context")).expect("texts"))
            .collect()
    };
    assert_eq!(texts(&compiled), texts(&disk));
    assert_eq!(texts(&disk).len(), 20);
    assert_eq!(
        compiled.sha256().expect("bytes"),
        disk.sha256().expect("bytes")
    );
}
