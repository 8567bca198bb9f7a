//! The parts of one table, `train-00000-of-00009.parquet` and so on, and the check that none is missing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::error::LayoutError;
use crate::domain::splits::Split;

/// The names of non-hidden entries of a folder, sorted; empty if it can't be read.
pub(super) fn names_in(folder: &Path) -> BTreeSet<String> {
    let entries = folder.read_dir().into_iter().flatten();
    entries
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
        .filter(|name| !name.starts_with('.'))
        .collect()
}

/// The paths of a table's parts in order, if none is missing by the total in their names. Names without
/// numbers are accepted unchanged.
pub(super) fn complete(
    folder: &Path,
    split: Split,
    names: Vec<String>,
) -> Result<Vec<PathBuf>, LayoutError> {
    let mut parts: Vec<(Option<Number>, String)> = (names.into_iter())
        .map(|name| (Number::of(&name), name))
        .collect();
    // `0000.parquet` is the first part of a Hub conversion; `2024.parquet` is a year.
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
    // Numbered and unnumbered names are mixed, totals differ, or two parts have the same number.
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
        // Names such as `0000.parquet`, `0001.parquet` reveal gaps but not the total.
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

/// Maximum number of parts, above that of any data set.
const MOST_PARTS: usize = 100_000;

/// A part's number in its file name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Number {
    /// Its index, from 0.
    at: usize,
    /// The total, if stated in the name.
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

    /// Whether the name alone shows that it is one of several parts.
    fn counts(&self) -> bool {
        self.of.is_some() || (self.digits.len() > 1 && self.digits.starts_with('0'))
    }

    /// The name of another part of the same table, except for a hash.
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
