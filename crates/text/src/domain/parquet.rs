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

/// An opened file: its columns are known, its rows are not read.
pub struct Table {
    file: String,
    builder: ParquetRecordBatchReaderBuilder<Input>,
    /// A second handle on the file, to check its pages before they are read.
    pages: Option<File>,
}

/// Rows decoded at a time.
const BATCH_ROWS: usize = 1024;

impl Table {
    /// The number of rows that the footer states.
    pub fn rows(&self) -> usize {
        usize::try_from(self.builder.metadata().file_metadata().num_rows()).unwrap_or(0)
    }

    /// Whether it has a column of this name.
    pub fn has(&self, column: &str) -> bool {
        find(self.builder.schema().fields(), column).is_some()
    }

    /// Starts to read these columns. A dotted name is a field of a struct, or of each struct of a list, or a column
    /// whose own name has dots. With a `limit`, at most that many rows are decoded before the first batch is returned.
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

    /// Whether there is such a column.
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

    /// Whether the page sizes stated in the leaves at these indices are plausible.
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

    /// Whether a column (the leaf at this index) has a supported compression.
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

/// Whether a parquet leaf's path belongs to the column of this name. Between a list and its items, paths have extra
/// levels: usually two (`answers.list.element.text`), one in old files.
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
        // The library allocates the length that a header states before it reads.
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
mod tests {
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
        // A page of more than two million bytes: its size takes four bytes, which hold up to 2²⁷.
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
}
