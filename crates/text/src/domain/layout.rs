//! Where a domain's files lie in a folder of real data, DIR of `--data DIR`.
//!
//! A split is what the first of these places has of it:
//!
//! | place | as |
//! |---|---|
//! | `DIR/DOMAIN`, `DIR/DOMAIN/data` | one puts it there, or the Hub's newer repositories have it |
//! | `FILE` for each file of the card, below a download | the repository has it |
//! | `CONFIG`, the card's, below a download | the repository, or the Hub's conversion of it, has it now |
//!
//! A download is `DIR/DOMAIN`, `DIR/OWNER/REPOSITORY` or `DIR/REPOSITORY`, which is what
//! `huggingface-cli download --local-dir` leaves. Of those only the splits are read that the card lists
//! files for: GLUE's test files have no labels. In a place a split is the first of `SPLIT.parquet`,
//! `SPLIT-*.parquet` and `SPLIT/*.parquet`, the parts of one table, and MRQA's `SPLIT.jsonl.gz` and
//! `SPLIT.jsonl`.
//!
//! Parts say in their names how many they are (`train-00002-of-00009`): all of them, or none. A file
//! that seems to be meant for a split and is not read, `dev.parquet` or what `save_to_disk` writes, is
//! an error as well, rather than a split that is silently absent.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::card::{self, Card};
use super::readers::{DataFile, LINES};
use super::splits::Split;

/// Why the files of a split are not what they should be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LayoutError {
    /// Some of its parts are not there.
    #[error(
        "{folder}: wanted {wanted} parts of {split}, as their names count them, found {found}, without {}: some \
         of a split would pass for all of it",
        few(.missing)
    )]
    MissingParts {
        /// Where the parts are.
        folder: String,
        /// Of what.
        split: Split,
        /// How many there should be.
        wanted: usize,
        /// How many there are.
        found: usize,
        /// Those that are not there.
        missing: Vec<String>,
    },
    /// Its parts are not those of one table.
    #[error(
        "{folder}: wanted the parts of one table for {split}, found {}: take away what is not a part of it",
        .found.join(", ")
    )]
    MixedParts {
        /// Where the parts are.
        folder: String,
        /// Of what.
        split: Split,
        /// Files that do not belong together.
        found: Vec<String>,
    },
    /// A file seems to be meant for the split and is not read.
    #[error(
        "{found} seems to be {split} and is not read: wanted {wanted}; {advice}, or take it away if it is not \
         meant"
    )]
    NearMiss {
        /// The file.
        found: String,
        /// What it seems to be.
        split: Split,
        /// Where it would be read.
        wanted: String,
        /// How to make it that.
        advice: &'static str,
    },
}

/// How many files a message names.
const NAMED: usize = 8;

fn few(names: &[String]) -> String {
    let named = names[..names.len().min(NAMED)].join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

/// The files of a domain's split; none where it has none here.
///
/// # Errors
/// Parts are missing or do not belong together, or a file is nearly one of the split.
pub(super) fn files(
    folder: &Path,
    card: &Card,
    split: Split,
) -> Result<Vec<DataFile>, LayoutError> {
    let own = folder.join(&card.name);
    for place in [own.clone(), own.join("data")] {
        let files = in_place(&place, split)?;
        if !files.is_empty() {
            return Ok(files);
        }
    }
    let published = card.published(split).map_or(&[][..], |split| &split.files);
    let source = card.source.as_ref().filter(|_| !published.is_empty());
    if let Some(source) = source {
        for root in downloads(folder, card, &source.repository) {
            let mut files = listed(&root, split, published)?;
            if files.is_empty() {
                files = in_place(&root.join(&source.config), split)?;
            }
            if !files.is_empty() {
                return Ok(files);
            }
        }
    }
    // Unpublished splits of a download are left alone.
    let left_alone = match (source, &card.source) {
        (None, Some(source)) => Some(own.join(&source.config)),
        _ => None,
    };
    let meant = data_files(&own).into_iter().find(|file| {
        let inside = file.strip_prefix(&own).unwrap_or(file);
        let aside = (left_alone.as_ref()).is_some_and(|folder| file.starts_with(folder));
        !aside && split_of(inside) == Some(split)
    });
    match meant {
        None => Ok(Vec::new()),
        Some(file) => Err(LayoutError::NearMiss {
            found: file.display().to_string(),
            split,
            wanted: own.join(format!("{split}.parquet")).display().to_string(),
            advice: advice(&file),
        }),
    }
}

/// Where a download of the card's repository may be: `huggingface-cli download --local-dir` leaves it
/// in a folder of any name, of which the domain's, the repository's and its last part are looked at.
fn downloads(folder: &Path, card: &Card, repository: &str) -> Vec<PathBuf> {
    let last = repository.rsplit('/').next().unwrap_or(repository);
    // The folder of another domain is its own.
    let last = (last == card.name || !card::is_bundled(last)).then_some(last);
    [Some(card.name.as_str()), Some(repository), last]
        .into_iter()
        .flatten()
        .map(|name| folder.join(name))
        .collect()
}

/// The files that the card lists, below a download; none where none of them is there.
fn listed(root: &Path, split: Split, files: &[String]) -> Result<Vec<DataFile>, LayoutError> {
    let is_there = |file: &&String| root.join(file).exists();
    let missing: Vec<String> = (files.iter())
        .filter(|file| !is_there(file))
        .cloned()
        .collect();
    if missing.len() == files.len() {
        return Ok(Vec::new());
    }
    if !missing.is_empty() {
        return Err(LayoutError::MissingParts {
            folder: root.display().to_string(),
            split,
            wanted: files.len(),
            found: files.len() - missing.len(),
            missing,
        });
    }
    Ok(files
        .iter()
        .map(|file| DataFile::at(root.join(file)))
        .collect())
}

/// A split's files in one place.
fn in_place(place: &Path, split: Split) -> Result<Vec<DataFile>, LayoutError> {
    let whole = place.join(format!("{split}.parquet"));
    if whole.exists() {
        return Ok(vec![DataFile::at(whole)]);
    }
    let prefix = format!("{split}-");
    let below = place.join(split.name());
    for (folder, prefix) in [(place, prefix.as_str()), (below.as_path(), "")] {
        let parts = complete(folder, split, parquet_in(folder, prefix))?;
        if !parts.is_empty() {
            return Ok(parts.into_iter().map(DataFile::at).collect());
        }
    }
    let lines = LINES.map(|end| place.join(format!("{split}{end}")));
    Ok(lines
        .into_iter()
        .find(|path| path.exists())
        .map(DataFile::at)
        .into_iter()
        .collect())
}

/// The names of a folder's parquet files that begin so, in their order.
fn parquet_in(folder: &Path, prefix: &str) -> Vec<String> {
    names_in(folder)
        .into_iter()
        .filter(|name| name.starts_with(prefix) && name.ends_with(".parquet"))
        .collect()
}

/// The names in a folder that are not hidden, in their order; none where it can't be read.
fn names_in(folder: &Path) -> BTreeSet<String> {
    let entries = folder.read_dir().into_iter().flatten();
    entries
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
        .filter(|name| !name.starts_with('.'))
        .collect()
}

/// The paths of a table's parts, in the order of their numbers, where none is missing by their own
/// count. Names without numbers are taken as they are: they count nothing.
fn complete(folder: &Path, split: Split, names: Vec<String>) -> Result<Vec<PathBuf>, LayoutError> {
    let mut parts: Vec<(Option<Number>, String)> = (names.into_iter())
        .map(|name| (Number::of(&name), name))
        .collect();
    // `0000.parquet` is the first of the Hub's conversions; `2024.parquet` is a year.
    if !parts
        .iter()
        .any(|(number, _)| number.as_ref().is_some_and(Number::counts))
    {
        parts.iter_mut().for_each(|(number, _)| *number = None);
    }
    parts.sort();
    let mixed = |found: Vec<String>| LayoutError::MixedParts {
        folder: folder.display().to_string(),
        split,
        found,
    };
    // Numbered and not, counted differently, or two of one number.
    for pair in parts.windows(2) {
        let one_table = match (&pair[0].0, &pair[1].0) {
            (None, None) => true,
            (Some(first), Some(second)) => first.of == second.of && first.at != second.at,
            _ => false,
        };
        if !one_table {
            return Err(mixed(pair.iter().map(|(_, name)| name.clone()).collect()));
        }
    }
    if let Some((Some(last), name)) = parts.last() {
        // `0000.parquet`, `0001.parquet` say of a gap only that it is there.
        let wanted = last.of.unwrap_or(last.at + 1);
        let there: BTreeSet<usize> = (parts.iter())
            .filter_map(|(number, _)| Some(number.as_ref()?.at))
            .collect();
        let missing: Vec<String> = (0..wanted.min(MOST_PARTS))
            .filter(|at| !there.contains(at))
            .map(|at| last.renumbered(name, at))
            .collect();
        if !missing.is_empty() {
            return Err(LayoutError::MissingParts {
                folder: folder.display().to_string(),
                split,
                wanted,
                found: parts.len(),
                missing,
            });
        }
    }
    Ok(parts
        .into_iter()
        .map(|(_, name)| folder.join(name))
        .collect())
}

/// No data set has more parts.
const MOST_PARTS: usize = 100_000;

/// A part's number in its file's name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Number {
    /// Which of how many, from 0.
    at: usize,
    /// How many, where the name says it.
    of: Option<usize>,
    /// The digits of `at` as written.
    digits: String,
}

impl Number {
    /// `train-00002-of-00009.parquet`, `train-00002-of-00009-6d9e4b1f0c3a7725.parquet`, `0002.parquet`.
    fn of(name: &str) -> Option<Number> {
        let stem = name.split('.').next().unwrap_or(name);
        let words: Vec<&str> = stem.split('-').collect();
        let number = |digits: &str, of: Option<usize>| {
            Some(Number {
                at: whole_number(digits)?,
                of,
                digits: digits.to_string(),
            })
        };
        let counted = words.windows(3).find_map(|words| match words {
            [at, "of", of] => number(at, Some(whole_number(of)?)),
            _ => None,
        });
        counted.or_else(|| number(stem, None))
    }

    /// Whether it is the place of a part among others, by its looks alone.
    fn counts(&self) -> bool {
        self.of.is_some() || (self.digits.len() > 1 && self.digits.starts_with('0'))
    }

    /// The name of another part, up to a hash that differs.
    fn renumbered(&self, name: &str, at: usize) -> String {
        let digits = format!("{at:0width$}", width = self.digits.len());
        match self.of {
            Some(_) => {
                let counted = format!("{}-of-", self.digits);
                let start = name.find(&counted).unwrap_or(0);
                let count = name[start + counted.len()..].split(['-', '.']).next();
                format!(
                    "{}{digits}-of-{}",
                    &name[..start],
                    count.unwrap_or_default()
                )
            }
            None => name.replacen(&self.digits, &digits, 1),
        }
    }
}

fn whole_number(digits: &str) -> Option<usize> {
    let all_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    all_digits.then(|| digits.parse().ok()).flatten()
}

/// Words that name a split, those of `datasets` among them.
const WORDS: [(Split, &[&str]); 3] = [
    (Split::Train, &["train", "training"]),
    (
        Split::Validation,
        &["validation", "valid", "val", "dev", "development"],
    ),
    (Split::Test, &["test", "testing", "eval", "evaluation"]),
];

/// The split that a path's first such word names.
fn split_of(path: &Path) -> Option<Split> {
    let path = path.to_string_lossy().to_lowercase();
    path.split(|c: char| !c.is_alphanumeric()).find_map(|word| {
        let named = WORDS.iter().find(|(_, words)| words.contains(&word));
        named.map(|(split, _)| *split)
    })
}

/// What data sets are kept in.
const ENDS: [&str; 9] = [
    ".parquet", ".arrow", ".feather", ".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".gz",
];

/// Files that `datasets` writes beside the rows.
const ASIDE: [&str; 4] = [
    "state.json",
    "dataset_info.json",
    "dataset_dict.json",
    "dataset_infos.json",
];

/// Folders below a domain's are looked into so deep, and no more than so many files of them named.
const DEEP: usize = 4;
const MANY: usize = 1_000;

/// What might be data in a folder and below it, in the order of names.
fn data_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![(folder.to_path_buf(), DEEP)];
    while let Some((folder, deep)) = folders.pop() {
        for name in names_in(&folder) {
            let path = folder.join(&name);
            if path.is_dir() {
                if deep > 0 {
                    folders.push((path, deep - 1));
                }
            } else if ENDS.iter().any(|end| name.to_lowercase().ends_with(end))
                && !ASIDE.contains(&name.as_str())
                && found.len() < MANY
            {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// How a file becomes one that is read.
fn advice(file: &Path) -> &'static str {
    let end = file
        .extension()
        .map(|end| end.to_string_lossy().to_lowercase());
    match end.as_deref() {
        Some("parquet") => "rename it",
        Some("arrow") => {
            "it is Arrow, as datasets' save_to_disk writes it: load_from_disk(FOLDER) and to_parquet(FILE) of each \
             split make it parquet"
        }
        Some("gz" | "jsonl") => "MRQA's lines are renamed, anything else is written as parquet",
        _ => {
            "write it as parquet (datasets: load_dataset and to_parquet; pandas: DataFrame.to_parquet)"
        }
    }
}

/// What of a domain may be in a folder where none of its splits is found.
pub(super) fn near_domain(folder: &Path, card: &Card) -> Option<String> {
    let own = folder.join(&card.name);
    if own.is_dir() {
        let found = data_files(&own);
        let Some(first) = found.first() else {
            return Some(format!("{} has no data in it", own.display()));
        };
        let inside = |file: &PathBuf| {
            file.strip_prefix(&own)
                .unwrap_or(file)
                .display()
                .to_string()
        };
        let names: Vec<String> = found.iter().map(inside).collect();
        return Some(format!(
            "{} has {}, which are not read: wanted {} and the like; {}",
            own.display(),
            few(&names),
            own.join("train.parquet").display(),
            advice(first)
        ));
    }
    let plain = |name: &str| name.to_lowercase().replace(['-', ' '], "_");
    let other = names_in(folder)
        .into_iter()
        .find(|name| plain(name) == plain(&card.name) && folder.join(name).is_dir())?;
    Some(format!(
        "the folder '{other}' is to be called '{}'",
        card.name
    ))
}

/// What a folder is instead of one that holds a folder for each domain.
pub(super) fn near_folder(folder: &Path) -> Option<String> {
    let names = names_in(folder);
    let shown = folder.display();
    if names.iter().any(|name| name.starts_with("datasets--")) {
        return Some(format!(
            "{shown} is the Hub's cache: --suite hub instead of --data reads it"
        ));
    }
    if names.iter().any(|name| name.contains("___")) {
        return Some(format!(
            "{shown} is the cache of datasets, which holds Arrow: to_parquet of each split writes what is read"
        ));
    }
    let here = names.iter().find(|name| {
        let is_data = ENDS.iter().any(|end| name.ends_with(end));
        is_data && split_of(Path::new(name)).is_some()
    })?;
    Some(format!(
        "{shown} itself has {here}: wanted a folder for each domain in it, {}",
        folder.join("DOMAIN").join(here).display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sample::card;
    use std::fs;

    /// Makes empty files and says which of them are a split of a domain, by their paths.
    fn found(name: &str, split: Split, paths: &[&str]) -> Result<Vec<String>, LayoutError> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for path in paths {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, "").expect("written");
        }
        let root = folder.path().display().to_string();
        let files = files(folder.path(), &card(name), split)?;
        let names = files.iter().map(|file| file.name());
        Ok(names
            .map(|name| name.replace(&root, "").trim_start_matches('/').to_string())
            .collect())
    }

    #[test]
    fn downloads_are_read_wherever_they_are_put() {
        for (domain, split, path) in [
            ("squad", Split::Train, "squad/train/0000.parquet"),
            ("squad", Split::Train, "squad/train/squad.parquet"),
            (
                "squad",
                Split::Train,
                "squad/data/train-00000-of-00001.parquet",
            ),
            (
                "squad",
                Split::Train,
                "squad/plain_text/train-00000-of-00001.parquet",
            ),
            ("squad", Split::Train, "squad/plain_text/train/0000.parquet"),
            (
                "squad",
                Split::Validation,
                "rajpurkar/squad/plain_text/validation/0000.parquet",
            ),
            (
                "squad",
                Split::Train,
                "squad/train-00000-of-00001-0a1b2c3d4e5f6071.parquet",
            ),
            ("squad", Split::Train, "squad/train.jsonl"),
            ("squad", Split::Train, "squad/train.jsonl.gz"),
            (
                "squadshifts_amazon",
                Split::Test,
                "squadshifts/amazon/test/0000.parquet",
            ),
            (
                "squadshifts_amazon",
                Split::Test,
                "ludwigschmidt/squadshifts/amazon/test-00000-of-00001.parquet",
            ),
            ("qqp", Split::Train, "glue/qqp/train-00000-of-00001.parquet"),
            (
                "mrpc",
                Split::Train,
                "mrpc/mrpc/train-00000-of-00001.parquet",
            ),
        ] {
            assert_eq!(found(domain, split, &[path]), Ok(vec![path.to_string()]));
        }
    }

    #[test]
    fn what_belongs_to_another_domain_or_has_no_labels_is_left_alone() {
        for (domain, split, path) in [
            (
                "qqp",
                Split::Train,
                "glue/mrpc/train-00000-of-00001.parquet",
            ),
            (
                "qqp",
                Split::Train,
                "nyu-mll/glue/train-00000-of-00001.parquet",
            ),
            (
                "qqp",
                Split::Test,
                "nyu-mll/glue/qqp/test-00000-of-00001.parquet",
            ),
            ("qqp", Split::Test, "qqp/qqp/test-00000-of-00001.parquet"),
            (
                "rte",
                Split::Test,
                "aps/super_glue/rte/test-00000-of-00001.parquet",
            ),
            ("squad", Split::Test, "squad/train.parquet"),
            (
                "squad",
                Split::Train,
                "squad/.cache/huggingface/train.parquet",
            ),
        ] {
            assert_eq!(found(domain, split, &[path]), Ok(Vec::new()), "{path}");
        }
        let years = ["squad/train/2023.parquet", "squad/train/2024.parquet"];
        let found_years = found("squad", Split::Train, &years).expect("no parts");
        assert_eq!(found_years, years);
        // Whoever puts it into the domain's own folder means it.
        let own = "qqp/test.parquet";
        assert_eq!(found("qqp", Split::Test, &[own]), Ok(vec![own.to_string()]));
    }

    #[test]
    fn a_missing_part_is_named_by_the_names_own_count() {
        for (paths, wanted, missing) in [
            (
                &[
                    "squad/train-00000-of-00003.parquet",
                    "squad/train-00002-of-00003.parquet",
                ][..],
                3,
                vec!["train-00001-of-00003"],
            ),
            (
                &["squad/plain_text/train-00000-of-00002-6d9e4b1f0c3a7725.parquet"],
                2,
                vec!["train-00001-of-00002"],
            ),
            (
                &["squad/train/0000.parquet", "squad/train/0003.parquet"],
                4,
                vec!["0001.parquet", "0002.parquet"],
            ),
        ] {
            let error = found("squad", Split::Train, paths).expect_err("a part is missing");
            let LayoutError::MissingParts {
                wanted: all,
                found,
                missing: names,
                split,
                ..
            } = error
            else {
                panic!("{error}");
            };
            assert_eq!((all, found, split), (wanted, paths.len(), Split::Train));
            assert_eq!(names, missing);
        }
        let error = found(
            "newsqa",
            Split::Train,
            &["mrqa-workshop/mrqa/plain_text/train-00003-of-00009.parquet"],
        );
        let error = error.expect_err("one of nine").to_string();
        assert!(
            error.contains("wanted 9 parts of train,")
                && error.contains("found 1, without plain_text/train-00000-of-00009.parquet, "),
            "{error}"
        );
        let all = ["squad/train-2-of-12.parquet".to_string()];
        let error = found("squad", Split::Train, &[&all[0]]).expect_err("one of twelve");
        assert!(
            error
                .to_string()
                .contains("train-0-of-12, train-1-of-12, train-3-of-12")
        );
    }

    #[test]
    fn parts_are_read_in_the_order_of_their_numbers() {
        let names: Vec<String> = (0..12)
            .map(|at| format!("squad/train-{at}-of-12.parquet"))
            .collect();
        let paths: Vec<&str> = names.iter().rev().map(String::as_str).collect();
        assert_eq!(found("squad", Split::Train, &paths), Ok(names));
    }

    #[test]
    fn parts_of_two_tables_are_refused() {
        for paths in [
            [
                "squad/train-00000-of-00001.parquet",
                "squad/train-00000-of-00002.parquet",
            ],
            [
                "squad/train-00000-of-00001-aaaa.parquet",
                "squad/train-00000-of-00001-bbbb.parquet",
            ],
            [
                "squad/train-00000-of-00001.parquet",
                "squad/train-more.parquet",
            ],
        ] {
            let error = found("squad", Split::Train, &paths).expect_err("two tables");
            assert!(matches!(error, LayoutError::MixedParts { .. }), "{error}");
        }
    }

    #[test]
    fn a_near_miss_is_named() {
        for (path, split, part) in [
            ("squad/dev.parquet", Split::Validation, "rename it"),
            ("squad/Train.parquet", Split::Train, "rename it"),
            ("squad/squad_dev.parquet", Split::Validation, "rename it"),
            ("squad/v1/eval.parquet", Split::Test, "rename it"),
            (
                "squad/train/data-00000-of-00001.arrow",
                Split::Train,
                "save_to_disk",
            ),
            ("squad/train-v1.1.json", Split::Train, "write it as parquet"),
            ("squad/test.csv", Split::Test, "write it as parquet"),
        ] {
            let error = found("squad", split, &[path, "squad/dataset_dict.json"]);
            let error = error.expect_err(path).to_string();
            let wanted = format!("seems to be {split} and is not read");
            assert!(
                error.contains(path) && error.contains(&wanted) && error.contains(part),
                "{error}"
            );
        }
    }

    #[test]
    fn what_is_no_folder_of_domains_is_told() {
        let near = |paths: &[&str], name: &str| {
            let folder = tempfile::tempdir().expect("a temporary folder");
            for path in paths {
                let path = folder.path().join(path);
                fs::create_dir_all(path.parent().expect("a folder")).expect("made");
                fs::write(path, "").expect("written");
            }
            let near = near_domain(folder.path(), &card(name));
            near.or_else(|| near_folder(folder.path()))
        };
        for (path, part) in [
            ("squad/data-00000-of-00001.arrow", "save_to_disk"),
            ("squad/README.md", "has no data in it"),
            ("SQuAD/train.parquet", "'SQuAD' is to be called 'squad'"),
            ("train.parquet", "itself has train.parquet"),
            ("datasets--rajpurkar--squad/refs/main", "--suite hub"),
            (
                "rajpurkar___squad/plain_text/squad-train.arrow",
                "cache of datasets",
            ),
        ] {
            let found = near(&[path], "squad").expect(path);
            assert!(found.contains(part), "{found}");
        }
        assert_eq!(near(&["race/train.parquet"], "squad"), None);
    }
}
