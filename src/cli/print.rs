//! Output: the only place that writes to standard output and, except for progress bars, to standard error.

use std::fmt::Display;
use std::io::{self, Write};

use anyhow::Context;

/// Writes a text to standard output unchanged.
///
/// # Errors
/// It can't be written, as on a full disk. A closed pipe (`| head -1`) is not an error: the reader has what it wanted.
pub fn text(text: impl Display) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match write!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("cannot write to standard output"),
    }
}

/// Writes a line to standard output.
///
/// # Errors
/// As [`text`].
pub fn line(line: impl Display) -> anyhow::Result<()> {
    text(format_args!("{line}\n"))
}

/// Writes a line to standard error. If that fails, there is nobody to report it to.
pub fn note(line: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Asks a question on standard error and reads a line; returns whether the answer is yes.
///
/// # Errors
/// Standard input can't be read.
pub fn ask(question: impl Display) -> anyhow::Result<bool> {
    let mut error = io::stderr().lock();
    let _ = write!(error, "{question} [y/N] ").and_then(|()| error.flush());
    let mut answer = String::new();
    (io::stdin().read_line(&mut answer)).context("cannot read standard input")?;
    let answer = answer.trim();
    Ok(["y", "yes"]
        .iter()
        .any(|yes| answer.eq_ignore_ascii_case(yes)))
}
