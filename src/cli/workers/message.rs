//! The messages between a run and its workers: one JSON object per line.

use std::io::{self, Write};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::cli::interrupt;
use crate::experiment::Keeping;
use crate::study::Study;
use promptshift_numbers::recipe::Method;
use promptshift_text::process::Process;

/// The first message to a worker, on its standard input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Assignment {
    /// The parent process.
    pub works_for: Process,
    /// The study, resolved.
    pub study: Study,
    /// The store's folder.
    pub store: PathBuf,
    /// Where curves are logged.
    pub log_to: Option<PathBuf>,
    /// What to keep and reuse there.
    pub keeping: Keeping,
    /// The command, as records state it.
    pub command: String,
    /// The number of workers.
    pub side_by_side: usize,
}

/// The task of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Task {
    /// The search for a method's recipe.
    Search(Method),
    /// A cell, by its index among the part's cells.
    Cell(usize),
    /// A piece, by its index among the study's.
    Piece(usize),
}

/// A job for a worker, on its standard input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its name in errors.
    pub name: String,
    /// The index of its part of the study.
    pub part: usize,
    /// What to compute.
    pub task: Task,
    /// Its number among all jobs, from 1.
    pub number: usize,
    /// The number of jobs.
    pub of: usize,
}

/// A message from a worker, on its standard output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// A line for the user.
    Say(String),
    /// A phase of work starts.
    Work {
        /// Its description.
        what: String,
        /// Its total count.
        total: usize,
    },
    /// Progress within the phase.
    At {
        /// The count so far.
        done: usize,
        /// A note shown after the count.
        note: String,
        /// In a long pause: the number of such pauses to come.
        pauses_to_come: Option<usize>,
    },
    /// The phase is over, completed or not.
    WorkEnded,
    /// The job is done, and its result is in the store.
    Done,
    /// The error, if the job's training or model failed.
    Failed(String),
    /// An error that ends the run.
    Error(String),
}

/// Sends a message to the parent process. If that has ended, the worker stops too.
pub fn tell(message: &Message) {
    let line = serde_json::to_string(message).expect("a message is plain data");
    let mut out = io::stdout().lock();
    if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
        interrupt::ask();
    }
}
