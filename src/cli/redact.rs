//! `promptshift redact DIR --out NEW`: records that can be published even if the data can't.

use super::print;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;

use promptshift_numbers::record::ensemble;
use promptshift_numbers::record::folder::{StoredRecord, find};
use promptshift_numbers::record::redaction::{redacted, without_node};
use promptshift_text::atomic_file;

/// Flags of `redact`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// A folder with records, at any depth.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The new folder to write them to.
    #[arg(long, value_name = "NEW")]
    out: PathBuf,
}

/// Runs the command: copies records with hashes instead of texts, and the files of plans and searches beside them.
/// Weights are not copied, nor are reports, which show texts and can be rendered again.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let Arguments { folder, out } = arguments;
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
        // An incomplete copy must not be published, and the folder is ours.
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

/// Copies the JSON files of plans, searches and ablations, which are outside of records' folders.
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
