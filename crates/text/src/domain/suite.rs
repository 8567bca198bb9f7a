//! A suite: where a domain's rows are read from.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::card::{Card, HUB, MINI};
use super::layout::{self, LayoutError};
use super::parquet::{TableError, TableFile};
use super::readers::{DataFile, subset_column};
use super::remote;
use super::splits::{DomainSplits, Split, SplitSource};

/// Where a domain's rows are read from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Suite {
    /// The generated miniature domains, compiled into the binary.
    Mini,
    /// A folder of real data in the Hub's schemas; `layout` finds the files.
    Folder(PathBuf),
    /// The Hub's cache, where `promptshift fetch` puts the files listed in the cards.
    Hub {
        /// The cache's folder.
        cache: PathBuf,
        /// Which of its domains.
        part: Part,
    },
}

/// A group of the Hub's domains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// All of them.
    Whole,
    /// Those whose cards list this suite: `mrqa`.
    Named(String),
}

impl Part {
    /// Whether a domain belongs to the group.
    fn has(&self, card: &Card) -> bool {
        match self {
            Part::Whole => true,
            Part::Named(name) => card.suites.contains(name),
        }
    }
}

/// Why a domain's rows could not be read.
#[derive(Debug, Error)]
pub enum DomainError {
    /// A file is damaged or has other content.
    #[error(transparent)]
    Table(#[from] TableError),
    /// Files of a split are missing, or have almost the right name.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// The files that exist do not suffice.
    #[error(
        "domain '{domain}' cannot be a {role} in {suite}: wanted {wanted}, found {}{hint}",
        list(.found)
    )]
    NoFile {
        /// The domain.
        domain: String,
        /// `source` or `target`.
        role: &'static str,
        /// Where the suite looked.
        suite: Box<str>,
        /// The files that would suffice.
        wanted: &'static str,
        /// The splits that have a file.
        found: Vec<Split>,
        /// What was found instead, or empty.
        hint: Box<str>,
    },
    /// The files contain only other data sets.
    #[error("{file}: wanted rows whose 'subset' is '{wanted}', found only: {}", .found.join(", "))]
    NoSubset {
        /// The file.
        file: String,
        /// The card's subset.
        wanted: String,
        /// The subsets found.
        found: Vec<String>,
    },
    /// No row of a file serves as this split.
    #[error("{file}: wanted rows for {split}, found none of {rows_read} that serve as {split}")]
    NoRows {
        /// The file.
        file: String,
        /// The split they should serve as.
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

impl Suite {
    /// The name in records: `mini`, `hub`, the name of a group, or the folder's name.
    pub fn name(&self) -> String {
        match self {
            Suite::Mini => MINI.to_string(),
            Suite::Hub { part, .. } => match part {
                Part::Whole => HUB.to_string(),
                Part::Named(name) => name.clone(),
            },
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

    /// Whether a domain belongs to this suite, whether or not its files exist.
    pub fn includes(&self, card: &Card) -> bool {
        match self {
            Suite::Mini | Suite::Folder(_) => true,
            Suite::Hub { part, .. } => part.has(card),
        }
    }

    /// The splits of a domain that have a file here, including incomplete and almost correctly named ones,
    /// which are errors when read.
    pub fn splits(&self, card: &Card) -> Vec<Split> {
        Split::ALL
            .into_iter()
            .filter(|split| !self.files(card, *split).is_ok_and(|files| files.is_empty()))
            .collect()
    }

    /// Where each split of a source comes from.
    pub fn source(&self, card: &Card) -> Result<DomainSplits, DomainError> {
        let found = self.splits(card);
        DomainSplits::of(&found).ok_or_else(|| DomainError::NoFile {
            domain: card.name.clone(),
            role: "source",
            suite: self.place().into(),
            wanted: "train.parquet",
            hint: self.hint_of(card, &found).into(),
            found,
        })
    }

    /// Where a target's test rows come from.
    pub fn target(&self, card: &Card) -> Result<SplitSource, DomainError> {
        let found = self.splits(card);
        SplitSource::of_target(&found).ok_or_else(|| DomainError::NoFile {
            domain: card.name.clone(),
            role: "target",
            suite: self.place().into(),
            wanted: "test.parquet or validation.parquet",
            hint: self.hint_of(card, &found).into(),
            found,
        })
    }

    /// The number of rows of a split's files, from their footers. `None` if there is no file, or if counting
    /// would need a full read (lines, or several data sets in one file).
    pub fn count(&self, card: &Card, split: Split) -> Result<Option<usize>, DomainError> {
        let files = self.files(card, split)?;
        if files.is_empty() {
            return Ok(None);
        }
        let mut rows = 0;
        for file in files {
            let DataFile::Table(file) = file else {
                return Ok(None);
            };
            let table = file.open()?;
            if subset_column(card, &table).is_some() {
                return Ok(None);
            }
            rows += table.rows();
        }
        Ok(Some(rows))
    }

    /// The files of a domain's split; empty if it has none here.
    ///
    /// # Errors
    /// Some are missing, or a file has almost the right name.
    pub fn files(&self, card: &Card, split: Split) -> Result<Vec<DataFile>, LayoutError> {
        Ok(match self {
            Suite::Mini => mini_file(card.base(), split)
                .map(|bytes| {
                    DataFile::Table(TableFile::Compiled {
                        name: format!("mini/{}/{split}.parquet", card.base()),
                        bytes,
                    })
                })
                .into_iter()
                .collect(),
            Suite::Folder(folder) => layout::files(folder, card, split)?,
            Suite::Hub { part, .. } if !part.has(card) => Vec::new(),
            Suite::Hub { cache, .. } => remote::fetched(card, split, cache)
                .into_iter()
                .map(|path| DataFile::Table(TableFile::Disk(path)))
                .collect(),
        })
    }

    /// What a folder of real data contains instead of a domain's files, if recognised.
    pub fn near_domain(&self, card: &Card) -> Option<String> {
        match self {
            Suite::Folder(folder) => layout::near_domain(folder, card),
            Suite::Mini | Suite::Hub { .. } => None,
        }
    }

    /// What a folder is if not a folder of real data, if recognised.
    pub fn near_folder(&self) -> Option<String> {
        match self {
            Suite::Folder(folder) => layout::near_folder(folder),
            Suite::Mini | Suite::Hub { .. } => None,
        }
    }

    /// The hint that an error adds about a missing domain, beginning with `; `; empty if the domain has a
    /// file.
    pub(super) fn hint_of(&self, card: &Card, found: &[Split]) -> String {
        let near = || self.near_domain(card).or_else(|| self.near_folder());
        let near = found.is_empty().then(near).flatten();
        near.map_or_else(String::new, |near| format!("; {near}"))
    }

    /// A description of where domains are searched.
    pub fn place(&self) -> String {
        match self {
            Suite::Mini => "this program".to_string(),
            Suite::Folder(folder) | Suite::Hub { cache: folder, .. } => {
                folder.display().to_string()
            }
        }
    }
}

/// The parquet file of a miniature domain's split, if there is one.
fn mini_file(domain: &str, split: Split) -> Option<&'static [u8]> {
    FILES
        .iter()
        .find(|(name, part, _)| *name == domain && *part == split)
        .map(|(_, _, bytes)| *bytes)
}

macro_rules! files {
    ($($name:literal: $($split:ident $file:literal),*;)*) => {
        &[$($((
            $name,
            Split::$split,
            include_bytes!(concat!("../../../../datasets/mini/", $name, "/", $file)),
        )),*),*]
    };
}

const FILES: &[(&str, Split, &[u8])] = files! {
    "squad": Train "train.parquet", Validation "validation.parquet", Test "test.parquet";
    "textbookqa": Train "train.parquet", Validation "validation.parquet", Test "test.parquet";
    "bioasq": Train "train.parquet", Validation "validation.parquet", Test "test.parquet";
    "race": Train "train.parquet", Validation "validation.parquet", Test "test.parquet";
    "relation_extraction": Train "train.parquet", Validation "validation.parquet", Test "test.parquet";
    "duorc": Train "train.parquet", Validation "validation.parquet", Test "test.parquet";
    "drop": Train "train.parquet", Validation "validation.parquet", Test "test.parquet";
    "qqp": Train "train.parquet", Validation "validation.parquet", Test "test.parquet";
    "mrpc": Train "train.parquet", Validation "validation.parquet", Test "test.parquet";
    "sst2": Train "train.parquet", Validation "validation.parquet", Test "test.parquet";
    "imdb": Train "train.parquet", Validation "validation.parquet", Test "test.parquet";
    "yelp_polarity": Train "train.parquet", Validation "validation.parquet", Test "test.parquet";
    "mnli": Train "train.parquet", Validation "validation.parquet", Test "test.parquet";
    "snli": Train "train.parquet", Validation "validation.parquet", Test "test.parquet";
    "hans": Train "train.parquet", Validation "validation.parquet", Test "test.parquet";
};
