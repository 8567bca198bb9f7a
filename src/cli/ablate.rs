//! `promptshift ablate length` and so on: the paper's ablations, one command each. A setting is a plan like
//! that of `transfer`, with its own subfolder of the ablation's output. Stored trainings are reused.

mod backbones;
mod prompts;
mod shared;

use clap::{Args, Subcommand};

use super::Failure;

/// Flags of `ablate`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// How many vectors a prompt needs.
    Length(prompts::Lengths),
    /// What a prompt starts from.
    Init(prompts::Inits),
    /// The objective that the frozen model was pre-trained with.
    Objective(backbones::Objectives),
    /// How long the model was adapted as a language model.
    LmSteps(backbones::LmSteps),
    /// The size of the model, for prompt tuning and model tuning.
    Scale(backbones::Scales),
    /// Prompts of several seeds, voting over one backbone.
    Ensemble(prompts::Ensembles),
}

/// Runs the command.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.what {
        What::Length(arguments) => prompts::length(&arguments),
        What::Init(arguments) => prompts::init(&arguments),
        What::Objective(arguments) => backbones::objective(&arguments),
        What::LmSteps(arguments) => backbones::lm_steps(&arguments),
        What::Scale(arguments) => backbones::scale(&arguments),
        What::Ensemble(arguments) => prompts::ensemble(&arguments),
    }
}
