//! Files and folders that are written whole or not at all, and never over what is there.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum NewFileError {
    /// Something has this name.
    #[error("{} exists already and is not overwritten; choose another name", path.display())]
    Exists {
        /// The name.
        path: PathBuf,
    },
    /// There is no folder to write it in.
    #[error("{}: wanted a folder to write it in, found no folder {}", path.display(), parent.display())]
    NoFolder {
        /// The name.
        path: PathBuf,
        /// Its folder.
        parent: PathBuf,
    },
    /// It has no name of its own, such as `..`.
    #[error("{}: wanted a name to write to", path.display())]
    NoName {
        /// What was given.
        path: PathBuf,
    },
    /// The file system said no.
    #[error("cannot write {}: {source}", path.display())]
    Io {
        /// The name.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
}

/// Whether `path` can be written, before any time is spent on what goes there.
///
/// # Errors
/// Something is there, or its folder is not.
pub fn check(path: &Path) -> Result<(), NewFileError> {
    partial(path)?;
    // A link that leads nowhere is something too.
    if path.symlink_metadata().is_ok() {
        return Err(NewFileError::Exists {
            path: path.to_owned(),
        });
    }
    let parent = folder_of(path);
    if parent.is_dir() {
        return Ok(());
    }
    Err(NewFileError::NoFolder {
        path: path.to_owned(),
        parent,
    })
}

/// Writes a file.
///
/// # Errors
/// As [`check`], or the file system says no.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), NewFileError> {
    check(path)?;
    let partial = Partial(partial(path)?);
    write_synced(&partial.0, bytes)
        .and_then(|()| publish(&partial.0, path))
        .map_err(|source| failed(path, source))
}

/// Writes a folder of files.
///
/// # Errors
/// As [`check`], or the file system says no.
pub fn write_folder(path: &Path, files: &[(&str, Vec<u8>)]) -> Result<(), NewFileError> {
    check(path)?;
    let partial = Partial(partial(path)?);
    fs::create_dir(&partial.0)
        .and_then(|()| {
            for (name, bytes) in files {
                write_synced(&partial.0.join(name), bytes)?;
            }
            fs::rename(&partial.0, path)
        })
        .map_err(|source| failed(path, source))
}

fn failed(path: &Path, source: io::Error) -> NewFileError {
    let path = path.to_owned();
    match source.kind() {
        io::ErrorKind::AlreadyExists => NewFileError::Exists { path },
        _ => NewFileError::Io { path, source },
    }
}

/// Gives a finished file its name. A link, unlike a renaming, fails where the name is taken since;
/// where the file system has no links, the name is looked at once more.
fn publish(partial: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(partial, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists && !path.exists() => {
            fs::rename(partial, path)
        }
        linked => linked,
    }
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Where `path` is written before it has its name: beside it, for this process alone.
fn partial(path: &Path) -> Result<PathBuf, NewFileError> {
    let name = path.file_name().ok_or_else(|| NewFileError::NoName {
        path: path.to_owned(),
    })?;
    let name = name.to_string_lossy();
    Ok(path.with_file_name(format!(".partial-{name}-{}", std::process::id())))
}

/// The folder that a path lies in.
fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// What is not finished, removed when dropped; after a renaming there is nothing to remove.
struct Partial(PathBuf);

impl Drop for Partial {
    fn drop(&mut self) {
        // Best effort: a file is removed, or a folder.
        let _ = fs::remove_file(&self.0);
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("readable");
        let name = |entry: io::Result<fs::DirEntry>| entry.expect("readable").file_name();
        let mut names: Vec<String> = entries
            .map(|entry| name(entry).to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn what_is_there_stays() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("a.jsonl");
        write(&file, b"first").expect("new");
        assert!(matches!(
            write(&file, b"second"),
            Err(NewFileError::Exists { .. })
        ));
        assert_eq!(fs::read(&file).expect("kept"), b"first");
        let files = [("x", b"1".to_vec()), ("y", b"2".to_vec())];
        assert!(matches!(
            write_folder(&file, &files),
            Err(NewFileError::Exists { .. })
        ));
        write_folder(&folder.path().join("b"), &files).expect("new");
        assert_eq!(fs::read(folder.path().join("b/y")).expect("written"), b"2");
        let again = write_folder(&folder.path().join("b"), &files);
        assert!(matches!(again, Err(NewFileError::Exists { .. })));
        assert_eq!(
            names(folder.path()),
            ["a.jsonl", "b"],
            "nothing half-written"
        );
    }

    #[test]
    fn a_file_that_appears_meanwhile_stays() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (partial, file) = (folder.path().join("p"), folder.path().join("f"));
        fs::write(&partial, "late").expect("written");
        fs::write(&file, "early").expect("written");
        let error = publish(&partial, &file).expect_err("taken");
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&file).expect("kept"), b"early");
    }

    #[test]
    fn a_place_that_is_none_is_named() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let error = write(&folder.path().join("no/a"), b"").expect_err("no folder");
        assert!(matches!(error, NewFileError::NoFolder { .. }), "{error}");
        assert!(matches!(
            check(Path::new("..")),
            Err(NewFileError::NoName { .. })
        ));
        assert!(check(Path::new("a-name-in-the-current-folder")).is_ok());
        assert!(names(folder.path()).is_empty());
    }
}
