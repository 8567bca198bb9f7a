//! The Slurm job of a process, and whether it has ended.

use std::collections::HashMap;
use std::env;
use std::fmt;
use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// Timeout for `squeue`: a busy controller can block it for minutes.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long an answer is cached: a process waiting for a claim checks several times a second, but queries the
/// controller at most twice a minute.
const FRESH: Duration = Duration::from_secs(30);

/// One run of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// The argument of `squeue -j`: `1234`, or `1234_5` for a task of an array.
    id: String,
    /// The cluster that issued `id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cluster: Option<String>,
    /// How often the job has been requeued.
    #[serde(default)]
    restarts: u64,
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id)
    }
}

impl Job {
    /// The job of this process.
    pub fn this() -> Option<Job> {
        Job::of(&|name| env::var(name).ok())
    }

    fn of(variable: &dyn Fn(&str) -> Option<String>) -> Option<Job> {
        let id = variable("SLURM_JOB_ID")?;
        let array = variable("SLURM_ARRAY_JOB_ID").zip(variable("SLURM_ARRAY_TASK_ID"));
        Some(Job {
            // One task of an array has the array's id, with which squeue would list all tasks.
            id: array.map_or(id, |(array, task)| format!("{array}_{task}")),
            cluster: variable("SLURM_CLUSTER_NAME"),
            restarts: variable("SLURM_RESTART_COUNT")
                .and_then(|count| count.parse().ok())
                .unwrap_or(0),
        })
    }

    /// How often it has been requeued.
    pub fn restarts(&self) -> u64 {
        self.restarts
    }

    /// Whether the run is known to have ended: the job no longer exists, waits to be run again, or is running
    /// again as this process. `false` where Slurm can't be queried or does not answer in time.
    pub fn has_ended(&self) -> bool {
        let own = Job::this();
        if let Some(own) = &own
            && own.id == self.id
            && own.cluster == self.cluster
        {
            return own.restarts > self.restarts;
        }
        // Job ids are reused across clusters.
        let here = env::var("SLURM_CLUSTER_NAME").ok();
        if here.is_some() && here != self.cluster {
            return false;
        }
        static ANSWERS: LazyLock<Mutex<HashMap<String, (Instant, bool)>>> =
            LazyLock::new(Mutex::default);
        let known = |answers: &HashMap<String, (Instant, bool)>| {
            let (asked, ended) = answers.get(&self.id)?;
            (asked.elapsed() < FRESH).then_some(*ended)
        };
        let mut answers = ANSWERS.lock().unwrap_or_else(PoisonError::into_inner);
        known(&answers).unwrap_or_else(|| {
            let ended = squeue(&self.id).is_some_and(|said| said.says_ended());
            answers.insert(self.id.clone(), (Instant::now(), ended));
            ended
        })
    }
}

/// The memory requested by this process's job, in words: `4000 MB a node`. `None` outside of a job, and where
/// the cluster does not limit memory.
pub fn memory_asked() -> Option<String> {
    asked(&|name| env::var(name).ok())
}

fn asked(variable: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let each = [
        ("SLURM_MEM_PER_NODE", "node"),
        ("SLURM_MEM_PER_CPU", "CPU"),
        ("SLURM_MEM_PER_GPU", "GPU"),
    ];
    let said = |(name, each)| variable(name).map(|megabytes| format!("{megabytes} MB a {each}"));
    each.into_iter().find_map(said)
}

/// Output of `squeue`.
#[derive(Debug)]
struct Said {
    succeeded: bool,
    out: String,
    error: String,
}

impl Said {
    fn says_ended(&self) -> bool {
        // States of a job without live processes. COMPLETING is not one: its processes may still live.
        const ENDED: [&str; 15] = [
            "BOOT_FAIL",
            "CANCELLED",
            "COMPLETED",
            "DEADLINE",
            "FAILED",
            "NODE_FAIL",
            "OUT_OF_MEMORY",
            "PENDING",
            "PREEMPTED",
            "REQUEUED",
            "REQUEUE_FED",
            "REQUEUE_HOLD",
            "REVOKED",
            "SPECIAL_EXIT",
            "TIMEOUT",
        ];
        match self.succeeded {
            // No line: Slurm remembers the job, and it has ended.
            true => (self.out.split_whitespace()).all(|state| ENDED.contains(&state)),
            // Slurm has forgotten the job.
            false => self.error.contains("Invalid job id"),
        }
    }
}

/// Queries the state of a job; `None` if there is no answer.
fn squeue(id: &str) -> Option<Said> {
    let mut child = Command::new("squeue")
        .args(["-h", "-j", id, "-o", "%T"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    let started = Instant::now();
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if started.elapsed() < PATIENCE => thread::sleep(Duration::from_millis(20)),
            _ => {
                // Best effort: nobody waits for it any longer.
                let _ = child.kill();
                let _ = child.wait();
                return None;
            }
        }
    };
    // The output is short enough for the pipes, so `squeue` did not block on a reader.
    let (mut out, mut error) = (String::new(), String::new());
    child.stdout.take()?.read_to_string(&mut out).ok()?;
    child.stderr.take()?.read_to_string(&mut error).ok()?;
    Some(Said {
        succeeded: status.success(),
        out,
        error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_known_by_its_variables() {
        let of = |set: &[(&str, &str)]| {
            let value = |name: &str| set.iter().find(|(known, _)| *known == name);
            Job::of(&|name| value(name).map(|(_, value)| (*value).to_owned()))
        };
        assert_eq!(of(&[]), None);
        let alone = of(&[("SLURM_JOB_ID", "7"), ("SLURM_RESTART_COUNT", "2")]).expect("a job");
        assert_eq!((alone.to_string().as_str(), alone.restarts), ("7", 2));
        let task = of(&[
            ("SLURM_JOB_ID", "7"),
            ("SLURM_ARRAY_JOB_ID", "7"),
            ("SLURM_ARRAY_TASK_ID", "3"),
        ]);
        assert_eq!(task.expect("a job").to_string(), "7_3");
    }

    #[test]
    fn the_memory_is_what_the_job_asked_for() {
        let of = |set: &'static str| asked(&|name| (name == set).then(|| "4000".to_owned()));
        assert_eq!(of("SLURM_MEM_PER_NODE").as_deref(), Some("4000 MB a node"));
        assert_eq!(of("SLURM_MEM_PER_CPU").as_deref(), Some("4000 MB a CPU"));
        assert_eq!(of("SLURM_JOB_ID"), None);
    }

    #[test]
    fn only_what_slurm_says_for_certain_is_an_end() {
        let ended = |succeeded, out: &str, error: &str| {
            let said = Said {
                succeeded,
                out: out.to_owned(),
                error: error.to_owned(),
            };
            said.says_ended()
        };
        for state in ["", "COMPLETED\n", "PENDING\n", "NODE_FAIL\n"] {
            assert!(ended(true, state, ""), "{state}");
        }
        for state in ["RUNNING\n", "COMPLETING\n", "SUSPENDED\n", "SOMETHING\n"] {
            assert!(!ended(true, state, ""), "{state}");
        }
        let invalid = "slurm_load_jobs error: Invalid job id specified\n";
        assert!(ended(false, "", invalid));
        let silent = "slurm_load_jobs error: Unable to contact slurm controller\n";
        assert!(!ended(false, "", silent));
    }
}
