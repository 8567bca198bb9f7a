//! `promptshift completions SHELL`: a completion script on standard output.

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use super::{Cli, print};

/// Flags of `completions`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The shell.
    shell: Shell,
}

/// Runs the command.
///
/// # Errors
/// Standard output can't be written to.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    let mut command = Cli::command();
    let mut script = Vec::new();
    generate(arguments.shell, &mut command, "promptshift", &mut script);
    print::text(String::from_utf8_lossy(&script))
}
