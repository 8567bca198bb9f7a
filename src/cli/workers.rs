//! Runs side by side: each in a process of its own, `promptshift worker`, which is given the study as data. A small
//! model keeps one thread busier than many threads that share each of its small products; and in a process of its
//! own a run's peak memory is its own.
//!
//! The process that was started by the user gives out the jobs one by one, says what its workers tell, and puts
//! records and report together.

pub mod message;
mod worker;

pub use worker::work;

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Sender};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::{Context, anyhow};

use super::Failure;
use super::interrupt;
use super::progress::{Bar, Verbosity};
use message::{Assignment, Job, Message};

/// The verb that starts a worker.
pub const WORKER: &str = "worker";

/// Several workers on one study.
#[derive(Debug)]
pub struct Workers {
    /// What each is told first; it says how many there are.
    pub assignment: Assignment,
    /// How the user is told.
    pub verbosity: Verbosity,
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// What came of it is in the store.
    Done,
    /// Its training or model failed, and why.
    Failed(String),
}

/// What is left to do.
struct Queue {
    jobs: VecDeque<Job>,
    broken: bool,
}

impl Workers {
    /// Has every job done, each by the next worker that is free; `ended` is told of each, on this thread.
    ///
    /// # Errors
    /// A worker can't be started, or ends before its job does, or `ended` fails; the others end their jobs first.
    pub fn run(
        &self,
        jobs: Vec<Job>,
        ended: &mut dyn FnMut(Job, Ended) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let size = self.assignment.side_by_side.min(jobs.len());
        let assignment = serde_json::to_string(&Assignment {
            side_by_side: size,
            ..self.assignment.clone()
        })
        .context("a path that is no Unicode can't be told to another process: wanted other names, or --jobs 1")?;
        let queue = Mutex::new(Queue {
            jobs: jobs.into(),
            broken: false,
        });
        let mut outcome = Ok(());
        let ends: Vec<Result<(), Failure>> = thread::scope(|scope| {
            let (send, receive) = mpsc::channel();
            let workers: Vec<_> = (0..size)
                .map(|_| {
                    let (send, queue, assignment) = (send.clone(), &queue, &assignment);
                    scope.spawn(move || {
                        let end = self.run_worker(size, assignment, queue, &send);
                        locked(queue).broken |= end.is_err();
                        end
                    })
                })
                .collect();
            drop(send);
            for (job, end) in receive {
                if outcome.is_ok() {
                    outcome = ended(job, end);
                    locked(&queue).broken |= outcome.is_err();
                }
            }
            let joined = workers.into_iter().map(|worker| worker.join());
            joined
                .map(|end| end.unwrap_or_else(|_| Err(anyhow!("a thread ended early").into())))
                .collect()
        });
        interrupt::check()?;
        ends.into_iter().collect::<Result<(), Failure>>()?;
        outcome
    }

    /// One of `size` workers, from its start until nothing is left to do.
    fn run_worker(
        &self,
        size: usize,
        assignment: &str,
        queue: &Mutex<Queue>,
        ended: &Sender<(Job, Ended)>,
    ) -> Result<(), Failure> {
        let threads = (rayon::current_num_threads() / size).max(1);
        let program = std::env::current_exe().context("cannot find this program's own file")?;
        let mut worker = Command::new(&program)
            .arg(WORKER)
            .env("RAYON_NUM_THREADS", threads.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let mut orders = worker.stdin.take();
        let output = worker.stdout.take().expect("standard output is a pipe");
        let mut messages = BufReader::new(output).lines();
        let order = |orders: &mut Option<ChildStdin>, order: String| {
            if let Some(orders) = orders {
                // A worker that is no more is met below, where nothing more is told.
                let _ = writeln!(orders, "{order}");
            }
        };
        order(&mut orders, assignment.to_owned());
        loop {
            let job = {
                let mut queue = locked(queue);
                match queue.broken || interrupt::check().is_err() {
                    true => None,
                    false => queue.jobs.pop_front(),
                }
            };
            let Some(job) = job else { break };
            order(
                &mut orders,
                serde_json::to_string(&job).expect("plain data"),
            );
            let end = match self.relay(&mut messages, &mut orders)? {
                Some(Message::Done) => Ended::Done,
                Some(Message::Failed(reason)) => Ended::Failed(reason),
                Some(Message::Error(error)) => return Err(anyhow!(error).into()),
                _ => return Err(left(&mut worker, &job)),
            };
            // Who listens ends after all workers.
            let _ = ended.send((job, end));
        }
        drop(orders);
        worker.wait().context("cannot wait for a process")?;
        Ok(())
    }

    /// Says what a worker tells of a job until the job has ended; `None` if the worker has. Ctrl-C ends
    /// its orders, and that its work.
    fn relay(
        &self,
        messages: &mut impl Iterator<Item = std::io::Result<String>>,
        orders: &mut Option<ChildStdin>,
    ) -> Result<Option<Message>, Failure> {
        let mut work: Option<Bar> = None;
        for line in messages {
            if interrupt::check().is_err() {
                *orders = None;
            }
            let line = line.context("cannot hear a process")?;
            let message = serde_json::from_str(&line)
                .with_context(|| format!("a process said what is no message: {line}"))?;
            match message {
                Message::Say(line) => self.verbosity.say(&line),
                Message::Work { what, total } => work = Some(self.verbosity.bar(&what, total)),
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
fn locked(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A worker ended before its job did.
fn left(worker: &mut Child, job: &Job) -> Failure {
    let how = match worker.wait() {
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    };
    anyhow!(
        "{}: the process that ran it ended before it was done ({how}); the same command resumes from what is \
         complete, and with --jobs 1 it takes the least memory",
        job.name
    )
    .into()
}
