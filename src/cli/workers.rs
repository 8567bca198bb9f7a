//! Runs cells in parallel, each in a worker process (`promptshift worker`) that receives the study as data. A
//! small model uses one thread better than many threads that share each of its small matrix products. A
//! separate process also makes the peak memory of a run measurable.
//!
//! The parent process, started by the user, assigns jobs one by one, prints the workers' messages, and
//! assembles records and report.

pub mod message;
mod worker;

pub use worker::work;

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Lines, Write};
#[cfg(unix)]
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Sender};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, anyhow};

use super::Failure;
use super::interrupt;
use super::progress::{Bar, Verbosity};
use message::{Assignment, Job, Message};
use promptshift_tensors::device::Devices;

/// The subcommand that starts a worker.
pub const WORKER: &str = "worker";

/// A pool of workers for one study.
#[derive(Debug)]
pub struct Workers {
    /// The first message to each worker.
    pub assignment: Assignment,
    /// The devices, shared out among the workers.
    pub devices: Devices,
    /// Replicas of the model in a training.
    pub replicas: usize,
    /// How progress is printed.
    pub verbosity: Verbosity,
}

/// The outcome of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// Its result is in the store.
    Done,
    /// The error, if training or the model failed or a signal killed the process.
    Failed(String),
}

impl Ended {
    /// The error, if it failed.
    pub fn reason(self) -> Option<String> {
        match self {
            Ended::Done => None,
            Ended::Failed(reason) => Some(reason),
        }
    }
}

/// The jobs that can start.
struct Queue {
    jobs: VecDeque<Job>,
    /// The number of jobs that were taken and whose end was not reported yet: each may make other jobs ready.
    taken: usize,
    broken: bool,
}

/// How often an idle worker checks for a signal.
const IDLE: Duration = Duration::from_millis(200);

impl Workers {
    /// Runs all jobs, each on the next free worker. `ended` is called on this thread when a job has ended, and returns
    /// the jobs that can start now: `later` in all.
    ///
    /// # Errors
    /// A worker can't be started or ends before its job does, or `ended` fails; the others finish their
    /// current jobs first.
    pub fn run(
        &self,
        jobs: Vec<Job>,
        later: usize,
        ended: &mut dyn FnMut(Job, Ended) -> Result<Vec<Job>, Failure>,
    ) -> Result<(), Failure> {
        let size = self.assignment.side_by_side.min(jobs.len() + later);
        let assignment = serde_json::to_string(&Assignment {
            side_by_side: size,
            ..self.assignment.clone()
        })
        .context("a path that is not valid Unicode can't be passed to a worker: rename it, or use --jobs 1")?;
        let queue = Mutex::new(Queue {
            jobs: jobs.into(),
            taken: 0,
            broken: false,
        });
        let changed = Condvar::new();
        let (queue, changed) = (&queue, &changed);
        let mut outcome = Ok(());
        let ends: Vec<Result<(), Failure>> = thread::scope(|scope| {
            let (send, receive) = mpsc::channel();
            let workers: Vec<_> = (self.devices.assigned(size, self.replicas).into_iter())
                .map(|devices| {
                    let (send, assignment) = (send.clone(), &assignment);
                    let next = move || next(queue, changed);
                    scope.spawn(move || {
                        // After a panic, the others would wait for the end of this thread's job.
                        let start = || Worker::start(size, &devices, assignment);
                        let run = || self.run_worker(start, next, &send);
                        let end = catch_unwind(AssertUnwindSafe(run))
                            .unwrap_or_else(|_| Err(anyhow!("a thread ended early").into()));
                        locked(queue).broken |= end.is_err();
                        end
                    })
                })
                .collect();
            drop(send);
            for (job, end) in receive {
                let mut ready = Vec::new();
                if outcome.is_ok() {
                    outcome = ended(job, end).map(|jobs| ready = jobs);
                }
                let mut queue = locked(queue);
                queue.broken |= outcome.is_err();
                queue.jobs.extend(ready);
                queue.taken -= 1;
                changed.notify_all();
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

    /// Runs a worker until no jobs remain. A worker that a signal killed is replaced.
    fn run_worker(
        &self,
        start: impl Fn() -> Result<Worker, Failure>,
        next: impl Fn() -> Option<Job>,
        ended: &Sender<(Job, Ended)>,
    ) -> Result<(), Failure> {
        let mut worker = None;
        while let Some(job) = next() {
            let current = match &mut worker {
                Some(current) => current,
                none => none.insert(start()?),
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
            // The receiver outlives all workers.
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

    /// Prints a worker's messages about a job until the job has ended; `None` if the worker has ended. After
    /// a signal, the worker's standard input is closed, which stops its work.
    fn relay(&self, worker: &mut Worker) -> Result<Option<Message>, Failure> {
        let mut work: Option<Bar> = None;
        for line in &mut worker.messages {
            if interrupt::check().is_err() {
                worker.orders = None;
            }
            let line = line.context("cannot read from a worker")?;
            let message = serde_json::from_str(&line)
                .with_context(|| format!("a worker sent an invalid message: {line}"))?;
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

/// The next job, as soon as there is one; `None` if there will be none, or the run stops.
fn next(queue: &Mutex<Queue>, changed: &Condvar) -> Option<Job> {
    let mut queue = locked(queue);
    loop {
        if queue.broken || interrupt::check().is_err() {
            return None;
        }
        if let Some(job) = queue.jobs.pop_front() {
            queue.taken += 1;
            return Some(job);
        }
        if queue.taken == 0 {
            return None;
        }
        let waited = changed.wait_timeout(queue, IDLE);
        (queue, _) = waited.unwrap_or_else(PoisonError::into_inner);
    }
}

/// A worker process.
struct Worker {
    child: Child,
    /// Its standard input; `None` after it was closed to stop the worker.
    orders: Option<ChildStdin>,
    messages: Lines<BufReader<ChildStdout>>,
}

impl Worker {
    /// Starts one of `size` workers, on these devices.
    fn start(size: usize, devices: &Devices, assignment: &str) -> Result<Self, Failure> {
        let threads = (rayon::current_num_threads() / size).max(1);
        let program = std::env::current_exe().context("cannot find this program's own file")?;
        let mut child = Command::new(&program)
            .arg(WORKER)
            .arg(format!("--device={devices}"))
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
            // If the worker has ended, reading its answer reports it.
            let _ = writeln!(orders, "{order}");
        }
    }

    /// The outcome of a job whose process ended before the job did: failed if a signal killed it, so that
    /// other jobs can still run.
    ///
    /// # Errors
    /// The process exited by itself.
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
            "{}: its process ended before it was done ({status}); the same command resumes from \
             completed work",
            job.name
        )
        .into())
    }
}

/// A panicking thread leaves the queue consistent: each update is a single operation.
fn locked(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}
