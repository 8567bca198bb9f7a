//! Where a report goes: `report.md` and figures into a folder, the result to standard output.

use super::print;
use std::io::IsTerminal;
use std::path::Path;

use anyhow::Context;

use promptshift_numbers::record::folder::{StoredRecord, Unfinished};
use promptshift_numbers::record::{ablation, ensemble};
use promptshift_report::bench::{self, Benchmarks};
use promptshift_report::sheet::Sheet;
use promptshift_report::{self as report, json, terminal};
use promptshift_text::atomic_file;

/// What standard output carries.
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
    /// A summary where standard output is a terminal, else the whole report.
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
    /// `report.html` as well.
    MarkdownAndPage,
}

impl Files {
    /// As `--html` asks for.
    pub fn of_flag(html: bool) -> Self {
        if html {
            Files::MarkdownAndPage
        } else {
            Files::Markdown
        }
    }
}

/// The folder of figures beside a report.
const FIGURES: &str = "figures";

/// Renders `records` and what is told of `unfinished` cells, writes `files` into `out`, and prints the result.
///
/// # Errors
/// The records do not belong together, or a file can't be written.
pub fn write(
    records: &[StoredRecord],
    unfinished: &[Unfinished],
    out: &Path,
    files: Files,
    form: Form,
) -> anyhow::Result<()> {
    let report = report::analyse(records, unfinished)?;
    let figures = out.join(FIGURES);
    std::fs::create_dir_all(&figures).with_context(|| figures.display().to_string())?;
    for figure in report.figures() {
        atomic_file::replace(&figures.join(&figure.name), figure.svg.as_bytes())?;
    }
    let file = out.join("report.md");
    atomic_file::replace(&file, report.markdown(FIGURES).as_bytes())?;
    let mut written = vec![file];
    if files == Files::MarkdownAndPage {
        let page = out.join("report.html");
        atomic_file::replace(&page, report.page().as_bytes())?;
        written.push(page);
    }
    let text = match form {
        Form::Json => json::json(&report.comparisons) + "\n",
        // Seen from the current folder, the figures are inside `out`.
        Form::Markdown => report.markdown(&figures.display().to_string()),
        Form::Summary => {
            let tables: Vec<String> = report.comparisons.iter().map(terminal::summary).collect();
            let written: Vec<String> = written
                .iter()
                .map(|file| file.display().to_string())
                .collect();
            format!("{}\nreport: {}\n", tables.join("\n"), written.join(", "))
        }
    };
    print::text(text)
}

/// The report of the ablation or ensemble in a folder, if it holds one.
///
/// # Errors
/// Its files are damaged.
pub fn sheet(folder: &Path) -> anyhow::Result<Option<Sheet>> {
    if ablation::is_in(folder) {
        return Ok(Some(report::ablation::sheet(&ablation::read(folder)?)?));
    }
    if ensemble::is_in(folder) {
        return Ok(Some(report::ensemble::sheet(&ensemble::read(folder)?)?));
    }
    Ok(None)
}

/// Writes the report of the ablation or ensemble in `out` there, and prints it.
///
/// # Errors
/// It can't be read, or a file not be written.
pub fn write_stored(out: &Path, files: Files) -> anyhow::Result<()> {
    let sheet = sheet(out)?.expect("it has just been written");
    write_sheet(&sheet, out, files)
}

/// Writes the report of an ablation with its figures into `out`, and prints it, or on a screen its
/// files' names.
///
/// # Errors
/// A file can't be written.
pub fn write_sheet(sheet: &Sheet, out: &Path, files: Files) -> anyhow::Result<()> {
    let figures = out.join(FIGURES);
    std::fs::create_dir_all(&figures).with_context(|| figures.display().to_string())?;
    for figure in &sheet.figures {
        atomic_file::replace(&figures.join(&figure.name), figure.svg.as_bytes())?;
    }
    let file = out.join("report.md");
    atomic_file::replace(&file, sheet.markdown(FIGURES).as_bytes())?;
    if files == Files::MarkdownAndPage {
        atomic_file::replace(&out.join("report.html"), sheet.page().as_bytes())?;
    }
    let text = match Form::of_terminal() {
        Form::Summary => format!("report: {}\n", file.display()),
        Form::Markdown | Form::Json => sheet.markdown(&figures.display().to_string()),
    };
    print::text(text)
}

/// Writes benchmarks as report.md with its figure and its numbers into `out`, and prints the file's name.
///
/// # Errors
/// A file can't be written.
pub fn write_benchmarks(benchmarks: &Benchmarks, out: &Path) -> anyhow::Result<()> {
    let (markdown, drawn) = bench::render(benchmarks, FIGURES)?;
    let figures = out.join(FIGURES);
    std::fs::create_dir_all(&figures).with_context(|| figures.display().to_string())?;
    for figure in drawn {
        atomic_file::replace(&figures.join(&figure.name), figure.svg.as_bytes())?;
    }
    let mut json = serde_json::to_string_pretty(benchmarks)?;
    json.push('\n');
    atomic_file::replace(&out.join(bench::FILE), json.as_bytes())?;
    let file = out.join("report.md");
    atomic_file::replace(&file, markdown.as_bytes())?;
    print::line(format_args!("report: {}", file.display()))
}
