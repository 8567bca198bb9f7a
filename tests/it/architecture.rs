//! Which module may import which, as CONTRIBUTING.md describes. Between crates Cargo enforces it; these tests check which
//! crates a manifest may name, and which modules the code of a crate refers to.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A crate, and every crate of ours and of Burn's that it may depend on.
const BUILT_ON: [(&str, &[&str]); 5] = [
    ("text", &[]),
    ("kernels", &["burn", "burn-flex"]),
    ("numbers", &["promptshift-text"]),
    ("report", &["promptshift-numbers", "promptshift-text"]),
    (
        "tensors",
        &[
            "burn",
            "promptshift-kernels",
            "promptshift-numbers",
            "promptshift-text",
        ],
    ),
];

/// A crate (none: the top one), a module of it, and its siblings that it may not refer to.
const FORBIDDEN: [(Option<&str>, &str, &[&str]); 14] = [
    (Some("text"), "hub", &["domain", "synthetic"]),
    (Some("text"), "domain", &["synthetic"]),
    (Some("numbers"), "recipe", &["record", "score", "stats"]),
    (Some("numbers"), "stats", &["recipe", "record", "inspect"]),
    (Some("numbers"), "record", &["score", "stats"]),
    (Some("numbers"), "inspect", &["recipe", "record"]),
    (
        Some("tensors"),
        "checkpoint",
        &[
            "layers",
            "bert",
            "t5",
            "decoder_only",
            "network",
            "tuning",
            "train",
            "tokenizer",
        ],
    ),
    (
        Some("tensors"),
        "layers",
        &[
            "bert",
            "t5",
            "decoder_only",
            "network",
            "tuning",
            "train",
            "tokenizer",
        ],
    ),
    (
        Some("tensors"),
        "decoder_only",
        &[
            "bert",
            "t5",
            "network",
            "gguf",
            "tuning",
            "train",
            "tokenizer",
        ],
    ),
    (
        Some("tensors"),
        "bert",
        &[
            "t5",
            "decoder_only",
            "network",
            "tuning",
            "train",
            "tokenizer",
        ],
    ),
    (
        Some("tensors"),
        "t5",
        &[
            "bert",
            "decoder_only",
            "network",
            "tuning",
            "train",
            "tokenizer",
        ],
    ),
    (
        Some("tensors"),
        "network",
        &["gguf", "tuning", "train", "tokenizer"],
    ),
    (Some("tensors"), "tuning", &["train", "eval", "pretrain"]),
    (None, "experiment", &["cli"]),
];

/// The modules of `crates/report/src`, bottom layer first: each may refer only to those before it.
const REPORT: &[&str] = &[
    // Numbers as text, blocks and figures.
    "number",
    "document",
    "error",
    "chart",
    "settings",
    "shares",
    "findings",
    // The numbers of a study.
    "level",
    "baselines",
    "study",
    "diagnosis",
    "cost",
    "resamples",
    "results",
    // A section for each question.
    "sections",
    // Documents and tables.
    "comparison",
    "report",
    "ablation",
    "bench",
    "ensemble",
    "export",
    "inspection",
    "leaderboard",
    "paired",
    "power",
];

/// The sections that others refer to, and those that refer to them: each may refer only to those before it.
const SECTIONS: &[&str] = &[
    "calibration",
    "collapse",
    "differences",
    "matched",
    "ranking",
    "robustness",
    "scales",
    "search",
    "verdict",
    "cautions",
    "cost",
    "curves",
    "examples",
    "groups",
    "k_shot",
    "leakage",
    "paths",
    "provenance",
    "published",
    "reading",
    "runs",
    "scores",
    "wording",
];

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn package(name: Option<&str>) -> PathBuf {
    name.map_or_else(|| top().to_owned(), |name| top().join("crates").join(name))
}

/// Every Rust file below `folder`.
fn below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    found
}

/// The files of a module.
fn module(source: &Path, name: &str) -> Vec<PathBuf> {
    let mut found = below(&source.join(name));
    found.extend(Some(source.join(format!("{name}.rs"))).filter(|file| file.exists()));
    assert!(!found.is_empty(), "no module {name}");
    found
}

/// A file's code without its tests.
fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).expect("readable");
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    code.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .fold(String::new(), |code, line| code + line + "\n")
}

/// Modules that a file refers to by a path that begins with `prefix`, such as `crate::`; those in braces too.
fn names(path: &Path, prefix: &str) -> BTreeSet<String> {
    let word = |text: &str| -> String {
        text.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect()
    };
    let code = code(path);
    let mut names = BTreeSet::new();
    for rest in code.split(prefix).skip(1) {
        match rest.strip_prefix('{') {
            None => names.extend([word(rest)]),
            Some(braced) => {
                let end = braced.find(';').unwrap_or(braced.len());
                names.extend(
                    braced[..end]
                        .split([',', '{', '}'])
                        .map(|part| word(part.trim())),
                );
            }
        }
    }
    names
}

#[test]
fn crates_depend_only_on_those_they_may() {
    for (name, wanted) in BUILT_ON {
        let manifest = package(Some(name)).join("Cargo.toml");
        let text = std::fs::read_to_string(manifest).expect("readable");
        let manifest: toml::Table = text.parse().expect("TOML");
        let dependencies = manifest["dependencies"].as_table().expect("a table");
        let found: Vec<&str> = (dependencies.keys())
            .map(String::as_str)
            .filter(|name| name.starts_with("burn") || name.starts_with("promptshift"))
            .collect();
        assert_eq!(found, wanted, "{name}");
    }
}

#[test]
fn modules_import_only_what_they_may() {
    for (package_name, name, forbidden) in FORBIDDEN {
        for file in module(&package(package_name).join("src"), name) {
            let named = names(&file, "crate::");
            for other in forbidden {
                assert!(
                    !named.contains(*other),
                    "{} imports {other}",
                    file.display()
                );
            }
        }
    }
}

/// Asserts that each module of `folder` refers only to modules before it in `order`, by paths that begin with
/// `prefix`; in files directly in the folder, `super::` has the same meaning.
fn assert_layers(folder: &Path, order: &[&str], prefix: &str) {
    let found: BTreeSet<String> = (std::fs::read_dir(folder).expect("readable"))
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_none_or(|ending| ending == "rs"))
        .filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned()))
        .filter(|name| !["lib", "tests", "fixture", "golden"].contains(&name.as_str()))
        .collect();
    let listed: BTreeSet<String> = order.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(found, listed, "modules of {}", folder.display());
    for (place, name) in order.iter().enumerate() {
        for file in module(folder, name) {
            if file.file_stem().is_some_and(|stem| stem == "tests") {
                continue;
            }
            let mut named = names(&file, prefix);
            if file.parent() == Some(folder) {
                named.extend(names(&file, "use super::"));
            }
            for other in &order[place + 1..] {
                assert!(
                    !named.contains(*other),
                    "{} refers to {other}, which is in a higher layer",
                    file.display()
                );
            }
        }
    }
}

#[test]
fn reports_are_built_in_layers() {
    let source = package(Some("report")).join("src");
    assert_layers(&source, REPORT, "crate::");
    assert_layers(&source.join("sections"), SECTIONS, "crate::sections::");
}

#[test]
fn experiments_use_neither_statistics_nor_reports() {
    for file in module(&top().join("src"), "experiment") {
        let code = code(&file);
        for other in ["promptshift_report", "promptshift_numbers::stats"] {
            assert!(!code.contains(other), "{} imports {other}", file.display());
        }
    }
}

#[test]
fn only_the_command_line_prints() {
    let command_line = [top().join("src/cli"), top().join("src/main.rs")];
    for folder in [top().join("src"), top().join("crates")] {
        for file in below(&folder) {
            let is_example = file.components().any(|part| part.as_os_str() == "examples");
            let prints = command_line.iter().any(|place| file.starts_with(place)) || is_example;
            // Build scripts print for Cargo, and a module's tests may be in a file of their own.
            if prints || file.ends_with("tests.rs") || file.ends_with("build.rs") {
                continue;
            }
            let code = code(&file);
            for call in ["println!(", "eprintln!(", "print!(", "dbg!("] {
                let found = code.lines().any(|line| line.trim_start().starts_with(call));
                assert!(!found, "{} prints", file.display());
            }
        }
    }
}

/// The places in the code of networks and training where the host reads from the device, and so waits until all that is
/// queued is done: how many a file has, and when they are reached. A training step reaches two: its losses, after the
/// backward pass is queued, and the squares of all gradients, if they are clipped.
const READS: [(&str, usize, &str); 6] = [
    (
        "crates/kernels/src/most_probable.rs",
        2,
        "a token of decoding, on the CPU or on a device",
    ),
    (
        "crates/tensors/src/bert/head.rs",
        1,
        "the answers to a batch",
    ),
    (
        "crates/tensors/src/train/adamw.rs",
        1,
        "before pre-training",
    ),
    (
        "crates/tensors/src/train/measured.rs",
        1,
        "after a training",
    ),
    (
        "crates/tensors/src/train/replicas.rs",
        3,
        "the losses of a step; with further devices, values to them and gradients from them",
    ),
    (
        "crates/tensors/src/train/trainer.rs",
        1,
        "the squares of a step's gradients",
    ),
];

#[test]
fn a_training_step_waits_for_the_device_twice() {
    let folders = [
        "crates/kernels/src",
        "crates/tensors/src/layers",
        "crates/tensors/src/network",
        "crates/tensors/src/t5",
        "crates/tensors/src/bert",
        "crates/tensors/src/decoder_only",
        "crates/tensors/src/train",
    ];
    let calls = [".into_data(", ".to_data(", ".into_scalar", ".execute("];
    let mut found = Vec::new();
    for file in folders.iter().flat_map(|folder| below(&top().join(folder))) {
        let name = file
            .strip_prefix(top())
            .expect("below it")
            .display()
            .to_string();
        if name.ends_with("tests.rs") || name.ends_with("testing.rs") {
            continue;
        }
        let code = code(&file);
        let reads: usize = calls.iter().map(|call| code.matches(call).count()).sum();
        if reads > 0 {
            found.push((name, reads));
        }
    }
    found.sort();
    let wanted: Vec<(String, usize)> = (READS.iter())
        .map(|(name, reads, _)| ((*name).to_owned(), *reads))
        .collect();
    assert_eq!(found, wanted);
}
