//! The Hub's standard cache: `models--OWNER--NAME/{blobs,refs,snapshots}`.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use super::checkpoint;
use super::error::HubError;
use super::source::{Source, Wanted, is_hexadecimal};
use crate::atomic_file;

/// The name of a repository's folder in a cache: `models--OWNER--NAME`.
pub(super) fn folder_name(source: &Source) -> String {
    let name = source.repository().replace('/', "--");
    format!("{}s--{name}", source.kind())
}

/// A repository's folder in a cache.
pub(super) struct Place(PathBuf);

impl Place {
    pub fn of(cache: &Path, source: &Source) -> Self {
        Place(cache.join(folder_name(source)))
    }

    /// The path of a file's content.
    pub fn blob(&self, name: &str) -> PathBuf {
        self.0.join("blobs").join(name)
    }

    /// The folder of a commit's links to file contents.
    pub fn snapshot(&self, commit: &str) -> PathBuf {
        self.0.join("snapshots").join(commit)
    }

    /// The folder of unfinished downloads.
    pub fn incoming(&self) -> PathBuf {
        self.0.join("incoming")
    }

    fn reference(&self, revision: &str) -> PathBuf {
        self.0.join("refs").join(revision)
    }

    /// Points a revision at a commit.
    ///
    /// # Errors
    /// An error of the file system.
    pub fn refer(&self, revision: &str, commit: &str) -> Result<(), HubError> {
        let reference = self.reference(revision);
        let folder = reference.parent().unwrap_or(&self.0);
        std::fs::create_dir_all(folder).map_err(|error| HubError::io(folder, error))?;
        Ok(atomic_file::replace(&reference, commit.as_bytes())?)
    }
}

/// The folder with every wanted file of a source, if all are in the cache; needs no network. Files were
/// verified when they were fetched and are not read again.
pub fn cached(source: &Source, cache: &Path) -> Option<PathBuf> {
    let place = Place::of(cache, source);
    let commit = if is_hexadecimal(source.revision(), 40) {
        source.revision().to_string()
    } else {
        let commit = std::fs::read_to_string(place.reference(source.revision())).ok()?;
        let commit = commit.trim();
        is_hexadecimal(commit, 40).then(|| commit.to_string())?
    };
    let folder = place.snapshot(&commit);
    let whole = match source.wanted() {
        Wanted::Files(files) => files.iter().all(|file| folder.join(&file.path).is_file()),
        Wanted::Checkpoint => holds_checkpoint(&folder),
    };
    whole.then_some(folder)
}

fn holds_checkpoint(folder: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return false;
    };
    let names: Vec<String> = entries
        .filter_map(Result::ok)
        // A link whose blob was deleted does not count.
        .filter(|entry| entry.path().is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    let names: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    checkpoint::files(&names).is_ok()
}

/// Makes `pointer` refer to `blob`, replacing any old pointer: a relative symbolic link as in
/// `huggingface_hub`, or a copy where the system has no links.
pub(super) fn point(blob: &Path, pointer: &Path) -> io::Result<()> {
    if let Some(folder) = pointer.parent() {
        std::fs::create_dir_all(folder)?;
    }
    // Created beside it and renamed, so that a complete pointer exists at any time.
    let mut beside = pointer.as_os_str().to_owned();
    beside.push(".partial");
    let beside = PathBuf::from(beside);
    match std::fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    link(blob, &beside)?;
    std::fs::rename(&beside, pointer)
}

#[cfg(unix)]
fn link(blob: &Path, pointer: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(relative(blob, pointer), pointer)
}

#[cfg(not(unix))]
fn link(blob: &Path, pointer: &Path) -> io::Result<()> {
    std::fs::copy(blob, pointer).map(|_| ())
}

/// The path of `blob` relative to the folder of `pointer`; both are in one cache.
#[cfg(unix)]
fn relative(blob: &Path, pointer: &Path) -> PathBuf {
    let shared = blob
        .components()
        .zip(pointer.components())
        .take_while(|(a, b)| a == b)
        .count();
    let up = pointer.components().count() - shared - 1;
    let mut path: PathBuf = std::iter::repeat_n("..", up).collect();
    path.extend(blob.components().skip(shared));
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::{Kind, RemoteFile};

    fn write(path: PathBuf, text: &str) {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    }

    #[test]
    fn a_source_is_cached_only_if_complete() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let cache = folder.path();
        let commit = "a1".repeat(20);
        let model = Source::model("o/n").expect("a name");
        let snapshot = cache.join("models--o--n/snapshots").join(&commit);
        assert_eq!(cached(&model, cache), None);
        write(cache.join("models--o--n/refs/main"), &commit);
        assert_eq!(cached(&model, cache), None);
        write(snapshot.join("config.json"), "{}");
        write(snapshot.join("spiece.model"), "");
        assert_eq!(cached(&model, cache), None);
        write(snapshot.join("pytorch_model.bin"), "");
        assert_eq!(cached(&model, cache), Some(snapshot.clone()));
        let at = |revision| cached(&model.clone().at(revision).expect("one"), cache);
        assert_eq!(at("v1"), None);
        assert_eq!(at(&commit), Some(snapshot));
        write(cache.join("models--o--n/refs/main"), "../../elsewhere");
        assert_eq!(cached(&model, cache), None);
    }

    #[test]
    fn a_file_of_a_data_set_is_found() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let cache = folder.path();
        let commit = "0".repeat(40);
        let files = Wanted::Files(vec![RemoteFile::named("p/x.parquet")]);
        let source = Source::new(Kind::Dataset, "o/n", "refs/pr/1", files).expect("names");
        write(cache.join("datasets--o--n/refs/refs/pr/1"), &commit);
        assert_eq!(cached(&source, cache), None);
        let snapshot = cache.join("datasets--o--n/snapshots").join(&commit);
        write(snapshot.join("p/x.parquet"), "PAR1");
        assert_eq!(cached(&source, cache), Some(snapshot));
    }

    #[cfg(unix)]
    #[test]
    fn a_pointer_is_relative_and_replaced() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let blob = folder.path().join("m/blobs/abc");
        write(blob.clone(), "new");
        let pointer = folder.path().join("m/snapshots/c/p/x");
        write(pointer.clone(), "old");
        point(&blob, &pointer).expect("pointed");
        assert_eq!(std::fs::read_to_string(&pointer).expect("read"), "new");
        let target = std::fs::read_link(&pointer).expect("a link");
        assert_eq!(target, Path::new("../../../blobs/abc"));
    }
}
