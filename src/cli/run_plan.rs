//! `promptshift run PLAN`: what `--save-plan` wrote, run here.

use std::path::PathBuf;

use clap::Args;

use super::command::command;
use super::output::Form;
use super::run::Run;
use super::study::Request;
use super::{Failure, help};
use crate::study::Study;

/// Flags of `run`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The file that --save-plan wrote, of any verb that has it. Paths in it are as they were typed.
    #[arg(value_name = "PLAN")]
    plan: PathBuf,
    #[command(flatten)]
    run: Run,
    /// Print the comparison as JSON instead of the report of a transfer.
    #[arg(long, help_heading = help::OUTPUT)]
    json: bool,
}

/// Runs it.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let (request, study) = read(arguments)?;
    request.run(study)
}

/// The study of the plan.
pub fn read(arguments: &Arguments) -> Result<(Request<'_>, Study), Failure> {
    let request = Request {
        flags: &arguments.run,
        form: match arguments.json {
            true => Form::Json,
            false => Form::of_terminal(),
        },
        command: command(None),
    };
    let study = Study::read(&arguments.plan).map_err(Failure::usage)?;
    Ok((request, study))
}
