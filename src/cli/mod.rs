//! The command line: one file per command. The only place that prints.

mod ablate;
mod adapter;
mod bundled;
mod cell_progress;
mod command;
mod compare;
mod estimate;
mod export;
mod failure;
mod fetch;
mod help;
mod inspect;
mod interrupt;
mod learning_rate;
mod list;
mod lora;
mod methods;
mod output;
mod predict;
mod print;
mod probe;
mod progress;
mod prompt;
mod propose;
mod report;
mod run;
mod run_log;
mod run_plan;
mod runs;
mod score;
mod selection;
mod slurm;
mod study;
mod sweep;
mod transfer;
mod values;
mod wording;
mod workers;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

pub use failure::Failure;

/// How much does a tuned model lose on another domain, and does tuning fewer of its parameters lose less?
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
    Run(run::PlanArguments),
    /// Submit a study to a Slurm cluster, and show its progress.
    Slurm(slurm::Arguments),
    /// Answer the rows of one file, with or without a tuned prompt or adapter.
    Predict(predict::Arguments),
    /// Render a report again, from its records.
    Report(report::ReportArguments),
    /// Compare two sets of records or predictions; exit code 1 if the second is worse.
    ///
    /// Worse means that B scores significantly lower somewhere. With several runs on each side (folders with several
    /// seeds), the result generalises to other seeds and other passages. With one run on a side it generalises only to
    /// other passages: two seeds of one method may differ as significantly, so it does not show that a change caused
    /// the loss.
    Compare(compare::Arguments),
    /// How many seeds and rows detect a given difference of gaps, from a pilot's records.
    Power(report::PowerArguments),
    /// A table of all records found: a row for each method and model.
    Leaderboard(report::LeaderboardArguments),
    /// Export records as two tables for pandas, polars and R: cells and examples.
    Export(export::ExportArguments),
    /// Score stored predictions again.
    Score(score::Arguments),
    /// What soft prompts learned: nearest words, drift, redundancy, similarity.
    Inspect(inspect::Arguments),
    /// Copy records without the texts of their rows, to publish them.
    Redact(export::RedactArguments),
    /// List domains, models, methods, templates, suites or stored runs.
    List(list::Arguments),
    /// Download domains and models from the Hugging Face Hub.
    ///
    /// HF_HOME sets the cache, HF_ENDPOINT the Hub's address, HF_TOKEN the account; HF_HUB_OFFLINE=1 forbids network
    /// access, HF_HUB_DOWNLOAD_TIMEOUT sets the timeout in seconds.
    Fetch(fetch::FetchArguments),
    /// Check a domain's files against its card.
    Verify(fetch::VerifyArguments),
    /// Which initialisation and learning rate let a method learn a source.
    ///
    /// Trains every combination for a few steps on the source and scores it on its validation rows. Trials are those of
    /// `transfer --trials` with as many steps, and are kept in the store.
    Probe(Box<probe::Arguments>),
    /// Let a model propose a template or words for classes.
    Propose(propose::Arguments),
    /// Exchange soft prompts with other programs: PEFT's folders, NumPy's .npy.
    Prompt(prompt::Arguments),
    /// Exchange adapters with PEFT, and merge LoRA and its relatives into the weights.
    Adapter(adapter::Arguments),
    /// Print a completion script for a shell.
    Completions(help::Completions),
    /// Pre-train a miniature T5, or continue its pre-training.
    #[command(hide = true)]
    Pretrain(bundled::PretrainArguments),
    /// Regenerate the miniature domains.
    #[command(hide = true)]
    Datasets(bundled::DatasetsArguments),
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
    Verbalizer(propose::VerbalizerArguments),
    /// Run jobs for another process of this program.
    #[command(hide = true)]
    Worker(selection::On),
}

/// The whole program: parses the command line, runs the command, and reports errors.
pub fn main() -> ExitCode {
    let typed = help::with_first_screen(Cli::command()).try_get_matches();
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

/// Checks a sweep's file as `promptshift run` does before it loads a model. Returns the number of its
/// studies.
///
/// # Errors
/// It can't be read, or something in it is invalid.
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
            Verb::Report(arguments) => Ok(report::run_report(arguments)?),
            Verb::Compare(arguments) => compare::run(&arguments),
            Verb::Power(arguments) => Ok(report::run_power(&arguments)?),
            Verb::Leaderboard(arguments) => Ok(report::run_leaderboard(arguments)?),
            Verb::Export(arguments) => Ok(export::run_export(&arguments)?),
            Verb::Score(arguments) => Ok(score::run(arguments)?),
            Verb::Inspect(arguments) => inspect::run(&arguments),
            Verb::Redact(arguments) => Ok(export::run_redact(&arguments)?),
            Verb::List(arguments) => list::run(arguments),
            Verb::Fetch(arguments) => fetch::run_fetch(&arguments),
            Verb::Verify(arguments) => fetch::run_verify(arguments),
            Verb::Probe(arguments) => probe::run(&arguments),
            Verb::Propose(arguments) => propose::run(&arguments),
            Verb::Prompt(arguments) => prompt::run(arguments),
            Verb::Adapter(arguments) => adapter::run(arguments),
            Verb::Completions(arguments) => Ok(help::complete(&arguments, Cli::command())?),
            Verb::Pretrain(arguments) => Ok(bundled::run_pretrain(arguments)?),
            Verb::Datasets(arguments) => Ok(bundled::run_datasets(arguments)?),
            Verb::Methods(arguments) => methods::run(arguments),
            Verb::Runs(arguments) => runs::run(&arguments),
            Verb::Template(arguments) => propose::run_old(&arguments),
            Verb::Verbalizer(arguments) => propose::propose_verbalizer(&arguments),
            Verb::Worker(on) => workers::work(&on),
        }
    }
}
