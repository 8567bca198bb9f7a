//! A claim: the exclusive right of one process to write a folder.
//!
//! ```text
//! <folder>/.claim/owner.json   the owner
//! <folder>/.claim/beat         a heartbeat, written every few seconds while the owner lives
//! ```
//!
//! The folder `.claim` gets its name by a rename, which succeeds for only one process, on every file system.
//! (File locks do nothing on many file systems that machines share, and fail on others.) A claim whose owner
//! has ended is taken over at once if the owner is a process of this machine or belongs to a Slurm job that
//! has ended. Any other owner is judged by its heartbeat alone: its claim is taken over after `SILENT`. An
//! owner that was only suspended notices before it writes, since it no longer [holds](Claim::check) the
//! claim.
//!
//! Clocks of machines differ, so silence is measured between the file system's timestamps of two files.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::process::{Process, host, token};
use crate::slurm::Job;

/// Prefix of the names of unfinished files and folders.
pub const PARTIAL: &str = ".partial-";

/// The name of the claim inside the claimed folder.
pub const CLAIM: &str = ".claim";
const OWNER: &str = "owner.json";
const BEAT: &str = "beat";

/// Interval of the heartbeat.
const EVERY: Duration = Duration::from_secs(10);

/// Silence after which an owner on another machine counts as ended: longer than file systems take to show
/// what another machine has written.
const SILENT: Duration = Duration::from_secs(180);

/// Why this process may not write a folder.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// Another process writes it.
    #[error("another promptshift is writing to {}: {owner}", path.display())]
    Busy {
        /// The folder.
        path: PathBuf,
        /// The owner, in words.
        owner: String,
    },
    /// Another process has taken it over.
    #[error("{}: another promptshift has taken over this folder, as if this process had ended; nothing more is written", path.display())]
    Lost {
        /// The claim.
        path: PathBuf,
    },
    /// An error of the file system.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// The failed operation.
        action: &'static str,
        /// The path it was applied to.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

/// The owner of a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Owner {
    /// The name of its machine, for display.
    host: String,
    process: Process,
    /// The Slurm job that it runs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    job: Option<Job>,
    /// When it made the claim, by its machine's clock, for display.
    #[serde(default)]
    since_unix_seconds: u64,
    /// If it is a worker, the process that it works for: when that ends, the worker must not write any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    works_for: Option<Process>,
    /// A name unique to this claim.
    token: String,
}

impl Owner {
    fn this(works_for: Option<&Process>) -> Owner {
        Owner {
            host: host().unwrap_or_else(|| "an unnamed machine".to_owned()),
            process: Process::this(),
            job: Job::this(),
            since_unix_seconds: (SystemTime::now().duration_since(UNIX_EPOCH))
                .map_or(0, |since| since.as_secs()),
            works_for: works_for.cloned(),
            token: token(),
        }
    }

    /// Whether it is known to have ended or to be alive; `None` if only its heartbeat can tell.
    fn is_gone(&self) -> Option<bool> {
        if self.process.is_here() {
            let works_for = self.works_for.as_ref();
            return Some(self.process.is_gone() || works_for.is_some_and(Process::is_gone));
        }
        let has_ended = self.job.as_ref().is_some_and(Job::has_ended);
        has_ended.then_some(true)
    }
}

/// The right to write a folder.
#[derive(Debug)]
pub struct Claim {
    place: PathBuf,
    owner: Owner,
    /// Ends the heartbeat when dropped.
    life: Option<Sender<()>>,
}

impl Claim {
    /// Claims a folder. A worker passes the process that it works for as `works_for`.
    ///
    /// # Errors
    /// Another process writes it, or an error of the file system.
    pub fn take(out: &Path, works_for: Option<&Process>) -> Result<Claim, ClaimError> {
        let place = out.join(CLAIM);
        let owner = Owner::this(works_for);
        let own = out.join(format!("{PARTIAL}{}-claim", owner.token));
        fs::create_dir(&own).map_err(io("make the folder", &own))?;
        let json = serde_json::to_vec(&owner).expect("an owner is plain data");
        for (name, bytes) in [(OWNER, json.as_slice()), (BEAT, b"0")] {
            let file = own.join(name);
            fs::write(&file, bytes).map_err(io("write", &file))?;
        }
        if let Err(error) = settle(&own, &place, &owner) {
            // It does not have its final name yet, so nobody uses it.
            let _ = fs::remove_dir_all(&own);
            return Err(error);
        }
        let life = beat(place.clone(), owner.clone());
        Ok(Claim {
            place,
            owner,
            life: Some(life),
        })
    }

    /// Checks that the claim is still held. Call it before writing anything that others see.
    ///
    /// # Errors
    /// Another process has taken it over, which happens if this one was suspended for long.
    pub fn check(&self) -> Result<(), ClaimError> {
        match is_of(&self.place, &self.owner) {
            true => Ok(()),
            false => Err(ClaimError::Lost {
                path: self.place.clone(),
            }),
        }
    }

    /// The holder of another folder on the same file system, whose clock measures the owner's silence.
    pub fn holder_of(&self, out: &Path) -> Option<String> {
        held(&out.join(CLAIM), || written(&self.place))
    }

    /// A name unique to this claim, used in the names of unfinished files.
    pub fn token(&self) -> &str {
        &self.owner.token
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.life.take().is_some() && self.check().is_ok() {
            // Renamed first, so that nobody sees half a claim. Best effort: a claim that remains is taken
            // over, since its owner has ended.
            let aside = aside(&self.place, &self.owner.token);
            if fs::rename(&self.place, &aside).is_ok() {
                let _ = fs::remove_dir_all(&aside);
            }
        }
    }
}

/// The holder of a folder, in words; `None` if there is none or its owner has ended. Writes nothing, so
/// silence of an owner on another machine is measured by this machine's clock: for display, not for taking a
/// claim over.
pub fn holder(out: &Path) -> Option<String> {
    held(&out.join(CLAIM), || Ok(SystemTime::now()))
}

fn held(place: &Path, now: impl Fn() -> io::Result<SystemTime>) -> Option<String> {
    if !place.exists() {
        return None;
    }
    let found = owner(place);
    (!is_over(found.as_ref(), now, place)).then(|| in_words(found))
}

/// Gives a claim its name, taking over claims whose owners have ended.
fn settle(own: &Path, place: &Path, wanted: &Owner) -> Result<(), ClaimError> {
    loop {
        match fs::rename(own, place) {
            Ok(()) => return Ok(()),
            // NFS repeats a request whose answer was lost, and the second try of a successful rename fails.
            Err(_) if is_of(place, wanted) => return Ok(()),
            // The previous owner may have released it in the meantime.
            Err(source) if !place.exists() && !is_taken(&source) => {
                return Err(io("give its final name to", own)(source));
            }
            Err(_) => {}
        }
        let found = owner(place);
        if !is_over(found.as_ref(), || written(own), place) {
            return Err(ClaimError::Busy {
                path: place.parent().unwrap_or(place).to_owned(),
                owner: in_words(found),
            });
        }
        let aside = aside(place, &wanted.token);
        match fs::rename(place, &aside) {
            // Another process may have taken it over between the check and the rename: then it keeps the
            // claim. (If renaming it back fails, its owner notices, and a later run removes it.)
            Ok(()) if owner(&aside) != found => drop(fs::rename(&aside, place)),
            Ok(()) => fs::remove_dir_all(&aside).map_err(io("remove the left-over", &aside))?,
            // Another process was quicker.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(io("take over", place)(source)),
        }
    }
}

/// Temporary name of a claim that is being removed.
fn aside(place: &Path, token: &str) -> PathBuf {
    place.with_file_name(format!("{PARTIAL}{token}-stale"))
}

/// Whether a rename failed because the name was taken.
fn is_taken(error: &io::Error) -> bool {
    use io::ErrorKind::{AlreadyExists, DirectoryNotEmpty};
    [AlreadyExists, DirectoryNotEmpty].contains(&error.kind())
}

fn in_words(owner: Option<Owner>) -> String {
    let Some(owner) = owner else {
        return "a process that does not say who it is".to_owned();
    };
    let job = (owner.job).map_or(String::new(), |job| format!(" (Slurm job {job})"));
    format!("process {} on {}{job}", owner.process.pid, owner.host)
}

/// Whether a claim's owner has ended.
fn is_over(owner: Option<&Owner>, now: impl Fn() -> io::Result<SystemTime>, place: &Path) -> bool {
    if let Some(gone) = owner.and_then(Owner::is_gone) {
        return gone;
    }
    // The last heartbeat is older than the limit.
    match (now(), written(place)) {
        (Ok(now), Ok(last)) => now
            .duration_since(last)
            .is_ok_and(|silence| silence > SILENT),
        _ => false,
    }
}

/// The time of a claim's last heartbeat, by the clock of its file system.
fn written(claim: &Path) -> io::Result<SystemTime> {
    // Opened first: NFS asks the server for the times of an opened file, and may otherwise return cached
    // ones.
    let beat = File::open(claim.join(BEAT)).and_then(|beat| beat.metadata());
    beat.or_else(|_| fs::metadata(claim))?.modified()
}

fn owner(place: &Path) -> Option<Owner> {
    serde_json::from_slice(&fs::read(place.join(OWNER)).ok()?).ok()
}

fn is_of(place: &Path, wanted: &Owner) -> bool {
    owner(place).is_some_and(|found| found == *wanted)
}

/// Sends heartbeats until the sender is dropped or another process has taken the claim over.
fn beat(place: PathBuf, of: Owner) -> Sender<()> {
    let (life, end) = mpsc::channel::<()>();
    thread::spawn(move || {
        for count in 1_u64.. {
            match end.recv_timeout(EVERY) {
                // A heartbeat that can't be written is skipped; after several, others take the claim over.
                Err(RecvTimeoutError::Timeout) if is_of(&place, &of) => {
                    drop(fs::write(place.join(BEAT), count.to_string()));
                }
                // A read that failed this time may succeed the next.
                Err(RecvTimeoutError::Timeout) if owner(&place).is_none() => {}
                _ => return,
            }
        }
    });
    life
}

fn io<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> ClaimError + 'a {
    move |source| ClaimError::Io {
        action,
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    /// A claim that another process left behind.
    fn left(out: &Path, process: Process) -> Owner {
        let owner = Owner {
            host: "there".to_owned(),
            process,
            ..Owner::this(None)
        };
        let place = out.join(CLAIM);
        fs::create_dir(&place).expect("made");
        let json = serde_json::to_vec(&owner).expect("plain data");
        fs::write(place.join(OWNER), json).expect("written");
        fs::write(place.join(BEAT), "7").expect("written");
        owner
    }

    fn elsewhere() -> Process {
        Process {
            machine: "elsewhere".to_owned(),
            pid: 1,
            started: 1,
        }
    }

    fn names(out: &Path) -> Vec<String> {
        let entries = fs::read_dir(out).expect("readable");
        entries
            .map(|entry| {
                entry
                    .expect("readable")
                    .file_name()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect()
    }

    #[test]
    fn a_folder_has_one_owner_and_then_another() {
        let out = tempfile::tempdir().expect("a temporary folder");
        let claim = Claim::take(out.path(), None).expect("nobody has it");
        claim.check().expect("held");
        let error = Claim::take(out.path(), None).expect_err("taken");
        assert!(matches!(error, ClaimError::Busy { .. }), "{error}");
        assert!(error.to_string().contains(&std::process::id().to_string()));
        let owner = holder(out.path()).expect("claimed");
        assert!(owner.contains(&std::process::id().to_string()), "{owner}");
        drop(claim);
        assert_eq!(holder(out.path()), None);
        assert!(names(out.path()).is_empty(), "nothing is left over");
        Claim::take(out.path(), None).expect("free again");
    }

    #[test]
    fn of_many_that_start_at_once_one_has_it() {
        let out = tempfile::tempdir().expect("a temporary folder");
        let mut gone = Process::this();
        gone.started += 1;
        left(out.path(), gone);
        let claims: Vec<_> = thread::scope(|scope| {
            let take = || scope.spawn(|| Claim::take(out.path(), None));
            let started: Vec<_> = (0..8).map(|_| take()).collect();
            started
                .into_iter()
                .map(|one| one.join().expect("no panic"))
                .collect()
        });
        let held = claims
            .iter()
            .flatten()
            .filter(|claim| claim.check().is_ok());
        assert_eq!(held.count(), 1);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_owner_that_has_ended_is_followed() {
        let out = tempfile::tempdir().expect("a temporary folder");
        let mut gone = Process::this();
        gone.started += 1;
        let owner = left(out.path(), gone);
        assert_eq!(holder(out.path()), None);
        let stopped = Claim {
            place: out.path().join(CLAIM),
            owner,
            life: None,
        };
        let claim = Claim::take(out.path(), None).expect("its owner is gone");
        claim.check().expect("held");
        // If the former owner resumed, it would write nothing.
        let error = stopped.check().expect_err("lost");
        assert!(matches!(error, ClaimError::Lost { .. }), "{error}");
    }

    #[test]
    fn an_owner_elsewhere_is_followed_when_it_is_silent() {
        let out = tempfile::tempdir().expect("a temporary folder");
        left(out.path(), elsewhere());
        let error = Claim::take(out.path(), None).expect_err("it may live");
        assert!(error.to_string().contains("process 1 on there"), "{error}");
        let another = tempfile::tempdir().expect("a temporary folder");
        let claim = Claim::take(another.path(), None).expect("nobody has it");
        let seen = || [holder(out.path()), claim.holder_of(out.path())];
        let there = Some("process 1 on there".to_owned());
        assert_eq!(seen(), [there.clone(), there]);
        let beat = File::options()
            .write(true)
            .open(out.path().join(CLAIM).join(BEAT));
        let long_ago = SystemTime::now() - SILENT - Duration::from_secs(5);
        beat.and_then(|beat| beat.set_modified(long_ago))
            .expect("set");
        assert_eq!(seen(), [None, None]);
        Claim::take(out.path(), None).expect("it is silent");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_worker_without_its_starter_is_followed() {
        let out = tempfile::tempdir().expect("a temporary folder");
        let mut gone = Process::this();
        gone.started += 1;
        let stopped = Claim::take(out.path(), Some(&gone)).expect("nobody has it");
        let claim = Claim::take(out.path(), None).expect("its starter is gone");
        claim.check().expect("held");
        stopped.check().expect_err("lost");
    }
}
