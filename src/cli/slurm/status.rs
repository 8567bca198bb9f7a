//! `promptshift slurm status DIR`: how far a study is, by the queue and the store. No model is loaded.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;
use serde::Serialize;

use super::queue::Queue;
use super::submission::{REPORT, Submission, Submitted};
use crate::cli::{Failure, help, print};
use crate::pieces::{Kind, Piece};
use promptshift_numbers::store::{PieceEnd, Store};

/// Flags of `slurm status`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The folder of the report, which the submission printed.
    #[arg(value_name = "DIR")]
    out: PathBuf,
    /// Print every cell as JSON.
    #[arg(long, help_heading = help::OUTPUT)]
    json: bool,
}

/// How far a cell is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
enum State {
    Done,
    Running,
    /// In the queue, and why it waits.
    Waiting {
        reason: String,
    },
    Failed {
        reason: String,
    },
    /// Its job has ended, and the store has neither a result nor a reason.
    Ended,
    /// No job was submitted for it.
    NotSubmitted,
}

impl State {
    fn name(&self) -> &'static str {
        match self {
            State::Done => "done",
            State::Running => "running",
            State::Waiting { .. } => "waiting",
            State::Failed { .. } => "failed",
            State::Ended => "ended without a result",
            State::NotSubmitted => "not submitted",
        }
    }
}

/// What is printed of a cell.
#[derive(Serialize)]
struct Line<'a> {
    name: &'a str,
    #[serde(flatten)]
    state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<String>,
}

/// Runs it.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let submissions = Submission::all(&arguments.out)?;
    let Some(last) = submissions.last() else {
        return Err(anyhow!(
            "{}: wanted the folder of a study that was submitted, found no folder slurm/1 in it",
            arguments.out.display()
        )
        .into());
    };
    let (queue, store) = (Queue::now()?, Store::at(&last.about()?.store));
    let mut pieces: BTreeMap<String, Piece> = BTreeMap::new();
    let mut submitted: BTreeMap<String, Submitted> = BTreeMap::new();
    for submission in &submissions {
        let of_study = submission.study()?.pieces();
        pieces.extend(
            of_study
                .into_iter()
                .map(|piece| (piece.name.clone(), piece)),
        );
        let cells = submission.submitted()?;
        submitted.extend(cells.into_iter().map(|one| (one.cell.clone(), one)));
    }
    let mut lines = Vec::new();
    for (name, piece) in &pieces {
        let task = submitted.get(name);
        let state = match (queued(&queue, task), store.ended_piece(&piece.key)?) {
            // A task goes on to its next cell when one is done.
            (_, Some(ended)) if matches!(ended.end, PieceEnd::Done { .. }) => State::Done,
            (Some(state), _) => state,
            (None, Some(ended)) => match ended.end {
                PieceEnd::Failed { reason } => State::Failed { reason },
                PieceEnd::Done { .. } => State::Done,
            },
            (None, None) if task.is_some() => State::Ended,
            (None, None) => State::NotSubmitted,
        };
        lines.push(line(name, state, task));
    }
    let task = submitted.get(REPORT);
    let report = match (
        queued(&queue, task),
        arguments.out.join("report.md").exists(),
    ) {
        (Some(state), _) => state,
        (None, true) => State::Done,
        (None, false) if task.is_some() => State::Ended,
        (None, false) => State::NotSubmitted,
    };
    lines.push(line(REPORT, report, task));
    match arguments.json {
        true => print::line(serde_json::to_string_pretty(
            &serde_json::json!({ "cells": lines }),
        )?)?,
        false => print::text(in_words(&lines))?,
    }
    Ok(())
}

fn queued(queue: &Queue, task: Option<&Submitted>) -> Option<State> {
    let queued = queue.task(&task?.task)?;
    Some(match queued.state.as_str() {
        "PENDING" | "REQUEUED" | "REQUEUE_HOLD" | "SPECIAL_EXIT" | "SUSPENDED" => State::Waiting {
            reason: queued.reason.clone(),
        },
        _ => State::Running,
    })
}

fn line<'a>(name: &'a str, state: State, task: Option<&Submitted>) -> Line<'a> {
    Line {
        name,
        state,
        task: task.map(|submitted| submitted.task.to_string()),
        log: task.map(|submitted| submitted.log.display().to_string()),
    }
}

/// How many cells of each kind are how far; then those that came to nothing, each with its reason and its log.
fn in_words(lines: &[Line]) -> String {
    let mut text = String::new();
    let count = |text: &mut String, what: &str, of: Vec<&Line>| {
        let mut counts: Vec<(&str, usize)> = Vec::new();
        for line in &of {
            let name = line.state.name();
            match counts.iter_mut().find(|(known, _)| *known == name) {
                Some((_, count)) => *count += 1,
                None => counts.push((name, 1)),
            }
        }
        let counts: Vec<String> = counts
            .iter()
            .map(|(name, count)| format!("{count} {name}"))
            .collect();
        if !of.is_empty() {
            writeln!(text, "{:<12} {:>5}: {}", what, of.len(), counts.join(", "))
                .expect("strings take text");
        }
    };
    for kind in Kind::ALL {
        let is_of = |line: &&Line| line.name.split('/').next() == Some(kind.name());
        count(&mut text, kind.name(), lines.iter().filter(is_of).collect());
    }
    count(
        &mut text,
        REPORT,
        lines.iter().filter(|line| line.name == REPORT).collect(),
    );
    for line in lines {
        let reason = match &line.state {
            State::Failed { reason } => format!(": {reason}"),
            State::Ended => String::new(),
            _ => continue,
        };
        writeln!(text, "\n{} {}{reason}", line.name, line.state.name()).expect("strings take text");
        if let Some(log) = &line.log {
            writeln!(text, "  {log}").expect("strings take text");
        }
    }
    text
}
