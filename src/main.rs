//! The binary: what is done once for the process, then the command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    promptshift::provenance::built_from(promptshift_revision::revision!());
    promptshift::memory::keep_freed_memory();
    hush_readers();
    promptshift::threads::compute_on_this_thread();
    promptshift::cli::main()
}

/// Readers of foreign files panic on some damaged ones, and the Hub's client on some answers. That is
/// caught and told as an error that names the file, so the panic itself is not told.
fn hush_readers() {
    // The Hub's client on threads of its own.
    const READERS: [&str; 1] = ["/hf-hub-"];
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let inside = |file: &str| READERS.iter().any(|reader| file.contains(reader));
        let is_caught = promptshift::foreign::is_read();
        if !is_caught && !panic.location().is_some_and(|at| inside(at.file())) {
            tell(panic);
        }
    }));
}
