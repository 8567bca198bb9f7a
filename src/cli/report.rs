//! Commands that render records, without model or data: `promptshift report DIR...`, `promptshift leaderboard
//! DIR...` (one table of all records found) and `promptshift power DIR --effect POINTS` (the seeds and rows
//! needed to detect a given difference of gaps).

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::PathBuf;

use clap::{ArgAction, Args};

use super::output::{self, Files};
use super::print;
use crate::experiment;
use promptshift_numbers::provenance::gpu;
use promptshift_numbers::recipe::{Defaults, Method, Recipe};
use promptshift_numbers::record::folder::{find, unfinished};
use promptshift_report::bench::{self, Benchmarks, Card, Measured};
use promptshift_report::document::terminal;
use promptshift_report::{leaderboard, power};
use promptshift_tensors::backbone::BackboneChoice;
use promptshift_tensors::device;
use promptshift_tensors::network::Config;
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
        let mut benchmarks = Benchmarks::of_criterion(folder, encoder_operations()?)?;
        describe_devices(&mut benchmarks)?;
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

/// Adds what is known of devices other than the CPU: their cards, and the operations of the steps that ran on them.
fn describe_devices(benchmarks: &mut Benchmarks) -> anyhow::Result<()> {
    let given = match std::env::var(bench::PEAK) {
        Err(_) => None,
        Ok(text) => match text.parse::<f64>() {
            Ok(peak) if peak > 0.0 && peak.is_finite() => Some(peak),
            _ => anyhow::bail!("{}: wanted a number above 0, found '{text}'", bench::PEAK),
        },
    };
    let places = benchmarks.places();
    if given.is_some() && places.len() > 1 {
        anyhow::bail!(
            "{} is the peak of one device in one precision; these benchmarks have {}",
            bench::PEAK,
            places.into_iter().collect::<Vec<_>>().join(" and ")
        );
    }
    let described = |place: &str| {
        let (name, precision) = place.rsplit_once(',').unwrap_or((place, ""));
        let opened = device::find(name).ok();
        let name = (opened.and_then(|device| device::card(&device))).or_else(|| gpu(name));
        // Where the driver was only asked for names, there may be several.
        let one = name.as_deref().filter(|name| !name.contains(" or "));
        let known = one.and_then(|name| bench::peak_tflops(name, precision));
        let card = Card {
            peak_tflops: given.or(known),
            name,
        };
        (place.to_owned(), card)
    };
    let cards = places.into_iter().map(described).collect();
    let mut operations = BTreeMap::new();
    for step in &benchmarks.measured {
        if step.group == "train_step"
            && step.place().is_some()
            && let Some(count) = step_operations(step)?
        {
            operations.insert(step.work_and_length(), count);
        }
    }
    benchmarks.cards = cards;
    benchmarks.step_operations = operations;
    Ok(())
}

/// The target tokens of each example in a benchmark's batch (benches/bed).
const TARGET: usize = 16;

/// Operations of a benchmark's step; `None` for methods whose backward pass does not go through the whole network.
fn step_operations(step: &Measured) -> anyhow::Result<Option<f64>> {
    let Some((method, model)) = step.work().split_once('/') else {
        return Ok(None);
    };
    let whole = [Method::Prompt, Method::Lora, Method::Model];
    let Some(method) = whole.into_iter().find(|one| one.name() == method) else {
        return Ok(None);
    };
    let (Some(tokens), Some(length)) = (step.amount, step.length) else {
        return Ok(None);
    };
    let (config, defaults) = match model.split("-dropout-").next() {
        Some("nano") => (Some(BackboneChoice::Nano.config()?), Defaults::Nano),
        Some("small") => (T5Config::published("small").map(Config::from), Defaults::T5),
        _ => (None, Defaults::T5),
    };
    let recipe = Recipe::default_for(defaults, method);
    let prompt = recipe.prompt.as_ref().map_or(0, |prompt| prompt.length);
    let examples = tokens / (length + TARGET) as f64;
    let (inputs, targets) = (
        examples * (length + prompt) as f64,
        examples * TARGET as f64,
    );
    Ok(config.map(|config| experiment::step_operations(&config, &recipe, inputs, targets)))
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
