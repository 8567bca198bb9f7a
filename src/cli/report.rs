//! `promptshift report DIR...`: renders records again, without model or data.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;

use super::output;
use promptshift_numbers::record::folder::{find, unfinished};
use promptshift_report::bench::Benchmarks;
use promptshift_tensors::backbone::BackboneChoice;
use promptshift_tensors::t5::T5Config;

/// Flags of `report`.
#[derive(Debug, Args)]
pub struct Arguments {
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
    #[arg(long)]
    html: bool,
    /// Print the comparison as JSON instead of the report.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    if let (Some(folder), Some(out)) = (&arguments.bench, &arguments.out) {
        let benchmarks = Benchmarks::of_criterion(folder, encoder_operations()?)?;
        return output::write_benchmarks(&benchmarks, out);
    }
    if let [folder] = arguments.folders.as_slice()
        && let Some(document) = output::stored(folder)?
    {
        let out = arguments.out.as_ref().unwrap_or(folder);
        return output::write_document(&document, out, output::Files::of_flag(arguments.html));
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
    let files = output::Files::of_flag(arguments.html);
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
