//! Output: the only place that writes to standard output and, except for progress bars, to standard error. Tables have
//! lines above and below the header and are limited to the screen's width.

use std::fmt::Display;
use std::io::{self, Write};
use std::ops::Range;

use anyhow::Context;
use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};

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

/// Writes names after `start`, in lines of at most 100 columns; those after the first are indented.
///
/// # Errors
/// As [`text`].
pub fn names(start: &str, names: &[&str]) -> anyhow::Result<()> {
    const COLUMNS: usize = 100;
    let mut lines = start.to_owned();
    let mut columns = start.chars().count();
    for (index, name) in names.iter().enumerate() {
        let name = match index + 1 == names.len() {
            true => (*name).to_owned(),
            false => format!("{name},"),
        };
        columns += 1 + name.chars().count();
        if columns > COLUMNS {
            lines.push_str("\n ");
            columns = 2 + name.chars().count();
        }
        lines.push(' ');
        lines.push_str(&name);
    }
    line(lines)
}

/// Writes a line to standard error; errors are ignored, since they can't be reported.
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

/// Writes a line for each warning to standard error.
pub fn warn(warnings: &[String]) {
    for warning in warnings {
        note(format_args!("warning: {warning}"));
    }
}

/// The maximum table width, also without a screen: longer lines are hard to read.
const WIDEST: u16 = 120;

/// No lines between rows: most rows have one line, and continuation lines are indented.
const LINES: TableStyle = {
    let line = LineStyle::none().fill('─').junction('─');
    TableStyle::new()
        .top_border(line)
        .header_separator(line)
        .bottom_border(line)
};

/// An empty table.
pub fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(LINES)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(header.to_vec());
    let width = table.width().unwrap_or(WIDEST).min(WIDEST);
    table.set_width(width);
    table
}

/// Aligns these columns of numbers to the right.
pub fn right_align(table: &mut Table, columns: Range<usize>) {
    let columns = (table.column_iter_mut().skip(columns.start)).take(columns.len());
    for column in columns {
        column.set_cell_alignment(CellAlignment::Right);
    }
}
