//! The command line: one file per verb. The only place that prints.

mod ablate;
mod adapter;
mod command;
mod compare;
mod completions;
mod data;
mod datasets;
mod estimate;
mod examples;
mod export;
mod fetch;
mod inspect;
mod interrupt;
mod leaderboard;
mod learning_rate;
mod list;
mod lora;
mod methods;
mod model;
mod narrator;
mod on;
mod output;
mod place;
mod predict;
mod pretrain;
mod print;
mod progress;
mod prompt;
mod redact;
mod redirection;
mod report;
mod run;
mod run_plan;
mod runs;
mod score;
mod study;
mod template;
mod transfer;
mod values;
mod verbalizer;
mod verify;
mod wording;
mod workers;

use std::fmt;
use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::experiment::Interrupted;
use crate::study::PrepareError;

/// Tune a T5, a Llama, a GPT-2 or a BERT on one domain, evaluate it zero-shot on shifted ones, and report how
/// much it loses.
///
/// Exit codes: 0 done; 1 bad data, model or records, or a run or download that failed; 2 a command line that
/// can't be understood; 130, 143, 129 ended by Ctrl-C, SIGTERM or SIGHUP (complete records and the steps taken
/// stay). Of `compare`: 0 no significant
/// loss; 1 a significant loss; 3 bad data, or sets that can't be compared.
#[derive(Debug, Parser)]
#[command(name = "promptshift", version, about, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Tune on a source domain, evaluate on it and on targets, report the gaps.
    Transfer(Box<transfer::Arguments>),
    /// Run what --save-plan of another verb wrote.
    Run(run_plan::Arguments),
    /// Answer the rows of one file, with or without a soft prompt.
    Predict(predict::Arguments),
    /// Take soft prompts to and from other programs: PEFT's folders, NumPy's .npy.
    Prompt(prompt::Arguments),
    /// Take adapters to and from PEFT, and LoRA into the weights.
    Adapter(adapter::Arguments),
    /// The paper's ablations: a plan, its records and a report with one command each.
    Ablate(Box<ablate::Arguments>),
    /// Say what soft prompts learnt: nearest words, drift, redundancy, likeness.
    Inspect(inspect::Arguments),
    /// List domains, models and methods.
    List(list::Arguments),
    /// List the ways of tuning, with what each trains on a model.
    Methods(methods::Arguments),
    /// Propose more words for a domain's classes, by a model's embeddings.
    Verbalizer(verbalizer::Arguments),
    /// Templates that a T5's own span filling proposes.
    Template(template::Arguments),
    /// Download models and domains from the Hugging Face Hub into its cache.
    Fetch(fetch::Arguments),
    /// Check that domains are what their cards say.
    Verify(verify::Arguments),
    /// Render stored records again.
    Report(report::Arguments),
    /// Show what the store of trainings holds, and remove what no report refers to.
    Runs(runs::Arguments),
    /// Put all records found into one table: a row for each method and model.
    Leaderboard(leaderboard::Arguments),
    /// Write records as two tables for pandas, polars and R: cells and examples.
    Export(export::Arguments),
    /// Compare two sets of records or predictions: exit code 1 where the second loses.
    Compare(compare::Arguments),
    /// Copy records without the texts of their rows, to be published where the data can't.
    Redact(redact::Arguments),
    /// Score stored predictions again.
    Score(score::Arguments),
    /// Make a miniature T5: its tokenizer and its pre-training on generated text.
    Pretrain(pretrain::Arguments),
    /// Make the miniature domains again.
    Datasets(datasets::Arguments),
    /// Take jobs from another process of this program.
    #[command(hide = true)]
    Worker,
    /// Print a completion script for a shell.
    Completions(completions::Arguments),
}

/// Why the program ends without having done what was asked.
#[derive(Debug)]
pub enum Failure {
    /// The command line can't be understood: exit code 2.
    Usage(anyhow::Error),
    /// Bad data, model or records, or a run that failed: exit code 1.
    Run(anyhow::Error),
    /// `compare` found a significant loss: exit code 1.
    Loss,
    /// `compare` could not compare: exit code 3, so that no error is taken for a loss.
    Incomparable(anyhow::Error),
    /// A signal asked for the end: exit code 128 and its number.
    Interrupted,
}

impl Failure {
    /// What was typed can't be meant.
    fn usage(error: impl Into<anyhow::Error>) -> Self {
        Failure::Usage(error.into())
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
                    // Most messages name their cause themselves.
                    if !text.contains(&cause) {
                        text = format!("{text}: {cause}");
                    }
                }
                write!(f, "error: {text}")
            }
            Failure::Loss => f.write_str("significant loss"),
            Failure::Interrupted => f.write_str(
                "interrupted: complete records and the steps taken are kept, and the same command resumes from them; \
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

/// The whole program: parses the command line, does what it says, and tells what went wrong.
pub fn main() -> ExitCode {
    let done = match Cli::try_parse() {
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

/// Shows help or version, or what can't be understood.
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
    /// Does what was asked.
    ///
    /// # Errors
    /// Whatever went wrong, in words for the user.
    pub fn run(self) -> Result<(), Failure> {
        match self.verb {
            Verb::Transfer(arguments) => transfer::run(*arguments),
            Verb::Run(arguments) => run_plan::run(&arguments),
            Verb::Predict(arguments) => predict::run(arguments),
            Verb::Prompt(arguments) => prompt::run(arguments),
            Verb::Adapter(arguments) => adapter::run(arguments),
            Verb::Ablate(arguments) => ablate::run(*arguments),
            Verb::Inspect(arguments) => inspect::run(&arguments),
            Verb::List(arguments) => Ok(list::run(arguments)?),
            Verb::Methods(arguments) => methods::run(arguments),
            Verb::Verbalizer(arguments) => verbalizer::run(&arguments),
            Verb::Template(arguments) => template::run(&arguments),
            Verb::Fetch(arguments) => fetch::run(&arguments),
            Verb::Verify(arguments) => verify::run(arguments),
            Verb::Report(arguments) => Ok(report::run(arguments)?),
            Verb::Runs(arguments) => runs::run(&arguments),
            Verb::Leaderboard(arguments) => Ok(leaderboard::run(arguments)?),
            Verb::Export(arguments) => Ok(export::run(&arguments)?),
            Verb::Compare(arguments) => compare::run(&arguments),
            Verb::Redact(arguments) => Ok(redact::run(&arguments)?),
            Verb::Score(arguments) => Ok(score::run(arguments)?),
            Verb::Pretrain(arguments) => Ok(pretrain::run(arguments)?),
            Verb::Datasets(arguments) => Ok(datasets::run(arguments)?),
            Verb::Worker => workers::work(),
            Verb::Completions(arguments) => Ok(completions::run(arguments)?),
        }
    }
}
