//! The text of a script for sbatch.

use std::ffi::OsString;
use std::path::Path;

use super::sbatch::{Flags, quoted as in_line};
use crate::cli::command::quoted;

/// The maximum number of times that a script requeues its own task.
const REQUEUES: usize = 3;

/// Sent 120 s before the time limit: enough to finish the current step and write a checkpoint.
const SIGNAL: &str = "USR1@120";

/// The settings shared by all scripts of a submission.
pub struct Common<'a> {
    /// The study's folder in the submission, absolute.
    pub folder: &'a Path,
    /// The study's name in a sweep, which squeue shows after the array's.
    pub study: Option<&'a str>,
    /// The folder that the study's relative paths refer to.
    pub here: &'a Path,
    /// The program, absolute.
    pub program: &'a Path,
    /// The command as typed.
    pub command: &'a str,
    /// The store, absolute.
    pub store: &'a Path,
    /// Flags of `run`, except those that select what to compute.
    pub run: &'a [OsString],
    /// Flags of sbatch.
    pub flags: &'a Flags,
}

/// What a script runs.
pub enum Start<'a> {
    /// A job array.
    Tasks {
        /// The number of tasks.
        count: usize,
        /// The maximum number of tasks that run at a time.
        at_a_time: Option<usize>,
    },
    /// The report, with the flags for its output.
    Report(&'a [OsString]),
}

/// The script with this name.
///
/// # Errors
/// A path can't be written in one of its lines.
pub fn script(name: &str, start: &Start, common: &Common) -> anyhow::Result<String> {
    let Common { folder, flags, .. } = common;
    let path = |path: &Path| in_line(&path.display().to_string());
    let (array, log, task, cells) = match start {
        Start::Tasks { count, at_a_time } => {
            let limit = at_a_time.map_or(String::new(), |limit| format!("%{limit}"));
            let cells = folder.join(format!("{name}.cells"));
            (
                Some(format!("--array=0-{}{limit}", count - 1)),
                format!("{name}-%A_%a.log"),
                "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID",
                Some(format!(
                    "cells=$(sed -n \"$((SLURM_ARRAY_TASK_ID + 1))p\" {})",
                    shell(&cells)
                )),
            )
        }
        Start::Report(_) => (None, format!("{name}-%j.log"), "$SLURM_JOB_ID", None),
    };
    // sbatch expands % in the names of logs.
    if folder.display().to_string().contains('%') {
        anyhow::bail!(
            "{}: Slurm expands % in log paths; wanted an --out without it",
            folder.display()
        );
    }
    let study = common
        .study
        .map_or(String::new(), |study| format!("-{study}"));
    let mut lines = vec![
        format!(
            "--job-name={}",
            in_line(&format!("promptshift-{name}{study}"))?
        ),
        format!("--chdir={}", path(common.here)?),
        format!("--output={}", path(&folder.join("logs").join(log))?),
        "--open-mode=append".to_owned(),
        "--requeue".to_owned(),
        format!("--signal={}", flags.signal.as_deref().unwrap_or(SIGNAL)),
    ];
    lines.extend(array);
    lines.extend(flags.lines.iter().cloned());
    let lines: String = lines
        .iter()
        .map(|line| format!("#SBATCH {line}\n"))
        .collect();
    let mut words = vec!["run".into(), folder.join("study.json").into()];
    words.extend_from_slice(common.run);
    let (what, does, of) = match start {
        Start::Tasks { .. } => (
            format!("Task N computes the cells in line N + 1 of {name}.cells, into the store."),
            "--cell \"$cells\"".to_owned(),
            " --cell \"$cells\"",
        ),
        Start::Report(flags) => (
            "Writes the report of the results in the store; computes nothing.".to_owned(),
            format!("--report-only {}", in_words(flags)),
            "",
        ),
    };
    Ok(format!(
        "#!/bin/bash\n{lines}
# Written by: {command}
# {what} Results are kept
# there. An interrupted task writes a checkpoint, exits with 75 and is requeued below, at most {REQUEUES} times.
set -euo pipefail

promptshift={program}
task={task}
restarts=${{SLURM_RESTART_COUNT:-0}}
{cells}
# A cell uses the processors of its job; srun does not inherit their number.
export RAYON_NUM_THREADS=${{SLURM_CPUS_PER_TASK:-${{SLURM_CPUS_ON_NODE:-1}}}}
if [ -n \"${{SLURM_CPUS_PER_TASK:-}}\" ]; then export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK; fi

# Slurm signals the step before the time limit. This script is signalled only when Slurm ends the job itself.
ended=
trap 'ended=yes' TERM
status=0
srun --nodes=1 --ntasks=1 --export=ALL \"$promptshift\" {words} {does} || status=$?
if [ \"$status\" -eq 0 ]; then exit 0; fi

if [ \"$status\" -eq 75 ] && [ -z \"$ended\" ] && [ \"$restarts\" -lt {REQUEUES} ]; then
    if scontrol requeue \"$task\"; then exit \"$status\"; fi
fi
# No retry: record the reason, which the report shows.
\"$promptshift\" slurm give-up {study} --store {store}{of} --status \"$status\"
exit \"$status\"
",
        command = common.command.replace('\n', " "),
        program = shell(common.program),
        study = shell(&folder.join("study.json")),
        store = shell(common.store),
        cells = cells.map_or(String::new(), |cells| cells + "\n"),
        words = in_words(&words),
    ))
}

fn shell(path: &Path) -> String {
    quoted(path.as_os_str())
}

fn in_words(words: &[OsString]) -> String {
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    words.join(" ")
}
