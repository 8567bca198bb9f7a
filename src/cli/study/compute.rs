//! Computes the cells of a study here, one after another or by workers, and writes their records.

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
            let mut progress = CellProgress::new(verbosity, part.plan.cells().len());
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
                keeping: self.flags.keeping(self.largest),
                device: self.flags.on.device.clone(),
                command: self.command.clone(),
                side_by_side: self.side_by_side,
            },
            verbosity: self.verbosity(),
        }
    }

    pub(super) fn by_workers(
        &self,
        store: &Store,
        folders: &[RunFolder],
    ) -> Result<Outcome, Failure> {
        let workers = self.workers(store);
        // Searches first, since cells depend on them.
        let searches: Vec<(usize, Method)> = (self.prepared.study.parts.iter().enumerate())
            .flat_map(|(part, one)| {
                (one.plan.searched_methods().into_iter()).map(move |method| (part, method))
            })
            .collect();
        let of = searches.len();
        let jobs = (searches.into_iter().enumerate()).map(|(at, (part, method))| Job {
            name: format!("search-{}", method.name()),
            part,
            task: Task::Search(method),
            number: at + 1,
            of,
        });
        workers.run(jobs.collect(), &mut |_, ended| match ended.reason() {
            None => Ok(()),
            Some(reason) => Err(anyhow!(reason).into()),
        })?;
        let mut cells = Vec::new();
        for part in 0..folders.len() {
            let searched = self.with_runner(part, store, |runner, prepared| {
                let mut progress = CellProgress::new(workers.verbosity, 0);
                Ok(runner.searched(&prepared.study.parts[part].plan, &mut progress.watch())?)
            })?;
            cells.extend(
                searched
                    .into_iter()
                    .enumerate()
                    .map(|(at, cell)| (part, at, cell)),
            );
        }
        let of = cells.len();
        // In the order of the cells in the report.
        let mut outcomes: Vec<Outcome> = (0..of).map(|_| Outcome::default()).collect();
        let mut jobs = Vec::new();
        for (number, (part, at, (cell, _))) in cells.iter().enumerate() {
            let found = self.with_runner(*part, store, |runner, _| {
                Ok(runner.found(cell, &folders[*part])?)
            })?;
            match found {
                Some(found) => {
                    CellProgress::new(workers.verbosity, of).tell(Event::Found(&found));
                    outcomes[number].records.push(found);
                }
                None => jobs.push(Job {
                    name: self.job_name(*part, cell),
                    part: *part,
                    task: Task::Cell(*at),
                    number: number + 1,
                    of,
                }),
            }
        }
        // The longest trainings first, so that no worker is still busy with one at the end. Before them cells
        // without training, which take little time and reveal errors early.
        let length = |job: &Job| {
            let (_, _, (cell, _)) = &cells[job.number - 1];
            cell.recipe.as_ref().map_or(f64::INFINITY, relative_length)
        };
        jobs.sort_by(|a, b| length(b).total_cmp(&length(a)));
        workers.run(jobs, &mut |job, ended| {
            let (part, _, searched) = &cells[job.number - 1];
            let variant = &self.prepared.study.parts[*part].variant;
            let place = variant
                .as_ref()
                .map_or(String::new(), |variant| variant.place.clone());
            let mut progress = CellProgress::of_job(workers.verbosity, &job, &place);
            progress.name(&searched.0);
            self.with_runner(*part, store, |runner, _| {
                let mut recorder = Recorder {
                    runner,
                    folder: &folders[*part],
                    progress: &mut progress,
                    outcome: &mut outcomes[job.number - 1],
                };
                recorder.write(searched.clone(), ended.reason())
            })
        })?;
        let mut all = Outcome::default();
        for outcome in outcomes {
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
