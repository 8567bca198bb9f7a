//! Small parquet files for the readers' tests.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use ::parquet::basic::Compression;
use ::parquet::file::properties::WriterProperties;
use arrow::array::{
    ArrayRef, Int32Array, Int64Array, ListArray, RecordBatch, StringArray, StructArray,
    new_empty_array,
};
use arrow::datatypes::{DataType, Field};
use flate2::Compression as Level;
use flate2::write::GzEncoder;

use super::card::{self, Card};
use super::parquet::{Batch, TableError, TableFile};

/// The bundled card of this name.
pub fn card(name: &str) -> Card {
    card::bundled()
        .into_iter()
        .find(|card| card.name == name)
        .expect("a bundled card")
}

/// Writes columns as a file, in row groups of three rows.
pub fn write(path: &Path, columns: Vec<(&str, ArrayRef)>) -> PathBuf {
    write_in(Compression::UNCOMPRESSED, path, columns)
}

/// [`write`], compressed.
pub fn write_in(compression: Compression, path: &Path, columns: Vec<(&str, ArrayRef)>) -> PathBuf {
    fs::create_dir_all(path.parent().expect("a file in a folder")).expect("a folder");
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    )
    .expect("columns of one length");
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(3))
        .set_compression(compression)
        .build();
    let file = File::create(path).expect("a new file");
    let mut writer =
        ArrowWriter::try_new(file, batch.schema(), Some(properties)).expect("a schema");
    writer.write(&batch).expect("a batch");
    writer.close().expect("a footer");
    path.to_path_buf()
}

/// Applies `read` to every batch of some columns of a file.
pub fn read<T>(
    path: &Path,
    columns: &[&str],
    read: impl Fn(&Batch) -> Result<Vec<T>, TableError>,
) -> Result<Vec<T>, TableError> {
    let table = TableFile::Disk(path.to_path_buf()).open()?;
    let mut rows = Vec::new();
    for batch in table.batches(columns, None)? {
        rows.extend(read(&batch?)?);
    }
    Ok(rows)
}

/// A column of texts.
pub fn texts(texts: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(texts.to_vec()))
}

/// A column of integers.
pub fn integers(integers: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(integers.to_vec()))
}

/// A column of structs with these fields.
pub fn structure(fields: Vec<(&str, ArrayRef)>) -> ArrayRef {
    let fields = fields.into_iter().map(|(name, array)| {
        (
            Arc::new(Field::new(name, array.data_type().clone(), true)),
            array,
        )
    });
    Arc::new(StructArray::from(fields.collect::<Vec<_>>()))
}

/// A column of lists of texts.
pub fn lists(lists: &[&[&str]]) -> ArrayRef {
    let flat: Vec<&str> = lists.iter().flat_map(|list| list.iter().copied()).collect();
    let values: ArrayRef = if flat.is_empty() {
        new_empty_array(&DataType::Utf8)
    } else {
        texts(&flat)
    };
    list_of(values, lists.iter().map(|list| list.len()), "element")
}

/// SQuAD's `answers`, all starts 0.
pub fn answers(texts: &[&[&str]]) -> ArrayRef {
    let lengths = || texts.iter().map(|list| list.len());
    let starts: ArrayRef = Arc::new(Int32Array::from(vec![0; lengths().sum()]));
    let text = lists(texts);
    let answer_start = list_of(starts, lengths(), "element");
    structure(vec![("text", text), ("answer_start", answer_start)])
}

/// Lists of these lengths, with a child of this name.
pub fn list_of(values: ArrayRef, lengths: impl Iterator<Item = usize>, child: &str) -> ArrayRef {
    let field = Arc::new(Field::new(child, values.data_type().clone(), true));
    let offsets = arrow::buffer::OffsetBuffer::from_lengths(lengths);
    Arc::new(ListArray::new(field, offsets, values, None))
}

/// A SQuAD file of this many questions, two for each passage.
pub fn write_squad(path: &Path, rows: usize) -> PathBuf {
    let numbered = |name: &str, divisor: usize| -> Vec<String> {
        (0..rows)
            .map(|row| format!("{name} {}", row / divisor))
            .collect()
    };
    let (ids, contexts) = (numbered("id", 1), numbered("passage", 2));
    let (questions, golds) = (numbered("question", 1), numbered("passage", 2));
    let borrow =
        |texts: &[String]| -> ArrayRef { Arc::new(StringArray::from_iter_values(texts.iter())) };
    let golds: Vec<Vec<&str>> = golds.iter().map(|gold| vec![gold.as_str()]).collect();
    let golds: Vec<&[&str]> = golds.iter().map(Vec::as_slice).collect();
    write(
        path,
        vec![
            ("id", borrow(&ids)),
            ("context", borrow(&contexts)),
            ("question", borrow(&questions)),
            ("answers", answers(&golds)),
        ],
    )
}

/// Writes a gzipped text.
pub fn gzip(path: &Path, text: &str) -> PathBuf {
    let file = File::create(path).expect("a new file");
    let mut writer = GzEncoder::new(file, Level::fast());
    writer.write_all(text.as_bytes()).expect("written");
    writer.finish().expect("finished");
    path.to_path_buf()
}
