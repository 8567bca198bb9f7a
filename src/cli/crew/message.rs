//! What the processes of a crew say to each other: a JSON object a line.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use crate::cli::interrupt;

/// One run that a worker is given, on its standard input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// What is to be done: where its record goes, below the output folder.
    pub name: String,
    /// Which of all runs it is, from 1.
    pub number: usize,
    /// How many runs there are.
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
    },
    /// It is done with, or broken off.
    WorkEnded,
    /// The job is done, and what came of it on disk.
    Done,
    /// The job's training failed, which is on disk.
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
