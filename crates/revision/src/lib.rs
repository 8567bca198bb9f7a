//! The git revision that a binary is compiled from.
//!
//! A macro and no build script: cargo compiles everything of a package again when its build script has run,
//! and only the one target again whose sources name a file that has changed. So a commit costs the binary's
//! few lines and a link, and nothing of the library.

use std::path::{Path, PathBuf};
use std::process::Command;

use proc_macro::TokenStream;

/// What the program is made of: a change elsewhere does not make a revision another program.
const SOURCES: [&str; 7] = [
    "src",
    "crates",
    "datasets",
    "models",
    "Cargo.toml",
    "Cargo.lock",
    "rust-toolchain.toml",
];

/// A string literal: the commit in twelve digits, followed by `-dirty` where sources differ from it;
/// `unknown` where there is no git, or the package lies inside another repository.
///
/// The files of git that change with the commit are named to the compiler, so that they are watched.
#[proc_macro]
pub fn revision(_: TokenStream) -> TokenStream {
    let package = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let found = Repository::of(Path::new(&package));
    let revision = found.as_ref().and_then(Repository::revision);
    let watched: String = found
        .iter()
        .flat_map(Repository::watched)
        .map(|file| format!("const _: &[u8] = include_bytes!({file:?});"))
        .collect();
    let revision = revision.unwrap_or_else(|| "unknown".to_owned());
    format!("{{ {watched} {revision:?} }}")
        .parse()
        .expect("a block of constants and a literal")
}

/// The repository whose root a package is.
struct Repository<'a> {
    root: &'a Path,
}

impl<'a> Repository<'a> {
    /// `None` where `package` is not the root of one.
    fn of(package: &'a Path) -> Option<Self> {
        let repository = Repository { root: package };
        let prefix = repository.git(&["rev-parse", "--show-prefix"])?;
        prefix.is_empty().then_some(repository)
    }

    fn revision(&self) -> Option<String> {
        let commit = self.git(&["describe", "--always", "--abbrev=12"])?;
        let mut status = vec!["status", "--porcelain", "--"];
        status.extend(SOURCES);
        let dirty = !self.git(&status)?.is_empty();
        Some(if dirty {
            format!("{commit}-dirty")
        } else {
            commit
        })
    }

    /// The files that change when another commit is the current one. The index is none of them: `git status`
    /// writes it too.
    fn watched(&self) -> Vec<PathBuf> {
        let branch = self.git(&["symbolic-ref", "--quiet", "HEAD"]);
        let names = ["HEAD", "logs/HEAD", "packed-refs"];
        names
            .into_iter()
            .map(str::to_owned)
            .chain(branch)
            .filter_map(|name| self.git(&["rev-parse", "--git-path", &name]))
            .map(|path| self.root.join(path))
            .filter(|path| path.is_file())
            .collect()
    }

    /// The trimmed output of a git command that leaves the index as it is.
    fn git(&self, arguments: &[&str]) -> Option<String> {
        let output = Command::new("git")
            .arg("--no-optional-locks")
            .arg("-C")
            .arg(self.root)
            .args(arguments)
            .output()
            .ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    }
}
