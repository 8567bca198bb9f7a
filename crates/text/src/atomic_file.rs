//! Atomic writes of files and folders: completely or not at all. [`write`](write()) and [`write_folder`]
//! never overwrite anything; [`replace`] swaps a file in one step.
//!
//! An unfinished file has a temporary name beside its final one. The name contains the id of the writing
//! process, so leftovers of a killed process block nobody and are removed the next time the final name is
//! written. (Names from the crate `tempfile` do not identify their process.)

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::process::{Process, token};

/// Why a write failed.
#[derive(Debug, thiserror::Error)]
pub enum AtomicFileError {
    /// The name is taken.
    #[error("{} exists already and is not overwritten; choose another name", path.display())]
    Exists {
        /// The name.
        path: PathBuf,
    },
    /// The folder to write into does not exist.
    #[error("{}: wanted a folder to write into, found no folder {}", path.display(), parent.display())]
    NoFolder {
        /// The name.
        path: PathBuf,
        /// Its folder.
        parent: PathBuf,
    },
    /// The path has no last component, as in `..`.
    #[error("{}: wanted a name to write to", path.display())]
    NoName {
        /// What was given.
        path: PathBuf,
    },
    /// An error of the file system.
    #[error("cannot write {}: {source}", path.display())]
    Io {
        /// The name.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

/// Checks that `path` can be written, before time is spent on its content.
///
/// # Errors
/// The name is taken, or its folder does not exist.
pub fn check(path: &Path) -> Result<(), AtomicFileError> {
    partial(path)?;
    // A dangling link also takes the name.
    if path.symlink_metadata().is_ok() {
        return Err(AtomicFileError::Exists {
            path: path.to_owned(),
        });
    }
    let parent = folder_of(path);
    if parent.is_dir() {
        return Ok(());
    }
    Err(AtomicFileError::NoFolder {
        path: path.to_owned(),
        parent,
    })
}

/// Writes a file.
///
/// # Errors
/// As [`check`], or an error of the file system.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), AtomicFileError> {
    check(path)?;
    let partial = Partial(partial(path)?);
    write_synced(&partial.0, bytes)
        .and_then(|()| publish(&partial.0, path))
        .map_err(|source| failed(path, source))
}

/// Writes a file, replacing any existing one.
///
/// # Errors
/// An error of the file system.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), AtomicFileError> {
    let partial = Partial(partial(path)?);
    write_synced(&partial.0, bytes)
        .and_then(|()| fs::rename(&partial.0, path))
        .map_err(|source| failed(path, source))
}

/// Writes a folder of files.
///
/// # Errors
/// As [`check`], or an error of the file system.
pub fn write_folder(path: &Path, files: &[(&str, Vec<u8>)]) -> Result<(), AtomicFileError> {
    let folder = NewFolder::begin(path)?;
    for (name, bytes) in files {
        write_synced(&folder.path().join(name), bytes).map_err(|source| failed(path, source))?;
    }
    folder.finish()
}

/// A folder whose files are too large to hold in memory. It gets its final name when finished, and is removed
/// if dropped earlier.
#[derive(Debug)]
pub struct NewFolder {
    path: PathBuf,
    partial: Partial,
}

impl NewFolder {
    /// Creates the folder under a temporary name.
    ///
    /// # Errors
    /// As [`check`], or an error of the file system.
    pub fn begin(path: &Path) -> Result<NewFolder, AtomicFileError> {
        check(path)?;
        let partial = Partial(partial(path)?);
        fs::create_dir(&partial.0).map_err(|source| failed(path, source))?;
        Ok(NewFolder {
            path: path.to_owned(),
            partial,
        })
    }

    /// The folder to write files into before [`finish`](Self::finish). The caller syncs them.
    pub fn path(&self) -> &Path {
        &self.partial.0
    }

    /// Renames the folder to its final name.
    ///
    /// # Errors
    /// The name was taken meanwhile, or an error of the file system.
    pub fn finish(self) -> Result<(), AtomicFileError> {
        fs::rename(self.path(), &self.path).map_err(|source| failed(&self.path, source))
    }
}

/// Hard-links a file under a second name; copies it where the file system has no links.
///
/// # Errors
/// The name is taken, or an error of the file system.
pub fn link(from: &Path, to: &Path) -> io::Result<()> {
    fs::hard_link(from, to).or_else(|_| fs::copy(from, to).map(|_| ()))
}

fn failed(path: &Path, source: io::Error) -> AtomicFileError {
    let path = path.to_owned();
    match source.kind() {
        io::ErrorKind::AlreadyExists => AtomicFileError::Exists { path },
        _ => AtomicFileError::Io { path, source },
    }
}

/// Gives a finished file its final name. A hard link is used because it fails if the name was taken meanwhile, while a
/// rename would overwrite. Where the file system has no links, the name is checked once more before the rename.
fn publish(partial: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(partial, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists && !path.exists() => {
            fs::rename(partial, path)
        }
        linked => linked,
    }
}

/// Writes a new file and syncs it to disk. Until this returns, the file may be incomplete.
///
/// # Errors
/// The name is taken, or an error of the file system.
pub fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A temporary name beside `path` that only this call uses. Removes leftovers of dead processes under such names.
fn partial(path: &Path) -> Result<PathBuf, AtomicFileError> {
    let name = path.file_name().ok_or_else(|| AtomicFileError::NoName {
        path: path.to_owned(),
    })?;
    let stem = format!(".partial-{}-", name.to_string_lossy());
    for entry in fs::read_dir(folder_of(path))
        .into_iter()
        .flatten()
        .flatten()
    {
        let owner = entry.file_name();
        let owner = owner.to_str().and_then(|name| name.strip_prefix(&stem));
        if owner
            .and_then(owner_of)
            .is_some_and(|owner| owner.is_gone())
        {
            drop(Partial(entry.path()));
        }
    }
    let Process {
        machine,
        pid,
        started,
    } = Process::this();
    let own = format!("{stem}{machine}-{pid}-{started}-{}", token());
    Ok(path.with_file_name(own))
}

/// The process that owns a partial file, parsed from the end of the file's name.
fn owner_of(end: &str) -> Option<Process> {
    let mut parts = end.split('-');
    let (machine, pid, started) = (parts.next()?, parts.next()?, parts.next()?);
    Some(Process {
        machine: machine.to_owned(),
        pid: pid.parse().ok()?,
        started: started.parse().ok()?,
    })
}

/// The folder that a path lies in.
fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// An unfinished file or folder, removed on drop; after a rename there is nothing to remove.
#[derive(Debug)]
struct Partial(PathBuf);

impl Drop for Partial {
    fn drop(&mut self) {
        // Best effort; `self.0` may be a file or a folder.
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
    fn existing_files_are_not_overwritten() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("a.jsonl");
        write(&file, b"first").expect("new");
        assert!(matches!(
            write(&file, b"second"),
            Err(AtomicFileError::Exists { .. })
        ));
        assert_eq!(fs::read(&file).expect("kept"), b"first");
        let files = [("x", b"1".to_vec()), ("y", b"2".to_vec())];
        assert!(matches!(
            write_folder(&file, &files),
            Err(AtomicFileError::Exists { .. })
        ));
        write_folder(&folder.path().join("b"), &files).expect("new");
        assert_eq!(fs::read(folder.path().join("b/y")).expect("written"), b"2");
        let again = write_folder(&folder.path().join("b"), &files);
        assert!(matches!(again, Err(AtomicFileError::Exists { .. })));
        assert_eq!(
            names(folder.path()),
            ["a.jsonl", "b"],
            "nothing half-written"
        );
    }

    #[test]
    fn a_folder_that_is_not_finished_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("tables");
        let begun = NewFolder::begin(&path).expect("new");
        fs::write(begun.path().join("half"), "a").expect("written");
        assert!(!path.exists());
        drop(begun);
        assert!(names(folder.path()).is_empty());

        let begun = NewFolder::begin(&path).expect("new");
        fs::write(begun.path().join("whole"), "a").expect("written");
        write_folder(&path, &[("early", b"1".to_vec())]).expect("new");
        begun.finish().expect_err("taken meanwhile");
        assert_eq!(names(&path), ["early"]);
        assert_eq!(names(folder.path()), ["tables"]);
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
    fn replacing_a_file_leaves_the_new_content() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("report.md");
        replace(&file, b"first").expect("new");
        replace(&file, b"second").expect("over it");
        assert_eq!(fs::read(&file).expect("there"), b"second");
        assert_eq!(names(folder.path()), ["report.md"]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn leftovers_of_killed_processes_are_removed_and_files_in_progress_stay() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let Process {
            machine,
            pid,
            started,
        } = Process::this();
        let killed = format!(".partial-a-{machine}-{pid}-{}-0", started - 1);
        let writing = format!(".partial-a-{machine}-{pid}-{started}-0");
        let elsewhere = ".partial-a-fedcba98-1-1-0".to_owned();
        let of_another = format!(".partial-ab-{machine}-{pid}-{}-0", started - 1);
        for name in [&killed, &writing, &elsewhere, &of_another] {
            fs::create_dir(folder.path().join(name)).expect("made");
        }
        write(&folder.path().join("a"), b"whole").expect("written");
        let mut wanted = vec![writing, elsewhere, of_another, "a".to_owned()];
        wanted.sort();
        assert_eq!(names(folder.path()), wanted);
    }

    #[test]
    fn an_invalid_position_is_named() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let error = write(&folder.path().join("no/a"), b"").expect_err("no folder");
        assert!(matches!(error, AtomicFileError::NoFolder { .. }), "{error}");
        assert!(matches!(
            check(Path::new("..")),
            Err(AtomicFileError::NoName { .. })
        ));
        assert!(check(Path::new("a-name-in-the-current-folder")).is_ok());
        assert!(names(folder.path()).is_empty());
    }
}
