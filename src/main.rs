//! The binary: parse, dispatch, exit code.

use std::process::ExitCode;

use clap::Parser;
use promptshift::cli::Cli;

fn main() -> ExitCode {
    promptshift::memory::keep_freed_memory();
    match Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}
