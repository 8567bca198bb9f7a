//! From a study to jobs.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf, absolute};

use anyhow::{Context, anyhow};

use super::How;
use super::queue::{Queue, max_array_size, sbatch};
use super::sbatch::Flags;
use super::script::{Common, Start, script};
use super::submission::{About, Chunks, JobArray, REPORT, Submission, arrays};
use crate::cli::run::{Extent, Run, SMALL, default_out};
use crate::cli::study::{Request, Session};
use crate::cli::{Failure, print};
use crate::experiment::{Keep, State};
use crate::pieces::Piece;
use crate::study::{Prepared, Study};
use promptshift_numbers::record::folder::unfinished;
use promptshift_numbers::store::Store;
use promptshift_tensors::device::{self, DeviceError};

/// Checks a study here, writes scripts for what is missing of it, and submits them if that was asked for.
///
/// # Errors
/// It can't be prepared, Slurm says no, or something can't be read or written. What was submitted before stays
/// submitted, and the same command submits the rest.
pub fn submit(request: Request, study: Study, how: &How) -> Result<(), Failure> {
    let flags = request.flags;
    let sbatch_flags = Flags::of(&how.sbatch).map_err(Failure::Usage)?;
    check_flags(flags)?;
    let verbosity = flags.verbosity();
    let max_array_size = max_array_size()?;
    // Here it is checked; a node for logins seldom has the device to compute on.
    let cpu = device::find(device::CPU)?;
    let prepared = Prepared::of(study, cpu, &mut |note| verbosity.say(note))?;
    let out = absolute(
        flags
            .out
            .clone()
            .unwrap_or_else(|| default_out(&prepared.study)),
    )
    .context("cannot find the current folder")?;
    let mut session = Session::new(flags, prepared, request.command.clone())?;
    let keeping = flags.keeping(session.largest());
    if keeping.keep == Keep::None {
        return Err(Failure::Usage(anyhow!(
            "--keep none: what one job trains, another evaluates; wanted deltas or all"
        )));
    }
    let store = Store::open(flags.store.path(), None)?;
    // Held until all is submitted: two that submit at once would submit everything twice.
    let _folders = session.open(&out)?;
    let pieces = session.study().pieces();
    let states = session.states(&pieces)?;
    session.say_done(&store, &pieces, &states)?;
    let queued = Queued::of(&out)?;
    let is_done = |state: &State| *state == State::Done;
    let done = states.iter().filter(|state| is_done(state)).count();
    let to_do: Vec<Piece> = (pieces.iter().zip(&states))
        .filter(|(piece, state)| !is_done(state) && !queued.0.contains_key(&piece.name))
        .map(|(piece, _)| piece.clone())
        .collect();
    let waiting = pieces.len() - done - to_do.len();
    print::line(format_args!(
        "{} cells: {done} done, {waiting} in the queue, {} to submit",
        pieces.len(),
        to_do.len()
    ))?;
    let is_reported = out.join("report.md").exists() && unfinished(&out)?.is_empty();
    let has_report = queued.0.contains_key(REPORT) || is_reported;
    if to_do.is_empty() && has_report {
        return Ok(print::line("There is nothing to submit.")?);
    }
    let chunks = Chunks {
        cells_per_task: how
            .cells_per_task
            .unwrap_or(match session.largest() < SMALL {
                true => 8,
                false => 1,
            }),
        max_array_size,
    };
    let jobs = Jobs {
        submission: Submission::begin(&out)?,
        arrays: arrays(&to_do, chunks),
        queued,
    };
    jobs.write(&session, &request, &out, (how, &sbatch_flags))?;
    match how.submit {
        true => jobs.submit(&out),
        false => Ok(print::line(format_args!(
            "scripts: {}; the same command with --submit submits them",
            jobs.submission.folder.display()
        ))?),
    }
}

/// Flags that say what is done of a study, which is said here.
fn check_flags(flags: &Run) -> Result<(), Failure> {
    let refused = [
        (flags.dry_run, "--dry-run"),
        (flags.save_plan.is_some(), "--save-plan"),
        (
            flags.cells.extent() != Extent::All,
            "--list-cells, --cell, --partition or --report-only",
        ),
    ];
    if let Some((_, flag)) = refused.iter().find(|(is_there, _)| *is_there) {
        return Err(Failure::Usage(anyhow!(
            "{flag}: it belongs to a study that is run here; wanted the command without it, or without `slurm` \
             (Slurm's own flags stand behind --)"
        )));
    }
    match device::find(&flags.on.device) {
        Err(DeviceError::Absent { .. }) | Ok(_) => Ok(()),
        Err(error) => Err(Failure::usage(error)),
    }
}

/// The jobs in the queue, by the cells that they compute.
struct Queued(BTreeMap<String, String>);

impl Queued {
    fn of(out: &Path) -> Result<Queued, Failure> {
        let queue = Queue::now()?;
        let mut jobs = BTreeMap::new();
        for submission in Submission::all(out)? {
            for submitted in submission.submitted()? {
                if queue.task(&submitted.task).is_some() {
                    jobs.insert(submitted.cell, submitted.task.job);
                }
            }
        }
        Ok(Queued(jobs))
    }
}

/// What is submitted.
struct Jobs {
    submission: Submission,
    arrays: Vec<JobArray>,
    queued: Queued,
}

impl Jobs {
    fn write(
        &self,
        session: &Session,
        request: &Request,
        out: &Path,
        (how, sbatch_flags): (&How, &Flags),
    ) -> Result<(), Failure> {
        let whole = |path: &Path| absolute(path).context("cannot find the current folder");
        let (flags, folder) = (request.flags, &self.submission.folder);
        let store = whole(flags.store.path())?;
        session.study().save(&folder.join("study.json"))?;
        let about = About {
            command: request.command.clone(),
            store: store.clone(),
        };
        let json = serde_json::to_string_pretty(&about).context("a path that is no Unicode")?;
        self.submission.write("submission.json", &(json + "\n"))?;
        let common = Common {
            folder,
            here: &std::env::current_dir().context("cannot find the current folder")?,
            program: &std::env::current_exe().context("cannot find this program's own file")?,
            command: &request.command,
            store: &store,
            run: &flags.elsewhere(&store, session.largest()),
            flags: sbatch_flags,
        };
        for array in &self.arrays {
            self.submission.write_cells(array)?;
            let start = Start::Tasks {
                count: array.tasks.len(),
                at_a_time: how.tasks_at_a_time,
            };
            let text = script(&array.name, &start, &common)?;
            self.submission
                .write(&format!("{}.sh", array.name), &text)?;
        }
        let mut report: Vec<OsString> = vec!["--out".into(), out.into()];
        report.extend(flags.writes_html().then(|| "--html".into()));
        let text = script(REPORT, &Start::Report(&report), &common)?;
        Ok(self.submission.write(&format!("{REPORT}.sh"), &text)?)
    }

    /// Submits each array behind those that compute what it waits for, and the report behind all.
    fn submit(&self, out: &Path) -> Result<(), Failure> {
        let mut jobs = self.queued.0.clone();
        for array in &self.arrays {
            let after = array.waits_for.iter().filter_map(|cell| jobs.get(cell));
            let job = self.submit_one(&array.name, after.cloned().collect(), array.tasks.len())?;
            let cells = array.tasks.concat().into_iter();
            jobs.extend(cells.map(|cell| (cell, job.clone())));
        }
        self.submit_one(REPORT, jobs.values().cloned().collect(), 1)?;
        Ok(print::line(format_args!(
            "promptshift slurm status {} says how far they are",
            crate::cli::command::quoted(out.as_os_str())
        ))?)
    }

    fn submit_one(
        &self,
        name: &str,
        after: BTreeSet<String>,
        tasks: usize,
    ) -> Result<String, Failure> {
        let path: PathBuf = self.submission.folder.join(format!("{name}.sh"));
        let after: Vec<String> = after.into_iter().collect();
        let job = sbatch(&path, &after).with_context(|| {
            format!("{name} is not submitted; what was submitted before is, and the same command submits the rest")
        })?;
        self.submission
            .write(&format!("{name}.job"), &format!("{job}\n"))?;
        let behind = match after.is_empty() {
            true => String::new(),
            false => format!(", after {}", after.join(", ")),
        };
        print::line(format_args!("{job}  {name}: {tasks} tasks{behind}"))?;
        Ok(job)
    }
}
