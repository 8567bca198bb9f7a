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

/// A tokenizer for the tiny T5s, which were committed without one.
pub const T5_TOKENIZER: &str = r#"{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [
{"id": 0, "content": "<pad>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true},
{"id": 1, "content": "</s>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}],
"normalizer": null,
"pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true},
"post_processor": null,
"decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true},
"model": {"type": "Unigram", "unk_id": 2, "vocab": [["<pad>", 0.0], ["</s>", 0.0], ["<unk>", 0.0], ["▁", -2.0],
["a", -3.0], ["e", -3.0], ["t", -3.5], ["o", -3.5], ["s", -4.0], ["n", -4.0], ["▁the", -4.5], [".", -5.0]],
"byte_fallback": false}}"#;
