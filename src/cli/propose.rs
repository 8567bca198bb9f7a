//! `promptshift propose`: wordings proposed by a model, as files for the user to select from.

use clap::{Args, Subcommand};

use super::{Failure, template, verbalizer};

/// Flags of `propose`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Templates from a T5's own span filling, for --template.
    Template(template::Arguments),
    /// More words for a domain's classes, from a model's embeddings, for --verbalizer.
    Verbalizer(verbalizer::Arguments),
}

/// The old spelling, `propose template`.
#[derive(Debug, Args)]
pub struct OldTemplate {
    #[command(subcommand)]
    verb: OldVerb,
}

#[derive(Debug, Subcommand)]
enum OldVerb {
    Propose(template::Arguments),
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.what {
        What::Template(arguments) => template::run(arguments),
        What::Verbalizer(arguments) => verbalizer::run(arguments),
    }
}

/// Runs the old spelling.
pub fn run_old(arguments: &OldTemplate) -> Result<(), Failure> {
    let OldVerb::Propose(arguments) = &arguments.verb;
    template::run(arguments)
}
