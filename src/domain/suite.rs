//! A suite: where a domain's rows are read from.

use std::path::PathBuf;

use thiserror::Error;

use super::allotment::{Portion, SourceSplits};
use super::card::Card;
use super::mini::mini_file;
use super::parquet::{Batch, Table, TableError, TableFile};
use super::row::Row;
use super::{Example, Split, Task, glue, mrqa, squad, template};

/// Where a domain's rows are read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Suite {
    /// The generated miniature domains, compiled into the binary.
    Mini,
    /// A folder per domain, holding `train.parquet`, `validation.parquet`, `test.parquet` or some
    /// of them, in the Hub's schemas.
    Folder(PathBuf),
}

/// Why a domain's rows could not be had.
#[derive(Debug, Error)]
pub enum DomainError {
    /// A file is damaged or holds something else.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The files that are there do not serve.
    #[error(
        "domain '{domain}' cannot be a {role} in {suite}: wanted {wanted}, found {}",
        list(.found)
    )]
    NoFile {
        /// The domain.
        domain: String,
        /// `source` or `target`.
        role: &'static str,
        /// Where it was looked for.
        suite: String,
        /// The files that would serve.
        wanted: &'static str,
        /// The splits that have a file.
        found: Vec<Split>,
    },
    /// Nothing is left of a file.
    #[error("{file}: wanted rows for {split}, found none of {rows_read} that serve as {split}")]
    NoRows {
        /// The file.
        file: String,
        /// What they should have served as.
        split: Split,
        /// Rows read.
        rows_read: usize,
    },
}

fn list(splits: &[Split]) -> String {
    if splits.is_empty() {
        return "no parquet file".to_string();
    }
    let files: Vec<String> = splits
        .iter()
        .map(|split| format!("{split}.parquet"))
        .collect();
    files.join(", ")
}

/// Rows as `T`, with where they come from.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded<T> {
    /// In the file's order.
    pub examples: Vec<T>,
    /// The file read.
    pub file: String,
    /// Its SHA-256.
    pub sha256: String,
    /// Rows read from it, those of other splits among them.
    pub rows_read: usize,
    /// What the report has to say about the choice of rows.
    pub note: Option<String>,
}

/// Examples, with where they come from.
pub type Rows = Loaded<Example>;

impl Suite {
    /// The name in records: `mini` or the folder's name.
    pub fn name(&self) -> String {
        match self {
            Suite::Mini => "mini".to_string(),
            Suite::Folder(folder) => folder
                .canonicalize()
                .unwrap_or_else(|_| folder.clone())
                .file_name()
                .map_or_else(
                    || folder.display().to_string(),
                    |name| name.to_string_lossy().into_owned(),
                ),
        }
    }

    /// The splits of a domain that have a file here.
    pub fn splits(&self, card: &Card) -> Vec<Split> {
        Split::ALL
            .into_iter()
            .filter(|split| match self.file(card, *split) {
                Some(TableFile::Disk(path)) => path.exists(),
                Some(TableFile::Compiled { .. }) => true,
                None => false,
            })
            .collect()
    }

    /// Where each split of a source comes from.
    pub fn source(&self, card: &Card) -> Result<SourceSplits, DomainError> {
        let found = self.splits(card);
        SourceSplits::of(&found).ok_or_else(|| DomainError::NoFile {
            domain: card.name.clone(),
            role: "source",
            suite: self.place(),
            wanted: "train.parquet",
            found,
        })
    }

    /// Where the rows come from that a target is scored on.
    pub fn target(&self, card: &Card) -> Result<Portion, DomainError> {
        let found = self.splits(card);
        Portion::of_target(&found).ok_or_else(|| DomainError::NoFile {
            domain: card.name.clone(),
            role: "target",
            suite: self.place(),
            wanted: "test.parquet or validation.parquet",
            found,
        })
    }

    /// The number of rows of a split's file, from its footer; `None` where there is no file.
    pub fn count(&self, card: &Card, split: Split) -> Result<Option<usize>, DomainError> {
        if !self.splits(card).contains(&split) {
            return Ok(None);
        }
        match self.file(card, split) {
            Some(file) => Ok(Some(file.open()?.rows())),
            None => Ok(None),
        }
    }

    /// Examples of a portion, at most `limit` of them.
    pub fn load(
        &self,
        card: &Card,
        portion: &Portion,
        limit: Option<usize>,
    ) -> Result<Rows, DomainError> {
        let rows = self.read(card, portion, limit)?;
        Ok(Loaded {
            examples: (rows.examples.into_iter())
                .map(|row| template::apply(card, row))
                .collect(),
            file: rows.file,
            sha256: rows.sha256,
            rows_read: rows.rows_read,
            note: rows.note,
        })
    }

    /// Rows of a portion before any template, at most `limit` of them: no more is read than is
    /// needed to find them.
    pub fn read(
        &self,
        card: &Card,
        portion: &Portion,
        limit: Option<usize>,
    ) -> Result<Loaded<Row>, DomainError> {
        let file = self
            .file(card, portion.file)
            .ok_or_else(|| DomainError::NoFile {
                domain: card.name.clone(),
                role: "source or target",
                suite: self.place(),
                wanted: "a file for each split that is read",
                found: self.splits(card),
            })?;
        let table = file.open()?;
        let layout = Layout::of(card, &table)?;
        let columns = layout.columns(&table);
        let mut batches = table.batches(&columns, limit)?;
        let (mut rows, mut rows_read) = (Vec::new(), 0);
        while limit.is_none_or(|limit| rows.len() < limit) {
            let Some(batch) = batches.next().transpose()? else {
                break;
            };
            rows_read += batch.rows();
            let read = layout.rows(&batch)?.into_iter();
            rows.extend(read.filter(|row| portion.share.holds(&row.passage())));
        }
        rows.truncate(limit.unwrap_or(usize::MAX));
        if rows.is_empty() {
            return Err(DomainError::NoRows {
                file: file.name(),
                split: portion.split,
                rows_read,
            });
        }
        Ok(Loaded {
            examples: rows,
            sha256: file.sha256()?,
            file: file.name(),
            rows_read,
            note: portion.note(),
        })
    }

    /// The file of a domain's split, which may not exist on disk.
    fn file(&self, card: &Card, split: Split) -> Option<TableFile> {
        match self {
            Suite::Mini => mini_file(&card.name, split).map(|bytes| TableFile::Compiled {
                name: format!("mini/{}/{split}.parquet", card.name),
                bytes,
            }),
            Suite::Folder(folder) => {
                let path = folder.join(&card.name).join(format!("{split}.parquet"));
                Some(TableFile::Disk(path))
            }
        }
    }

    /// Where its domains are looked for, in words.
    pub fn place(&self) -> String {
        match self {
            Suite::Mini => "this program".to_string(),
            Suite::Folder(folder) => folder.display().to_string(),
        }
    }
}

/// The columns that a file turns out to have.
#[derive(Clone, Copy)]
enum Layout<'a> {
    Squad,
    Mrqa,
    Glue(&'a Card),
}

impl<'a> Layout<'a> {
    /// Questions may come in either of their layouts, whichever the card's files are published
    /// in: in SQuAD's the answers are a struct, in MRQA's they are a list.
    fn of(card: &'a Card, table: &Table) -> Result<Self, TableError> {
        Ok(match card.task {
            Task::Paraphrase => Layout::Glue(card),
            Task::ExtractiveQa if table.is_struct("answers")? => Layout::Squad,
            Task::ExtractiveQa => Layout::Mrqa,
        })
    }

    fn columns(self, table: &Table) -> Vec<&'a str> {
        match self {
            Layout::Squad => squad::columns(table),
            Layout::Mrqa => mrqa::columns(table),
            Layout::Glue(card) => glue::columns(card, table),
        }
    }

    fn rows(self, batch: &Batch) -> Result<Vec<Row>, TableError> {
        match self {
            Layout::Squad => squad::rows(batch),
            Layout::Mrqa => mrqa::rows(batch),
            Layout::Glue(card) => glue::rows(card, batch),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::card;
    use crate::domain::sample::{card, lists, texts, write, write_squad};
    use std::collections::HashSet;
    use std::path::Path;

    /// A folder that has these splits of squad, of so many rows each.
    fn squad_with(splits: &[Split], rows: usize) -> (tempfile::TempDir, Suite) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for split in splits {
            let path = folder.path().join(format!("squad/{split}.parquet"));
            write_squad(&path, rows);
        }
        let suite = Suite::Folder(folder.path().to_path_buf());
        (folder, suite)
    }

    fn passages(suite: &Suite, portion: &Portion) -> HashSet<String> {
        let rows = suite.load(&card("squad"), portion, None).expect("rows");
        rows.examples.into_iter().map(|row| row.passage).collect()
    }

    #[test]
    fn every_split_of_a_source_has_passages_of_its_own() {
        for splits in [
            &[Split::Train, Split::Validation][..],
            &[Split::Train, Split::Test],
            &[Split::Train],
        ] {
            let (_folder, suite) = squad_with(splits, 400);
            let source = suite.source(&card("squad")).expect("has train");
            let train = passages(&suite, &source.train);
            let validation = passages(&suite, &source.validation);
            let test = passages(&suite, &source.test);
            assert!(validation.is_disjoint(&test) || source.validation.file != source.test.file);
            assert!(train.is_disjoint(&validation) || source.train.file != source.validation.file);
            let same_file = [&source.train, &source.validation, &source.test]
                .iter()
                .filter(|portion| portion.file == source.validation.file)
                .count();
            let all: HashSet<String> = [
                (&source.train, &train),
                (&source.validation, &validation),
                (&source.test, &test),
            ]
            .into_iter()
            .filter(|(portion, _)| portion.file == source.validation.file)
            .flat_map(|(_, passages)| passages.iter().cloned())
            .collect();
            assert_eq!(
                all.len(),
                200,
                "{splits:?} shares one file between {same_file}"
            );
            assert_eq!(passages(&suite, &source.validation), validation);
        }
    }

    #[test]
    fn what_is_loaded_says_where_it_is_from() {
        let (folder, suite) = squad_with(&[Split::Train, Split::Validation], 40);
        let squad = card("squad");
        let source = suite.source(&squad).expect("has train");
        let rows = suite.load(&squad, &source.train, Some(5)).expect("rows");
        assert_eq!((rows.examples.len(), rows.rows_read), (5, 5));
        assert_eq!(
            rows.examples[0].input,
            "question: question 0 context: passage 0"
        );
        assert_eq!(rows.examples[0].target, "passage 0");
        assert_eq!(rows.sha256.len(), 64);
        assert!(Path::new(&rows.file).ends_with("squad/train.parquet"));
        assert_eq!(rows.note, None);
        let half = suite.load(&squad, &source.test, Some(5)).expect("rows");
        assert_eq!(half.examples.len(), 5);
        assert!((5..40).contains(&half.rows_read));
        assert!(
            half.note
                .is_some_and(|note| note.starts_with("test is about 50 %"))
        );
        assert_eq!(suite.count(&squad, Split::Train).ok(), Some(Some(40)));
        assert_eq!(suite.count(&squad, Split::Test).ok(), Some(None));
        assert_eq!(
            suite.name(),
            folder.path().file_name().expect("a name").to_string_lossy()
        );
    }

    #[test]
    fn a_target_without_a_test_file_is_scored_on_validation() {
        let (_folder, suite) = squad_with(&[Split::Validation], 6);
        let target = suite.target(&card("squad")).expect("has validation");
        let rows = suite.load(&card("squad"), &target, None).expect("rows");
        assert_eq!(rows.examples.len(), 6);
        assert!(
            rows.note
                .is_some_and(|note| note.contains("there is no test.parquet"))
        );
    }

    #[test]
    fn files_that_do_not_serve_are_named() {
        let (_folder, suite) = squad_with(&[Split::Test], 6);
        let message = suite
            .source(&card("squad"))
            .expect_err("no train")
            .to_string();
        assert!(
            message.contains("'squad' cannot be a source in "),
            "{message}"
        );
        assert!(
            message.ends_with("wanted train.parquet, found test.parquet"),
            "{message}"
        );
        let message = suite
            .target(&card("race"))
            .expect_err("nothing")
            .to_string();
        assert!(
            message.ends_with("wanted test.parquet or validation.parquet, found no parquet file"),
            "{message}"
        );
        let target = suite.target(&card("squad")).expect("has test");
        let none = suite.load(&card("squad"), &target, Some(0));
        let message = none.expect_err("no rows").to_string();
        assert!(
            message.contains("wanted rows for test, found none of 0"),
            "{message}"
        );
    }

    #[test]
    fn questions_are_read_in_either_layout() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        write(
            &folder.path().join("squad/test.parquet"),
            vec![
                ("qid", texts(&["a"])),
                ("context", texts(&["C."])),
                ("question", texts(&["Q?"])),
                ("answers", lists(&[&["x", "y"]])),
            ],
        );
        let suite = Suite::Folder(folder.path().to_path_buf());
        let target = suite.target(&card("squad")).expect("has test");
        let rows = suite.load(&card("squad"), &target, None).expect("rows");
        assert_eq!(rows.examples[0].input, "question: Q ? context: C .");
    }

    #[test]
    fn the_miniatures_are_compiled_in_and_whole() {
        for card in card::bundled() {
            let files = Suite::Mini.splits(&card);
            let wanted: &[Split] = match card.miniature {
                Some(_) => &Split::ALL,
                None => &[],
            };
            assert_eq!(files, wanted, "{}", card.name);
            for split in files {
                let rows = Suite::Mini.count(&card, split);
                assert!(
                    rows.is_ok_and(|rows| rows > Some(0)),
                    "{}/{split}",
                    card.name
                );
            }
            if let Ok(target) = Suite::Mini.target(&card) {
                let rows = Suite::Mini.load(&card, &target, None).expect("rows");
                let questions = card.task == Task::ExtractiveQa;
                for example in rows.examples {
                    assert_eq!(questions, !example.facts.is_empty(), "{}", example.id);
                }
            }
        }
    }
}
