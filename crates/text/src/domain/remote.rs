//! Where a domain's files are published, and where they lie in the cache.

use std::path::{Path, PathBuf};

use super::card::Card;
use super::splits::Split;
use crate::hub::{self, Kind, MAIN, RemoteFile, Source, SourceError, Wanted};

/// Why a domain can't be fetched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RemoteError {
    /// Its card lists no files.
    #[error(
        "domain '{domain}' can't be fetched: its card names no published files; wanted its files in DIR/{domain} of --data DIR"
    )]
    NoSource {
        /// The domain.
        domain: String,
    },
    /// Its card lists something that is not a valid repository or file of one.
    #[error("domain '{domain}': its card: {source}")]
    Source {
        /// The domain.
        domain: String,
        /// Why.
        source: SourceError,
    },
}

/// The published files of a domain, for all splits.
///
/// # Errors
/// The card lists none, or names that are not valid files of a repository.
pub fn source_of(card: &Card) -> Result<Source, RemoteError> {
    let published = Split::ALL
        .into_iter()
        .filter_map(|split| card.published(split));
    let mut files: Vec<RemoteFile> = Vec::new();
    for split in published {
        let mut sha256 = split.sha256.iter().cloned();
        for path in &split.files {
            let sha256 = sha256.next();
            let file = RemoteFile {
                path: path.clone(),
                sha256,
            };
            if !files.contains(&file) {
                files.push(file);
            }
        }
    }
    let Some(source) = card.source.as_ref().filter(|_| !files.is_empty()) else {
        return Err(RemoteError::NoSource {
            domain: card.name.clone(),
        });
    };
    let revision = source.revision.as_deref().unwrap_or(MAIN);
    let wanted = Wanted::Files(files);
    Source::new(Kind::Dataset, &source.repository, revision, wanted).map_err(|source| {
        RemoteError::Source {
            domain: card.name.clone(),
            source,
        }
    })
}

/// The files of a split in the Hub's cache; empty unless all of the domain's files were fetched.
pub fn fetched(card: &Card, split: Split, cache: &Path) -> Vec<PathBuf> {
    let folder = source_of(card)
        .ok()
        .and_then(|source| hub::cached(&source, cache));
    let (Some(folder), Some(published)) = (folder, card.published(split)) else {
        return Vec::new();
    };
    let files = published.files.iter();
    files.map(|file| folder.join(file)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::card::bundled;

    #[test]
    fn every_bundled_domain_names_its_files() {
        for card in bundled() {
            let source = source_of(&card).expect("a source");
            assert_eq!(source.kind(), Kind::Dataset, "{}", card.name);
            let Wanted::Files(files) = source.wanted() else {
                panic!("{}: a domain is files", card.name);
            };
            assert!(files.iter().all(|file| file.path.ends_with(".parquet")));
        }
    }

    #[test]
    fn a_domain_is_found_where_it_was_fetched() {
        let cache = tempfile::tempdir().expect("a temporary folder");
        let cards = bundled();
        let card = cards.iter().find(|c| c.name == "squad").expect("a card");
        assert!(fetched(card, Split::Train, cache.path()).is_empty());
        let repository = cache.path().join("datasets--rajpurkar--squad");
        let commit = "a1".repeat(20);
        let folder = repository.join("snapshots").join(&commit);
        std::fs::create_dir_all(repository.join("refs")).expect("made");
        std::fs::write(repository.join("refs/main"), &commit).expect("written");
        for split in [Split::Train, Split::Validation] {
            let file = &card.published(split).expect("published").files[0];
            let path = folder.join(file);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            // A partly fetched domain counts as absent.
            assert!(fetched(card, split, cache.path()).is_empty());
            std::fs::write(&path, "parquet").expect("written");
        }
        let found = fetched(card, Split::Train, cache.path());
        assert_eq!(
            found,
            [folder.join("plain_text/train-00000-of-00001.parquet")]
        );
        assert!(fetched(card, Split::Test, cache.path()).is_empty());
    }

    #[test]
    fn a_card_without_files_is_an_error() {
        let mut card = bundled().swap_remove(0);
        card.source = None;
        let message = source_of(&card).expect_err("no source").to_string();
        assert!(message.contains("names no published files"), "{message}");
    }
}
