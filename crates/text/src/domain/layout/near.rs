//! Files and folders in almost the right form, with advice on how to fix them.

use std::path::{Path, PathBuf};

use super::error::few;
use super::parts::names_in;
use crate::domain::card::Card;
use crate::domain::splits::Split;

/// Words for each split, including those used by `datasets`.
const WORDS: [(Split, &[&str]); 3] = [
    (Split::Train, &["train", "training"]),
    (
        Split::Validation,
        &["validation", "valid", "val", "dev", "development"],
    ),
    (Split::Test, &["test", "testing", "eval", "evaluation"]),
];

/// The split of the first such word in a path.
pub(super) fn split_of(path: &Path) -> Option<Split> {
    let path = path.to_string_lossy().to_lowercase();
    path.split(|c: char| !c.is_alphanumeric()).find_map(|word| {
        let named = WORDS.iter().find(|(_, words)| words.contains(&word));
        named.map(|(split, _)| *split)
    })
}

/// File extensions of data sets.
const ENDS: [&str; 9] = [
    ".parquet", ".arrow", ".feather", ".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".gz",
];

/// Files that `datasets` writes beside the data.
const ASIDE: [&str; 4] = [
    "state.json",
    "dataset_info.json",
    "dataset_dict.json",
    "dataset_infos.json",
];

/// Maximum depth of the search below a domain's folder, and maximum number of files returned.
const DEEP: usize = 4;
const MANY: usize = 1_000;

/// Files in and below a folder that might be data, sorted by name.
pub(super) fn data_files(folder: &Path) -> Vec<PathBuf> {
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

/// How to convert a file into one that is read.
pub(super) fn advice(file: &Path) -> &'static str {
    let end = file
        .extension()
        .map(|end| end.to_string_lossy().to_lowercase());
    match end.as_deref() {
        Some("parquet") => "rename it",
        Some("arrow") => {
            "it is Arrow from datasets' save_to_disk: load_from_disk(FOLDER) and to_parquet(FILE) of each \
             split make it parquet"
        }
        Some("gz" | "jsonl") => "rename it if it has MRQA's lines, otherwise write it as parquet",
        _ => {
            "write it as parquet (datasets: load_dataset and to_parquet; pandas: DataFrame.to_parquet)"
        }
    }
}

/// What looks like this domain's data in a folder without any of its splits.
pub(in crate::domain) fn near_domain(folder: &Path, card: &Card) -> Option<String> {
    let own = folder.join(card.base());
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
        .find(|name| plain(name) == plain(card.base()) && folder.join(name).is_dir())?;
    Some(format!("rename the folder '{other}' to '{}'", card.base()))
}

/// What a folder is if it does not have one subfolder per domain.
pub(in crate::domain) fn near_folder(folder: &Path) -> Option<String> {
    let names = names_in(folder);
    let shown = folder.display();
    if names.iter().any(|name| name.starts_with("datasets--")) {
        return Some(format!(
            "{shown} is the Hub's cache: use --suite hub instead of --data"
        ));
    }
    if names.iter().any(|name| name.contains("___")) {
        return Some(format!(
            "{shown} is the cache of datasets, which holds Arrow: write each split with to_parquet"
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
