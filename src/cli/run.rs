//! The flags of every verb that runs a plan: where to compute, how much at a time, where to write, how
//! much to say.

use std::path::PathBuf;

use clap::Args;

use super::crew::Crew;
use super::on::On;
use super::output;
use super::progress::Voice;
use super::values::at_least_one;
use promptshift_tensors::device;

#[derive(Debug, Args)]
pub struct Run {
    #[command(flatten)]
    pub on: On,
    /// How many runs go on side by side, each in a process of its own with its share of the threads and
    /// with a copy of model and rows. Where none is given: as many as there are threads, if the model
    /// has fewer than 20 million parameters and is computed on the CPU; otherwise one.
    #[arg(long, short, value_name = "N", value_parser = at_least_one)]
    jobs: Option<usize>,
    /// Take runs from standard input, as one of so many processes.
    #[arg(long, hide = true, value_name = "N")]
    worker: Option<usize>,
    /// The file that the shell sent the worker's starter's output to.
    #[arg(long, hide = true, value_name = "FILE", requires = "worker")]
    pub redirected: Option<String>,
    /// The folder for records, predictions, figures and the report; a folder of the plan's own
    /// under runs/ where none is given.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Write report.html as well: the same report as one page that opens from disk.
    #[arg(long)]
    html: bool,
    /// Print the plan and what it will cost, and stop.
    #[arg(long)]
    pub dry_run: bool,
    /// Say nothing on standard error but errors.
    #[arg(long, short)]
    quiet: bool,
}

/// A model of fewer parameters is a miniature: several of them fit into any memory, and tensors are too
/// small to keep several threads busy.
pub const SMALL: usize = 20_000_000;

impl Run {
    pub fn voice(&self) -> Voice {
        match (self.worker, self.quiet) {
            (Some(_), _) => Voice::Told,
            (None, true) => Voice::Quiet,
            (None, false) => Voice::of_terminal(),
        }
    }

    /// Of how many processes this one is, if it takes its runs from another.
    pub fn worker(&self) -> Option<usize> {
        self.worker
    }

    /// How many runs go on side by side, on a model of so many parameters.
    pub fn side_by_side(&self, parameters: usize) -> usize {
        let unasked = match parameters < SMALL && self.on.device == device::CPU {
            true => rayon::current_num_threads(),
            false => 1,
        };
        self.worker.or(self.jobs).unwrap_or(unasked)
    }

    /// The processes for runs side by side, if there are to be any; `redirected` is the file that the
    /// shell made of a transfer's targets.
    pub fn crew(&self, parameters: usize, redirected: Option<String>) -> Option<Crew> {
        let size = self.side_by_side(parameters);
        let voice = self.voice();
        (size > 1).then_some(Crew {
            size,
            redirected,
            voice,
        })
    }

    pub fn files(&self) -> output::Files {
        output::Files::of_flag(self.html)
    }
}

/// What follows what was typed on a worker's command line, before how many workers there are.
pub const WORKER: &str = "--worker";

/// What comes behind that, before the file that the shell made of a transfer's targets: a worker's own
/// standard output does not tell it.
pub const REDIRECTED: &str = "--redirected";
