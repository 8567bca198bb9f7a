//! Passes on what records must say of the software: the compiler, and the versions of the libraries
//! that numbers depend on. (The git revision is the binary's to tell: see `crates/revision`.)

use std::process::Command;

/// The lock file of the workspace, seen from this package.
const LOCK: &str = "../../Cargo.lock";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={LOCK}");
    println!("cargo::rustc-env=PROMPTSHIFT_RUSTC={}", rustc());
    let lock = std::fs::read_to_string(LOCK).unwrap_or_default();
    for (variable, package) in [
        ("PROMPTSHIFT_BURN", "burn"),
        ("PROMPTSHIFT_TOKENIZERS", "tokenizers"),
    ] {
        let version = locked_version(&lock, package).unwrap_or("unknown");
        println!("cargo::rustc-env={variable}={version}");
    }
}

/// `1.95.0 (…)`, the version of cargo's compiler.
fn rustc() -> String {
    let compiler = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    Command::new(compiler)
        .arg("--version")
        .output()
        .ok()
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .map_or_else(
            || "unknown".to_owned(),
            |text| text.trim().trim_start_matches("rustc ").to_owned(),
        )
}

/// The version of a package in a `Cargo.lock`.
fn locked_version<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let mut lines = lock.lines();
    lines.find(|line| *line == format!("name = \"{package}\""))?;
    lines
        .next()?
        .strip_prefix("version = \"")?
        .strip_suffix('"')
}
