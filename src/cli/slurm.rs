//! `promptshift slurm transfer … --submit -- --partition=gpu`: a study on a Slurm cluster. Everything is checked here;
//! then the study is frozen in a file, readable scripts are written beside it and submitted, and this process ends. Slurm
//! alone schedules and starts again.

mod give_up;
mod queue;
mod sbatch;
mod script;
mod status;
mod submission;
mod submit;

use clap::{Args, Subcommand};

use super::values::at_least_one;
use super::{Failure, help, run, run_plan, transfer};
use submit::submit;

/// Flags of `slurm`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Submit what `promptshift transfer` would compute.
    Transfer(Box<Wanted<transfer::Arguments>>),
    /// Submit what `promptshift run PLAN` would compute.
    Run(Wanted<run::PlanArguments>),
    /// What is done, running, waiting and failed of a study that was submitted.
    Status(status::Arguments),
    /// Say in the store why cells are given up. For the scripts.
    #[command(hide = true)]
    GiveUp(give_up::Arguments),
}

/// A study for a cluster, with the flags of the command that would run it here.
#[derive(Debug, Args)]
struct Wanted<T: Args> {
    #[command(flatten)]
    study: T,
    #[command(flatten)]
    how: How,
}

/// How a study is submitted.
#[derive(Debug, Args)]
#[command(next_help_heading = help::MACHINES)]
pub struct How {
    /// Submit. Without it the scripts are written, to be read, and nothing is submitted.
    #[arg(long)]
    submit: bool,
    /// Cells that one task of a job array computes.
    ///
    /// By default 8 for a model of fewer than 20 million parameters, otherwise 1. Their time together has to be within
    /// --time.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    cells_per_task: Option<usize>,
    /// Tasks of each job array that run at a time, at most.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    tasks_at_a_time: Option<usize>,
    /// Flags for sbatch, behind `--`: --partition=gpu --gres=gpu:1 --time=4:00:00.
    #[arg(last = true, value_name = "SBATCH_FLAGS")]
    sbatch: Vec<String>,
}

/// Runs it.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.what {
        What::Transfer(wanted) => {
            let (request, study) = transfer::read(&wanted.study)?;
            submit(request, study, &wanted.how)
        }
        What::Run(wanted) => {
            let (request, study) = run_plan::read(&wanted.study)?;
            submit(request, study, &wanted.how)
        }
        What::Status(arguments) => status::run(&arguments),
        What::GiveUp(arguments) => give_up::run(&arguments),
    }
}
