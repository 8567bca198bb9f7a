//! Rows as Parquet files with the schemas of the Hugging Face hub.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Int32Array, Int32Builder, Int64Array, ListBuilder, RecordBatch, StringArray,
    StringBuilder, StructArray,
};
use arrow::datatypes::{Field, Fields, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use super::domains::Domain;
use super::rows::{LabelledRow, QaRow, Rows};

/// Why a data set could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The file could not be created.
    #[error("cannot create {path}: {source}")]
    Create {
        path: PathBuf,
        source: std::io::Error,
    },
    /// Parquet failed, usually because the disk is full.
    #[error("cannot write {path}: {source}")]
    Parquet {
        path: PathBuf,
        source: parquet::errors::ParquetError,
    },
}

/// Rows per row group.
const GROUP: usize = 1000;

/// Writes the rows of a domain; equal rows give identical bytes.
///
/// Questions have the schema of `rajpurkar/squad` plus the column `facts`; texts with labels have the columns of
/// their data set, `label`, `idx` and for HANS `heuristic`.
pub fn write_parquet(rows: &Rows, domain: &Domain, path: &Path) -> Result<(), WriteError> {
    let batch = match rows {
        Rows::Qa(rows) => qa_batch(rows),
        Rows::Labelled(rows) => labelled_batch(rows, domain),
    };
    let file = File::create(path).map_err(|source| WriteError::Create {
        path: path.to_owned(),
        source,
    })?;
    // The default includes the library's version, which would change the bytes.
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(GROUP))
        .set_created_by("promptshift".to_owned())
        .build();
    let write = || {
        let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties))?;
        writer.write(&batch)?;
        writer.close()
    };
    write().map_err(|source| WriteError::Parquet {
        path: path.to_owned(),
        source,
    })?;
    Ok(())
}

fn strings<'a>(values: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

fn qa_batch(rows: &[QaRow]) -> RecordBatch {
    let mut texts = ListBuilder::new(StringBuilder::new());
    let mut starts = ListBuilder::new(Int32Builder::new());
    let mut facts = ListBuilder::new(StringBuilder::new());
    for row in rows {
        texts.append_value([Some(&row.answer)]);
        let start = i32::try_from(row.answer_start).expect("a passage is short");
        starts.append_value([Some(start)]);
        facts.append_value(row.facts.iter().map(Some));
    }
    let (texts, starts): (ArrayRef, ArrayRef) =
        (Arc::new(texts.finish()), Arc::new(starts.finish()));
    let fields = Fields::from(vec![
        Field::new("text", texts.data_type().clone(), false),
        Field::new("answer_start", starts.data_type().clone(), false),
    ]);
    let answers = StructArray::new(fields, vec![texts, starts], None);
    batch([
        ("id", strings(rows.iter().map(|row| row.id.as_str()))),
        ("title", strings(rows.iter().map(|row| row.title.as_str()))),
        (
            "context",
            strings(rows.iter().map(|row| row.context.as_str())),
        ),
        (
            "question",
            strings(rows.iter().map(|row| row.question.as_str())),
        ),
        ("answers", Arc::new(answers)),
        ("facts", Arc::new(facts.finish())),
    ])
}

fn labelled_batch(rows: &[LabelledRow], domain: &Domain) -> RecordBatch {
    let mut columns: Vec<(&str, ArrayRef)> = (domain.columns().into_iter().enumerate())
        .map(|(at, name)| (name, strings(rows.iter().map(|row| row.texts[at].as_str()))))
        .collect();
    let labels = rows.iter().map(|row| row.label);
    columns.push(("label", Arc::new(Int64Array::from_iter_values(labels))));
    let indices = rows.iter().map(|row| row.idx);
    columns.push(("idx", Arc::new(Int32Array::from_iter_values(indices))));
    let heuristics: Option<Vec<&str>> = rows.iter().map(|row| row.heuristic).collect();
    columns.extend(heuristics.map(|all| ("heuristic", strings(all.into_iter()))));
    batch(columns)
}

fn batch<'a>(columns: impl IntoIterator<Item = (&'a str, ArrayRef)>) -> RecordBatch {
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = (columns.into_iter())
        .map(|(name, array)| (Field::new(name, array.data_type().clone(), false), array))
        .unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
        .expect("the columns were built from the same rows")
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray};
    use arrow::datatypes::{Int32Type, Int64Type};
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::*;
    use crate::domain::Split;
    use crate::synthetic::{domains, rows};

    fn read(path: &Path) -> Vec<RecordBatch> {
        let file = File::open(path).expect("the file was written");
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("a Parquet file");
        reader
            .build()
            .expect("a reader")
            .map(|batch| batch.expect("a batch"))
            .collect()
    }

    #[test]
    fn writing_and_reading_are_inverse() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("rows.parquet");
        for domain in domains() {
            let rows = rows(domain, Split::Test, 1, 1100);
            write_parquet(&rows, domain, &path).expect("written");
            let bytes = std::fs::read(&path).expect("read");
            write_parquet(&rows, domain, &path).expect("written again");
            assert_eq!(bytes, std::fs::read(&path).expect("read again"));

            let mut at = 0;
            for batch in read(&path) {
                let column = |name: &str| batch.column_by_name(name).expect("a column");
                for index in 0..batch.num_rows() {
                    match &rows {
                        Rows::Qa(rows) => {
                            let row = &rows[at];
                            assert_eq!(column("id").as_string::<i32>().value(index), row.id);
                            let question = column("question").as_string::<i32>().value(index);
                            assert_eq!(question, row.question);
                            let answers = column("answers").as_struct();
                            let texts = answers.column(0).as_list::<i32>().value(index);
                            assert_eq!(texts.as_string::<i32>().value(0), row.answer);
                            assert_eq!(texts.len(), 1);
                            let starts = answers.column(1).as_list::<i32>().value(index);
                            let start = starts.as_primitive::<Int32Type>().value(0);
                            assert_eq!(start as usize, row.answer_start);
                            let facts = column("facts").as_list::<i32>().value(index);
                            assert_eq!(facts.len(), row.facts.len());
                        }
                        Rows::Labelled(rows) => {
                            let row = &rows[at];
                            for (place, text) in row.texts.iter().enumerate() {
                                let found = batch.column(place).as_string::<i32>().value(index);
                                assert_eq!(found, text);
                            }
                            let label = column("label").as_primitive::<Int64Type>().value(index);
                            assert_eq!(label, row.label);
                            let idx = column("idx").as_primitive::<Int32Type>().value(index);
                            assert_eq!(idx, row.idx);
                        }
                    }
                    at += 1;
                }
            }
            assert_eq!(at, rows.len());
        }
    }
}
