//! Compares promptshift with Transformers + PEFT on the same workloads, alternating, as ratios.
//!
//! ```text
//! cargo bench --bench peer -- --python peer/bin/python --data DIR --model FILE.gguf
//! ```
//!
//! `peer_bench.py`, beside this file, defines the T5 workloads and explains how to set up Python; `work.rs`
//! is promptshift's side. `peer_smollm2.py` and `smollm2.rs` do the same for SmolLM2, if its file is given.
//! Every measurement is a separate process, so that peak memory belongs to one program; the two programs
//! alternate, so that a machine that slows down affects both.

mod smollm2;
mod work;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use clap::Parser;
use comfy_table::Table;
use comfy_table::presets::ASCII_MARKDOWN;
use serde::Deserialize;

use promptshift::stats::estimate;
use work::{Files, Model, Work};

/// What to compare, and how often.
#[derive(Debug, Parser)]
struct Arguments {
    /// A Python with torch, transformers, peft and pyarrow. Without it nothing is compared.
    #[arg(long)]
    python: Option<PathBuf>,
    /// The folder with squad/*.parquet and t5/tokenizer.json.
    #[arg(long, default_value = "data")]
    data: PathBuf,
    /// SmolLM2-135M-Instruct as GGUF. Without it only the T5 is compared.
    #[arg(long)]
    model: Option<PathBuf>,
    /// Number of turns of each program.
    #[arg(long, default_value_t = 5)]
    turns: usize,
    /// Compare only workloads whose names contain this, such as 'step'.
    #[arg(long, default_value = "")]
    only: String,
    /// Run one workload here and print its measurement as JSON; used for promptshift's turns.
    #[arg(long, value_enum)]
    work: Option<Work>,
    /// Set by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
    /// Criterion's flag, which `cargo bench -- --quick` passes to every benchmark.
    #[arg(long, hide = true)]
    quick: bool,
}

/// The output of both programs that is compared.
#[derive(Debug, Clone, Deserialize)]
struct Measured {
    /// The median time of one step, in seconds.
    median_s: Option<f64>,
    examples_per_s: Option<f64>,
    peak_rss_mib: f64,
    /// Arithmetic operations ÷ (time × rate of a large matrix product).
    share_of_limit: Option<f64>,
}

impl Measured {
    /// Work per second.
    fn rate(&self) -> f64 {
        self.examples_per_s
            .or_else(|| self.median_s.map(|seconds| 1.0 / seconds))
            .unwrap_or(f64::NAN)
    }
}

fn main() -> ExitCode {
    promptshift::memory::keep_freed_memory();
    promptshift::device::compute_on_this_thread();
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    if let Some(work) = arguments.work {
        let files = Files {
            data: &arguments.data,
            model: arguments.model.as_deref(),
        };
        println!("{}", work::measure(work, files)?);
        return Ok(());
    }
    let Some(python) = &arguments.python else {
        eprintln!("peer: skipped, since --python names no Python to compare with");
        return Ok(());
    };
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN);
    table.set_header([
        "work",
        "against",
        "speed, ours ÷ peer's",
        "of each turn",
        "peak resident memory, ours ÷ peer's",
        "share of the matrix-product limit",
    ]);
    for comparison in work::COMPARISONS {
        let at_hand = comparison.work.model() == Model::T5 || arguments.model.is_some();
        if at_hand && comparison.name().contains(&arguments.only) {
            table.add_row(compare(comparison, arguments, python)?);
        }
    }
    println!("{table}");
    Ok(())
}

/// The median; NaN if there are no values.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    estimate::median(&values.collect::<Vec<f64>>()).unwrap_or(f64::NAN)
}

fn compare(
    comparison: &work::Comparison,
    arguments: &Arguments,
    python: &PathBuf,
) -> Result<[String; 6]> {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for turn in 0..arguments.turns {
        eprintln!("{} {}/{}", comparison.name(), turn + 1, arguments.turns);
        let scripts = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peer"));
        let mut peer = Command::new(python);
        peer.arg(scripts.join(comparison.work.model().script()))
            .args(comparison.peer);
        let mut own = Command::new(std::env::current_exe()?);
        own.args(["--work", &comparison.work.to_string()]);
        for program in [&mut peer, &mut own] {
            program.arg("--data").arg(&arguments.data);
            if let (Model::Smollm2, Some(file)) = (comparison.work.model(), &arguments.model) {
                program.arg("--model").arg(file);
            }
        }
        theirs.push(output_of(peer)?);
        ours.push(output_of(own)?);
    }
    let turns: Vec<f64> = ours
        .iter()
        .zip(&theirs)
        .map(|(own, peer)| own.rate() / peer.rate())
        .collect();
    let middle = |all: &[Measured], of: fn(&Measured) -> f64| median(all.iter().map(of));
    let memory = middle(&ours, |m| m.peak_rss_mib) / middle(&theirs, |m| m.peak_rss_mib);
    let share = median(ours.iter().filter_map(|m| m.share_of_limit));
    Ok([
        comparison.work.to_string(),
        comparison.peer.join(" "),
        format!("{:.2}", median(turns.iter().copied())),
        turns
            .iter()
            .map(|ratio| format!("{ratio:.2}"))
            .collect::<Vec<_>>()
            .join(" "),
        format!("{memory:.2}"),
        if share.is_nan() {
            String::new()
        } else {
            format!("{share:.2}")
        },
    ])
}

/// The last line of a program's output, as a measurement.
fn output_of(mut command: Command) -> Result<Measured> {
    let output = command
        .output()
        .with_context(|| format!("cannot start {command:?}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.trim().lines().last();
    let (true, Some(last)) = (output.status.success(), last) else {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{command:?} ended with {}: {said}", output.status);
    };
    serde_json::from_str(last).with_context(|| format!("{command:?} printed {last}"))
}
