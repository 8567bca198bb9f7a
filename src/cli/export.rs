//! Commands that copy records: `promptshift export DIR... --out NEW` as tables or a model card, and `promptshift
//! redact DIR --out NEW` without the texts of their rows, to publish records whose data can't be published.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};

use super::print;
use promptshift_numbers::record::ensemble;
use promptshift_numbers::record::folder::{StoredRecord, find, read, record_folders};
use promptshift_numbers::record::redaction::{redacted, without_node};
use promptshift_report::export::{Format, ModelCard, Tables, Written};
use promptshift_text::atomic_file::{self, NewFolder};

/// Flags of `export`.
#[derive(Debug, Args)]
pub struct ExportArguments {
    /// Folders with records, at any depth.
    #[arg(required = true, value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// The format; Parquet keeps types, lists and missing values.
    #[arg(long, value_enum, default_value = "parquet")]
    format: FormatName,
    /// The new folder for the tables `cells` and `examples`, or for the card; an existing one is never changed.
    #[arg(long, value_name = "NEW")]
    out: PathBuf,
}

/// `--format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormatName {
    /// cells.parquet and examples.parquet.
    Parquet,
    /// cells.csv and examples.csv: lists are JSON, missing values empty fields.
    Csv,
    /// README.md, a model card for the Hugging Face Hub with a model-index.
    ModelCard,
}

/// Runs the command: writes everything or nothing.
pub fn run_export(arguments: &ExportArguments) -> anyhow::Result<()> {
    let ExportArguments {
        folders,
        format,
        out,
    } = arguments;
    let homes = each_once(folders)?;
    let (format, ending) = match format {
        FormatName::Parquet => (Format::Parquet, "parquet"),
        FormatName::Csv => (Format::Csv, "csv"),
        FormatName::ModelCard => return write_model_card(&homes, out),
    };
    let begun = NewFolder::begin(out)?;
    let mut tables = Tables::create(begun.path(), format)?;
    // One at a time: all records together may not fit into memory.
    for home in &homes {
        tables.write(&read(home)?)?;
    }
    let Written { cells, examples } = tables.finish()?;
    begun.finish()?;
    print::note(format_args!(
        "{} records: {cells} rows in {}, {examples} in {}",
        homes.len(),
        out.join(format!("cells.{ending}")).display(),
        out.join(format!("examples.{ending}")).display()
    ));
    Ok(())
}

fn write_model_card(homes: &[PathBuf], out: &Path) -> anyhow::Result<()> {
    let mut card = ModelCard::default();
    for home in homes {
        card.add(read(home)?)?;
    }
    let begun = NewFolder::begin(out)?;
    atomic_file::write(&begun.path().join("README.md"), card.text().as_bytes())?;
    begun.finish()?;
    print::note(format_args!(
        "{} records in {}",
        homes.len(),
        out.join("README.md").display()
    ));
    Ok(())
}

/// The folders of all records, each once: a duplicate would count twice in every mean.
fn each_once(folders: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut met = HashSet::new();
    let mut homes = Vec::new();
    for folder in folders {
        for home in record_folders(folder)? {
            let place = fs::canonicalize(&home).with_context(|| home.display().to_string())?;
            if met.insert(place) {
                homes.push(home);
            }
        }
    }
    Ok(homes)
}

/// Flags of `redact`.
#[derive(Debug, Args)]
pub struct RedactArguments {
    /// A folder with records, at any depth.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The new folder to write them to.
    #[arg(long, value_name = "NEW")]
    out: PathBuf,
}

/// Runs the command: copies records with hashes instead of texts, and the files of plans and searches beside them.
/// Weights are not copied, nor are reports, which show texts and can be rendered again.
pub fn run_redact(arguments: &RedactArguments) -> anyhow::Result<()> {
    let RedactArguments { folder, out } = arguments;
    if ensemble::is_in(folder) {
        bail!(
            "{}: wanted records of runs, found an ensemble's, whose votes are on texts",
            folder.display()
        );
    }
    let records = find(folder)?;
    atomic_file::check(out)?;
    fs::create_dir(out).with_context(|| out.display().to_string())?;
    if let Err(error) = write(&records, folder, out) {
        // An incomplete copy must not be published. This command created the folder, so it may remove it.
        let _ = fs::remove_dir_all(out);
        return Err(error);
    }
    print::line(format_args!(
        "{} records: {}; render them with: promptshift report {}",
        records.len(),
        out.display(),
        out.display()
    ))
}

fn write(records: &[StoredRecord], folder: &Path, out: &Path) -> anyhow::Result<()> {
    copy_plans(folder, out)?;
    for stored in records {
        let below = (stored.folder.strip_prefix(folder)).context("a record lies in its folder")?;
        let home = out.join(below);
        let parent = home.parent().unwrap_or(out);
        fs::create_dir_all(parent).with_context(|| parent.display().to_string())?;
        let files = redacted(stored);
        let files: Vec<_> = (files.iter())
            .map(|(name, bytes)| (name.as_str(), bytes.clone()))
            .collect();
        match below == Path::new("") {
            true => {
                for (name, bytes) in &files {
                    atomic_file::write(&home.join(name), bytes)?;
                }
            }
            false => atomic_file::write_folder(&home, &files)?,
        }
    }
    Ok(())
}

/// Copies the JSON files of plans, searches and ablations, which are outside records' folders.
fn copy_plans(from: &Path, to: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let path = entry.with_context(|| from.display().to_string())?.path();
        let place = to.join(path.file_name().expect("an entry has a name"));
        if path.is_dir() {
            let holds_plan = path.join("plan.json").exists() && !path.join("record.json").exists();
            if holds_plan {
                fs::create_dir(&place).with_context(|| place.display().to_string())?;
                copy_plans(&path, &place)?;
            }
        } else if path.extension().is_some_and(|ending| ending == "json")
            && path.file_name().is_some_and(|name| name != "record.json")
        {
            let bytes = fs::read(&path).with_context(|| path.display().to_string())?;
            atomic_file::write(&place, &without_node(&bytes))?;
        }
    }
    Ok(())
}
