//! Writes columns as Parquet, compressed with Snappy, which all readers support.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use ::parquet::basic::Compression;
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::properties::WriterProperties;
use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Float64Builder, Int64Array, ListBuilder, RecordBatch,
    StringArray, StringBuilder, UInt64Array,
};
use arrow::datatypes::{Field, Schema, SchemaRef};

use super::column::{Column, Values};
use super::{ExportError, VERSION};

/// Rows per row group, which is kept in memory until it is full.
const GROUP: usize = 1 << 16;

/// A table while it is being written.
#[derive(Debug)]
pub(super) struct Writer {
    path: PathBuf,
    schema: SchemaRef,
    writer: ArrowWriter<File>,
}

impl Writer {
    /// Creates the file, with the schema of these columns.
    pub fn create(path: PathBuf, columns: &[Column]) -> Result<Writer, ExportError> {
        let file = File::create_new(&path).map_err(|source| ExportError::Io {
            path: path.clone(),
            source,
        })?;
        let fields = columns.iter().map(|column| {
            let kind = array(&column.values).data_type().clone();
            Field::new(column.name, kind, true)
        });
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        // The default includes the library's version, so the bytes would change with it.
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_max_row_group_row_count(Some(GROUP))
            .set_created_by("promptshift".to_owned())
            .set_key_value_metadata(Some(vec![KeyValue::new(
                "promptshift-tables".to_owned(),
                VERSION.to_string(),
            )]))
            .build();
        match ArrowWriter::try_new(file, schema.clone(), Some(properties)) {
            Ok(writer) => Ok(Writer {
                path,
                schema,
                writer,
            }),
            Err(source) => Err(ExportError::Parquet { path, source }),
        }
    }

    /// Adds rows.
    pub fn write(&mut self, columns: &[Column]) -> Result<(), ExportError> {
        let arrays = columns.iter().map(|column| array(&column.values)).collect();
        let batch = RecordBatch::try_new(self.schema.clone(), arrays);
        let written = batch.map_err(ParquetError::from);
        let written = written.and_then(|batch| self.writer.write(&batch));
        written.map_err(|source| self.failed(source))
    }

    /// Finishes the file and syncs it to disk.
    pub fn finish(mut self) -> Result<(), ExportError> {
        let written = self.writer.finish().map(|_| ());
        written.map_err(|source| self.failed(source))?;
        let synced = self.writer.inner().sync_all();
        synced.map_err(|source| ExportError::Io {
            path: self.path,
            source,
        })
    }

    fn failed(&self, source: ParquetError) -> ExportError {
        ExportError::Parquet {
            path: self.path.clone(),
            source,
        }
    }
}

/// Values as an Arrow array.
fn array(values: &Values) -> ArrayRef {
    match values {
        Values::Text(values) => {
            Arc::new(values.iter().map(Option::as_deref).collect::<StringArray>())
        }
        Values::Count(values) => Arc::new(values.iter().copied().collect::<Int64Array>()),
        Values::Key(values) => Arc::new(values.iter().copied().collect::<UInt64Array>()),
        Values::Number(values) => Arc::new(values.iter().copied().collect::<Float64Array>()),
        Values::Flag(values) => Arc::new(values.iter().copied().collect::<BooleanArray>()),
        Values::Texts(values) => {
            let mut lists = ListBuilder::new(StringBuilder::new());
            for list in values {
                lists.append_option(list.map(|list| list.iter().map(Some)));
            }
            Arc::new(lists.finish())
        }
        Values::Numbers(values) => {
            let mut lists = ListBuilder::new(Float64Builder::new());
            for list in values {
                lists.append_option(list.map(|list| list.iter().copied().map(Some)));
            }
            Arc::new(lists.finish())
        }
    }
}
