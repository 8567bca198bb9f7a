//! Writes a report: `report.md` and figures into a folder, the result to standard output.

use super::print;
use std::io::IsTerminal;
use std::path::Path;

use anyhow::Context;
use clap::builder::{BoolishValueParser, TypedValueParser};

use promptshift_numbers::record::folder::{StoredRecord, Unfinished};
use promptshift_numbers::record::{ablation, ensemble};
use promptshift_report::bench::{self, Benchmarks};
use promptshift_report::document::html::{Tables, page};
use promptshift_report::document::{Document, terminal};
use promptshift_report::report::summary;
use promptshift_report::{self as report, json};
use promptshift_text::atomic_file;

/// What is printed on standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The whole report: for a file or a pipe.
    Markdown,
    /// A short table and the report's path: for a screen.
    Summary,
    /// The comparison as JSON.
    Json,
}

impl Form {
    /// A summary if standard output is a terminal, else the whole report.
    pub fn of_terminal() -> Self {
        if std::io::stdout().is_terminal() {
            Form::Summary
        } else {
            Form::Markdown
        }
    }
}

/// The files that a report is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Files {
    /// `report.md` and its figures.
    Markdown,
    /// Also `report.html`.
    MarkdownAndPage,
}

impl Files {
    /// The flag `--html`.
    pub fn flag() -> impl TypedValueParser<Value = Files> {
        BoolishValueParser::new().map(|html| match html {
            true => Files::MarkdownAndPage,
            false => Files::Markdown,
        })
    }
}

/// The folder of figures beside a report.
const FIGURES: &str = "figures";

/// Renders `records` and the failures of `unfinished` cells, writes `files` into `out`, and prints the result.
///
/// # Errors
/// The records can't be reported together, or a file can't be written.
pub fn write(
    records: &[StoredRecord],
    unfinished: &[Unfinished],
    out: &Path,
    files: Files,
    form: Form,
) -> anyhow::Result<()> {
    let report = report::analyse(records, unfinished)?;
    let written = write_files(&report.document, out, files)?;
    print::text(match form {
        Form::Json => json(&report.comparisons) + "\n",
        Form::Markdown => seen_from_here(&report.document, out),
        Form::Summary => {
            let summaries = report.comparisons.iter().map(summary);
            let tables: Vec<String> = summaries.map(|one| terminal::text(&one)).collect();
            format!("{}\nreport: {}\n", tables.join("\n"), written.join(", "))
        }
    })
}

/// The report as Markdown, with figure paths relative to the current folder.
fn seen_from_here(document: &Document, out: &Path) -> String {
    document.markdown(&out.join(FIGURES).display().to_string())
}

/// Writes a document with its figures into `out`; returns the files' names.
fn write_files(document: &Document, out: &Path, files: Files) -> anyhow::Result<Vec<String>> {
    let figures = out.join(FIGURES);
    std::fs::create_dir_all(&figures).with_context(|| figures.display().to_string())?;
    for figure in document.figures() {
        atomic_file::replace(&figures.join(&figure.name), figure.svg.as_bytes())?;
    }
    let markdown = out.join("report.md");
    atomic_file::replace(&markdown, document.markdown(FIGURES).as_bytes())?;
    let mut written = vec![markdown.display().to_string()];
    if files == Files::MarkdownAndPage {
        let html = out.join("report.html");
        atomic_file::replace(&html, page(document, Tables::Still).as_bytes())?;
        written.push(html.display().to_string());
    }
    Ok(written)
}

/// The report of the ablation or ensemble in a folder, if there is one.
///
/// # Errors
/// Its files are damaged.
pub fn stored(folder: &Path) -> anyhow::Result<Option<Document>> {
    if ablation::is_in(folder) {
        return Ok(Some(report::ablation::document(&ablation::read(folder)?)?));
    }
    if ensemble::is_in(folder) {
        return Ok(Some(report::ensemble::document(&ensemble::read(folder)?)?));
    }
    Ok(None)
}

/// Writes the report of the ablation or ensemble in `out` there, and prints it.
///
/// # Errors
/// It can't be read, or a file can't be written.
pub fn write_stored(out: &Path, files: Files) -> anyhow::Result<()> {
    let document = stored(out)?.expect("it has just been written");
    write_document(&document, out, files)
}

/// Writes an ablation's report with its figures into `out` and prints it; on a terminal it prints the files' names
/// instead.
///
/// # Errors
/// A file can't be written.
pub fn write_document(document: &Document, out: &Path, files: Files) -> anyhow::Result<()> {
    let written = write_files(document, out, files)?;
    print::text(match Form::of_terminal() {
        Form::Summary => format!("report: {}\n", written.join(", ")),
        Form::Markdown | Form::Json => seen_from_here(document, out),
    })
}

/// Writes benchmarks as report.md with a figure and the numbers into `out`, and prints the file's name.
///
/// # Errors
/// A file can't be written.
pub fn write_benchmarks(benchmarks: &Benchmarks, out: &Path) -> anyhow::Result<()> {
    let written = write_files(&bench::document(benchmarks), out, Files::Markdown)?;
    let mut json = serde_json::to_string_pretty(benchmarks)?;
    json.push('\n');
    atomic_file::replace(&out.join(bench::FILE), json.as_bytes())?;
    print::line(format_args!("report: {}", written.join(", ")))
}
