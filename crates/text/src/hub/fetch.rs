//! A complete fetch: list the files, choose, download what is missing, record the commit.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::cache::{self, Place, cached};
use super::checkpoint;
use super::checksum::{Checksum, Expected};
use super::client::Client;
use super::download::{Download, absent};
use super::error::HubError;
use super::listing::Listing;
use super::settings::{Network, Settings};
use super::source::{RemoteFile, Source, Wanted, is_path};
use crate::claim::Claim;

/// How a file got into the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// It was downloaded.
    Downloaded,
    /// It was already in the cache, and intact.
    Cached,
}

/// A file that is now in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedFile {
    /// Its path in the repository.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// How it got there.
    pub arrival: Arrival,
}

/// A source that is now in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The folder that holds its files.
    pub folder: PathBuf,
    /// Its files; empty if the Hub was not queried.
    pub files: Vec<FetchedFile>,
}

/// Progress of a fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<'a> {
    /// A download starts.
    Started {
        /// Its path in the repository.
        file: &'a str,
        /// Its size.
        bytes: u64,
    },
    /// The download's progress.
    At {
        /// Bytes downloaded so far.
        bytes: u64,
    },
    /// The file is complete and in the cache.
    Ended,
    /// A cached file was damaged and is discarded.
    Damaged {
        /// Its path in the repository.
        file: &'a str,
    },
}

/// Fetches every wanted file of a source into the cache; intact files are left alone.
///
/// # Errors
/// A file can't be fetched. The cache then contains no incomplete file, and the revision still points where
/// it did before.
pub fn fetch(
    source: &Source,
    settings: &Settings,
    tell: &mut dyn FnMut(Event<'_>),
) -> Result<Fetched, HubError> {
    if settings.network == Network::Forbidden {
        return match cached(source, &settings.cache) {
            Some(folder) => Ok(Fetched {
                folder,
                files: Vec::new(),
            }),
            None => Err(HubError::Offline {
                repository: source.repository().to_string(),
                revision: source.revision().to_string(),
                cache: settings.cache.display().to_string(),
            }),
        };
    }
    let client = Client::new(source, settings);
    let listing = client.listing()?;
    let wanted = choose(source, &listing)?;
    let place = Place::of(&settings.cache, source);
    let not_ours = |error| HubError::Claim {
        repository: source.repository().to_string(),
        source: error,
    };
    let folder = (settings.cache.join(".locks")).join(cache::folder_name(source));
    std::fs::create_dir_all(&folder).map_err(|error| HubError::io(&folder, error))?;
    // One fetch of a repository at a time.
    let claim = Claim::take(&folder, None).map_err(not_ours)?;
    let mut fetch = Fetch {
        client: &client,
        listing: &listing,
        place: &place,
        tell,
    };
    let files = wanted
        .iter()
        .map(|file| fetch.file(file))
        .collect::<Result<Vec<FetchedFile>, HubError>>()?;
    let incoming = place.incoming();
    absent(std::fs::remove_dir_all(&incoming)).map_err(|error| HubError::io(&incoming, error))?;
    claim.check().map_err(not_ours)?;
    // Last, so that the revision never points to an incomplete commit.
    if source.revision() != listing.commit {
        place.refer(source.revision(), &listing.commit)?;
    }
    Ok(Fetched {
        folder: place.snapshot(&listing.commit),
        files,
    })
}

/// The wanted files, with the checksums known beforehand. Each of them is in the listing.
fn choose(source: &Source, listing: &Listing) -> Result<Vec<RemoteFile>, HubError> {
    let files = match source.wanted() {
        Wanted::Files(files) => files.clone(),
        Wanted::Checkpoint => {
            let names: BTreeSet<&str> = listing.files.keys().map(String::as_str).collect();
            let chosen = checkpoint::files(&names).map_err(|lack| HubError::NoCheckpoint {
                repository: source.repository().to_string(),
                revision: source.revision().to_string(),
                lack: lack.0,
                has: some_of(listing),
            })?;
            chosen.iter().map(|name| RemoteFile::named(name)).collect()
        }
    };
    for file in &files {
        let Some(listed) = listing.files.get(&file.path) else {
            return Err(HubError::NoFile {
                repository: source.repository().to_string(),
                revision: source.revision().to_string(),
                file: file.path.clone(),
                has: some_of(listing),
            });
        };
        let wanted = file.sha256.as_deref().and_then(Checksum::sha256);
        for (wanted, found) in wanted.iter().zip(&listed.checksums) {
            if matches!(found, Checksum::Sha256(_)) && wanted != found {
                return Err(HubError::Changed {
                    file: file.path.clone(),
                    wanted: wanted.to_string(),
                    repository: source.repository().to_string(),
                    revision: source.revision().to_string(),
                    found: found.to_string(),
                });
            }
        }
    }
    Ok(files)
}

/// A one-line summary of a listing.
fn some_of(listing: &Listing) -> String {
    const SHOWN: usize = 12;
    // Names that are invalid on the Hub are not echoed to a terminal.
    let names: Vec<&str> = (listing.files.keys().map(String::as_str))
        .filter(|name| is_path(name))
        .collect();
    match names.len() {
        0 => "no files".to_string(),
        count if count > SHOWN => {
            format!("{} and {} others", names[..SHOWN].join(", "), count - SHOWN)
        }
        _ => names.join(", "),
    }
}

struct Fetch<'a> {
    client: &'a Client<'a>,
    listing: &'a Listing,
    place: &'a Place,
    tell: &'a mut dyn FnMut(Event<'_>),
}

impl Fetch<'_> {
    fn file(&mut self, file: &RemoteFile) -> Result<FetchedFile, HubError> {
        let pointer = (self.place.snapshot(&self.listing.commit)).join(&file.path);
        let mut expected = self.listing.files[&file.path].clone();
        let beforehand = file.sha256.as_deref().and_then(Checksum::sha256);
        expected.checksums.extend(beforehand);
        if self.is_whole(&pointer, &expected, &file.path)? {
            return arrived(file, &pointer, Arrival::Cached);
        }
        let header = self.client.header(&self.listing.commit, &file.path)?;
        expected.checksums.extend(Checksum::sha256(&header.blob));
        // The file's own header is more reliable than the listing.
        expected.bytes = header.bytes.or(expected.bytes);
        let blob = self.place.blob(&header.blob);
        // Another commit may have the same file.
        let arrival = if self.is_whole(&blob, &expected, &file.path)? {
            Arrival::Cached
        } else {
            self.download(file, &header.blob, expected)?;
            Arrival::Downloaded
        };
        cache::point(&blob, &pointer).map_err(|error| HubError::io(&pointer, error))?;
        arrived(file, &pointer, arrival)
    }

    fn download(
        &mut self,
        file: &RemoteFile,
        blob: &str,
        expected: Expected,
    ) -> Result<(), HubError> {
        let Some(bytes) = expected.bytes else {
            return Err(HubError::Answer {
                url: self.client.url(&self.listing.commit, &file.path),
                reason: "wanted the file's size, found none".to_string(),
            });
        };
        (self.tell)(Event::Started {
            file: &file.path,
            bytes,
        });
        let download = Download {
            client: self.client,
            commit: &self.listing.commit,
            file: &file.path,
            bytes,
            expected,
            part: self.place.incoming().join(format!("{blob}.part")),
        };
        download.run(&mut |bytes| (self.tell)(Event::At { bytes }))?;
        let (part, blob) = (&download.part, self.place.blob(blob));
        let folder = blob.parent().unwrap_or(&blob);
        std::fs::create_dir_all(folder)
            .and_then(|()| std::fs::rename(part, &blob))
            .map_err(|error| HubError::io(&blob, error))?;
        (self.tell)(Event::Ended);
        Ok(())
    }

    /// Whether a cached file exists and is intact. A damaged file is deleted, since every program that shares
    /// the cache would take it to be intact.
    fn is_whole(&mut self, path: &Path, expected: &Expected, file: &str) -> Result<bool, HubError> {
        let compared = absent(expected.compare(path)).map_err(|error| HubError::io(path, error))?;
        match compared {
            None => Ok(false),
            Some(Ok(())) => Ok(true),
            Some(Err(_)) => {
                (self.tell)(Event::Damaged { file });
                std::fs::remove_file(path).map_err(|error| HubError::io(path, error))?;
                Ok(false)
            }
        }
    }
}

fn arrived(file: &RemoteFile, path: &Path, arrival: Arrival) -> Result<FetchedFile, HubError> {
    let metadata = std::fs::metadata(path).map_err(|error| HubError::io(path, error))?;
    Ok(FetchedFile {
        path: file.path.clone(),
        bytes: metadata.len(),
        arrival,
    })
}
