//! Where a domain's files are in a folder of real data, DIR of `--data DIR`.
//!
//! A split is read from the first of these places that contains it:
//!
//! | place | as |
//! |---|---|
//! | `DIR/DOMAIN`, `DIR/DOMAIN/data` | placed by hand, or in the layout of the Hub's newer repositories |
//! | `FILE` for each file of the card, below a download | in the repository's layout |
//! | `CONFIG`, the card's, below a download | in the repository's current layout, or in that of the Hub's
//! conversion |
//!
//! A download is `DIR/DOMAIN`, `DIR/OWNER/REPOSITORY` or `DIR/REPOSITORY`, as written by
//! `huggingface-cli download --local-dir`. From a download, only splits with files in the card are read:
//! GLUE's test files have no labels. Within a place, a split is the first of `SPLIT.parquet`,
//! `SPLIT-*.parquet` and `SPLIT/*.parquet` (the parts of one table), and MRQA's `SPLIT.jsonl.gz` and
//! `SPLIT.jsonl`.
//!
//! Part names state the total (`train-00002-of-00009`); a missing part is an error. So is a file that looks
//! like a split but is not read, such as `dev.parquet` or the output of `save_to_disk`: otherwise the split
//! would be silently absent.

mod error;
mod near;
mod parts;

use std::path::{Path, PathBuf};

use self::near::{advice, data_files, split_of};
use self::parts::{complete, names_in};
use super::card::{self, Card};
use super::readers::{DataFile, LINES};
use super::splits::Split;

pub use self::error::LayoutError;
pub(super) use self::near::{near_domain, near_folder};

/// The files of a domain's split; empty if it has none here.
///
/// # Errors
/// Parts are missing or inconsistent, or a file is almost named like the split.
pub(super) fn files(
    folder: &Path,
    card: &Card,
    split: Split,
) -> Result<Vec<DataFile>, LayoutError> {
    let own = folder.join(card.base());
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
    // Splits of a download that the card does not list are skipped.
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

/// Folders that may hold a download of the card's repository. `huggingface-cli download --local-dir` accepts
/// any folder name; those checked are the names of the domain, of the repository and of its last component.
fn downloads(folder: &Path, card: &Card, repository: &str) -> Vec<PathBuf> {
    let last = repository.rsplit('/').next().unwrap_or(repository);
    // A folder named like another domain belongs to that domain.
    let last = (last == card.base() || !card::is_bundled(last)).then_some(last);
    [Some(card.base()), Some(repository), last]
        .into_iter()
        .flatten()
        .map(|name| folder.join(name))
        .collect()
}

/// The files that the card lists, relative to a download; empty if none of them exists.
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

/// A folder's parquet files whose names have this prefix, sorted.
fn parquet_in(folder: &Path, prefix: &str) -> Vec<String> {
    names_in(folder)
        .into_iter()
        .filter(|name| name.starts_with(prefix) && name.ends_with(".parquet"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sample::card;
    use std::fs;

    /// Creates empty files and returns the paths of those that belong to a domain's split.
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
    fn files_of_other_domains_or_without_labels_are_skipped() {
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
        // A file in the domain's own folder was put there on purpose.
        let own = "qqp/test.parquet";
        assert_eq!(found("qqp", Split::Test, &[own]), Ok(vec![own.to_string()]));
    }

    #[test]
    fn a_missing_part_is_found_by_the_count_in_the_names() {
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
    fn a_folder_without_domains_is_recognised() {
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
            (
                "SQuAD/train.parquet",
                "rename the folder 'SQuAD' to 'squad'",
            ),
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
