//! The binary: parse, dispatch, exit code.

use std::process::ExitCode;

use clap::Parser;
use promptshift::cli::Cli;

fn main() -> ExitCode {
    promptshift::memory::keep_freed_memory();
    hush_readers();
    compute_on_this_thread();
    match Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}

/// Makes this thread one of the pool's: otherwise it would go to sleep, and be woken again, at every
/// operation that is shared among threads.
fn compute_on_this_thread() {
    // Without it the pool is rayon's own and the results are the same, only later.
    let _ = rayon::ThreadPoolBuilder::new()
        .use_current_thread()
        .build_global();
}

/// The parquet reader panics on some damaged pages, and the Hub's client on some answers. That is
/// caught and told as an error that names the file, so the panic itself is not told.
fn hush_readers() {
    const READERS: [&str; 3] = ["/parquet-", "/arrow-", "/hf-hub-"];
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let inside = |file: &str| READERS.iter().any(|reader| file.contains(reader));
        if !panic.location().is_some_and(|at| inside(at.file())) {
            tell(panic);
        }
    }));
}
