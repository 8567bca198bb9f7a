//! Checksums of files: SHA-256 for files in the Hub's large-file storage, git's SHA-1 for the rest.

use std::fmt;
use std::io::{self, Read};
use std::path::Path;

use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::source::is_hexadecimal;
use crate::hash::hexadecimal;

/// The expected checksum of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Checksum {
    /// SHA-256 of the content.
    Sha256(String),
    /// SHA-1 of git's header and the content: the name of the git blob.
    Git(String),
}

impl Checksum {
    /// `text` as a SHA-256, if it is one. The ETag of a file in large-file storage is one.
    pub fn sha256(text: &str) -> Option<Self> {
        is_hexadecimal(text, 64).then(|| Checksum::Sha256(text.to_string()))
    }

    /// `text` as the name of a git blob, if it is one.
    pub fn git(text: &str) -> Option<Self> {
        is_hexadecimal(text, 40).then(|| Checksum::Git(text.to_string()))
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Checksum::Sha256(text) => write!(f, "SHA-256 {text}"),
            Checksum::Git(text) => write!(f, "git SHA-1 {text}"),
        }
    }
}

/// How a file differs from what was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mismatch {
    pub wanted: String,
    pub found: String,
}

/// What is known about a file's content before the download.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Expected {
    pub checksums: Vec<Checksum>,
    pub bytes: Option<u64>,
}

impl Expected {
    /// Compares a file with what is expected. The size counts only without a checksum, because a server may state the
    /// size of a compressed answer.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn compare(&self, path: &Path) -> io::Result<Result<(), Mismatch>> {
        let mut file = std::fs::File::open(path)?;
        let bytes = file.metadata()?.len();
        if self.checksums.is_empty() {
            return Ok(match self.bytes {
                Some(wanted) if wanted != bytes => Err(Mismatch {
                    wanted: format!("{wanted} bytes"),
                    found: format!("{bytes} bytes"),
                }),
                _ => Ok(()),
            });
        }
        let mut sha256 = Sha256::new();
        let mut git = Sha1::new();
        git.update(format!("blob {bytes}\0"));
        let wants_git = (self.checksums.iter()).any(|sum| matches!(sum, Checksum::Git(_)));
        let mut piece = vec![0; 1 << 16];
        loop {
            let read = file.read(&mut piece)?;
            if read == 0 {
                break;
            }
            sha256.update(&piece[..read]);
            if wants_git {
                git.update(&piece[..read]);
            }
        }
        let sha256 = Checksum::Sha256(hexadecimal(&sha256.finalize()));
        let git = Checksum::Git(hexadecimal(&git.finalize()));
        for wanted in &self.checksums {
            let found = match wanted {
                Checksum::Sha256(_) => &sha256,
                Checksum::Git(_) => &git,
            };
            if found != wanted {
                return Ok(Err(Mismatch {
                    wanted: wanted.to_string(),
                    found: format!("{found} ({bytes} bytes)"),
                }));
            }
        }
        Ok(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // `printf 'hello\n' | sha256sum` and `printf 'hello\n' | git hash-object --stdin`.
    const SHA256: &str = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
    const GIT: &str = "ce013625030ba8dba906f756967f9e9ca394464a";

    #[test]
    fn a_file_is_compared_with_all_that_is_known() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("hello");
        std::fs::write(&path, "hello\n").expect("written");
        let compare = |checksums: Vec<Checksum>, bytes| {
            let expected = Expected { checksums, bytes };
            expected.compare(&path).expect("read")
        };
        let sha256 = Checksum::sha256(SHA256).expect("one");
        let git = Checksum::git(GIT).expect("one");
        assert_eq!(compare(vec![sha256.clone(), git.clone()], Some(5)), Ok(()));
        assert_eq!(compare(vec![], Some(6)), Ok(()));
        assert_eq!(compare(vec![], None), Ok(()));
        assert!(compare(vec![], Some(5)).is_err());
        let other = Checksum::Git("0".repeat(40));
        let mismatch = compare(vec![sha256, other], None).expect_err("another file");
        assert_eq!(mismatch.found, format!("git SHA-1 {GIT} (6 bytes)"));
        assert_eq!(mismatch.wanted, format!("git SHA-1 {}", "0".repeat(40)));
        assert!(
            Expected::default()
                .compare(&folder.path().join("none"))
                .is_err()
        );
    }

    #[test]
    fn invalid_checksums_are_rejected() {
        assert_eq!(Checksum::sha256(GIT), None);
        assert_eq!(Checksum::git("abc"), None);
        assert_eq!(
            Checksum::git("../../../../../../../../etc/passwd/12345"),
            None
        );
    }
}
