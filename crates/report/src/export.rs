//! Records as two tables for pandas, polars and R: `cells`, a row for each domain that a record was
//! scored on, and `examples`, a row for each of its predictions. `docs/tables.md` is their schema.
//!
//! What is in a row is a pure function of a record (`cells`, `examples`); how a table is written
//! knows of columns only. Records are written one after another, so that a table may be larger than
//! memory.

mod cells;
mod column;
mod csv;
mod examples;
mod parquet;

use std::io;
use std::path::{Path, PathBuf};

use ::parquet::errors::ParquetError;
use serde::Serialize;

use crate::error::ReportError;
use crate::study::check_record;
use column::Column;
use promptshift_numbers::record::folder::StoredRecord;
use promptshift_numbers::record::{Cell, Setting};

/// The version of both tables: raised when a column is renamed, removed or means something else.
pub const VERSION: u32 = 1;

/// What the tables are written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Types, lists and missing values as they are.
    Parquet,
    /// Text: lists are JSON, and a missing value is an empty field.
    Csv,
}

/// Tables that can't be written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A record contradicts its predictions.
    #[error(transparent)]
    Record(Box<ReportError>),
    /// The file system said no.
    #[error("cannot write {}: {source}", path.display())]
    Io {
        /// The table.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// The parquet library said no, mostly because the disk is full.
    #[error("cannot write {}: {source}", path.display())]
    Parquet {
        /// The table.
        path: PathBuf,
        /// What it said.
        source: ParquetError,
    },
}

/// Both tables while they are written.
#[derive(Debug)]
pub struct Tables {
    cells: Table,
    examples: Table,
}

/// How many rows were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// To `cells`.
    pub cells: usize,
    /// To `examples`.
    pub examples: usize,
}

impl Tables {
    /// Starts `cells` and `examples` in a folder, with the format's name as their ending.
    ///
    /// # Errors
    /// A file can't be made.
    pub fn create(folder: &Path, format: Format) -> Result<Tables, ExportError> {
        Ok(Tables {
            cells: Table::create(folder, "cells", format, &cells::columns(&[]))?,
            examples: Table::create(folder, "examples", format, &examples::columns(&[]))?,
        })
    }

    /// Writes a record's rows: its evaluations, then those with a few examples of a target; of the
    /// examples, then those of source validation.
    ///
    /// # Errors
    /// The record's metrics are not those of its predictions, or a file can't be written.
    pub fn write(&mut self, stored: &StoredRecord) -> Result<(), ExportError> {
        check_record(stored).map_err(|error| ExportError::Record(Box::new(error)))?;
        self.cells.write(&cells::columns(&cells::rows(stored)))?;
        for part in &examples::parts(stored) {
            self.examples.write(&examples::columns(&part.rows()))?;
        }
        Ok(())
    }

    /// Finishes both files and waits until they are on the disk.
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

/// One table while it is written.
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
    /// `columns` may be without rows: what they are called and hold is all that is looked at.
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

/// What a record's study held fixed.
fn setting(cell: &Cell) -> &Setting {
    &cell.setting
}

/// The word that `record.json` has for one of a few possible values: `extractive_qa`.
fn word(value: impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        other => unreachable!("wanted a value that is recorded as a word, found {other:?}"),
    }
}

#[cfg(test)]
mod tests;
