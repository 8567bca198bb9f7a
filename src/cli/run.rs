//! The flags of every verb that runs a plan: where to compute, where to write, how much to say.

use std::path::PathBuf;

use clap::Args;

use super::on::On;
use super::output;
use super::progress::Voice;

#[derive(Debug, Args)]
pub struct Run {
    #[command(flatten)]
    pub on: On,
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

impl Run {
    pub fn voice(&self) -> Voice {
        match self.quiet {
            true => Voice::Quiet,
            false => Voice::of_terminal(),
        }
    }

    pub fn files(&self) -> output::Files {
        output::Files::of_flag(self.html)
    }
}
