//! The binary: what is done once for the process, then the command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    promptshift::provenance::built_from(promptshift_revision::revision!());
    promptshift::memory::keep_freed_memory();
    hush_readers();
    promptshift::threads::compute_on_this_thread();
    promptshift::cli::main()
}

/// Readers of foreign files panic on some damaged ones. That is caught and becomes an error that names the
/// file, so the panic itself is not printed.
fn hush_readers() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !promptshift::foreign::is_read() {
            print(panic);
        }
    }));
}
