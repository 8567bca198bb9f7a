//! The binary: process-wide setup, then the command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    promptshift::provenance::built_from(promptshift_revision::revision!());
    promptshift::memory::keep_freed_memory();
    hush_readers();
    promptshift::device::compute_on_this_thread();
    promptshift::cli::main()
}

/// Parsers of foreign files panic on some damaged ones. Such a panic is caught and becomes an error that names the
/// file, so the panic message is suppressed.
fn hush_readers() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !promptshift::foreign::is_read() {
            print(panic);
        }
    }));
}
