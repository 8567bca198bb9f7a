//! Runs side by side: each in a process of its own, which is this program again with the same command
//! line and `--worker`. A small model keeps one thread busier than many threads that share each of its
//! small products; and in a process of its own a run's peak memory is its own.
//!
//! The process that was started by the user holds the output folder's lock, gives out the runs one by
//! one, says what its workers tell, and writes the report.

pub mod message;
mod worker;

pub use worker::serve;

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::{Context, anyhow};

use super::Failure;
use super::command::typed;
use super::interrupt;
use super::progress::{Voice, Work};
use super::run::{REDIRECTED, WORKER};
use message::{Job, Message};

/// What starts a worker: the command line as it was typed, and how many there are.
#[derive(Debug)]
pub struct Crew {
    /// How many run side by side.
    pub size: usize,
    /// The file that the shell made of a transfer's targets.
    pub redirected: Option<String>,
    /// How the user is told.
    pub voice: Voice,
}

/// What is left to do, and what came of the rest.
struct Board {
    jobs: VecDeque<Job>,
    failed: BTreeMap<String, String>,
    broken: bool,
}

impl Crew {
    /// Has every job done, each by the next process that is free. Those whose training failed are given
    /// back with the reason, by name.
    ///
    /// # Errors
    /// A process can't be started, or ends before its job does; the others end theirs first.
    pub fn work(&self, jobs: Vec<Job>) -> Result<BTreeMap<String, String>, Failure> {
        let size = self.size.min(jobs.len());
        let board = Mutex::new(Board {
            jobs: jobs.into(),
            failed: BTreeMap::new(),
            broken: false,
        });
        let ends: Vec<Result<(), Failure>> = thread::scope(|scope| {
            let workers: Vec<_> = (0..size)
                .map(|_| {
                    scope.spawn(|| {
                        let end = self.employ(size, &board);
                        locked(&board).broken |= end.is_err();
                        end
                    })
                })
                .collect();
            let joined = workers.into_iter().map(|worker| worker.join());
            joined
                .map(|end| end.unwrap_or_else(|_| Err(anyhow!("a thread ended early").into())))
                .collect()
        });
        if interrupt::flow().is_break() {
            return Err(Failure::Interrupted);
        }
        ends.into_iter().collect::<Result<(), Failure>>()?;
        Ok(board
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
            .failed)
    }

    /// One of `size` workers, from its start until nothing is left to do.
    fn employ(&self, size: usize, board: &Mutex<Board>) -> Result<(), Failure> {
        let threads = (rayon::current_num_threads() / size).max(1);
        let program = std::env::current_exe().context("cannot find this program's own file")?;
        let mut worker = Command::new(&program)
            .args(typed())
            .args([WORKER, &size.to_string()])
            .args(self.redirected.iter().flat_map(|file| [REDIRECTED, file]))
            .env("RAYON_NUM_THREADS", threads.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let mut orders = worker.stdin.take();
        let told = worker.stdout.take().expect("standard output is a pipe");
        let mut told = BufReader::new(told).lines();
        loop {
            let job = {
                let mut board = locked(board);
                match board.broken || interrupt::flow().is_break() {
                    true => None,
                    false => board.jobs.pop_front(),
                }
            };
            let Some(job) = job else { break };
            let order = serde_json::to_string(&job).expect("a job is plain data");
            if let Some(orders) = &mut orders {
                // A worker that is no more is met below, where nothing more is told.
                let _ = writeln!(orders, "{order}");
            }
            match self.listen(&mut told, &mut orders)? {
                Some(Message::Done) => {}
                Some(Message::Failed(reason)) => {
                    locked(board).failed.insert(job.name, reason);
                }
                Some(Message::Error(error)) => return Err(anyhow!(error).into()),
                _ => return Err(left(&mut worker, &job)),
            }
        }
        drop(orders);
        worker.wait().context("cannot wait for a process")?;
        Ok(())
    }

    /// Says what a worker tells of a job until the job has ended; `None` if the worker has. Ctrl-C ends
    /// its orders, and that its work.
    fn listen(
        &self,
        told: &mut impl Iterator<Item = std::io::Result<String>>,
        orders: &mut Option<ChildStdin>,
    ) -> Result<Option<Message>, Failure> {
        let mut work: Option<Work> = None;
        for line in told {
            if interrupt::flow().is_break() {
                *orders = None;
            }
            let line = line.context("cannot hear a process")?;
            let message = serde_json::from_str(&line)
                .with_context(|| format!("a process said what is no message: {line}"))?;
            match message {
                Message::Say(line) => self.voice.say(&line),
                Message::Work { what, total } => work = Some(self.voice.work(&what, total)),
                Message::At { done, note } => {
                    if let Some(work) = &mut work {
                        work.at(done, &note);
                    }
                }
                Message::WorkEnded => {
                    if let Some(work) = work.take() {
                        work.end();
                    }
                }
                end => return Ok(Some(end)),
            }
        }
        if let Some(work) = work {
            work.end();
        }
        Ok(None)
    }
}

/// What a thread that panicked leaves is whole: it is changed in single steps.
fn locked(board: &Mutex<Board>) -> MutexGuard<'_, Board> {
    board.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A worker ended before its job did.
fn left(worker: &mut Child, job: &Job) -> Failure {
    let how = match worker.wait() {
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    };
    anyhow!(
        "{}: the process that ran it ended before it was done ({how}); the same command goes on from \
         the complete records, and with --jobs 1 it takes the least memory",
        job.name
    )
    .into()
}
