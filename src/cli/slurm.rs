//! `promptshift slurm transfer … --submit -- --partition=gpu`: a study on a Slurm cluster. Everything is checked here;
//! then the study is frozen in a file, readable scripts are written beside it and submitted, and this process ends. Slurm
//! alone schedules and starts again.

mod queue;
mod sbatch;
mod script;
mod status;
mod submission;
mod submit;

use std::env;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::values::at_least_one;
use super::{Failure, help, interrupt, print, run, run_plan, transfer};
use crate::study::Study;
use promptshift_numbers::store::{EndedPiece, PieceEnd, Store};
use promptshift_text::slurm::Job;
use submit::{submit, submit_sweep};

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
    /// Submit what `promptshift run PLAN` would compute: a sweep too.
    Run(Wanted<run::PlanArguments>),
    /// What is done, running, waiting and failed of a study that was submitted.
    Status(status::Arguments),
    /// Say in the store why cells are given up. For the scripts.
    #[command(hide = true)]
    GiveUp(GiveUp),
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

/// Flags of `slurm give-up`: what a script knows of cells that came to nothing without saying so themselves, as those
/// that were killed.
#[derive(Debug, Args)]
struct GiveUp {
    /// The frozen study.
    study: PathBuf,
    #[arg(long)]
    store: PathBuf,
    /// None of a report.
    #[arg(long, value_delimiter = ',')]
    cell: Vec<String>,
    /// The exit code that srun ended with.
    #[arg(long)]
    status: i32,
}

/// Runs it.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.what {
        What::Transfer(wanted) => {
            let (request, study) = transfer::read(&wanted.study)?;
            submit(request, study, &wanted.how)
        }
        What::Run(wanted) if run_plan::is_sweep(&wanted.study.plan) => {
            submit_sweep(&wanted.study, &wanted.how)
        }
        What::Run(wanted) => {
            let (request, study) = run_plan::read(&wanted.study)?;
            submit(request, study, &wanted.how)
        }
        What::Status(arguments) => status::run(&arguments),
        What::GiveUp(arguments) => arguments.run(),
    }
}

impl GiveUp {
    /// Says in the store why its cells have no result, but for those of which it says so already. No model is loaded.
    fn run(&self) -> Result<(), Failure> {
        let reason = why(self.status);
        print::note(&reason);
        let study = Study::read(&self.study)?;
        let store = Store::at(&self.store);
        for piece in study.pieces() {
            if self.cell.contains(&piece.name) && store.ended_piece(&piece.key)?.is_none() {
                let ended = EndedPiece {
                    name: piece.name,
                    end: PieceEnd::Failed {
                        reason: reason.clone(),
                    },
                };
                store.keep_piece(&piece.key, &ended)?;
            }
        }
        Ok(())
    }
}

/// Why a task ended that ended with this exit code, which of a signal is 128 more than its number.
fn why(status: i32) -> String {
    let what = match status {
        75 => "interrupted by a time limit, a preemption or scancel; what was trained is kept, and the next submission \
               resumes it"
            .to_owned(),
        #[cfg(unix)]
        129..=192 => interrupt::killed(status - 128),
        _ => format!("ended with exit code {status}, and its log says why"),
    };
    let node = env::var("SLURMD_NODENAME").unwrap_or_else(|_| "an unknown node".to_owned());
    match Job::this() {
        None => what,
        Some(job) => {
            let restarts = job.restarts();
            format!("Slurm job {job} on {node}, restarted {restarts} times: {what}")
        }
    }
}
