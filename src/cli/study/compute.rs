//! Computes the cells of a study here, one after another or by workers, and writes their records.

use std::cell::RefCell;

use anyhow::anyhow;

use super::Session;
use crate::cli::Failure;
use crate::cli::cell_progress::CellProgress;
use crate::cli::workers::Workers;
use crate::cli::workers::message::{Assignment, Job, Task};
use crate::experiment::{Event, Outcome, Runner, Searched, relative_length};
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::Cell;
use promptshift_numbers::record::folder::{RunFolder, folder_name};
use promptshift_numbers::store::Store;
use promptshift_text::process::Process;

impl Session<'_> {
    /// For each part, `put` writes the records into the part's folder.
    pub(super) fn one_by_one(
        &self,
        store: &Store,
        folders: &[RunFolder],
        put: &dyn Fn(usize, &mut Recorder) -> Result<(), Failure>,
    ) -> Result<Outcome, Failure> {
        let mut outcome = Outcome::default();
        let (verbosity, of) = (self.verbosity(), folders.len());
        for (at, folder) in folders.iter().enumerate() {
            let part = &self.study().parts[at];
            if let Some(variant) = &part.variant {
                let (place, series) = (&variant.place, &variant.series);
                verbosity.say(&format!("setting {} of {of}: {place}, {series}", at + 1));
            }
            let mut progress =
                CellProgress::new(verbosity, part.plan.cells().len()).logging(self.log(at));
            self.with_runner(at, store, |runner, _| {
                let (progress, outcome) = (&mut progress, &mut outcome);
                put(
                    at,
                    &mut Recorder {
                        runner,
                        folder,
                        progress,
                        outcome,
                    },
                )
            })?;
            progress.end();
        }
        Ok(outcome)
    }

    /// Computes the cells of a part one after another.
    pub(super) fn compute_part(&self, part: usize, recorder: &mut Recorder) -> Result<(), Failure> {
        let plan = &self.study().parts[part].plan;
        let runner = recorder.runner;
        let cells = runner.searched(plan, &mut recorder.progress.watch())?;
        for searched in cells {
            recorder.put(searched, |cell, progress| {
                match runner.compute(cell, &mut progress.watch()) {
                    Ok(()) => Ok(None),
                    Err(error) if error.is_of_cell() => Ok(Some(error.to_string())),
                    Err(error) => Err(error.into()),
                }
            })?;
        }
        Ok(())
    }

    pub(super) fn workers(&self, store: &Store) -> Workers {
        Workers {
            assignment: Assignment {
                works_for: Process::this(),
                study: self.prepared.study.clone(),
                store: store.path().to_owned(),
                log_to: self.flags.log_to.clone(),
                keeping: self.keeping(),
                command: self.command.clone(),
                side_by_side: self.side_by_side,
            },
            devices: self.flags.on.device.clone(),
            replicas: self.replicas,
            verbosity: self.verbosity(),
        }
    }

    pub(super) fn by_workers(
        &self,
        store: &Store,
        folders: &[RunFolder],
    ) -> Result<Outcome, Failure> {
        let workers = self.workers(store);
        let parts = &self.prepared.study.parts;
        let cells: Vec<(usize, usize, Cell)> = (parts.iter().enumerate())
            .flat_map(|(part, one)| {
                let cells = one.plan.cells().into_iter().enumerate();
                cells.map(move |(at, cell)| (part, at, cell))
            })
            .collect();
        let of = cells.len();
        // In the order of the cells in the report.
        let outcomes: Vec<RefCell<Outcome>> = (0..of).map(|_| RefCell::default()).collect();
        // The cells of a method, or of all that need no search, without a record: the longest trainings first, so that no
        // worker is left with a long one at the end; before them cells without training, which finish soon and show
        // problems early.
        let ready = |part: usize, method: Option<Method>| {
            self.with_runner(part, store, |runner, _| {
                let plan = &parts[part].plan;
                let mut jobs = Vec::new();
                for (number, (of_part, at, cell)) in cells.iter().enumerate() {
                    let is_wanted = match method {
                        Some(method) => cell.method == method,
                        None => cell.trials.is_none(),
                    };
                    if *of_part != part || !is_wanted {
                        continue;
                    }
                    let (cell, _) = runner.finished_search(plan, cell)?;
                    if let Some(found) = runner.found(&cell, &folders[part])? {
                        let progress = CellProgress::new(workers.verbosity, of);
                        progress.logging(self.log(part)).tell(Event::Found(&found));
                        outcomes[number].borrow_mut().records.push(found);
                        continue;
                    }
                    let length = cell.recipe.as_ref().map_or(f64::INFINITY, relative_length);
                    let job = Job {
                        name: self.job_name(part, &cell),
                        part,
                        task: Task::Cell(*at),
                        number: number + 1,
                        of,
                    };
                    jobs.push((length, job));
                }
                jobs.sort_by(|(one, _), (other, _)| other.total_cmp(one));
                Ok(jobs.into_iter().map(|(_, job)| job).collect::<Vec<_>>())
            })
        };
        // Searches first: a method's cells start when its own is done.
        let (mut jobs, mut cells_ready, mut later) = (Vec::new(), Vec::new(), 0);
        for (part, one) in parts.iter().enumerate() {
            cells_ready.extend(ready(part, None)?);
            for method in one.plan.searched_methods() {
                let is_done = self.with_runner(part, store, |runner, _| {
                    Ok(runner.found_search(&one.plan, method)?.is_some())
                })?;
                if is_done {
                    cells_ready.extend(ready(part, Some(method))?);
                    continue;
                }
                jobs.push((part, method));
                let own =
                    |(of, _, cell): &&(usize, usize, Cell)| *of == part && cell.method == method;
                later += cells.iter().filter(own).count();
            }
        }
        let searches = jobs.len();
        let mut jobs: Vec<Job> = (jobs.into_iter().enumerate())
            .map(|(at, (part, method))| Job {
                name: format!("search-{}", method.name()),
                part,
                task: Task::Search(method),
                number: at + 1,
                of: searches,
            })
            .collect();
        jobs.extend(cells_ready);
        workers.run(jobs, later, &mut |job, ended| {
            if let Task::Search(method) = job.task {
                return match ended.reason() {
                    None => ready(job.part, Some(method)),
                    Some(reason) => Err(anyhow!(reason).into()),
                };
            }
            let (part, _, cell) = &cells[job.number - 1];
            let variant = &parts[*part].variant;
            let place = variant
                .as_ref()
                .map_or(String::new(), |variant| variant.place.clone());
            let mut progress =
                CellProgress::of_job(workers.verbosity, &job, &place).logging(self.log(*part));
            progress.name(cell);
            self.with_runner(*part, store, |runner, _| {
                let searched = runner.finished_search(&parts[*part].plan, cell)?;
                let mut recorder = Recorder {
                    runner,
                    folder: &folders[*part],
                    progress: &mut progress,
                    outcome: &mut outcomes[job.number - 1].borrow_mut(),
                };
                recorder.write(searched, ended.reason())
            })?;
            Ok(Vec::new())
        })?;
        let mut all = Outcome::default();
        for outcome in outcomes.into_iter().map(RefCell::into_inner) {
            all.records.extend(outcome.records);
            all.failed.extend(outcome.failed);
        }
        Ok(all)
    }

    fn job_name(&self, part: usize, cell: &Cell) -> String {
        match &self.prepared.study.parts[part].variant {
            Some(variant) => format!("{}/{}", variant.folder, folder_name(cell)),
            None => folder_name(cell),
        }
    }
}

/// Writes the records of a part into its folder, and collects them.
pub(super) struct Recorder<'a> {
    pub(super) runner: &'a Runner<'a>,
    folder: &'a RunFolder,
    progress: &'a mut CellProgress,
    outcome: &'a mut Outcome,
}

impl Recorder<'_> {
    /// Takes a cell's record if it exists; otherwise calls `failed` to compute the cell, and writes its
    /// record or error.
    pub(super) fn put(
        &mut self,
        searched: Searched,
        failed: impl FnOnce(&Cell, &mut CellProgress) -> Result<Option<String>, Failure>,
    ) -> Result<(), Failure> {
        let cell = &searched.0;
        if let Some(found) = self.runner.found(cell, self.folder)? {
            self.progress.tell(Event::Found(&found));
            self.outcome.records.push(found);
            return Ok(());
        }
        self.progress.start(cell);
        let failed = failed(cell, self.progress)?;
        self.write(searched, failed)
    }

    /// Writes a cell's record, or its error.
    fn write(&mut self, searched: Searched, failed: Option<String>) -> Result<(), Failure> {
        match failed {
            None => {
                let stored = self.runner.record(searched, self.folder)?;
                self.progress.tell(Event::Recorded(&stored));
                self.outcome.records.push(stored);
            }
            Some(reason) => {
                (self.runner).record_failure(&searched.0, &reason, self.folder)?;
                self.progress.tell(Event::Failed(&reason));
                self.outcome.failed.push(reason);
            }
        }
        Ok(())
    }
}
