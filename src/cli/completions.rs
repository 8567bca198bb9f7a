//! `promptshift completions SHELL`: a completion script on standard output.

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use super::Cli;

/// Flags of `completions`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The shell.
    shell: Shell,
}

/// Runs it.
pub fn run(arguments: Arguments) {
    let mut command = Cli::command();
    generate(
        arguments.shell,
        &mut command,
        "promptshift",
        &mut std::io::stdout(),
    );
}
