//! `promptshift pretrain`: a miniature T5 from its recipe.

use std::path::PathBuf;

use anyhow::Context;
use burn::tensor::Device;
use clap::Args;

use super::progress::Voice;
use crate::pretrain::{PretrainRecipe, pretrain};

/// Flags of `pretrain`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The recipe; the bundled miniature's own where none is given.
    #[arg(long, value_name = "FILE")]
    recipe: Option<PathBuf>,
    /// The folder to write tokenizer, configuration, weights and learning curve to.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Steps between two checkpoints and points of the learning curve.
    #[arg(long, default_value_t = 500, value_name = "N")]
    checkpoint_every: usize,
}

/// The recipe of the bundled miniature.
const NANO: &str = include_str!("../../models/nano/recipe.toml");

/// Runs it.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    let (text, name) = match &arguments.recipe {
        Some(path) => (
            std::fs::read_to_string(path).with_context(|| path.display().to_string())?,
            path.display().to_string(),
        ),
        None => (NANO.to_string(), "models/nano/recipe.toml".to_string()),
    };
    let recipe: PretrainRecipe =
        toml::from_str(&text).with_context(|| format!("{name}: not a pre-training recipe"))?;
    let voice = Voice::of_terminal();
    let mut work = voice.work("pre-training", recipe.steps());
    let report = pretrain(
        &recipe,
        &arguments.out,
        arguments.checkpoint_every,
        &Device::flex(),
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
    voice.say(&format!(
        "{} parameters, {} tokens in the vocabulary: {}",
        report.parameters,
        report.vocabulary,
        arguments.out.display()
    ));
    Ok(())
}
