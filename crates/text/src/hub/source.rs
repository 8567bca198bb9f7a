//! What to fetch from the Hub: files of a repository at a revision.

use std::fmt;

/// The kind of repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Parquet files of a domain.
    Dataset,
    /// A checkpoint.
    Model,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Dataset => "dataset",
            Kind::Model => "model",
        })
    }
}

/// A file of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteFile {
    /// Its path in the repository: `plain_text/train-00000-of-00001.parquet`.
    pub path: String,
    /// Its expected SHA-256, if known beforehand.
    pub sha256: Option<String>,
}

impl RemoteFile {
    /// A file whose checksum only the Hub states.
    pub fn named(path: &str) -> Self {
        RemoteFile {
            path: path.to_string(),
            sha256: None,
        }
    }
}

/// The wanted files of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// These.
    Files(Vec<RemoteFile>),
    /// The files of a checkpoint, in the best form that the repository has.
    Checkpoint,
}

/// Files of a repository at a revision; every component is safe in a path and in a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    kind: Kind,
    repository: String,
    revision: String,
    wanted: Wanted,
}

/// The default revision.
pub const MAIN: &str = "main";

/// Why a source is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// Not a repository name.
    #[error(
        "'{found}' is not the name of a Hub repository: wanted OWNER/NAME, such as google/t5-base-lm-adapt"
    )]
    Repository {
        /// What was given.
        found: String,
    },
    /// Not a revision.
    #[error("'{found}' is not a revision: wanted a branch, a tag or a commit, such as main")]
    Revision {
        /// What was given.
        found: String,
    },
    /// Not a path inside a repository.
    #[error(
        "'{found}' is not a file of a repository: wanted a relative path without '..' or spaces"
    )]
    File {
        /// What was given.
        found: String,
    },
    /// Not a SHA-256.
    #[error("{path}: wanted a SHA-256 of 64 hexadecimal digits, found '{found}'")]
    Sha256 {
        /// The file.
        path: String,
        /// What was given.
        found: String,
    },
}

impl Source {
    /// Named files of a repository.
    ///
    /// # Errors
    /// A name is invalid, or would resolve outside of the cache.
    pub fn new(
        kind: Kind,
        repository: &str,
        revision: &str,
        wanted: Wanted,
    ) -> Result<Self, SourceError> {
        if !is_repository(repository) {
            let found = repository.to_string();
            return Err(SourceError::Repository { found });
        }
        if !is_path(revision) {
            let found = revision.to_string();
            return Err(SourceError::Revision { found });
        }
        if let Wanted::Files(files) = &wanted {
            for file in files {
                if !is_path(&file.path) {
                    let found = file.path.clone();
                    return Err(SourceError::File { found });
                }
                if let Some(sha256) = &file.sha256
                    && !is_hexadecimal(sha256, 64)
                {
                    return Err(SourceError::Sha256 {
                        path: file.path.clone(),
                        found: sha256.clone(),
                    });
                }
            }
        }
        Ok(Source {
            kind,
            repository: repository.to_string(),
            revision: revision.to_string(),
            wanted,
        })
    }

    /// The checkpoint of a model's repository.
    ///
    /// # Errors
    /// As [`Source::new`].
    pub fn model(repository: &str) -> Result<Self, SourceError> {
        Source::new(Kind::Model, repository, MAIN, Wanted::Checkpoint)
    }

    /// The same files at another revision.
    ///
    /// # Errors
    /// Not a revision.
    pub fn at(self, revision: &str) -> Result<Self, SourceError> {
        Source::new(self.kind, &self.repository, revision, self.wanted)
    }

    /// Data set or model.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// `google/t5-base-lm-adapt`.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// A branch, a tag or a commit.
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// Which files.
    pub fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    /// Its page on the Hub, as a path: `datasets/rajpurkar/squad`.
    pub fn page(&self) -> String {
        match self.kind {
            Kind::Dataset => format!("datasets/{}", self.repository),
            Kind::Model => self.repository.clone(),
        }
    }
}

/// Whether `text` is `owner/name` in the characters that the Hub allows.
fn is_repository(text: &str) -> bool {
    let parts: Vec<&str> = text.split('/').collect();
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    parts.len() == 2
        && parts.iter().all(|part| {
            part.chars().all(allowed)
                && part.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
                && !part.contains("..")
                // The cache writes the slash as two hyphens.
                && !part.contains("--")
        })
}

/// Whether `text` is a relative path with the same meaning in a URL and in a folder.
pub(super) fn is_path(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.=+@,~".contains(c);
    text.split('/').all(|part| {
        !part.is_empty() && !part.starts_with("..") && part != "." && part.chars().all(allowed)
    })
}

/// Whether `text` is `digits` hexadecimal digits, in lower case as the Hub writes them.
pub(super) fn is_hexadecimal(text: &str, digits: usize) -> bool {
    text.len() == digits && text.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_an_owner_and_a_name() {
        for good in ["google/t5-base-lm-adapt", "nyu-mll/glue", "a/b.c_d", "_x/y"] {
            let source = Source::model(good).expect(good);
            assert_eq!((source.repository(), source.revision()), (good, "main"));
        }
        for bad in [
            "",
            "t5",
            "/",
            "a/",
            "/b",
            "a/b/c",
            "../b",
            "a/..",
            "a/.git",
            "a/b c",
            "a/b?c",
            "a--b/c",
            "C:\\model",
            "./a",
            "-a/b",
            "a/é",
        ] {
            let error = Source::model(bad).expect_err(bad).to_string();
            assert!(error.contains("wanted OWNER/NAME"), "{error}");
        }
    }

    #[test]
    fn paths_and_revisions_stay_inside() {
        let with = |path: &str, revision: &str| {
            let files = Wanted::Files(vec![RemoteFile::named(path)]);
            Source::new(Kind::Dataset, "a/b", revision, files)
        };
        assert!(with("qqp/train-00000-of-00001.parquet", "refs/pr/1").is_ok());
        for bad in [
            "",
            "/etc/passwd",
            "../x",
            "a/../b",
            "a//b",
            "a b",
            "a\\b",
            "x?y",
            "%2e",
            ".",
        ] {
            assert!(
                matches!(with(bad, "main"), Err(SourceError::File { .. })),
                "{bad}"
            );
            assert!(
                matches!(with("x", bad), Err(SourceError::Revision { .. })),
                "{bad}"
            );
        }
    }

    #[test]
    fn valid_checksums_are_recognised() {
        let with = |sha256: &str| {
            let file = RemoteFile {
                path: "x".to_string(),
                sha256: Some(sha256.to_string()),
            };
            Source::new(Kind::Dataset, "a/b", "main", Wanted::Files(vec![file]))
        };
        assert!(with(&"0a".repeat(32)).is_ok());
        for bad in ["", "0a", &"0A".repeat(32), &"zz".repeat(32)] {
            assert!(
                matches!(with(bad), Err(SourceError::Sha256 { .. })),
                "{bad}"
            );
        }
    }
}
