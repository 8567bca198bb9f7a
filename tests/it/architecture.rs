//! Who may import whom: the sentences of CONTRIBUTING.md, held by reading the `use` lines.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A module, and the modules of ours that it may not name.
const FORBIDDEN: &[(&str, &[&str])] = &[
    (
        "kernels",
        &[
            "checkpoint",
            "parts",
            "network",
            "t5",
            "tuning",
            "train",
            "domain",
            "record",
            "report",
            "cli",
            "experiment",
        ],
    ),
    (
        "checkpoint",
        &[
            "parts",
            "bert",
            "t5",
            "network",
            "tuning",
            "train",
            "domain",
            "record",
            "report",
            "cli",
            "experiment",
            "tokenizer",
        ],
    ),
    (
        "parts",
        &[
            "bert",
            "t5",
            "network",
            "tuning",
            "train",
            "domain",
            "record",
            "report",
            "cli",
            "experiment",
            "tokenizer",
        ],
    ),
    (
        "decoder_only",
        &[
            "network",
            "t5",
            "bert",
            "gguf",
            "tuning",
            "train",
            "domain",
            "record",
            "report",
            "cli",
            "experiment",
            "tokenizer",
        ],
    ),
    (
        "gguf",
        &[
            "network",
            "t5",
            "bert",
            "tuning",
            "train",
            "domain",
            "record",
            "report",
            "cli",
            "experiment",
            "tokenizer",
        ],
    ),
    (
        "network",
        &[
            "gguf",
            "tuning",
            "train",
            "domain",
            "record",
            "report",
            "cli",
            "experiment",
            "tokenizer",
        ],
    ),
    (
        "bert",
        &[
            "t5",
            "network",
            "tuning",
            "train",
            "domain",
            "record",
            "report",
            "cli",
            "experiment",
            "tokenizer",
        ],
    ),
    (
        "t5",
        &[
            "bert",
            "network",
            "tuning",
            "train",
            "domain",
            "record",
            "report",
            "cli",
            "experiment",
            "tokenizer",
        ],
    ),
    (
        "domain",
        &[
            "bert",
            "t5",
            "network",
            "tuning",
            "train",
            "record",
            "report",
            "cli",
            "experiment",
            "kernels",
        ],
    ),
    (
        "synthetic",
        &[
            "bert",
            "t5",
            "network",
            "tuning",
            "train",
            "record",
            "report",
            "cli",
            "experiment",
            "kernels",
        ],
    ),
    (
        "hub",
        &[
            "bert",
            "t5",
            "network",
            "tuning",
            "train",
            "domain",
            "record",
            "report",
            "cli",
            "experiment",
            "kernels",
            "backbone",
        ],
    ),
    ("train", &["report", "cli", "experiment", "stats"]),
    ("tuning", &["report", "cli", "experiment", "stats", "train"]),
    (
        "stats",
        &[
            "bert",
            "t5",
            "network",
            "tuning",
            "train",
            "domain",
            "report",
            "cli",
            "experiment",
        ],
    ),
    (
        "report",
        &[
            "bert",
            "t5",
            "network",
            "tuning",
            "train",
            "cli",
            "experiment",
            "batch",
            "tokenizer",
            "kernels",
        ],
    ),
    (
        "record",
        &[
            "bert",
            "t5",
            "network",
            "tuning",
            "train",
            "report",
            "cli",
            "experiment",
            "eval",
            "stats",
        ],
    ),
    ("experiment", &["cli", "report", "stats"]),
    (
        "inspect",
        &[
            "t5",
            "tuning",
            "train",
            "domain",
            "record",
            "report",
            "cli",
            "experiment",
        ],
    ),
    (
        "nearest",
        &["cli", "report", "experiment", "record", "train"],
    ),
];

/// Modules that must not know tensors.
const WITHOUT_BURN: &[&str] = &[
    "domain",
    "hub",
    "synthetic",
    "transfer",
    "hygiene",
    "excerpt",
    "recipe",
    "plan",
    "record",
    "predictions",
    "new_file",
    "provenance",
    "stats",
    "report",
    "inspect",
];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every Rust file below `path`, or the file `path.rs` alone.
fn files(module: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let file = source().join(format!("{module}.rs"));
    if file.exists() {
        found.push(file);
    }
    let mut folders = vec![source().join(module)];
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
    assert!(!found.is_empty(), "no module {module}");
    found
}

/// Modules of ours that a file names, tests left out.
fn names(path: &Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(path).expect("readable");
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    code.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| line.split("crate::").skip(1))
        .map(|rest| {
            rest.chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect()
        })
        .collect()
}

#[test]
fn modules_import_only_what_they_may() {
    for (module, forbidden) in FORBIDDEN {
        for file in files(module) {
            let named = names(&file);
            for other in *forbidden {
                assert!(
                    !named.contains(*other),
                    "{} imports {other}",
                    file.display()
                );
            }
        }
    }
}

#[test]
fn tensors_stay_in_their_land() {
    for module in WITHOUT_BURN {
        for file in files(module) {
            let text = std::fs::read_to_string(&file).expect("readable");
            assert!(!text.contains("burn::"), "{} knows burn", file.display());
        }
    }
}

#[test]
fn only_the_command_line_prints() {
    let root = source();
    for entry in std::fs::read_dir(&root).expect("readable") {
        let path = entry.expect("readable").path();
        let module = path
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        if module == "cli" || module == "main" || (path.is_file() && path.extension().is_none()) {
            continue;
        }
        for file in files(&module) {
            // A module's tests may lie in a file of their own.
            if file.ends_with("tests.rs") {
                continue;
            }
            let text = std::fs::read_to_string(&file).expect("readable");
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            for call in ["println!(", "eprintln!(", "print!(", "dbg!("] {
                let found = code.lines().any(|line| line.trim_start().starts_with(call));
                assert!(!found, "{} prints", file.display());
            }
        }
    }
}
