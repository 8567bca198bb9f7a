//! Reads a domain's files as rows, in batches: memory does not grow with file size.
//!
//! [`Reader`] reads parquet files and files of lines. Each card [`Schema`] has its own file: [`question`],
//! [`glue`], [`multirc`], [`record`] and [`wsc`] for parquet, [`mrqa_lines`] for lines. [`spans`] checks the
//! answer positions stated in files.

mod answers;
pub mod glue;
pub mod mrqa_lines;
pub mod multirc;
mod names;
pub mod question;
pub mod record;
pub mod spans;
pub mod wsc;

use std::collections::{BTreeSet, VecDeque};
use std::path::PathBuf;

use self::mrqa_lines::MrqaLines;
use self::names::Names;
use crate::domain::card::{Card, Schema};
use crate::domain::parquet::{Batch, Batches, Table, TableError, TableFile};
use crate::domain::row::Row;
use crate::hash;

/// A file of rows, not yet opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataFile {
    /// Parquet.
    Table(TableFile),
    /// MRQA's lines, gzipped or plain.
    Lines(PathBuf),
}

/// File extensions of files of lines.
pub(in crate::domain) const LINES: [&str; 2] = [".jsonl.gz", ".jsonl"];

impl DataFile {
    /// A file on disk: lines if its extension says so, else parquet.
    pub fn at(path: PathBuf) -> DataFile {
        let name = path.to_string_lossy();
        match LINES.iter().any(|end| name.ends_with(end)) {
            true => DataFile::Lines(path),
            false => DataFile::Table(TableFile::Disk(path)),
        }
    }

    /// Its name in messages and records.
    pub fn name(&self) -> String {
        match self {
            DataFile::Table(table) => table.name(),
            DataFile::Lines(path) => path.display().to_string(),
        }
    }

    /// SHA-256 of its bytes.
    pub fn sha256(&self) -> Result<String, TableError> {
        match self {
            DataFile::Table(table) => table.sha256(),
            DataFile::Lines(path) => hash::sha256_file(path).map_err(|error| TableError::Open {
                file: self.name(),
                wanted: MrqaLines::WANTED,
                found: error.to_string(),
            }),
        }
    }
}

/// One hash for several files: a single file's own, else the hash of their joined hashes.
pub fn sha256(files: &[DataFile]) -> Result<String, TableError> {
    let mut hashes = Vec::new();
    for file in files {
        hashes.push(file.sha256()?);
    }
    match hashes.as_slice() {
        [one] => Ok(one.clone()),
        _ => Ok(hash::sha256(hashes.concat().as_bytes())),
    }
}

/// The rows of files in order, in batches. Exact repeats of a row, name included, are dropped and counted;
/// two different rows with one name are an error.
pub struct Reader<'a> {
    card: &'a Card,
    files: VecDeque<DataFile>,
    open: Option<Open>,
    limit: Option<usize>,
    names: Names,
    /// Rows in files already read completely.
    rows_before: usize,
    /// Rows read, including those of other data sets.
    pub rows_read: usize,
    /// Rows that state a wrong position for their answer.
    pub misplaced: usize,
    /// Rows dropped because they have no label.
    pub unlabelled: usize,
    /// Other data sets found in the files.
    pub left_out: BTreeSet<String>,
}

/// The file being read.
enum Open {
    Table(Batches),
    Lines(Box<MrqaLines>),
}

impl<'a> Reader<'a> {
    /// Starts reading. With a `limit`, at most that many rows are decoded before the first are returned.
    pub fn new(card: &'a Card, files: Vec<DataFile>, limit: Option<usize>) -> Reader<'a> {
        Reader {
            card,
            files: files.into(),
            open: None,
            limit,
            names: Names::default(),
            rows_before: 0,
            rows_read: 0,
            misplaced: 0,
            unlabelled: 0,
            left_out: BTreeSet::new(),
        }
    }

    /// Rows dropped as exact repeats.
    pub fn repeats(&self) -> usize {
        self.names.repeats
    }

    /// The report's note on repeated rows, if there are any.
    pub fn repeats_note(&self) -> Option<String> {
        names::note(self.names.repeats)
    }

    /// The report's note on wrong answer positions, if there are any.
    pub fn misplaced_note(&self) -> Option<String> {
        question::note(self.misplaced)
    }

    /// The report's note on rows without a label, if there are any.
    pub fn unlabelled_note(&self) -> Option<String> {
        glue::note(self.unlabelled, self.card)
    }

    fn start(&mut self, file: DataFile) -> Result<Open, TableError> {
        self.rows_before = self.rows_read;
        let name = file.name();
        match file {
            DataFile::Lines(_) if self.card.group.is_some() => Err(TableError::MissingColumn {
                column: self.card.group.clone().unwrap_or_default(),
                file: name,
                found: vec!["lines, which have none".to_string()],
            }),
            DataFile::Lines(path) => {
                self.names.begin(name, "line");
                Ok(Open::Lines(Box::new(MrqaLines::open(path)?)))
            }
            DataFile::Table(file) => {
                self.names.begin(name, "row");
                let table = file.open()?;
                let mut columns = columns(self.card, &table);
                columns.extend(self.card.group.as_deref());
                columns.extend(subset_column(self.card, &table));
                Ok(Open::Table(table.batches(&columns, self.limit)?))
            }
        }
    }

    /// The next rows of the open file; `None` after its last.
    fn more(&mut self) -> Result<Option<Vec<Row>>, TableError> {
        match &mut self.open {
            None => Ok(None),
            Some(Open::Lines(lines)) => {
                let Some(rows) = lines.next().transpose()? else {
                    return Ok(None);
                };
                self.rows_read += rows.len();
                let line = lines.line();
                self.names.keep_new(rows, std::iter::repeat(line)).map(Some)
            }
            Some(Open::Table(batches)) => {
                let Some(batch) = batches.next().transpose()? else {
                    return Ok(None);
                };
                self.rows_read += batch.rows();
                let (batch, others) = rows_of_subset(self.card, batch.behind(self.rows_before))?;
                self.left_out.extend(others);
                let (batch, unlabelled) = glue::rows_with_label(self.card, batch)?;
                self.unlabelled += unlabelled;
                let (rows, misplaced) = rows(self.card, &batch)?;
                let rows = match &self.card.group {
                    Some(column) => in_groups(rows, batch.names(column)?),
                    None => rows,
                };
                self.misplaced += misplaced;
                let places = (0..rows.len()).map(|row| batch.place(row));
                self.names.keep_new(rows, places).map(Some)
            }
        }
    }
}

impl Iterator for Reader<'_> {
    type Item = Result<Vec<Row>, TableError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.more() {
                Ok(Some(rows)) => return Some(Ok(rows)),
                Err(error) => return Some(Err(error)),
                Ok(None) => {
                    let file = self.files.pop_front()?;
                    match self.start(file) {
                        Ok(open) => self.open = Some(open),
                        Err(error) => return Some(Err(error)),
                    }
                }
            }
        }
    }
}

/// The columns of a card's schema.
fn columns<'a>(card: &'a Card, table: &Table) -> Vec<&'a str> {
    match card.schema {
        Schema::Squad | Schema::Mrqa => question::columns(card.schema, table),
        Schema::Glue => glue::columns(card, table),
        Schema::Multirc => multirc::columns(card),
        Schema::Record => record::COLUMNS.to_vec(),
        Schema::Wsc => wsc::columns(table),
    }
}

/// The rows of a batch, and the number of those with a wrong answer position.
fn rows(card: &Card, batch: &Batch) -> Result<(Vec<Row>, usize), TableError> {
    let rows = match card.schema {
        Schema::Squad | Schema::Mrqa => return question::rows(card.schema, batch),
        Schema::Glue => glue::rows(card, batch),
        Schema::Multirc => multirc::rows(card, batch),
        Schema::Record => record::rows(batch),
        Schema::Wsc => wsc::rows(batch),
    };
    Ok((rows?, 0))
}

/// The group of rows whose group column is null.
const NO_GROUP: &str = "none";

/// The rows, each assigned to the group in its column.
fn in_groups(rows: Vec<Row>, groups: Vec<Option<String>>) -> Vec<Row> {
    let pairs = rows.into_iter().zip(groups);
    pairs
        .map(|(row, group)| row.grouped(group.unwrap_or_else(|| NO_GROUP.to_string())))
        .collect()
}

/// The column with a row's data set.
const SUBSET: &str = "subset";

/// [`SUBSET`], if a file holds several data sets and the card is one of them.
pub(super) fn subset_column(card: &Card, table: &Table) -> Option<&'static str> {
    (card.subset().is_some() && table.has(SUBSET)).then_some(SUBSET)
}

/// The rows of the card's own data set, and the names of the others in the batch.
///
/// # Errors
/// A row has no data set.
fn rows_of_subset(card: &Card, batch: Batch) -> Result<(Batch, BTreeSet<String>), TableError> {
    let Some(subset) = card.subset().filter(|_| batch.has(SUBSET)) else {
        return Ok((batch, BTreeSet::new()));
    };
    let subsets = batch.texts(SUBSET)?;
    let keep = subsets.iter().map(|found| found == subset).collect();
    let others = subsets.into_iter().filter(|found| found != subset);
    Ok((batch.only(keep), others.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sample::{card, integers, lists, texts, write, write_squad};
    use std::path::Path;

    /// A file with questions of these data sets in turn.
    fn mixed(path: &Path, subsets: &[&str], answers: &[&[&str]]) -> DataFile {
        let file = path.file_stem().expect("a name").to_string_lossy();
        let names: Vec<String> = (0..subsets.len())
            .map(|row| format!("{file}-{row}"))
            .collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        DataFile::Table(TableFile::Disk(write(
            path,
            vec![
                ("subset", texts(subsets)),
                ("qid", texts(&names)),
                ("context", texts(&vec!["C"; subsets.len()])),
                ("question", texts(&names)),
                ("answers", lists(answers)),
            ],
        )))
    }

    fn ids(reader: &mut Reader) -> Result<Vec<String>, TableError> {
        let mut ids = Vec::new();
        for rows in reader {
            ids.extend(rows?.iter().map(|row| row.id().to_string()));
        }
        Ok(ids)
    }

    #[test]
    fn only_the_rows_of_a_card_s_data_set_are_read() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (own, other) = ("RACE", "DROP");
        let one = mixed(
            &folder.path().join("1.parquet"),
            &[own, other, own, "BioASQ", own],
            // Rows of other data sets are not read.
            &[&["x"], &[], &["y"], &[], &["z"]],
        );
        let two = mixed(
            &folder.path().join("2.parquet"),
            &[other, own],
            &[&["x"], &["y"]],
        );
        let card = card("race");
        let mut reader = Reader::new(&card, vec![one, two], None);
        assert_eq!(
            ids(&mut reader).expect("rows"),
            ["1-0", "1-2", "1-4", "2-1"]
        );
        assert_eq!(reader.rows_read, 7);
        assert_eq!(Vec::from_iter(&reader.left_out), ["BioASQ", "DROP"]);
    }

    #[test]
    fn a_row_keeps_its_place_in_the_file_in_messages() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = mixed(
            &folder.path().join("1.parquet"),
            &["DROP", "RACE", "DROP", "RACE"],
            &[&["x"], &["y"], &["x"], &[]],
        );
        let card = card("race");
        let message = ids(&mut Reader::new(&card, vec![file], None)).expect_err("row 3");
        let message = message.to_string();
        assert!(
            message.contains("column 'answers', row 3: wanted at least one"),
            "{message}"
        );
    }

    #[test]
    fn rows_without_names_are_numbered_through_all_files() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let pairs = |name: &str| {
            let path = folder.path().join(name);
            let columns = vec![
                ("sentence1", texts(&["a", "a"])),
                ("sentence2", texts(&["b", "b"])),
                ("label", integers(&[0, 0])),
            ];
            DataFile::at(write(&path, columns))
        };
        let card = card("mrpc");
        let files = vec![pairs("1.parquet"), pairs("2.parquet")];
        let mut reader = Reader::new(&card, files, None);
        assert_eq!(ids(&mut reader).expect("rows"), ["0", "1", "2", "3"]);
        assert_eq!(reader.repeats(), 0);
    }

    #[test]
    fn repeats_are_left_out_and_other_rows_of_a_name_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let named = |name: &str, rows: usize| write_squad(&folder.path().join(name), rows);
        let card = card("squad");
        let files = [named("1.parquet", 3), named("2.parquet", 4)].map(DataFile::at);
        let mut reader = Reader::new(&card, files.to_vec(), None);
        assert_eq!(
            ids(&mut reader).expect("rows"),
            ["id 0", "id 1", "id 2", "id 3"]
        );
        assert_eq!((reader.repeats(), reader.rows_read), (3, 7));
        let other = write(
            &folder.path().join("3.parquet"),
            vec![
                ("id", texts(&["new", "id 1"])),
                ("context", texts(&["C", "C"])),
                ("question", texts(&["Q", "Q"])),
                ("answers", lists(&[&["x"], &["y"]])),
            ],
        );
        let files = [files[0].clone(), DataFile::at(other)].to_vec();
        let error = ids(&mut Reader::new(&card, files, None)).expect_err("one name, two rows");
        let TableError::Repeated { place, name, .. } = error else {
            panic!("{error}");
        };
        assert_eq!((&*place, name.as_str()), ("row 1", "id 1"));
    }

    #[test]
    fn rows_are_in_the_group_that_the_card_s_column_names() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let columns = |name: &'static str, groups: arrow::array::ArrayRef| {
            vec![
                ("premise", texts(&["p", "q"])),
                ("hypothesis", texts(&["h", "i"])),
                ("label", integers(&[0, 1])),
                (name, groups),
            ]
        };
        let hans = card("hans");
        let read = |columns| {
            let file = DataFile::at(write(&folder.path().join("a.parquet"), columns));
            let mut groups = Vec::new();
            for rows in &mut Reader::new(&hans, vec![file], None) {
                groups.extend(rows?.iter().map(|row| row.group().map(str::to_string)));
            }
            Ok::<_, TableError>(groups)
        };
        let some = |name: &str| Some(name.to_string());
        let named = texts(&["subsequence", "constituent"]);
        let found = read(columns("heuristic", named)).expect("rows");
        assert_eq!(found, [some("subsequence"), some("constituent")]);
        let numbers = read(columns("heuristic", integers(&[7, 8]))).expect("rows");
        assert_eq!(numbers, [some("7"), some("8")]);
        let null = arrow::array::StringArray::from(vec![None, Some("x")]);
        let found = read(columns("heuristic", std::sync::Arc::new(null))).expect("rows");
        assert_eq!(found, [some("none"), some("x")]);
        let error = read(columns("kind", texts(&["a", "b"]))).expect_err("no such column");
        assert!(matches!(error, TableError::MissingColumn { column, .. } if column == "heuristic"));
    }

    #[test]
    fn several_files_have_one_hash() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let one = mixed(&folder.path().join("1.parquet"), &["RACE"], &[&["x"]]);
        let two = mixed(&folder.path().join("2.parquet"), &["RACE"], &[&["y"]]);
        let of = |files: &[DataFile]| sha256(files).expect("files");
        let (first, second) = (
            of(std::slice::from_ref(&one)),
            of(std::slice::from_ref(&two)),
        );
        assert_eq!(first, one.sha256().expect("a file"));
        let both = of(&[one.clone(), two.clone()]);
        assert!(both != first && both != second && both != of(&[two, one]));
        assert_eq!(both.len(), 64);
    }
}
