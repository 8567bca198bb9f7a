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
use std::io::{BufRead, BufReader, Lines, Write};
#[cfg(unix)]
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
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
    /// Its training or model failed, or a signal killed its process, and why.
    Failed(String),
}

impl Ended {
    /// Why it failed, if it did.
    pub fn reason(self) -> Option<String> {
        match self {
            Ended::Done => None,
            Ended::Failed(reason) => Some(reason),
        }
    }
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

    /// One of `size` workers, until nothing is left to do. One that a signal killed is followed by another.
    fn run_worker(
        &self,
        size: usize,
        assignment: &str,
        queue: &Mutex<Queue>,
        ended: &Sender<(Job, Ended)>,
    ) -> Result<(), Failure> {
        let mut worker = None;
        loop {
            let job = {
                let mut queue = locked(queue);
                match queue.broken || interrupt::check().is_err() {
                    true => None,
                    false => queue.jobs.pop_front(),
                }
            };
            let Some(job) = job else { break };
            let current = match &mut worker {
                Some(current) => current,
                none => none.insert(Worker::start(size, assignment)?),
            };
            current.order(&serde_json::to_string(&job).expect("plain data"));
            let end = match self.relay(current)? {
                Some(Message::Done) => Ended::Done,
                Some(Message::Failed(reason)) => Ended::Failed(reason),
                Some(Message::Error(error)) => return Err(anyhow!(error).into()),
                _ => {
                    let end = current.left(&job)?;
                    worker = None;
                    end
                }
            };
            // Who listens ends after all workers.
            let _ = ended.send((job, end));
        }
        if let Some(Worker {
            mut child, orders, ..
        }) = worker
        {
            drop(orders);
            child.wait().context("cannot wait for a process")?;
        }
        Ok(())
    }

    /// Says what a worker tells of a job until the job has ended; `None` if the worker has. Ctrl-C ends
    /// its orders, and that its work.
    fn relay(&self, worker: &mut Worker) -> Result<Option<Message>, Failure> {
        let mut work: Option<Bar> = None;
        for line in &mut worker.messages {
            if interrupt::check().is_err() {
                worker.orders = None;
            }
            let line = line.context("cannot hear a process")?;
            let message = serde_json::from_str(&line)
                .with_context(|| format!("a process said what is no message: {line}"))?;
            match message {
                Message::Say(line) => self.verbosity.say(&line),
                Message::Work { what, total } => work = Some(self.verbosity.bar(&what, total)),
                Message::At {
                    done,
                    note,
                    pauses_to_come,
                } => match (&mut work, pauses_to_come) {
                    (Some(work), Some(to_come)) => work.pause(done, &note, to_come),
                    (Some(work), None) => work.at(done, &note),
                    (None, _) => {}
                },
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

/// A process that does jobs.
struct Worker {
    child: Child,
    /// What it is told; `None` when it is to end.
    orders: Option<ChildStdin>,
    messages: Lines<BufReader<ChildStdout>>,
}

impl Worker {
    /// Starts one of `size`.
    fn start(size: usize, assignment: &str) -> Result<Self, Failure> {
        let threads = (rayon::current_num_threads() / size).max(1);
        let program = std::env::current_exe().context("cannot find this program's own file")?;
        let mut child = Command::new(&program)
            .arg(WORKER)
            .env("RAYON_NUM_THREADS", threads.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let output = child.stdout.take().expect("standard output is a pipe");
        let mut worker = Worker {
            orders: child.stdin.take(),
            messages: BufReader::new(output).lines(),
            child,
        };
        worker.order(assignment);
        Ok(worker)
    }

    fn order(&mut self, order: &str) {
        if let Some(orders) = &mut self.orders {
            // A worker that is no more is met where it would answer.
            let _ = writeln!(orders, "{order}");
        }
    }

    /// How a job ended whose process ended before it: as failed if a signal killed that, which need not keep others from
    /// being done.
    ///
    /// # Errors
    /// It ended by itself.
    fn left(&mut self, job: &Job) -> Result<Ended, Failure> {
        let status = (self.child.wait()).context("cannot wait for a process")?;
        #[cfg(unix)]
        if let Some(signal) = status.signal() {
            let why = interrupt::killed(signal);
            return Ok(Ended::Failed(format!(
                "{}: its process was {why}",
                job.name
            )));
        }
        Err(anyhow!(
            "{}: the process that ran it ended before it was done ({status}); the same command resumes from what is \
             complete",
            job.name
        )
        .into())
    }
}

/// What a thread that panicked leaves is whole: it is changed in single steps.
fn locked(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}
