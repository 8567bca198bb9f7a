//! A document under construction, and the cue words of all documents.

use std::sync::LazyLock;

use serde::Deserialize;

/// A document with separators, before and after its cut.
pub struct Draft {
    pub head: String,
    pub tail: String,
    pub salient: Vec<String>,
}

/// The content of `cues.toml`, which documents each entry.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cues {
    pub asks: Vec<String>,
    pub reads: Vec<String>,
    pub replies: Vec<String>,
    pub sees: Vec<String>,
    pub concludes: Vec<String>,
    pub retells: Vec<String>,
    pub rewords: Vec<String>,
    pub labels: Vec<(String, String)>,
    pub verdicts: Vec<Verdict>,
    pub keys: Vec<String>,
}

/// A question about two sentences and its two answers.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    pub cue: String,
    pub same: String,
    pub different: String,
}

/// The cue words of all documents.
pub static CUES: LazyLock<Cues> = LazyLock::new(|| {
    toml::from_str(include_str!("cues.toml"))
        .unwrap_or_else(|error| panic!("cues.toml is compiled in and tested: {error}"))
});

/// `1) one 2) two`
pub fn numbered(entries: impl Iterator<Item = String>) -> String {
    let entries: Vec<String> = entries
        .enumerate()
        .map(|(index, entry)| format!("{}) {entry}", index + 1))
        .collect();
    entries.join(" ")
}
