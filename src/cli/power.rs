//! `promptshift power DIR --effect POINTS`: how many seeds and rows detect a given difference of gaps?

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::Args;

use super::print;
use promptshift_numbers::record::folder::find;
use promptshift_report::document::terminal;
use promptshift_report::power;

/// Flags of `power`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Folders with a pilot's records, at any depth: at least two seeds of model tuning and of another method.
    #[arg(required = true, value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// The difference of gaps to detect, in points: a method's mean gap − model tuning's, in either direction.
    #[arg(long, value_name = "POINTS", value_parser = points)]
    effect: f64,
}

/// A difference in points.
fn points(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(points) if (0.1..=100.0).contains(&points) => Ok(points),
        _ => Err("wanted a number of points from 0.1 to 100".to_string()),
    }
}

/// Runs the command: tables on standard output; nothing is written.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut records = Vec::new();
    for folder in &arguments.folders {
        records.extend(find(folder)?);
    }
    let document = power::document(&records, arguments.effect / 100.0)?;
    print::text(match std::io::stdout().is_terminal() {
        true => terminal::text(&document),
        false => document.markdown(""),
    })
}
