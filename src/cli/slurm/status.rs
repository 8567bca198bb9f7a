//! `promptshift slurm status DIR`: the progress of a study or of each study of a sweep, from the queue and
//! the store. No model is loaded.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;
use serde::Serialize;

use super::queue::Queue;
use super::submission::{REPORT, Submission, Task};
use crate::cli::{Failure, help, print};
use crate::pieces::{Kind, Piece};
use promptshift_numbers::store::{PieceEnd, Store};

/// Flags of `slurm status`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The folder of a study's report or of a sweep, as the submission printed it.
    #[arg(value_name = "DIR")]
    out: PathBuf,
    /// Print every cell as JSON.
    #[arg(long, help_heading = help::OUTPUT)]
    json: bool,
}

/// The state of a cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
enum State {
    Done,
    Running,
    /// In the queue, with Slurm's reason.
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

/// The printed state of a cell.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    study: Option<&'a str>,
    name: &'a str,
    #[serde(flatten)]
    state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<String>,
    /// Whether it failed because a cell that it depends on failed.
    #[serde(skip)]
    is_consequence: bool,
}

/// What was submitted of a study, in all submissions.
#[derive(Default)]
struct Submitted {
    pieces: BTreeMap<String, Piece>,
    report: Option<Task>,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let submissions = Submission::all(&arguments.out)?;
    let Some(last) = submissions.last() else {
        return Err(anyhow!(
            "{}: wanted the folder of a study or sweep that was submitted, found no folder slurm/1 in it",
            arguments.out.display()
        )
        .into());
    };
    let (queue, store) = (Queue::now()?, Store::at(&last.about()?.store));
    let mut studies: BTreeMap<Option<&str>, Submitted> = BTreeMap::new();
    // By key, since studies of a sweep share cells.
    let mut tasks: BTreeMap<String, Task> = BTreeMap::new();
    for submission in &submissions {
        let study = studies.entry(submission.name.as_deref()).or_default();
        let pieces = submission.study()?.pieces().into_iter();
        study
            .pieces
            .extend(pieces.map(|piece| (piece.name.clone(), piece)));
        for task in submission.submitted()? {
            match study.pieces.get(&task.cell) {
                Some(piece) => _ = tasks.insert(piece.key.clone(), task),
                None => study.report = Some(task),
            }
        }
    }
    let mut lines = Vec::new();
    for (name, study) in &studies {
        let mut pieces: Vec<&Piece> = study.pieces.values().collect();
        // Sorted so that dependencies come first.
        pieces.sort_by_key(|piece| piece.kind);
        let mut failed: BTreeSet<&str> = BTreeSet::new();
        for piece in pieces {
            let task = tasks.get(&piece.key);
            let state = match (queued(&queue, task), store.ended_piece(&piece.key)?) {
                // A done cell's task may still be running, on its next cell.
                (_, Some(ended)) if matches!(ended.end, PieceEnd::Done { .. }) => State::Done,
                (Some(state), _) => state,
                (None, Some(ended)) => match ended.end {
                    PieceEnd::Failed { reason } => State::Failed { reason },
                    PieceEnd::Done { .. } => State::Done,
                },
                (None, None) if task.is_some() => State::Ended,
                (None, None) => State::NotSubmitted,
            };
            if let State::Failed { .. } | State::Ended = state {
                failed.insert(&piece.name);
            }
            let mut inputs = piece.waits_for.iter();
            lines.push(Line {
                is_consequence: inputs.any(|name| failed.contains(name.as_str())),
                ..line(*name, &piece.name, state, task)
            });
        }
        let task = study.report.as_ref();
        let report = arguments
            .out
            .join(name.unwrap_or_default())
            .join("report.md");
        let report = match (queued(&queue, task), report.exists()) {
            (Some(state), _) => state,
            (None, true) => State::Done,
            (None, false) if task.is_some() => State::Ended,
            (None, false) => State::NotSubmitted,
        };
        lines.push(line(*name, REPORT, report, task));
    }
    match arguments.json {
        true => print::line(serde_json::to_string_pretty(
            &serde_json::json!({ "cells": lines }),
        )?)?,
        false => {
            let of_study = lines.chunk_by(|one, next| one.study == next.study);
            let texts: Vec<String> = of_study.map(in_words).collect();
            print::text(texts.join("\n"))?;
        }
    }
    Ok(())
}

fn queued(queue: &Queue, task: Option<&Task>) -> Option<State> {
    let queued = queue.task(&task?.id)?;
    Some(match queued.state.as_str() {
        "PENDING" | "REQUEUED" | "REQUEUE_HOLD" | "SPECIAL_EXIT" | "SUSPENDED" => State::Waiting {
            reason: queued.reason.clone(),
        },
        _ => State::Running,
    })
}

fn line<'a>(study: Option<&'a str>, name: &'a str, state: State, task: Option<&Task>) -> Line<'a> {
    Line {
        study,
        name,
        state,
        task: task.map(|task| task.id.to_string()),
        log: task.map(|task| task.log.display().to_string()),
        is_consequence: false,
    }
}

/// The number of cells of each kind in each state; then the failed ones, each with its reason and log, and
/// how many failed only because they depend on those.
fn in_words(lines: &[Line]) -> String {
    let study = lines.first().and_then(|line| line.study);
    let mut text = study.map_or(String::new(), |study| format!("{study}\n"));
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
    let mut consequences = 0;
    for line in lines {
        let reason = match &line.state {
            State::Failed { .. } | State::Ended if line.is_consequence => {
                consequences += 1;
                continue;
            }
            State::Failed { reason } => format!(": {reason}"),
            State::Ended => String::new(),
            _ => continue,
        };
        writeln!(text, "\n{} {}{reason}", line.name, line.state.name()).expect("strings take text");
        if let Some(log) = &line.log {
            writeln!(text, "  {log}").expect("strings take text");
        }
    }
    if consequences > 0 {
        writeln!(
            text,
            "\n{consequences} more failed because they depend on these"
        )
        .expect("strings take text");
    }
    text
}
