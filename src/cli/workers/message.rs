//! What a run and its workers say to each other: a JSON object a line.

use std::io::{self, Write};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::cli::interrupt;
use crate::experiment::Keeping;
use crate::study::Study;
use promptshift_numbers::recipe::Method;
use promptshift_text::process::Process;

/// What a worker is told first, on its standard input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Assignment {
    /// The process that it works for.
    pub works_for: Process,
    /// The study, resolved.
    pub study: Study,
    /// The store's folder.
    pub store: PathBuf,
    /// What is kept there and taken from there.
    pub keeping: Keeping,
    /// Where to compute.
    pub device: String,
    /// The command that records name.
    pub command: String,
    /// How many workers there are.
    pub side_by_side: usize,
}

/// What a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Task {
    /// The search for a method's recipe.
    Search(Method),
    /// A cell, by its place among the part's cells.
    Cell(usize),
    /// A piece, by its place among the study's.
    Piece(usize),
}

/// One job of the study that a worker is given, on its standard input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// What errors call it.
    pub name: String,
    /// Of which part of the study.
    pub part: usize,
    /// What is to be done.
    pub task: Task,
    /// Which of all jobs it is, from 1.
    pub number: usize,
    /// How many jobs there are.
    pub of: usize,
}

/// What a worker tells, on its standard output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// A line for the user.
    Say(String),
    /// A stretch of work starts.
    Work {
        /// What is being done.
        what: String,
        /// In how many parts.
        total: usize,
    },
    /// So much of it is done.
    At {
        /// Parts done.
        done: usize,
        /// What is shown behind them.
        note: String,
        /// In a long pause: the number of such pauses to come.
        pauses_to_come: Option<usize>,
    },
    /// It is done with, or broken off.
    WorkEnded,
    /// The job is done, and what came of it is in the store.
    Done,
    /// The job's training or model failed, and why.
    Failed(String),
    /// The worker can't go on.
    Error(String),
}

/// Tells the process that this one works for. If that is no more, there is nobody to work for.
pub fn tell(message: &Message) {
    let line = serde_json::to_string(message).expect("a message is plain data");
    let mut out = io::stdout().lock();
    if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
        interrupt::ask();
    }
}
