//! Ctrl-C: the first one ends the work at its next step, so that nothing half-written stays; the
//! second one ends the program at once.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

static ASKED: AtomicBool = AtomicBool::new(false);

/// The exit code of an interrupted program (128 + SIGINT).
const INTERRUPTED: i32 = 130;

/// Starts to listen.
///
/// # Errors
/// The system has no such signal.
pub fn listen() -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(|| {
        if ASKED.load(Ordering::Relaxed) {
            std::process::exit(INTERRUPTED);
        }
        ask();
    })
}

/// Ends the work at its next step.
pub fn ask() {
    ASKED.store(true, Ordering::Relaxed);
}

/// Whether to go on.
pub fn flow() -> ControlFlow<()> {
    if ASKED.load(Ordering::Relaxed) {
        ControlFlow::Break(())
    } else {
        ControlFlow::Continue(())
    }
}
