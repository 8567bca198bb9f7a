//! Where numbers come from: the program, the machine and the hashes of what was read.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::record::Provenance;

/// What one run read and where it ran; the rest of [`Provenance`] the program knows by itself.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The command as it can be typed again.
    pub command: String,
    /// SHA-256 of each data file, by `domain/split`, and of users' cards, by `domain/card`.
    pub data_sha256: BTreeMap<String, String>,
    /// SHA-256 of the backbone's weights file.
    pub model_sha256: String,
    /// SHA-256 of the backbone's tokenizer file.
    pub tokenizer_sha256: String,
    /// `cpu`, `cuda:0`, ...
    pub device: String,
    /// Threads used.
    pub threads: usize,
    /// How many runs go on side by side.
    pub side_by_side: usize,
}

/// The provenance of a cell that starts now.
pub fn collect(origin: Origin) -> Provenance {
    Provenance {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        revision: revision().to_owned(),
        command: origin.command,
        data_sha256: origin.data_sha256,
        model_sha256: origin.model_sha256,
        tokenizer_sha256: origin.tokenizer_sha256,
        device: origin.device,
        processor: processor(),
        threads: origin.threads,
        side_by_side: origin.side_by_side,
        software: software(),
        // A clock before 1970 is a broken clock, not a reason to lose a run.
        started_unix_seconds: SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |elapsed| elapsed.as_secs()),
    }
}

/// What [`built_from`] was told.
static REVISION: OnceLock<&'static str> = OnceLock::new();

/// Tells which git revision the program was built from. The binary does, once: a library that held it
/// would be compiled anew for every commit.
pub fn built_from(revision: &'static str) {
    // Told twice, it is the same program.
    let _ = REVISION.set(revision);
}

/// The git revision that this program was built from, or `unknown`.
pub fn revision() -> &'static str {
    REVISION.get().copied().unwrap_or("unknown")
}

/// Versions of what the numbers depend on.
fn software() -> BTreeMap<String, String> {
    [
        ("rustc", option_env!("PROMPTSHIFT_RUSTC")),
        ("burn", option_env!("PROMPTSHIFT_BURN")),
        ("tokenizers", option_env!("PROMPTSHIFT_TOKENIZERS")),
    ]
    .into_iter()
    .map(|(name, version)| (name.to_owned(), version.unwrap_or("unknown").to_owned()))
    .collect()
}

/// The processor's name as Linux tells it, or else its architecture.
pub fn processor() -> String {
    std::fs::read_to_string("/proc/cpuinfo")
        .ok()
        .and_then(|text| model_name(&text).map(str::to_owned))
        .unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}

/// The first `model name` of `/proc/cpuinfo`.
fn model_name(cpuinfo: &str) -> Option<&str> {
    cpuinfo
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == "model name")
        .map(|(_, name)| name.trim())
        .filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_is_named() {
        let text = "processor\t: 0\nmodel name\t: Some CPU @ 2.00GHz\n\nmodel name\t: Other\n";
        assert_eq!(model_name(text), Some("Some CPU @ 2.00GHz"));
        assert_eq!(model_name("model name\t:\n"), None);
        assert!(!processor().is_empty());
    }
}
