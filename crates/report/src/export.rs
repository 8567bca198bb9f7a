//! Exports records: as a model card for the Hub, and as two tables for pandas, polars and R: `cells` with a row for each domain that a record was
//! scored on, and `examples` with a row for each prediction. `docs/tables.md` describes their columns.
//!
//! Rows are pure functions of a record (`cells`, `examples`); writers depend on columns only. Records are written one
//! after another, so tables may be larger than memory.

mod cells;
mod column;
mod csv;
mod examples;
mod model_card;
mod parquet;

pub use model_card::ModelCard;

use std::io;
use std::path::{Path, PathBuf};

use ::parquet::errors::ParquetError;
use serde::Serialize;

use crate::error::ReportError;
use crate::study::check_record;
use column::Column;
use promptshift_numbers::record::folder::StoredRecord;

/// The version of both tables, incremented when a column is renamed, removed or changes its meaning.
pub const VERSION: u32 = 1;

/// The file format of the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Parquet, with types, lists and missing values.
    Parquet,
    /// CSV: lists are JSON, and a missing value is an empty field.
    Csv,
}

/// Errors of writing tables.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A record contradicts its predictions.
    #[error(transparent)]
    Record(Box<ReportError>),
    /// The file system failed.
    #[error("cannot write {}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    /// The Parquet library failed, usually because the disk is full.
    #[error("cannot write {}: {source}", path.display())]
    Parquet { path: PathBuf, source: ParquetError },
}

/// Both tables while they are being written.
#[derive(Debug)]
pub struct Tables {
    cells: Table,
    examples: Table,
}

/// The number of rows written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Rows of `cells`.
    pub cells: usize,
    /// Rows of `examples`.
    pub examples: usize,
}

impl Tables {
    /// Creates `cells` and `examples` in a folder, with the format's file extension.
    ///
    /// # Errors
    /// A file can't be created.
    pub fn create(folder: &Path, format: Format) -> Result<Tables, ExportError> {
        Ok(Tables {
            cells: Table::create(folder, "cells", format, &cells::columns(&[]))?,
            examples: Table::create(folder, "examples", format, &examples::columns(&[]))?,
        })
    }

    /// Writes a record's rows: zero-shot evaluations, then few-shot evaluations; for `examples` also source
    /// validation.
    ///
    /// # Errors
    /// The record's metrics differ from those of its predictions, or a file can't be written.
    pub fn write(&mut self, stored: &StoredRecord) -> Result<(), ExportError> {
        check_record(stored).map_err(|error| ExportError::Record(Box::new(error)))?;
        self.cells.write(&cells::columns(&cells::rows(stored)))?;
        for part in &examples::parts(stored) {
            self.examples.write(&examples::columns(&part.rows()))?;
        }
        Ok(())
    }

    /// Finishes both files and syncs them to disk.
    ///
    /// # Errors
    /// A file can't be written.
    pub fn finish(self) -> Result<Written, ExportError> {
        Ok(Written {
            cells: self.cells.finish()?,
            examples: self.examples.finish()?,
        })
    }
}

/// One table while it is being written.
#[derive(Debug)]
struct Table {
    writer: Writer,
    rows: usize,
}

#[derive(Debug)]
enum Writer {
    Parquet(Box<parquet::Writer>),
    Csv(csv::Writer),
}

impl Table {
    /// Only the names and types of `columns` matter; they may have no rows.
    fn create(
        folder: &Path,
        name: &str,
        format: Format,
        columns: &[Column],
    ) -> Result<Table, ExportError> {
        let writer = match format {
            Format::Parquet => {
                let path = folder.join(format!("{name}.parquet"));
                Writer::Parquet(Box::new(parquet::Writer::create(path, columns)?))
            }
            Format::Csv => {
                let path = folder.join(format!("{name}.csv"));
                Writer::Csv(csv::Writer::create(path, columns)?)
            }
        };
        Ok(Table { writer, rows: 0 })
    }

    fn write(&mut self, columns: &[Column]) -> Result<(), ExportError> {
        self.rows += column::rows(columns);
        match &mut self.writer {
            Writer::Parquet(writer) => writer.write(columns),
            Writer::Csv(writer) => writer.write(columns),
        }
    }

    fn finish(self) -> Result<usize, ExportError> {
        match self.writer {
            Writer::Parquet(writer) => writer.finish()?,
            Writer::Csv(writer) => writer.finish()?,
        }
        Ok(self.rows)
    }
}

/// The word for an enum value in `record.json`: `extractive_qa`.
fn word(value: impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        other => unreachable!("wanted a value that serialises as a word, found {other:?}"),
    }
}

#[cfg(test)]
mod tests;
