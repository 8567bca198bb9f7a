//! `promptshift export DIR... --out NEW`: exports records as tables.

use super::print;
use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, ValueEnum};

use promptshift_numbers::record::folder::{read, record_folders};
use promptshift_report::export::{Format, Tables, Written};
use promptshift_text::atomic_file::NewFolder;

/// Flags of `export`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Folders with records, at any depth.
    #[arg(required = true, value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// The format; Parquet keeps types, lists and missing values.
    #[arg(long, value_enum, default_value = "parquet")]
    format: FormatName,
    /// The new folder for the tables `cells` and `examples`; an existing one is never changed.
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
}

/// Runs the command: writes both tables or none.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let Arguments {
        folders,
        format,
        out,
    } = arguments;
    let (format, ending) = match format {
        FormatName::Parquet => (Format::Parquet, "parquet"),
        FormatName::Csv => (Format::Csv, "csv"),
    };
    let begun = NewFolder::begin(out)?;
    let homes = each_once(folders)?;
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

/// The records of all folders, each once: duplicates would count twice in every mean.
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
