//! A worker: `promptshift worker` reads a study and then jobs from its standard input, until its end.

use std::io;
use std::sync::mpsc;
use std::thread;

use anyhow::{Context, anyhow};

use super::message::{Assignment, Job, Message, Task, tell};
use crate::cli::cell_progress::CellProgress;
use crate::cli::progress::Verbosity;
use crate::cli::run_log::RunLog;
use crate::cli::selection::On;
use crate::cli::{Failure, interrupt, study};
use crate::experiment::Runner;
use crate::study::{Models, Prepared};
use promptshift_numbers::store::Store;

/// Reads a study and runs the jobs assigned to it, on these devices.
///
/// # Errors
/// A message can't be read. Errors of the study or a job are sent to the parent process.
pub fn work(on: &On) -> Result<(), Failure> {
    interrupt::listen()?;
    let mut orders = orders().into_iter();
    let Some(first) = orders.next() else {
        return Err(Failure::Usage(anyhow!(
            "worker: an internal command, which reads a study from standard input"
        )));
    };
    let assignment: Assignment = read(first)?;
    let worker = match Worker::of(assignment, on) {
        Ok(worker) => worker,
        Err(failure) => {
            tell_error(&failure);
            return Ok(());
        }
    };
    for order in orders {
        let job: Job = read(order)?;
        match worker.run(&job) {
            Ok(None) => tell(&Message::Done),
            Ok(Some(reason)) => tell(&Message::Failed(reason)),
            // The parent process knows about the interruption.
            Err(Failure::Interrupted) => return Ok(()),
            Err(failure) => tell_error(&failure),
        }
    }
    Ok(())
}

struct Worker<'a> {
    on: &'a On,
    assignment: Assignment,
    prepared: Prepared,
    store: Store,
}

impl<'a> Worker<'a> {
    fn of(assignment: Assignment, on: &'a On) -> Result<Self, Failure> {
        let models = Models::on(on.find()?);
        // Notes on models are discarded: the parent process has printed them.
        let prepared = Prepared::of(assignment.study.clone(), &models, &mut |_| {})?;
        let store = Store::open(&assignment.store, Some(assignment.works_for.clone()))?;
        Ok(Worker {
            on,
            assignment,
            prepared,
            store,
        })
    }

    /// Runs a job; returns the error if its training or model failed.
    fn run(&self, job: &Job) -> Result<Option<String>, Failure> {
        let assignment = &self.assignment;
        let backbone = self.prepared.backbone(job.part)?;
        let origin = study::origin(
            &self.prepared.datasets,
            &backbone,
            &assignment.command,
            &self.on.device,
            assignment.side_by_side,
        );
        let datasets = &self.prepared.datasets;
        let runner = Runner::new(datasets, &backbone, &self.store, origin, assignment.keeping)
            .on(self.prepared.further_devices());
        let part = &self.prepared.study.parts[job.part];
        let place = part.variant.as_ref().map_or("", |variant| &variant.place);
        let log = assignment
            .log_to
            .as_deref()
            .map(|to| RunLog::of(part.folder(to)));
        let mut progress = CellProgress::of_job(Verbosity::Forwarded, job, place).logging(log);
        match job.task {
            Task::Search(method) => {
                runner.search(&part.plan, method, &mut progress.watch())?;
                Ok(None)
            }
            Task::Piece(at) => {
                let pieces = self.prepared.study.pieces();
                let piece = pieces.get(at).context("no such piece of the study")?;
                study::compute_piece(&runner, &part.plan, piece, &mut progress)
            }
            Task::Cell(at) => {
                let cells = part.plan.cells();
                let cell = cells.get(at).context("no such cell of the study")?;
                let (cell, _) = runner.finished_search(&part.plan, cell)?;
                progress.start(&cell);
                let computed = runner.compute(&cell, &mut progress.watch());
                progress.end();
                match computed {
                    Ok(()) => Ok(None),
                    Err(error) if error.is_of_cell() => Ok(Some(error.to_string())),
                    Err(error) => Err(error.into()),
                }
            }
        }
    }
}

fn tell_error(failure: &Failure) {
    let text = failure.to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    tell(&Message::Error(text.to_string()));
}

fn read<T: for<'a> serde::Deserialize<'a>>(order: io::Result<String>) -> Result<T, Failure> {
    let order = order.context("cannot read a job")?;
    Ok(serde_json::from_str(&order)
        .with_context(|| format!("worker: an internal command; found '{order}'"))?)
}

/// The lines of standard input. At its end the current work is interrupted: the parent process has closed it
/// or has ended.
fn orders() -> mpsc::Receiver<io::Result<String>> {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        for order in io::stdin().lines() {
            if send.send(order).is_err() {
                return;
            }
        }
        interrupt::ask();
    });
    receive
}
