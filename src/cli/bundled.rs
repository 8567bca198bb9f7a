//! Commands that regenerate the bundled files: `promptshift pretrain` trains a miniature T5 from its recipe,
//! or continues the training of an existing one; `promptshift datasets` generates the miniature domains from
//! their grammars.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;

use super::progress::Verbosity;
use promptshift_tensors::device::Device;
use promptshift_tensors::pretrain::{PretrainRecipe, Pretraining, Start, Text, pretrain};
use promptshift_text::domain::Split;
use promptshift_text::domain::parquet::TableFile;
use promptshift_text::synthetic::{self, MINI_SEED};

/// Flags of `pretrain`.
#[derive(Debug, Args)]
pub struct PretrainArguments {
    /// The recipe [default: the bundled miniature's].
    #[arg(long, value_name = "FILE")]
    recipe: Option<PathBuf>,
    /// A T5's folder to continue from, with its tokenizer, sizes and weights, instead of starting afresh.
    #[arg(long, value_name = "DIR")]
    from: Option<PathBuf>,
    /// Documents to read instead of generated ones, one in each row; may be repeated.
    #[arg(long, value_name = "FILE.parquet")]
    text: Vec<PathBuf>,
    /// The column of --text with the documents.
    #[arg(long, default_value = "text", value_name = "NAME", requires = "text")]
    column: String,
    /// The folder for tokenizer, configuration, weights and learning curve.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Steps between two checkpoints and points of the learning curve.
    #[arg(long, default_value_t = 500, value_name = "N")]
    checkpoint_every: usize,
}

/// The recipe of the bundled miniature.
const NANO: &str = include_str!("../../models/nano/recipe.toml");

/// Runs the command.
pub fn run_pretrain(arguments: PretrainArguments) -> anyhow::Result<()> {
    let (text, name) = match &arguments.recipe {
        Some(path) => (
            std::fs::read_to_string(path).with_context(|| path.display().to_string())?,
            path.display().to_string(),
        ),
        None => (NANO.to_string(), "models/nano/recipe.toml".to_string()),
    };
    let recipe: PretrainRecipe =
        toml::from_str(&text).with_context(|| format!("{name}: not a pre-training recipe"))?;
    let from = match arguments.from {
        Some(folder) => Start::Checkpoint(folder),
        None => Start::Recipe,
    };
    let text = match arguments.text.as_slice() {
        [] => Text::Generated,
        files => Text::Documents(documents(files, &arguments.column)?),
    };
    let verbosity = Verbosity::of_terminal();
    let mut work = verbosity.bar("pre-training", recipe.steps());
    let report = pretrain(
        &Pretraining {
            recipe: &recipe,
            from: &from,
            text: &text,
            out: &arguments.out,
            checkpoint_every: arguments.checkpoint_every,
            device: &Device::flex(),
        },
        &mut |step, loss, point| {
            work.at(step, &format!("loss {loss:.3}"));
            if let Some(point) = point {
                work.say(&format!(
                    "step {step} ({}), loss {:.3}, exact match squad {:.1} %, others {:.1} %, {:.0} s",
                    point.stage,
                    point.loss,
                    100.0 * point.probe.squad,
                    100.0 * point.probe.others,
                    point.seconds,
                ));
            }
        },
    )?;
    work.end();
    verbosity.say(&format!(
        "{} parameters, {} tokens in the vocabulary: {}",
        report.parameters,
        report.vocabulary,
        arguments.out.display()
    ));
    Ok(())
}

/// Every non-blank text of a column.
fn documents(files: &[PathBuf], column: &str) -> anyhow::Result<Vec<String>> {
    let mut all = Vec::new();
    for file in files {
        let table = TableFile::Disk(file.clone()).open()?;
        for batch in table.batches(&[column], None)? {
            let texts = batch?.texts(column)?;
            all.extend(texts.into_iter().filter(|text| !text.trim().is_empty()));
        }
    }
    if all.is_empty() {
        bail!("--text: wanted documents in column '{column}', found none");
    }
    Ok(all)
}

/// Flags of `datasets`.
#[derive(Debug, Args)]
pub struct DatasetsArguments {
    /// The folder for `<domain>/<split>.parquet`.
    #[arg(long, value_name = "DIR", default_value = "datasets/mini")]
    out: PathBuf,
    /// The seed; the default made the bundled files.
    #[arg(long, default_value_t = MINI_SEED)]
    seed: u64,
}

/// Runs the command.
pub fn run_datasets(arguments: DatasetsArguments) -> anyhow::Result<()> {
    for domain in synthetic::domains() {
        for split in Split::ALL {
            let rows = synthetic::rows(
                domain,
                split,
                arguments.seed,
                synthetic::sizes(domain, split),
            );
            let folder = arguments.out.join(domain.name);
            std::fs::create_dir_all(&folder)
                .map_err(|error| anyhow::anyhow!("{}: {error}", folder.display()))?;
            synthetic::write_parquet(
                &rows,
                domain,
                &folder.join(format!("{}.parquet", split.name())),
            )?;
        }
        Verbosity::of_terminal().say(&format!("{}: {}", domain.name, domain.about()));
    }
    Ok(())
}
