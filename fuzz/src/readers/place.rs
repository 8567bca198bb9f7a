//! Where files are put to be read, and where committed ones are.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// The repository's root: this is compiled in it, as a test, and in its folder `fuzz`.
pub fn repository() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    match package.join("datasets").is_dir() {
        true => package,
        false => package.parent().expect("`fuzz` lies in the repository"),
    }
}

/// A committed file.
pub fn committed(path: &str) -> Vec<u8> {
    let path = repository().join(path);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A folder that is gone when this value is.
pub struct Place(TempDir);

impl Place {
    pub fn new() -> Place {
        Place(tempfile::tempdir().expect("a temporary folder can be made"))
    }

    /// Writes a file; its path.
    pub fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, bytes).expect("a temporary file can be written");
        path
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }
}
