//! Who writes a folder.
//!
//! ```text
//! <folder>/.claim/owner.json   whose it is
//! <folder>/.claim/beat         written every few seconds while its owner lives
//! ```
//!
//! The folder is given its name by a renaming, of which one process succeeds on every file system. (Locks of
//! files do nothing on many that machines share, and fail on others.) A claim whose owner is gone is taken
//! over: a process of this machine that has ended, or one elsewhere that has given no sign of life for
//! [`SILENT`]. An owner that was only stopped finds out before it writes, since it [holds](Claim::check) the
//! claim no longer.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::error::{IoContext, StoreError};
use promptshift_text::process::{Process, token};

/// How the names of what is being written begin.
pub(crate) const PARTIAL: &str = ".partial-";

pub(crate) const CLAIM: &str = ".claim";
const OWNER: &str = "owner.json";
const BEAT: &str = "beat";

/// How often an owner gives a sign of life.
const EVERY: Duration = Duration::from_secs(10);

/// After how long without one an owner on another machine is taken to be gone: longer than file systems
/// take to show what another machine has written.
const SILENT: Duration = Duration::from_secs(180);

/// Whose a claim is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Owner {
    /// The name of its machine, for people.
    host: String,
    process: Process,
    /// The process that it works for, if it is a worker: without that, it is to write nothing more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    works_for: Option<Process>,
    /// A name that no other claim has.
    token: String,
}

impl Owner {
    fn is_gone(&self) -> bool {
        self.process.is_gone() || self.works_for.as_ref().is_some_and(Process::is_gone)
    }
}

/// The right to write a folder.
#[derive(Debug)]
pub(crate) struct Claim {
    place: PathBuf,
    owner: Owner,
    /// Ends the signs of life when dropped.
    life: Option<Sender<()>>,
}

impl Claim {
    /// Claims a folder, for the process that `works_for` names if this one is a worker.
    ///
    /// # Errors
    /// Another process writes it, or the file system says no.
    pub fn take(out: &Path, works_for: Option<&Process>) -> Result<Claim, StoreError> {
        let place = out.join(CLAIM);
        let owner = Owner {
            host: host(),
            process: Process::this(),
            works_for: works_for.cloned(),
            token: token(),
        };
        let own = out.join(format!("{PARTIAL}{}-claim", owner.token));
        fs::create_dir(&own).at("make the folder", &own)?;
        let json = serde_json::to_vec(&owner).expect("an owner is plain data");
        for (name, bytes) in [(OWNER, json.as_slice()), (BEAT, b"0")] {
            let file = own.join(name);
            fs::write(&file, bytes).at("write", &file)?;
        }
        if let Err(error) = settle(&own, &place, &owner.token) {
            // It has no name of its own yet: nobody misses it.
            let _ = fs::remove_dir_all(&own);
            return Err(error);
        }
        let life = beat(place.join(BEAT));
        Ok(Claim {
            place,
            owner,
            life: Some(life),
        })
    }

    /// Checks that the claim is held still: to be asked before anything is written that others see.
    ///
    /// # Errors
    /// Another process has taken it over, as it may where this one was stopped for long.
    pub fn check(&self) -> Result<(), StoreError> {
        match owner(&self.place) {
            Some(owner) if owner == self.owner => Ok(()),
            _ => Err(StoreError::Lost {
                path: self.place.clone(),
            }),
        }
    }

    /// Who has claimed another folder of the same file system, by whose clock an owner's silence is measured.
    pub fn holder_of(&self, out: &Path) -> Option<String> {
        held(&out.join(CLAIM), || written(&self.place))
    }

    /// A name that no other claim has: what is not finished bears it.
    pub fn token(&self) -> &str {
        &self.owner.token
    }
}

/// Who has claimed a folder, in words; `None` where nobody has, or its owner is gone. Nothing is written: the silence
/// of an owner on another machine is measured by this one's clock.
pub(crate) fn holder(out: &Path) -> Option<String> {
    held(&out.join(CLAIM), || Ok(SystemTime::now()))
}

fn held(place: &Path, now: impl Fn() -> io::Result<SystemTime>) -> Option<String> {
    if !place.exists() {
        return None;
    }
    let found = owner(place);
    (!is_over(found.as_ref(), now, place)).then(|| in_words(found))
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.life.take().is_some() && self.check().is_ok() {
            // Best effort: what stays is taken over, since its owner is gone.
            let _ = fs::remove_dir_all(&self.place);
        }
    }
}

/// Gives a claim its name, taking over those of owners that are gone.
fn settle(own: &Path, place: &Path, token: &str) -> Result<(), StoreError> {
    loop {
        match fs::rename(own, place) {
            Ok(()) => return Ok(()),
            // Whoever had it may have let it go since.
            Err(source) if !place.exists() && !is_taken(&source) => {
                return Err(source).at("give its final name to", own);
            }
            Err(_) => {}
        }
        let found = owner(place);
        if !is_over(found.as_ref(), || written(own), place) {
            return Err(StoreError::Busy {
                path: place.parent().unwrap_or(place).to_owned(),
                owner: in_words(found),
            });
        }
        let aside = place.with_file_name(format!("{PARTIAL}{token}-stale"));
        match fs::rename(place, &aside) {
            // Between the look and the renaming another may have taken it over: then it is theirs.
            // (Where that fails, its owner finds out, and a next run removes it.)
            Ok(()) if owner(&aside) != found => drop(fs::rename(&aside, place)),
            Ok(()) => fs::remove_dir_all(&aside).at("remove the left-over", &aside)?,
            // Another was quicker.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(source).at("take over", place),
        }
    }
}

/// Whether a renaming failed since there was something of that name.
fn is_taken(error: &io::Error) -> bool {
    use io::ErrorKind::{AlreadyExists, DirectoryNotEmpty};
    [AlreadyExists, DirectoryNotEmpty].contains(&error.kind())
}

fn in_words(owner: Option<Owner>) -> String {
    owner.map_or_else(
        || "a process that does not say who it is".to_owned(),
        |Owner { host, process, .. }| format!("process {} on {host}", process.pid),
    )
}

/// Whether a claim's owner is gone.
fn is_over(owner: Option<&Owner>, now: impl Fn() -> io::Result<SystemTime>, place: &Path) -> bool {
    let here = Process::this().machine;
    match owner {
        Some(owner) if owner.process.machine == here => owner.is_gone(),
        // The last sign of life is long past.
        _ => match (now(), written(place)) {
            (Ok(now), Ok(last)) => now
                .duration_since(last)
                .is_ok_and(|silence| silence > SILENT),
            _ => false,
        },
    }
}

/// When a claim gave its last sign of life, by the clock of its file system.
fn written(claim: &Path) -> io::Result<SystemTime> {
    let beat = fs::metadata(claim.join(BEAT));
    beat.or_else(|_| fs::metadata(claim))?.modified()
}

fn owner(place: &Path) -> Option<Owner> {
    serde_json::from_slice(&fs::read(place.join(OWNER)).ok()?).ok()
}

/// Gives signs of life until the sender is dropped.
fn beat(file: PathBuf) -> Sender<()> {
    let (life, end) = mpsc::channel::<()>();
    thread::spawn(move || {
        for count in 1_u64.. {
            match end.recv_timeout(EVERY) {
                // A beat that can't be written is missed; several are noticed by others.
                Err(RecvTimeoutError::Timeout) => drop(fs::write(&file, count.to_string())),
                _ => return,
            }
        }
    });
    life
}

fn host() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = name.or_else(|| std::env::var("HOSTNAME").ok());
    name.map_or_else(
        || "an unnamed machine".to_owned(),
        |name| name.trim().to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    /// A claim as another process left it.
    fn left(out: &Path, process: Process) -> Owner {
        let owner = Owner {
            host: "there".to_owned(),
            process,
            works_for: None,
            token: token(),
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
        assert!(matches!(error, StoreError::Busy { .. }), "{error}");
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
        // The former one, were it still to go on, would write nothing.
        let error = stopped.check().expect_err("lost");
        assert!(matches!(error, StoreError::Lost { .. }), "{error}");
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
