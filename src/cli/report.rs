//! Commands that render records, without model or data: `promptshift report DIR...`, `promptshift leaderboard
//! DIR...` (one table of all records found) and `promptshift power DIR --effect POINTS` (the seeds and rows
//! needed to detect a given difference of gaps).

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::PathBuf;

use clap::{ArgAction, Args};

use super::output::{self, Files};
use super::print;
use promptshift_numbers::record::folder::{find, unfinished};
use promptshift_report::bench::Benchmarks;
use promptshift_report::document::terminal;
use promptshift_report::{leaderboard, power};
use promptshift_tensors::backbone::BackboneChoice;
use promptshift_tensors::t5::T5Config;
use promptshift_text::atomic_file;

/// Flags of `report`.
#[derive(Debug, Args)]
pub struct ReportArguments {
    /// Folders with records, at any depth; or the folder of one ablation.
    #[arg(required_unless_present = "bench", value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// Report on benchmarks instead: the folder that `cargo bench` wrote, target/criterion.
    #[arg(long, value_name = "CRITERION", conflicts_with_all = ["folders", "html", "json"], requires = "out")]
    bench: Option<PathBuf>,
    /// The folder for report.md and its figures. By default the report goes to standard output and figures to the first
    /// DIR.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Also write report.html, the same report as a single page.
    #[arg(id = "html", long = "html", action = ArgAction::SetTrue, value_parser = Files::flag())]
    files: Files,
    /// Print the comparison as JSON instead of the report.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run_report(arguments: ReportArguments) -> anyhow::Result<()> {
    if let (Some(folder), Some(out)) = (&arguments.bench, &arguments.out) {
        let benchmarks = Benchmarks::of_criterion(folder, encoder_operations()?)?;
        return output::write_benchmarks(&benchmarks, out);
    }
    if let [folder] = arguments.folders.as_slice()
        && let Some(document) = output::stored(folder)?
    {
        let out = arguments.out.as_ref().unwrap_or(folder);
        return output::write_document(&document, out, arguments.files);
    }
    let (mut records, mut begun) = (Vec::new(), Vec::new());
    for folder in &arguments.folders {
        records.extend(find(folder)?);
        begun.extend(unfinished(folder)?);
    }
    let out = arguments.out.as_ref().unwrap_or(&arguments.folders[0]);
    let form = if arguments.json {
        output::Form::Json
    } else {
        output::Form::of_terminal()
    };
    let files = arguments.files;
    output::write(&records, &begun, out, files, form)
}

/// Operations of the benchmarks' encoder for each token, by model and input length (benches/suite.rs).
fn encoder_operations() -> anyhow::Result<BTreeMap<String, Vec<(usize, f64)>>> {
    let nano = BackboneChoice::Nano.config()?;
    let small = T5Config::published("small");
    let models = [("nano", nano.t5()), ("small", small.as_ref())];
    let of = |config: &T5Config| {
        let operations = |length| (length, config.encoder_operations_per_token(length) as f64);
        [128, 256, 512, 1024].map(operations).to_vec()
    };
    let known = models.into_iter();
    Ok(known
        .filter_map(|(name, config)| Some((name.to_owned(), of(config?))))
        .collect())
}

/// Flags of `leaderboard`.
#[derive(Debug, Args)]
pub struct LeaderboardArguments {
    /// Folders with records, at any depth.
    #[arg(required = true, value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// The new folder for leaderboard.html (with sortable columns) and leaderboard.json; an existing one is never
    /// changed.
    #[arg(long, value_name = "DIR", default_value = "leaderboard")]
    out: PathBuf,
    /// Print the JSON instead of the table.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run_leaderboard(arguments: LeaderboardArguments) -> anyhow::Result<()> {
    atomic_file::check(&arguments.out)?;
    let (mut records, mut begun) = (Vec::new(), Vec::new());
    for folder in &arguments.folders {
        records.extend(find(folder)?);
        begun.extend(unfinished(folder)?);
    }
    let board = leaderboard::leaderboard(&records, &begun)?;
    let json = board.json();
    let files = [
        ("leaderboard.html", board.page().into_bytes()),
        ("leaderboard.json", json.clone().into_bytes()),
    ];
    atomic_file::write_folder(&arguments.out, &files)?;
    let text = if arguments.json {
        json
    } else if std::io::stdout().is_terminal() {
        let page = arguments.out.join("leaderboard.html");
        format!(
            "{}\nleaderboard: {}\n",
            terminal::text(&board.document()),
            page.display()
        )
    } else {
        board.document().markdown("")
    };
    print::text(text)
}

/// Flags of `power`.
#[derive(Debug, Args)]
pub struct PowerArguments {
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
pub fn run_power(arguments: &PowerArguments) -> anyhow::Result<()> {
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
