//! Submits studies as jobs.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf, absolute};

use anyhow::{Context, anyhow};

use super::How;
use super::queue::{Queue, max_array_size, sbatch};
use super::sbatch::Flags;
use super::script::{Common, Start, script};
use super::submission::{About, Chunks, JobArray, REPORT, STUDY, Submission, arrays, begin};
use crate::cli::run::{Extent, PlanArguments, Run, SMALL, default_out};
use crate::cli::run_plan::{self, Ended, write_index};
use crate::cli::study::{Request, Session, prepared};
use crate::cli::{Failure, command, print, sweep};
use crate::experiment::{Keep, Keeping};
use crate::pieces::Piece;
use crate::study::{Models, Prepared, Study};
use promptshift_numbers::record::folder::{RunFolder, unfinished};
use promptshift_numbers::store::Store;
use promptshift_tensors::device::{self, DeviceError};

/// Checks a study here, writes scripts for its missing cells, and submits them if requested.
///
/// # Errors
/// It can't be prepared, a command of Slurm fails, or something can't be read or written. Jobs submitted
/// before the error stay submitted, and the same command submits the rest.
pub fn submit(request: Request, study: Study, how: &How) -> Result<(), Failure> {
    let login = Login::of(request.flags, &request.command, how)?;
    let prepared = prepared(&login.flags.computing, &login.models, study)?;
    let out = whole(
        &(request.flags.computing.out.clone()).unwrap_or_else(|| default_out(&prepared.study)),
    )?;
    let mut jobs = Jobs::queued(&out)?;
    let checked = login.checked(None, prepared, &out, &mut jobs)?;
    login.write_and_submit(&[checked], jobs, &out)?;
    Ok(())
}

/// [`submit`] for the studies of a sweep. Cells that several of them need are computed once.
///
/// # Errors
/// As [`submit`], or the sweep can't be read.
pub fn submit_sweep(arguments: &PlanArguments, how: &How) -> Result<(), Failure> {
    let (flags, command) = (&arguments.run, command::command(None));
    run_plan::check_flags(arguments)?;
    let login = Login::of(flags, &command, how)?;
    let swept = sweep::read(&arguments.plan, flags.verbosity())?;
    let out = whole(&run_plan::out(arguments))?;
    let mut jobs = Jobs::queued(&out)?;
    let mut all = Vec::new();
    for one in &swept {
        let checked = prepared(&flags.computing, &login.models, one.study.clone());
        let checked = checked.and_then(|prepared| {
            let folder = out.join(&one.name);
            login.checked(Some(&one.name), prepared, &folder, &mut jobs)
        });
        all.push(checked.map_err(|failure| failure.at(&one.place))?);
    }
    let submits = login.write_and_submit(&all, jobs, &out)?;
    if submits {
        let ended: Vec<_> = swept
            .into_iter()
            .map(|one| (one, Ended::Submitted))
            .collect();
        write_index(&out, &ended)?;
    }
    Ok(())
}

/// The settings shared by all studies that are submitted together, on the login node.
struct Login<'a> {
    flags: &'a Run,
    command: &'a str,
    how: &'a How,
    sbatch_flags: Flags,
    max_array_size: usize,
    models: Models,
}

/// A checked study.
struct Checked {
    name: Option<String>,
    out: PathBuf,
    study: Study,
    /// The number of parameters of its largest model.
    largest: usize,
    keeping: Keeping,
    pieces: Vec<Piece>,
    to_do: Vec<Piece>,
    /// Whether it is done, or will be when the queued jobs have ended.
    is_complete: bool,
    /// Locked until all jobs are submitted: two concurrent submissions would submit everything twice.
    _folders: Vec<RunFolder>,
}

impl<'a> Login<'a> {
    fn of(flags: &'a Run, command: &'a str, how: &'a How) -> Result<Self, Failure> {
        let sbatch_flags = Flags::of(&how.sbatch).map_err(Failure::Usage)?;
        check_flags(flags)?;
        Ok(Login {
            flags,
            command,
            how,
            sbatch_flags,
            max_array_size: max_array_size()?,
            // Studies are only checked here, and a login node seldom has the device to compute on.
            models: Models::on(vec![device::find(device::CPU)?]),
        })
    }

    /// Finds the missing cells of a study, and prints their number.
    fn checked(
        &self,
        name: Option<&str>,
        prepared: Prepared,
        out: &Path,
        jobs: &mut Jobs,
    ) -> Result<Checked, Failure> {
        let flags = &self.flags.computing;
        let session = Session::new(flags, self.flags.keep, prepared, self.command.to_owned())?;
        let keeping = session.keeping();
        if keeping.keep == Keep::None {
            return Err(Failure::Usage(anyhow!(
                "--keep none: jobs evaluate what other jobs train; wanted deltas or all"
            )));
        }
        let store = Store::open(flags.store.path(), None)?;
        let folders = session.open(out)?;
        let pieces = session.study().pieces();
        let states = session.states(&pieces)?;
        session.say_done(&store, &pieces, &states)?;
        let (mut done, mut shared, mut to_do) = (0, 0, Vec::new());
        for (piece, state) in pieces.iter().zip(&states) {
            if state.is_done() {
                done += 1;
            } else if jobs.queued.contains_key(&piece.key) {
            } else if jobs.planned.insert(piece.key.clone()) {
                to_do.push(piece.clone());
            } else {
                shared += 1;
            }
        }
        let waiting = pieces.len() - done - shared - to_do.len();
        let title = name.map_or(String::new(), |name| format!("{name}: "));
        let shared_with = match shared {
            0 => String::new(),
            shared => format!(", {shared} with a study above"),
        };
        print::line(format_args!(
            "{title}{} cells: {done} done, {waiting} in the queue, {} to submit{shared_with}",
            pieces.len(),
            to_do.len()
        ))?;
        let is_reported = || -> Result<bool, Failure> {
            Ok(out.join("report.md").exists() && unfinished(out)?.is_empty())
        };
        let has_report = jobs.queued.contains_key(&report_of(name)) || is_reported()?;
        Ok(Checked {
            name: name.map(str::to_owned),
            out: out.to_owned(),
            study: session.study().clone(),
            largest: session.largest(),
            keeping,
            is_complete: to_do.is_empty() && shared == 0 && has_report,
            pieces,
            to_do,
            _folders: folders,
        })
    }

    /// Writes scripts for the missing cells, and submits them if requested. Returns whether it did.
    fn write_and_submit(
        &self,
        all: &[Checked],
        mut jobs: Jobs,
        out: &Path,
    ) -> Result<bool, Failure> {
        if all.iter().all(|one| one.is_complete) {
            print::line("There is nothing to submit.")?;
            return Ok(false);
        }
        let folder = begin(out)?;
        let mut written = Vec::new();
        for one in all.iter().filter(|one| !one.is_complete) {
            let submission = Submission::new(&folder, one.name.as_deref())?;
            let chunks = Chunks {
                cells_per_task: self
                    .how
                    .cells_per_task
                    .unwrap_or(match one.largest < SMALL {
                        true => 8,
                        false => 1,
                    }),
                max_array_size: self.max_array_size,
            };
            let arrays = arrays(&one.to_do, chunks);
            self.write(&submission, one, &arrays)?;
            written.push((one, submission, arrays));
        }
        if !self.how.submit {
            print::line(format_args!(
                "scripts: {}; the same command with --submit submits them",
                folder.display()
            ))?;
            return Ok(false);
        }
        for (one, submission, arrays) in &written {
            self.submit(one, submission, arrays, &mut jobs.queued)?;
        }
        print::line(format_args!(
            "for their progress: promptshift slurm status {}",
            command::quoted(out.as_os_str())
        ))?;
        Ok(true)
    }

    /// Writes the scripts of a study, and the files that they read.
    fn write(
        &self,
        submission: &Submission,
        checked: &Checked,
        arrays: &[JobArray],
    ) -> Result<(), Failure> {
        let folder = &submission.folder;
        let store = whole(self.flags.computing.store.path())?;
        checked.study.save(&folder.join(STUDY))?;
        let about = About {
            command: self.command.to_owned(),
            store: store.clone(),
        };
        let json = serde_json::to_string_pretty(&about).context("a path is not valid Unicode")?;
        submission.write("submission.json", &(json + "\n"))?;
        let common = Common {
            folder,
            study: checked.name.as_deref(),
            here: &std::env::current_dir().context("cannot find the current folder")?,
            program: &std::env::current_exe().context("cannot find this program's own file")?,
            command: self.command,
            store: &store,
            run: &(self.flags.computing).elsewhere(
                &store,
                checked.keeping,
                checked.name.as_deref(),
            ),
            flags: &self.sbatch_flags,
        };
        for array in arrays {
            submission.write_cells(array)?;
            let start = Start::Tasks {
                count: array.tasks.len(),
                at_a_time: self.how.tasks_at_a_time,
            };
            let text = script(&array.name, &start, &common)?;
            submission.write(&format!("{}.sh", array.name), &text)?;
        }
        let mut report: Vec<OsString> = vec!["--out".into(), (&checked.out).into()];
        report.extend(self.flags.writes_html().then(|| "--html".into()));
        let text = script(REPORT, &Start::Report(&report), &common)?;
        Ok(submission.write(&format!("{REPORT}.sh"), &text)?)
    }

    /// Submits each array of a study to start after the jobs that compute what it depends on, and the report
    /// to start after all of the study's jobs.
    fn submit(
        &self,
        checked: &Checked,
        submission: &Submission,
        arrays: &[JobArray],
        jobs: &mut BTreeMap<String, String>,
    ) -> Result<(), Failure> {
        let key = |piece: &Piece| (piece.name.clone(), piece.key.clone());
        let keys: BTreeMap<String, String> = checked.pieces.iter().map(key).collect();
        for array in arrays {
            let after = array.waits_for.iter();
            let after = after.filter_map(|cell| jobs.get(&keys[cell])).cloned();
            let job = self.submit_script(
                submission,
                (&array.name, array.tasks.len()),
                after.collect(),
            )?;
            for cell in array.tasks.iter().flatten() {
                jobs.insert(keys[cell].clone(), job.clone());
            }
        }
        let report = report_of(checked.name.as_deref());
        let of_study = keys.values().chain([&report]);
        let after = of_study.filter_map(|key| jobs.get(key)).cloned().collect();
        let job = self.submit_script(submission, (REPORT, 1), after)?;
        jobs.insert(report, job);
        Ok(())
    }

    fn submit_script(
        &self,
        submission: &Submission,
        (name, tasks): (&str, usize),
        after: BTreeSet<String>,
    ) -> Result<String, Failure> {
        let path = submission.folder.join(format!("{name}.sh"));
        let after: Vec<String> = after.into_iter().collect();
        let job = sbatch(&path, &self.sbatch_flags.words, &after).with_context(|| {
            format!(
                "{name} was not submitted; jobs submitted before stay so, and the same command submits the rest"
            )
        })?;
        submission.write(&format!("{name}.job"), &format!("{job}\n"))?;
        let behind = match after.is_empty() {
            true => String::new(),
            false => format!(", after {}", after.join(", ")),
        };
        let study = (submission.name.as_ref()).map_or(String::new(), |study| format!("{study} "));
        let tasks = match tasks {
            1 => "1 task".to_owned(),
            tasks => format!("{tasks} tasks"),
        };
        print::line(format_args!("{job}  {study}{name}: {tasks}{behind}"))?;
        Ok(job)
    }
}

fn whole(path: &Path) -> Result<PathBuf, Failure> {
    Ok(absolute(path).context("cannot find the current folder")?)
}

/// Refuses flags that select what a study computes, which `slurm` decides.
fn check_flags(flags: &Run) -> Result<(), Failure> {
    let refused = [
        (flags.computing.dry_run, "--dry-run"),
        (flags.save_plan.is_some(), "--save-plan"),
        (
            flags.cells.extent() != Extent::All,
            "--list-cells, --cell, --partition or --report-only",
        ),
    ];
    if let Some((_, flag)) = refused.iter().find(|(is_there, _)| *is_there) {
        return Err(Failure::Usage(anyhow!(
            "{flag}: only for a study that is run here; leave it out, or run the command without `slurm` \
             (flags for sbatch follow --)"
        )));
    }
    match flags.computing.on.device.find() {
        Err(DeviceError::Absent { .. }) | Ok(_) => Ok(()),
        Err(error) => Err(Failure::usage(error)),
    }
}

/// The jobs that compute cells, by the cells' keys; by [`report_of`] for reports.
struct Jobs {
    /// Jobs in the queue.
    queued: BTreeMap<String, String>,
    /// Cells to be submitted.
    planned: BTreeSet<String>,
}

/// The key of a study's report; no cell has such a key.
fn report_of(name: Option<&str>) -> String {
    format!("{REPORT}/{}", name.unwrap_or_default())
}

impl Jobs {
    /// The queued jobs of earlier submissions.
    fn queued(out: &Path) -> Result<Jobs, Failure> {
        let queue = Queue::now()?;
        let mut queued = BTreeMap::new();
        for submission in Submission::all(out)? {
            let keys = submission.keys()?;
            for submitted in submission.submitted()? {
                if queue.task(&submitted.id).is_some() {
                    let report = || report_of(submission.name.as_deref());
                    let key = keys.get(&submitted.cell).cloned().unwrap_or_else(report);
                    queued.insert(key, submitted.id.job);
                }
            }
        }
        let planned = BTreeSet::new();
        Ok(Jobs { queued, planned })
    }
}
