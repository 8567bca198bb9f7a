//! Who may import whom: the sentences of CONTRIBUTING.md. Between crates Cargo holds them; here it is
//! held which crates may be named at all, and inside a crate the `use` lines are read.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A crate, and everything of ours and of Burn's that its code is built on.
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

/// A crate (none: the top one), a module of it, and those beside it that it may not name.
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

/// A file's code, its tests left out.
fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).expect("readable");
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    code.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .fold(String::new(), |code, line| code + line + "\n")
}

/// Modules of the same crate that a file names: after `crate::`, in braces too.
fn names(path: &Path) -> BTreeSet<String> {
    let word = |text: &str| -> String {
        text.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect()
    };
    let code = code(path);
    let mut names = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
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
fn crates_are_built_on_what_they_may() {
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
            let named = names(&file);
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

#[test]
fn the_straight_line_knows_no_statistics_and_no_reports() {
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
            // Build scripts tell cargo, and a module's tests may lie in a file of their own.
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
