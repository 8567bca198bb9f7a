//! Reads columns of parquet files as text and integers, one row group at a time; only the requested columns are read.
//!
//! Columns are matched by name and kind rather than by exact type, as the Hub's files vary: strings may be plain,
//! large, views or dictionaries, and a list's child may be called `item` or `element`. Every compression except LZO is
//! supported. Messages count rows from 0.

mod batch;
mod error;
mod pages;

use self::batch::find;
use self::error::FIRST;
pub use batch::Batch;
pub use error::TableError;

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use ::parquet::basic::Compression;
use ::parquet::errors::ParquetError;
use ::parquet::file::reader::{ChunkReader, Length};
use bytes::Bytes;

use crate::{foreign, hash};

/// A parquet file, not yet opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TableFile {
    /// A file on disk.
    Disk(PathBuf),
    /// A file compiled into the binary.
    Compiled {
        /// The name for messages.
        name: String,
        /// Its content.
        bytes: &'static [u8],
    },
}

impl TableFile {
    /// Its name in messages and records.
    pub fn name(&self) -> String {
        match self {
            TableFile::Disk(path) => path.display().to_string(),
            TableFile::Compiled { name, .. } => name.clone(),
        }
    }

    /// SHA-256 of its bytes.
    pub fn sha256(&self) -> Result<String, TableError> {
        match self {
            TableFile::Disk(path) => hash::sha256_file(path).map_err(|error| TableError::Open {
                file: self.name(),
                wanted: "a parquet file",
                found: error.to_string(),
            }),
            TableFile::Compiled { bytes, .. } => Ok(hash::sha256(bytes)),
        }
    }

    /// Reads the footer.
    pub fn open(&self) -> Result<Table, TableError> {
        let file = self.name();
        let input = match self {
            TableFile::Disk(path) if path.is_dir() => {
                return Err(TableError::Open {
                    file,
                    wanted: "a parquet file",
                    found: "a folder; wanted one of its files".to_string(),
                });
            }
            TableFile::Disk(path) => match File::open(path) {
                Ok(opened) => Input::Disk(opened),
                Err(error) => {
                    let found = error.to_string();
                    let wanted = "a parquet file";
                    return Err(TableError::Open {
                        file,
                        wanted,
                        found,
                    });
                }
            },
            TableFile::Compiled { bytes, .. } => Input::Compiled(bytes),
        };
        let length = input.len();
        let first = input.get_bytes(0, FIRST.min(length as usize));
        let not_parquet = |found: String| {
            let advice = error::advice(&first.unwrap_or_default());
            TableError::NotParquet {
                file: self.name(),
                found,
                advice,
            }
        };
        if length == 0 {
            return Err(not_parquet("0 bytes".to_string()));
        }
        let pages = match self {
            TableFile::Disk(path) => File::open(path).ok(),
            // Bytes that were compiled in need no check.
            TableFile::Compiled { .. } => None,
        };
        let opened = foreign::read(|| ParquetRecordBatchReaderBuilder::try_new(input));
        let builder = match opened.and_then(|opened| opened.map_err(|error| error.to_string())) {
            Ok(builder) => builder,
            Err(found) => return Err(not_parquet(found)),
        };
        let table = Table {
            file,
            builder,
            pages,
        };
        if table.rows() == 0 {
            return Err(TableError::Empty { file: table.file });
        }
        Ok(table)
    }
}

/// An opened file: its columns are known, its rows are not yet read.
pub struct Table {
    file: String,
    builder: ParquetRecordBatchReaderBuilder<Input>,
    /// A second handle on the file, to check pages before they are read.
    pages: Option<File>,
}

/// Rows decoded at a time.
const BATCH_ROWS: usize = 1024;

impl Table {
    /// The number of rows stated by the footer.
    pub fn rows(&self) -> usize {
        usize::try_from(self.builder.metadata().file_metadata().num_rows()).unwrap_or(0)
    }

    /// Whether it has a column of this name.
    pub fn has(&self, column: &str) -> bool {
        find(self.builder.schema().fields(), column).is_some()
    }

    /// Starts to read these columns. A dotted name is a field of a struct, or of each struct in a list, or a
    /// column whose own name has dots. With a `limit`, at most that many rows are decoded before the first
    /// batch is returned.
    pub fn batches(self, columns: &[&str], limit: Option<usize>) -> Result<Batches, TableError> {
        for column in columns {
            self.check(column)?;
        }
        let leaves = self.builder.parquet_schema().columns().iter().enumerate();
        let asked = leaves.filter(|(_, leaf)| {
            let path = leaf.path().parts();
            columns.iter().any(|column| stands_at(column, path))
        });
        let mut read = Vec::new();
        for (place, leaf) in asked {
            self.check_compression(place, &leaf.path().parts()[0])?;
            read.push(place);
        }
        self.check_pages(&read)?;
        let mask = ProjectionMask::leaves(self.builder.parquet_schema(), read);
        let builder = self
            .builder
            .with_projection(mask)
            .with_batch_size(limit.unwrap_or(BATCH_ROWS).clamp(1, BATCH_ROWS));
        let reader = foreign::read(|| builder.build())
            .and_then(|built| built.map_err(|error| error.to_string()))
            .map_err(|found| TableError::NotParquet {
                file: self.file.clone(),
                found,
                advice: error::CUT,
            })?;
        Ok(Batches {
            file: self.file,
            reader,
            rows: 0,
        })
    }

    /// Checks that the column exists.
    fn check(&self, column: &str) -> Result<(), TableError> {
        let fields = self.builder.schema().fields();
        match find(fields, column) {
            Some(_) => Ok(()),
            None => Err(TableError::MissingColumn {
                file: self.file.clone(),
                column: column.to_string(),
                found: fields.iter().map(|field| field.name().clone()).collect(),
            }),
        }
    }

    /// Checks that the page sizes stated in the leaves at these indices are plausible.
    fn check_pages(&self, leaves: &[usize]) -> Result<(), TableError> {
        let Some(file) = &self.pages else {
            return Ok(());
        };
        let groups = self.builder.metadata().row_groups();
        let check = || {
            let mut columns =
                (groups.iter()).flat_map(|group| leaves.iter().map(|&leaf| group.column(leaf)));
            columns.try_for_each(|column| pages::check(file, column))
        };
        foreign::read(check)
            .and_then(|checked| checked)
            .map_err(|found| TableError::NotParquet {
                file: self.file.clone(),
                found,
                advice: error::CUT,
            })
    }

    /// Checks that a column (the leaf at this index) has a supported compression.
    fn check_compression(&self, leaf: usize, column: &str) -> Result<(), TableError> {
        let mut groups = self.builder.metadata().row_groups().iter();
        if groups.any(|group| group.column(leaf).compression() == Compression::LZO) {
            return Err(TableError::Compression {
                file: self.file.clone(),
                column: column.to_string(),
            });
        }
        Ok(())
    }
}

/// Whether a parquet leaf's path belongs to the column of this name. Paths have extra levels between a list
/// and its items: usually two (`answers.list.element.text`), one in old files.
fn stands_at(column: &str, path: &[String]) -> bool {
    if path[0] == column {
        return true;
    }
    let mut names = column.split('.').peekable();
    for (depth, part) in path.iter().enumerate() {
        match names.peek() {
            None => return true,
            Some(name) if *name == part => {
                names.next();
            }
            Some(_) if depth == 0 => return false,
            Some(_) => {}
        }
    }
    names.peek().is_none()
}

/// The rows of a file in batches.
pub struct Batches {
    file: String,
    reader: ParquetRecordBatchReader,
    rows: usize,
}

impl Iterator for Batches {
    type Item = Result<Batch, TableError>;

    fn next(&mut self) -> Option<Self::Item> {
        let first_row = self.rows;
        let reader = &mut self.reader;
        let damaged = |found| TableError::Damaged {
            file: self.file.clone(),
            row: first_row,
            found,
        };
        Some(match foreign::read(|| reader.next()) {
            Ok(None) => return None,
            Ok(Some(Ok(columns))) => {
                self.rows += columns.num_rows();
                Ok(Batch {
                    file: self.file.clone(),
                    places: (first_row..self.rows).collect(),
                    before: 0,
                    columns,
                })
            }
            Ok(Some(Err(error))) => Err(damaged(error.to_string())),
            Err(panic) => Err(damaged(panic)),
        })
    }
}

/// The source of the bytes.
enum Input {
    Disk(File),
    Compiled(&'static [u8]),
}

impl Length for Input {
    fn len(&self) -> u64 {
        match self {
            Input::Disk(file) => Length::len(file),
            Input::Compiled(bytes) => bytes.len() as u64,
        }
    }
}

impl ChunkReader for Input {
    type T = Box<dyn Read>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(match self {
            Input::Disk(file) => Box::new(file.get_read(start)?),
            Input::Compiled(bytes) => Box::new(Bytes::from_static(bytes).get_read(start)?),
        })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        // The library allocates the length stated by a header before it reads.
        if start.saturating_add(length as u64) > self.len() {
            return Err(ParquetError::EOF(format!(
                "{length} bytes from {start} on, of {}",
                self.len()
            )));
        }
        match self {
            Input::Disk(file) => file.get_bytes(start, length),
            Input::Compiled(bytes) => Bytes::from_static(bytes).get_bytes(start, length),
        }
    }
}

#[cfg(test)]
mod tests;
