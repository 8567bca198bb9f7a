//! The command line: one file per command. The only place that prints.

mod ablate;
mod adapter;
mod cell_progress;
mod command;
mod compare;
mod completions;
mod data;
mod datasets;
mod estimate;
mod examples;
mod export;
mod fetch;
mod help;
mod inspect;
mod interrupt;
mod leaderboard;
mod learning_rate;
mod list;
mod lora;
mod methods;
mod model;
mod on;
mod output;
mod place;
mod power;
mod predict;
mod pretrain;
mod print;
mod progress;
mod prompt;
mod propose;
mod redact;
mod redirection;
mod report;
mod run;
mod run_plan;
mod runs;
mod score;
mod slurm;
mod study;
mod sweep;
mod table;
mod template;
mod transfer;
mod values;
mod verbalizer;
mod verify;
mod wording;
mod workers;

use std::fmt;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::anyhow;
use clap::{FromArgMatches, Parser, Subcommand};

use crate::experiment::Interrupted;
use crate::study::PrepareError;

/// When a model tuned on one domain meets another, how much does it lose, and does tuning less of it lose less?
#[derive(Debug, Parser)]
#[command(name = "promptshift", version, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Tune on a source domain, score it and the targets, report the gaps.
    Transfer(Box<transfer::Arguments>),
    /// The paper's ablations: length, init, objective, lm-steps, scale, ensemble.
    Ablate(Box<ablate::Arguments>),
    /// Run a sweep of several transfers, or a plan that --save-plan wrote.
    Run(run_plan::Arguments),
    /// Submit a study to a Slurm cluster, and say how far it is.
    Slurm(slurm::Arguments),
    /// Answer the rows of one file, with or without a tuned prompt or adapter.
    Predict(predict::Arguments),
    /// Render a report again, from its records.
    Report(report::Arguments),
    /// Compare two sets of records or predictions; exit code 1 if the second loses.
    Compare(compare::Arguments),
    /// How many seeds and rows detect a given difference of gaps, from a pilot's records.
    Power(power::Arguments),
    /// One table of all records found: a row for each method and model.
    Leaderboard(leaderboard::Arguments),
    /// Export records as two tables for pandas, polars and R: cells and examples.
    Export(export::Arguments),
    /// Score stored predictions again.
    Score(score::Arguments),
    /// What soft prompts learned: nearest words, drift, redundancy, similarity.
    Inspect(inspect::Arguments),
    /// Copy records without the texts of their rows, to publish them.
    Redact(redact::Arguments),
    /// List domains, models, methods, templates, suites or stored runs.
    List(list::Arguments),
    /// Download domains and models from the Hugging Face Hub.
    Fetch(fetch::Arguments),
    /// Check a domain's files against its card.
    Verify(verify::Arguments),
    /// Let a model propose a template or words for classes.
    Propose(propose::Arguments),
    /// Exchange soft prompts with other programs: PEFT's folders, NumPy's .npy.
    Prompt(prompt::Arguments),
    /// Exchange adapters with PEFT, and merge LoRA into the weights.
    Adapter(adapter::Arguments),
    /// Print a completion script for a shell.
    Completions(completions::Arguments),
    /// Pre-train a miniature T5, or continue its pre-training.
    #[command(hide = true)]
    Pretrain(pretrain::Arguments),
    /// Regenerate the miniature domains.
    #[command(hide = true)]
    Datasets(datasets::Arguments),
    /// The old spelling of `list methods`.
    #[command(hide = true)]
    Methods(methods::Arguments),
    /// The old spelling of `list runs`.
    #[command(hide = true)]
    Runs(runs::Arguments),
    /// The old spelling of `propose template`.
    #[command(hide = true)]
    Template(propose::OldTemplate),
    /// The old spelling of `propose verbalizer`.
    #[command(hide = true)]
    Verbalizer(verbalizer::Arguments),
    /// Run jobs for another process of this program.
    #[command(hide = true)]
    Worker,
}

/// Why the program ends without success.
#[derive(Debug)]
pub enum Failure {
    /// A usage error: exit code 2.
    Usage(anyhow::Error),
    /// Bad data, model or records, or a run that failed: exit code 1.
    Run(anyhow::Error),
    /// `compare` found a significant loss: exit code 1.
    Loss,
    /// `compare` could not compare: exit code 3, to distinguish an error from a loss.
    Incomparable(anyhow::Error),
    /// A signal ended the program: exit code 75 for one that a scheduler sends, else 128 plus its number.
    Interrupted,
}

impl Failure {
    /// A usage error.
    fn usage(error: impl Into<anyhow::Error>) -> Self {
        Failure::Usage(error.into())
    }

    /// The same with the place in a file that it is of.
    fn at(self, place: &str) -> Self {
        let text = self.to_string();
        let placed = anyhow!("{place}: {}", text.trim_start_matches("error: "));
        match self {
            Failure::Usage(_) => Failure::Usage(placed),
            Failure::Run(_) => Failure::Run(placed),
            other => other,
        }
    }

    /// The exit code, as documented in `--help`.
    pub fn exit_code(&self) -> u8 {
        match self {
            Failure::Run(_) | Failure::Loss => 1,
            Failure::Usage(_) => 2,
            Failure::Incomparable(_) => 3,
            Failure::Interrupted => interrupt::exit_code(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Usage(error) | Failure::Run(error) | Failure::Incomparable(error) => {
                let mut text = error.to_string();
                for cause in error.chain().skip(1).map(ToString::to_string) {
                    // Most messages include their cause.
                    if !text.contains(&cause) {
                        text = format!("{text}: {cause}");
                    }
                }
                write!(f, "error: {text}")
            }
            Failure::Loss => f.write_str("significant loss"),
            Failure::Interrupted => f.write_str(
                "interrupted: records and checkpoints are kept, and the same command resumes from them; \
                 nothing half-written is left",
            ),
        }
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        let error = error.into();
        let is_usage = matches!(
            error.downcast_ref(),
            Some(PrepareError::Words(_) | PrepareError::Tuning(_))
        );
        if is_usage {
            return Failure::Usage(error);
        }
        match error.root_cause().is::<Interrupted>() {
            true => Failure::Interrupted,
            false => Failure::Run(error),
        }
    }
}

/// The whole program: parses the command line, runs the command, and reports errors.
pub fn main() -> ExitCode {
    let typed = help::command().try_get_matches();
    let done = match typed.and_then(|typed| Cli::from_arg_matches(&typed)) {
        Ok(cli) => cli.run(),
        Err(error) => return not_run(&error),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            print::note(&failure);
            ExitCode::from(failure.exit_code())
        }
    }
}

/// Checks a sweep's file as `promptshift run` does before it loads a model; how many studies it has.
///
/// # Errors
/// It can't be read, or something in it is not understood.
pub fn check_sweep(file: &Path) -> Result<usize, Failure> {
    Ok(sweep::read(file, progress::Verbosity::Quiet)?.len())
}

/// Prints help, version or a usage error.
fn not_run(error: &clap::Error) -> ExitCode {
    let wanted = !error.use_stderr();
    match error.print().and_then(|()| std::io::stdout().flush()) {
        Err(full) if wanted && full.kind() != std::io::ErrorKind::BrokenPipe => {
            print::note(format_args!(
                "error: cannot write to standard output: {full}"
            ));
            ExitCode::FAILURE
        }
        _ => ExitCode::from(error.exit_code() as u8),
    }
}

impl Cli {
    /// Runs the command.
    ///
    /// # Errors
    /// A message for the user.
    pub fn run(self) -> Result<(), Failure> {
        match self.verb {
            Verb::Transfer(arguments) => transfer::run(*arguments),
            Verb::Ablate(arguments) => ablate::run(*arguments),
            Verb::Run(arguments) => run_plan::run(&arguments),
            Verb::Slurm(arguments) => slurm::run(arguments),
            Verb::Predict(arguments) => predict::run(arguments),
            Verb::Report(arguments) => Ok(report::run(arguments)?),
            Verb::Compare(arguments) => compare::run(&arguments),
            Verb::Power(arguments) => Ok(power::run(&arguments)?),
            Verb::Leaderboard(arguments) => Ok(leaderboard::run(arguments)?),
            Verb::Export(arguments) => Ok(export::run(&arguments)?),
            Verb::Score(arguments) => Ok(score::run(arguments)?),
            Verb::Inspect(arguments) => inspect::run(&arguments),
            Verb::Redact(arguments) => Ok(redact::run(&arguments)?),
            Verb::List(arguments) => list::run(arguments),
            Verb::Fetch(arguments) => fetch::run(&arguments),
            Verb::Verify(arguments) => verify::run(arguments),
            Verb::Propose(arguments) => propose::run(&arguments),
            Verb::Prompt(arguments) => prompt::run(arguments),
            Verb::Adapter(arguments) => adapter::run(arguments),
            Verb::Completions(arguments) => Ok(completions::run(arguments)?),
            Verb::Pretrain(arguments) => Ok(pretrain::run(arguments)?),
            Verb::Datasets(arguments) => Ok(datasets::run(arguments)?),
            Verb::Methods(arguments) => methods::run(arguments),
            Verb::Runs(arguments) => runs::run(&arguments),
            Verb::Template(arguments) => propose::run_old(&arguments),
            Verb::Verbalizer(arguments) => verbalizer::run(&arguments),
            Verb::Worker => workers::work(),
        }
    }
}
