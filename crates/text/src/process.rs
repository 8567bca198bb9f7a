//! Identifies a process and checks whether it has ended.

use std::fs;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::hash::sha256;

/// A process, with a unique identity on its machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// The scope of `pid`: one boot of one machine, and within it one container.
    pub machine: String,
    /// Its process id.
    pub pid: u32,
    /// When it started, in clock ticks since boot: process ids are reused.
    pub started: u64,
}

impl Process {
    /// The current process.
    pub fn this() -> Process {
        let pid = std::process::id();
        Process {
            machine: MACHINE.clone(),
            pid,
            started: started(pid).unwrap_or(0),
        }
    }

    /// Whether its pid is valid on this machine and in this container.
    pub fn is_here(&self) -> bool {
        self.machine == *MACHINE
    }

    /// Whether it is known to have ended. `false` for a process on another machine or in another container.
    pub fn is_gone(&self) -> bool {
        self.is_here() && started(self.pid) != Some(self.started)
    }
}

/// The machine's boot id and pid namespace, as Linux states them. Elsewhere a unique name, so that no process
/// is ever taken to have ended.
static MACHINE: LazyLock<String> = LazyLock::new(|| {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id");
    let namespace = fs::read_link("/proc/self/ns/pid");
    let of = match (boot, namespace) {
        (Ok(boot), Ok(namespace)) => format!("{} {}", boot.trim(), namespace.display()),
        _ => token(),
    };
    sha256(of.as_bytes())[..8].to_owned()
});

/// When a process started, in clock ticks since boot; `None` if it does not exist or has ended.
fn started(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in brackets, which may contain anything.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    // A zombie has ended but has not been waited for.
    let lives = !matches!(state, "Z" | "X");
    fields.nth(18)?.parse().ok().filter(|_| lives)
}

/// The host name of this machine, if it has one.
pub fn host() -> Option<String> {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = name.or_else(|| std::env::var("HOSTNAME").ok())?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

/// A unique name.
pub fn token() -> String {
    format!("{:016x}", rand::random::<u64>())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    fn of(pid: u32) -> Process {
        Process {
            pid,
            started: started(pid).expect("it runs"),
            ..Process::this()
        }
    }

    #[test]
    fn an_ended_process_is_gone() {
        assert!(!Process::this().is_gone());
        let mut child = (Command::new("cat").stdin(Stdio::piped()).spawn()).expect("cat");
        let process = of(child.id());
        assert!(!process.is_gone());
        child.kill().expect("killed");
        // It is a zombie until it is waited for.
        while !process.is_gone() {
            std::thread::yield_now();
        }
        child.wait().expect("waited for");
        assert!(process.is_gone());
    }

    #[test]
    fn a_reused_process_number_is_another_process() {
        let mut earlier = Process::this();
        earlier.started -= 1;
        assert!(earlier.is_gone());
    }

    #[test]
    fn a_process_of_another_machine_is_never_gone() {
        let elsewhere = Process {
            machine: "elsewhere".to_owned(),
            ..Process::this()
        };
        assert!(!elsewhere.is_gone());
    }
}
