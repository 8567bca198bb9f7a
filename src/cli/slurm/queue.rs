//! Runs Slurm's programs and parses their output: the queue, the configuration, a new job's number.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, anyhow, bail};

/// A task of a job array, or a job without tasks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TaskId {
    /// The job's number from sbatch.
    pub job: String,
    /// The task's index in the array; `None` for a job without tasks.
    pub index: Option<usize>,
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.index {
            Some(index) => write!(f, "{}_{index}", self.job),
            None => f.write_str(&self.job),
        }
    }
}

/// The state of a task in the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// `PENDING`, `RUNNING`, …
    pub state: String,
    /// Slurm's reason for the state, such as `Dependency`; `None`, as text, if there is none.
    pub reason: String,
}

/// The user's jobs that have not ended.
#[derive(Debug, Default)]
pub struct Queue(BTreeMap<TaskId, Queued>);

impl Queue {
    /// The output of squeue.
    ///
    /// # Errors
    /// squeue can't be run or fails.
    pub fn now() -> anyhow::Result<Queue> {
        let words = ["--me", "--array", "--noheader", "--format=%F|%K|%T|%r"];
        Queue::parse(&said("squeue", words)?)
    }

    fn parse(text: &str) -> anyhow::Result<Queue> {
        let mut queue = Queue::default();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let fields: Vec<&str> = line.trim().splitn(4, '|').collect();
            let [job, index, state, reason] = fields[..] else {
                bail!("squeue: wanted JOB|INDEX|STATE|REASON, found '{line}'");
            };
            let id = TaskId {
                job: job.to_owned(),
                index: index.parse().ok(),
            };
            let queued = Queued {
                state: state.to_owned(),
                reason: reason.to_owned(),
            };
            queue.0.insert(id, queued);
        }
        Ok(queue)
    }

    /// The state of a task; `None` if it has ended.
    pub fn task(&self, id: &TaskId) -> Option<&Queued> {
        self.0.get(id)
    }
}

/// The maximum number of tasks of a job array.
///
/// # Errors
/// scontrol can't be run, fails or does not print it.
pub fn max_array_size() -> anyhow::Result<usize> {
    let text = said("scontrol", ["show", "config"])?;
    let value = text.lines().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        (key.trim() == "MaxArraySize").then(|| value.trim().to_owned())
    });
    match value.as_ref().and_then(|value| value.parse().ok()) {
        Some(0) => {
            bail!("scontrol show config: MaxArraySize is 0, so this cluster has no job arrays")
        }
        Some(size) => Ok(size),
        None => bail!("scontrol show config: wanted a number as MaxArraySize, found {value:?}"),
    }
}

/// Submits a script with these flags, to start when all these jobs have ended. Returns the new job's number.
///
/// # Errors
/// sbatch can't be run or fails.
pub fn sbatch(script: &Path, flags: &[String], after: &[String]) -> anyhow::Result<String> {
    let mut words = vec![OsStr::new("--parsable").to_owned()];
    words.extend(flags.iter().map(OsString::from));
    if !after.is_empty() {
        words.push(format!("--dependency=afterany:{}", after.join(":")).into());
    }
    words.push(script.into());
    let text = said("sbatch", words)?;
    let id = text.trim();
    match !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()) {
        true => Ok(id.to_owned()),
        false => Err(anyhow!("sbatch: wanted the number of a job, found '{id}'")),
    }
}

/// Environment variables that would override a script's settings.
const OVERRIDING: [&str; 8] = [
    "SBATCH_ARRAY_INX",
    "SBATCH_CLUSTERS",
    "SBATCH_JOB_NAME",
    "SBATCH_NO_REQUEUE",
    "SBATCH_OPEN_MODE",
    "SBATCH_REQUEUE",
    "SBATCH_SIGNAL",
    "SBATCH_WAIT",
];

fn said(
    program: &str,
    words: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> anyhow::Result<String> {
    let mut command = Command::new(program);
    command.args(words);
    for variable in OVERRIDING {
        command.env_remove(variable);
    }
    let output = (command.output()).with_context(|| {
        format!("cannot start {program}: wanted a machine with Slurm's commands")
    })?;
    let error = String::from_utf8_lossy(&output.stderr);
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => bail!("{program} ended with {}: {}", output.status, error.trim()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_read_task_by_task() {
        let text = "7|0|RUNNING|None\n7|1|PENDING|BeginTime\n9|N/A|PENDING|Dependency\n\n";
        let queue = Queue::parse(text).expect("a queue");
        let task = |job: &str, index| {
            let job = job.to_owned();
            queue
                .task(&TaskId { job, index })
                .map(|queued| queued.state.as_str())
        };
        assert_eq!(task("7", Some(0)), Some("RUNNING"));
        assert_eq!(task("7", Some(1)), Some("PENDING"));
        assert_eq!(task("9", None), Some("PENDING"));
        assert_eq!(task("7", Some(2)), None);
        assert!(Queue::parse("slurm_load_jobs error").is_err());
    }
}
