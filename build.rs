//! Passes to the program what its records must say about itself: the git revision it was built
//! from, the compiler, and the versions of the libraries that its numbers depend on.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // A changed source file makes the tree dirty without touching git's own files.
    println!("cargo::rerun-if-changed=src");
    println!("cargo::rerun-if-changed=Cargo.lock");
    println!("cargo::rustc-env=PROMPTSHIFT_REVISION={}", revision());
    println!("cargo::rustc-env=PROMPTSHIFT_RUSTC={}", rustc());
    let lock = std::fs::read_to_string("Cargo.lock").unwrap_or_default();
    for (variable, package) in [
        ("PROMPTSHIFT_BURN", "burn"),
        ("PROMPTSHIFT_TOKENIZERS", "tokenizers"),
    ] {
        let version = locked_version(&lock, package).unwrap_or("unknown");
        println!("cargo::rustc-env={variable}={version}");
    }
}

/// `git describe` of this tree, or `unknown` where there is no git or the tree lies inside
/// another repository.
fn revision() -> String {
    let describe = || {
        if !git(&["rev-parse", "--show-prefix"])?.is_empty() {
            return None;
        }
        let folder = git(&["rev-parse", "--git-dir"])?;
        for file in ["HEAD", "index", "logs/HEAD"] {
            let path = Path::new(&folder).join(file);
            if path.exists() {
                println!("cargo::rerun-if-changed={}", path.display());
            }
        }
        git(&["describe", "--always", "--dirty", "--abbrev=12"])
    };
    describe().unwrap_or_else(|| "unknown".to_owned())
}

/// The trimmed output of a git command that leaves the index as it is.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .args(arguments)
        .env("GIT_OPTIONAL_LOCKS", "0")
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
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
