//! `promptshift slurm transfer … --submit -- --partition=gpu`: runs a study on a Slurm cluster. This process
//! checks everything, saves the study to a file, writes readable scripts beside it, submits them and exits.
//! Scheduling and requeueing are left to Slurm.

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
    /// Submit what `promptshift run PLAN` would compute, including a sweep.
    Run(Box<Wanted<run::PlanArguments>>),
    /// Show which cells of a submitted study are done, running, waiting or failed.
    Status(status::Arguments),
    /// Record why cells were given up. For the scripts.
    #[command(hide = true)]
    GiveUp(GiveUp),
}

/// A study to submit, with the flags of the command that would run it here.
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
    /// Submit the jobs. Without this flag the scripts are only written, for review.
    #[arg(long)]
    submit: bool,
    /// Number of cells that each task of a job array computes.
    ///
    /// By default 8 for a model of fewer than 20 million parameters, otherwise 1. Their total time must be
    /// within --time.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    cells_per_task: Option<usize>,
    /// Maximum number of tasks of each job array that run at a time.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    tasks_at_a_time: Option<usize>,
    /// Flags for sbatch, after `--`: --partition=gpu --gres=gpu:1 --time=4:00:00.
    #[arg(last = true, value_name = "SBATCH_FLAGS")]
    sbatch: Vec<String>,
}

/// Flags of `slurm give-up`, with which a script records why cells failed that could not record it
/// themselves, such as killed ones.
#[derive(Debug, Args)]
struct GiveUp {
    /// The saved study.
    study: PathBuf,
    #[arg(long)]
    store: PathBuf,
    /// Empty for the report's job.
    #[arg(long, value_delimiter = ',')]
    cell: Vec<String>,
    /// The exit code of srun.
    #[arg(long)]
    status: i32,
}

/// Runs the command.
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
    /// Records why the cells have no result, unless the store has a reason. No model is loaded.
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

/// Explains a task's exit code. After a signal it is 128 plus the signal's number.
fn why(status: i32) -> String {
    let what = match status {
        75 => "interrupted by a time limit, a preemption or scancel; its checkpoint is kept, and the next submission \
               resumes from it"
            .to_owned(),
        #[cfg(unix)]
        129..=192 => interrupt::killed(status - 128),
        _ => format!("ended with exit code {status}; see its log"),
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
