//! The Hub's listing of a repository at a revision, and the revision's commit.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::checksum::{Checksum, Expected};
use super::source::is_hexadecimal;

/// The files of one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listing {
    pub commit: String,
    pub files: BTreeMap<String, Expected>,
}

#[derive(Deserialize)]
struct Answer {
    sha: String,
    #[serde(default)]
    siblings: Vec<Sibling>,
}

/// All fields except the name come from `blobs=true`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    blob_id: Option<String>,
    lfs: Option<LargeFile>,
}

#[derive(Deserialize)]
struct LargeFile {
    sha256: Option<String>,
}

impl Listing {
    /// Parses the response of `/api/models/OWNER/NAME/revision/REVISION?blobs=true`.
    ///
    /// # Errors
    /// The error text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let answer: Answer = serde_json::from_str(text).map_err(|error| error.to_string())?;
        // The commit hash becomes a folder name.
        if !is_hexadecimal(&answer.sha, 40) {
            return Err(format!(
                "wanted a commit of 40 digits, found '{}'",
                answer.sha
            ));
        }
        let files = answer.siblings.into_iter().map(|sibling| {
            // For a file in large-file storage, git holds a pointer, and the git hash is that of the pointer.
            let checksum = match &sibling.lfs {
                Some(lfs) => lfs.sha256.as_deref().and_then(Checksum::sha256),
                None => sibling.blob_id.as_deref().and_then(Checksum::git),
            };
            let expected = Expected {
                checksums: checksum.into_iter().collect(),
                bytes: sibling.size,
            };
            (sibling.rfilename, expected)
        });
        Ok(Listing {
            commit: answer.sha,
            files: files.collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_files_and_not_of_pointers() {
        let (commit, git, sha256) = ("a".repeat(40), "b".repeat(40), "c".repeat(64));
        let listing = Listing::parse(&format!(
            r#"{{"id": "o/n", "sha": "{commit}", "siblings": [
                {{"rfilename": "config.json", "blobId": "{git}", "size": 7}},
                {{"rfilename": "w.bin", "blobId": "{git}", "size": 9,
                  "lfs": {{"sha256": "{sha256}", "size": 9, "pointerSize": 132}}}},
                {{"rfilename": "bare"}}]}}"#
        ))
        .expect("a listing");
        assert_eq!(listing.commit, commit);
        let checksums = |name: &str| listing.files[name].checksums.clone();
        assert_eq!(checksums("config.json"), [Checksum::Git(git)]);
        assert_eq!(checksums("w.bin"), [Checksum::Sha256(sha256)]);
        assert_eq!(checksums("bare"), []);
        assert_eq!(listing.files["w.bin"].bytes, Some(9));
    }

    #[test]
    fn other_answers_are_refused() {
        for text in ["", "<html>", "{}", r#"{"sha": "../../x"}"#, r#"{"sha": 1}"#] {
            assert!(Listing::parse(text).is_err(), "{text}");
        }
    }
}
