//! Where numbers come from: the program, the machine and the hashes of the files that were read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::record::Provenance;
use promptshift_text::process::host;

/// What one run read and where it ran. The program fills in the rest of [`Provenance`].
#[derive(Debug, Clone)]
pub struct Origin {
    /// The command, quoted so that it can be run again.
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
    /// Number of concurrent runs on the machine.
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
        gpu: gpu(&origin.device),
        device: origin.device,
        processor: processor(),
        node: host(),
        threads: origin.threads,
        side_by_side: origin.side_by_side,
        software: software(),
        // A clock set before 1970 must not fail a run.
        started_unix_seconds: SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |elapsed| elapsed.as_secs()),
    }
}

/// The revision given to [`built_from`].
static REVISION: OnceLock<&'static str> = OnceLock::new();

/// Sets the git revision that the program was built from. The binary calls it once: if a library contained the
/// revision, it would be recompiled for every commit.
pub fn built_from(revision: &'static str) {
    // A second call has the same revision.
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

/// The processor's name according to Linux, or its architecture elsewhere.
pub fn processor() -> String {
    std::fs::read_to_string("/proc/cpuinfo")
        .ok()
        .and_then(|text| model_name(&text).map(str::to_owned))
        .unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}

/// The name of the GPU behind `device`, from NVIDIA's driver; all names on a machine with several kinds of GPUs.
/// `None` for other devices, whose names are not available.
pub fn gpu(device: &str) -> Option<String> {
    if !device.starts_with("cuda") {
        return None;
    }
    let all = std::fs::read_dir("/proc/driver/nvidia/gpus").ok()?;
    let told = (all.flatten())
        .filter_map(|gpu| std::fs::read_to_string(gpu.path().join("information")).ok());
    named(told)
}

/// The model names in the files that NVIDIA's driver has for each GPU.
fn named(information: impl Iterator<Item = String>) -> Option<String> {
    let names: BTreeSet<String> = information
        .filter_map(|text| value(&text, "Model").map(str::to_owned))
        .collect();
    let names: Vec<String> = names.into_iter().collect();
    (!names.is_empty()).then(|| names.join(" or "))
}

/// The first `model name` of `/proc/cpuinfo`.
fn model_name(cpuinfo: &str) -> Option<&str> {
    value(cpuinfo, "model name")
}

/// The first value of a key in lines `key: value`.
fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(found, _)| found.trim() == key)
        .map(|(_, value)| value.trim())
        .filter(|value| !value.is_empty())
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

    #[test]
    fn gpus_are_named_once_for_each_kind() {
        let named = |models: &[&str]| {
            let file = |model: &&str| format!("Model: \t\t {model}\nIRQ:   \t\t 42\n");
            super::named(models.iter().map(file))
        };
        assert_eq!(named(&[]), None);
        assert_eq!(named(&["A", "A"]).as_deref(), Some("A"));
        assert_eq!(named(&["B", "A", "B"]).as_deref(), Some("A or B"));
        assert_eq!(gpu("cpu"), None);
    }
}
