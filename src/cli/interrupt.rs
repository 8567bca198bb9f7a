//! Handles signals that end the program. The first one stops the work at its next step, so that no file is
//! half-written and the training can resume; the second one ends the program at once.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

#[cfg(unix)]
use signal_hook::consts::{SIGHUP, SIGUSR1};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::experiment::Interrupted;
use promptshift_text::slurm::{Job, memory_asked};

/// Whether the work should stop.
static ASKED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// The signal received; 0 if none.
static SIGNAL: LazyLock<Arc<AtomicUsize>> = LazyLock::new(Arc::default);

/// EX_TEMPFAIL, the exit code after a scheduler's signal: checkpoints are kept, and the same command resumes.
const TRY_AGAIN: u8 = 75;

/// Installs handlers for Ctrl-C, `kill`, the signals that schedulers send before a time limit or a preemption
/// (TERM, USR1), and a closed terminal (HUP). A signal that the parent process has set to be ignored, as
/// `nohup` does, stays ignored.
///
/// # Errors
/// The system does not have such a signal.
pub fn listen() -> io::Result<()> {
    static LISTENS: AtomicBool = AtomicBool::new(false);
    // Only once: a second handler would treat the first signal as the second.
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
        // In this order, so that the first signal does not end the program.
        flag::register_conditional_shutdown(signal, 128 + signal, ASKED.clone())?;
        flag::register(signal, ASKED.clone())?;
        flag::register_usize(signal, SIGNAL.clone(), signal as usize)?;
    }
    Ok(())
}

/// Stops the work at its next step.
pub fn ask() {
    ASKED.store(true, Ordering::Relaxed);
}

/// Checks whether to continue.
///
/// # Errors
/// The work should stop.
pub fn check() -> Result<(), Interrupted> {
    match ASKED.load(Ordering::Relaxed) {
        true => Err(Interrupted),
        false => Ok(()),
    }
}

/// The exit code after a signal: [`TRY_AGAIN`] for a scheduler's, else 128 plus its number.
pub fn exit_code() -> u8 {
    match SIGNAL.load(Ordering::Relaxed) as i32 {
        0 | SIGINT => 128 + SIGINT as u8,
        #[cfg(unix)]
        SIGHUP => 128 + SIGHUP as u8,
        _ => TRY_AGAIN,
    }
}

/// Describes the signal that killed another process, with advice: `killed by signal 9 (SIGKILL), …`.
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
                ", as when a process exceeds its job's memory limit of {asked}: submit again \
                 with more (--mem)"
            ),
            (None, Some(_)) => {
                ", as happens when memory runs out: submit again and ask for more (--mem)"
                    .to_owned()
            }
            (None, None) => {
                ", as happens when memory runs out: the same command resumes the study, and \
                 --jobs 1 needs the least memory"
                    .to_owned()
            }
        };
    }
    text
}

#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    let mut found = std::mem::MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: the action is not changed, and the current one is written to memory of its type.
    unsafe {
        libc::sigaction(signal, std::ptr::null(), found.as_mut_ptr()) == 0
            && found.assume_init().sa_sigaction == libc::SIG_IGN
    }
}

#[cfg(not(unix))]
fn is_ignored(_: i32) -> bool {
    false
}
