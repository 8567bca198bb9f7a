//! Signals that end programs. Of those that this one gets the first ends the work at its next step, so that nothing
//! half-written stays and what was trained is kept; the second ends the program at once.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

#[cfg(unix)]
use signal_hook::consts::{SIGHUP, SIGUSR1};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::experiment::Interrupted;
use promptshift_text::slurm::{Job, memory_asked};

/// Whether the work is to end.
static ASKED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// The signal that asked for it; 0 where none did.
static SIGNAL: LazyLock<Arc<AtomicUsize>> = LazyLock::new(Arc::default);

/// The exit code of a program that a scheduler asked to end, EX_TEMPFAIL: what was trained is kept, and the same command
/// resumes it.
const TRY_AGAIN: u8 = 75;

/// Listens from now on: to Ctrl-C, to `kill` and what schedulers send before a time limit or a preemption (TERM, USR1), and
/// to a terminal that is closed. A signal that whoever started the program told it to ignore, as `nohup` does, stays
/// ignored.
///
/// # Errors
/// The system has no such signal.
pub fn listen() -> io::Result<()> {
    static LISTENS: AtomicBool = AtomicBool::new(false);
    // Once: a second handler would take the first signal for the second.
    if LISTENS.swap(true, Ordering::Relaxed) {
        return Ok(());
    }
    #[cfg(unix)]
    let signals = [SIGINT, SIGTERM, SIGHUP, SIGUSR1];
    #[cfg(not(unix))]
    let signals = [SIGINT, SIGTERM];
    for signal in signals {
        if is_ignored(signal) {
            continue;
        }
        // In this order, the first signal is not yet the second.
        flag::register_conditional_shutdown(signal, 128 + signal, ASKED.clone())?;
        flag::register(signal, ASKED.clone())?;
        flag::register_usize(signal, SIGNAL.clone(), signal as usize)?;
    }
    Ok(())
}

/// Ends the work at its next step.
pub fn ask() {
    ASKED.store(true, Ordering::Relaxed);
}

/// Whether to go on.
///
/// # Errors
/// The work is to end.
pub fn check() -> Result<(), Interrupted> {
    match ASKED.load(Ordering::Relaxed) {
        true => Err(Interrupted),
        false => Ok(()),
    }
}

/// The exit code of a program that was asked to end: by a scheduler [`TRY_AGAIN`], by a person 128 and the signal.
pub fn exit_code() -> u8 {
    match SIGNAL.load(Ordering::Relaxed) as i32 {
        0 | SIGINT => 128 + SIGINT as u8,
        #[cfg(unix)]
        SIGHUP => 128 + SIGHUP as u8,
        _ => TRY_AGAIN,
    }
}

/// What killed another process, in words, and what to do: `killed by signal 9 (SIGKILL), …`.
#[cfg(unix)]
pub fn killed(signal: i32) -> String {
    let name = signal_hook::low_level::signal_name(signal);
    let mut text = match name {
        Some(name) => format!("killed by signal {signal} ({name})"),
        None => format!("killed by signal {signal}"),
    };
    if signal == signal_hook::consts::SIGKILL {
        text += &match (memory_asked(), Job::this()) {
            (Some(asked), _) => format!(
                ", as happens to what needs more memory than its job asked for, which was {asked}: submit again \
                 with more (--mem)"
            ),
            (None, Some(_)) => {
                ", as happens when memory runs out: submit again and ask for more (--mem)".to_owned()
            }
            (None, None) => ", as happens when memory runs out: the same command resumes from what is complete, and \
                             with --jobs 1 it takes the least"
                .to_owned(),
        };
    }
    text
}

#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    let mut found = std::mem::MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: no new action is given, and what is found is written to memory of its type.
    unsafe {
        libc::sigaction(signal, std::ptr::null(), found.as_mut_ptr()) == 0
            && found.assume_init().sa_sigaction == libc::SIG_IGN
    }
}

#[cfg(not(unix))]
fn is_ignored(_: i32) -> bool {
    false
}
