//! The flags of every verb that runs a study: where to compute, how much at a time, what is kept where, how
//! much to say.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::on::On;
use super::output;
use super::progress::Voice;
use super::values::at_least_one;
use crate::experiment::{Keep, Keeping};
use promptshift_numbers::store::Reuse;
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
    /// The folder for records, predictions, figures and the report; a folder of the plan's own
    /// under runs/ where none is given.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub store: StoreFlag,
    /// Which weights the store keeps: deltas (what was tuned: all of a model for model tuning), all (those at model
    /// tuning's checkpoints too, so that targets asked for later have effective robustness), or none (a later
    /// evaluation trains again). Where none is given: all for a model of fewer than 20 million parameters, else deltas.
    #[arg(long, value_name = "WHICH")]
    keep: Option<KeepFlag>,
    /// Which trainings and answers of the store are taken: same (computed by the same arithmetic on the same kind of
    /// processor and device) or any, which the report then says.
    #[arg(long, value_name = "WHICH", default_value = "same")]
    reuse: ReuseFlag,
    /// Write report.html as well: the same report as one page that opens from disk.
    #[arg(long)]
    html: bool,
    /// Print the plan, what of it is there already and what the rest will cost, and stop.
    #[arg(long)]
    pub dry_run: bool,
    /// Write what would be run, resolved and checked, into a new file, and stop; `promptshift run FILE` runs it.
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run")]
    pub save_plan: Option<PathBuf>,
    /// Say nothing on standard error but errors.
    #[arg(long, short)]
    quiet: bool,
}

/// Where trainings and answers are kept.
#[derive(Debug, Args)]
pub struct StoreFlag {
    /// The store: where trainings and answers are kept and found again, by any later command.
    #[arg(
        long,
        env = "PROMPTSHIFT_STORE",
        default_value = "runs/store",
        value_name = "DIR"
    )]
    store: PathBuf,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum KeepFlag {
    All,
    Deltas,
    None,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ReuseFlag {
    Same,
    Any,
}

/// A model of fewer parameters is a miniature: several of them fit into any memory, and tensors are too
/// small to keep several threads busy.
pub const SMALL: usize = 20_000_000;

impl StoreFlag {
    pub fn path(&self) -> &Path {
        &self.store
    }
}

impl Run {
    pub fn voice(&self) -> Voice {
        match self.quiet {
            true => Voice::Quiet,
            false => Voice::of_terminal(),
        }
    }

    /// How many runs go on side by side, on a model of so many parameters.
    pub fn side_by_side(&self, parameters: usize) -> usize {
        let unasked = match parameters < SMALL && self.on.device == device::CPU {
            true => rayon::current_num_threads(),
            false => 1,
        };
        self.jobs.unwrap_or(unasked)
    }

    /// What is kept and what is taken, of a model of so many parameters.
    pub fn keeping(&self, parameters: usize) -> Keeping {
        Keeping {
            keep: match self.keep {
                Some(KeepFlag::All) => Keep::All,
                Some(KeepFlag::Deltas) => Keep::Deltas,
                Some(KeepFlag::None) => Keep::None,
                None if parameters < SMALL => Keep::All,
                None => Keep::Deltas,
            },
            reuse: match self.reuse {
                ReuseFlag::Same => Reuse::Same,
                ReuseFlag::Any => Reuse::Any,
            },
        }
    }

    pub fn files(&self) -> output::Files {
        output::Files::of_flag(self.html)
    }
}
