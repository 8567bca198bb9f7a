//! Pieces of a study, which users call cells: lists them, computes them by name or slice, and assembles
//! records from the store.

use anyhow::anyhow;
use serde::Serialize;

use super::Session;
use super::compute::Recorder;
use crate::cli::cell_progress::CellProgress;
use crate::cli::workers::message::{Job, Task};
use crate::cli::{Failure, interrupt, print};
use crate::experiment::{Keep, Runner, State};
use crate::pieces::{Kind, Piece, Slice};
use crate::plan::Plan;
use promptshift_numbers::store::{PieceEnd, Store};
use promptshift_text::domain::catalogue::did_you_mean;

/// A cell as `--list-cells` prints it.
#[derive(Serialize)]
struct Listed<'a> {
    name: &'a str,
    waits_for: &'a [String],
    #[serde(flatten)]
    state: State,
}

/// Computes a piece; returns the error if its training or model failed.
pub fn compute_piece(
    runner: &Runner,
    plan: &Plan,
    piece: &Piece,
    progress: &mut CellProgress,
) -> Result<Option<String>, Failure> {
    if piece.kind != Kind::Search {
        progress.start(&runner.searched_cell(plan, piece)?.0);
    }
    let computed = runner.compute_piece(plan, piece, &mut progress.watch());
    progress.end();
    match computed {
        Ok(()) => Ok(None),
        Err(error) if error.is_of_cell() => Ok(Some(error.to_string())),
        Err(error) => Err(error.into()),
    }
}

impl Session<'_> {
    /// Prints every cell as JSON.
    pub(super) fn list_cells(&self) -> Result<(), Failure> {
        let pieces = self.prepared.study.pieces();
        let states = self.states(&pieces)?;
        let cells = pieces.iter().zip(states).map(|(piece, state)| Listed {
            name: &piece.name,
            waits_for: &piece.waits_for,
            state,
        });
        let list = serde_json::json!({ "cells": cells.collect::<Vec<_>>() });
        Ok(print::line(serde_json::to_string_pretty(&list)?)?)
    }

    /// The state of each piece.
    pub fn states(&self, pieces: &[Piece]) -> Result<Vec<State>, Failure> {
        let store = Store::at(self.flags.store.path());
        store.exists()?;
        let mut states = vec![State::Missing; pieces.len()];
        for part in 0..self.prepared.study.parts.len() {
            self.with_runner(part, &store, |runner, prepared| {
                let plan = &prepared.study.parts[part].plan;
                for (piece, state) in pieces.iter().zip(&mut states) {
                    if piece.part == part {
                        *state = runner.state(plan, piece)?;
                    }
                }
                Ok(())
            })?;
        }
        Ok(states)
    }

    /// Computes the cells with these names into the store.
    pub(super) fn compute_named(&mut self, names: &[String]) -> Result<(), Failure> {
        let all = self.prepared.study.pieces();
        let mut wanted = Vec::new();
        for name in names {
            let known = || all.iter().map(|piece| piece.name.as_str());
            let piece = all.iter().find(|piece| piece.name == *name);
            wanted.push(piece.cloned().ok_or_else(|| {
                let near = did_you_mean(name, known());
                let near = (near.first())
                    .map_or(String::new(), |near| format!("; did you mean '{near}'?"));
                Failure::Usage(anyhow!(
                    "--cell {name}: wanted a name from --list-cells{near}"
                ))
            })?);
        }
        self.compute_pieces(wanted)
    }

    /// Computes the cells of a slice into the store.
    pub(super) fn compute_slice(&mut self, slice: Slice) -> Result<(), Failure> {
        self.compute_pieces(slice.of(self.prepared.study.pieces()))
    }

    fn compute_pieces(&mut self, mut wanted: Vec<Piece>) -> Result<(), Failure> {
        interrupt::check()?;
        if self.keeping().keep == Keep::None {
            return Err(Failure::Usage(anyhow!(
                "--keep none: cells evaluate what other cells train; wanted deltas or all"
            )));
        }
        self.side_by_side = self.side_by_side.min(wanted.len().max(1));
        let store = Store::open(self.flags.store.path(), None)?;
        self.flags.make_log()?;
        let all = self.prepared.study.pieces();
        let states = self.states(&wanted)?;
        self.say_done(&store, &wanted, &states)?;
        self.say_idle_devices();
        let count = wanted.len();
        let mut states = states.iter();
        wanted.retain(|_| !states.next().is_some_and(State::is_done));
        let mut failed = Vec::new();
        for kind in Kind::ALL {
            let of_kind = wanted.iter().filter(|piece| piece.kind == kind);
            let mut jobs = Vec::new();
            for piece in of_kind {
                store.forget_failure(&piece.key)?;
                let at = all.iter().position(|one| one.name == piece.name);
                jobs.push(Job {
                    name: piece.name.clone(),
                    part: piece.part,
                    task: Task::Piece(at.expect("it is one of them")),
                    number: jobs.len() + 1,
                    of: wanted.iter().filter(|piece| piece.kind == kind).count(),
                });
            }
            self.run_jobs(&store, &all, jobs, &mut failed)?;
        }
        match failed.is_empty() {
            true => Ok(()),
            false => Err(anyhow!(
                "{} of {count} cells failed (the store has the reasons): {}",
                failed.len(),
                failed.join("; ")
            )
            .into()),
        }
    }

    /// Adds entries to the store for pieces whose results another command has computed.
    pub fn say_done(
        &self,
        store: &Store,
        pieces: &[Piece],
        states: &[State],
    ) -> Result<(), Failure> {
        for (piece, state) in pieces.iter().zip(states) {
            if let State::Done { is_said: false } = state {
                self.with_runner(piece.part, store, |runner, prepared| {
                    let plan = &prepared.study.parts[piece.part].plan;
                    Ok(runner.keep_end(plan, piece, None)?)
                })?;
            }
        }
        Ok(())
    }

    fn run_jobs(
        &self,
        store: &Store,
        all: &[Piece],
        jobs: Vec<Job>,
        failed: &mut Vec<String>,
    ) -> Result<(), Failure> {
        let piece = |job: &Job| match job.task {
            Task::Piece(at) => &all[at],
            Task::Search(_) | Task::Cell(_) => unreachable!("pieces alone are given out"),
        };
        let mut keep = |job: &Job, reason: Option<String>| -> Result<(), Failure> {
            let piece = piece(job);
            self.with_runner(piece.part, store, |runner, prepared| {
                let plan = &prepared.study.parts[piece.part].plan;
                Ok(runner.keep_end(plan, piece, reason.as_deref())?)
            })?;
            match reason {
                None => {
                    for after in all.iter().filter(|one| one.waits_for.contains(&piece.name)) {
                        store.forget_failure(&after.key)?;
                    }
                    print::line(format_args!("{}: done", piece.name))?;
                }
                Some(reason) => {
                    print::line(format_args!("{}: failed: {reason}", piece.name))?;
                    failed.push(reason);
                }
            }
            Ok(())
        };
        if self.side_by_side > 1 && jobs.len() > 1 {
            let workers = self.workers(store);
            return workers.run(jobs, 0, &mut |job, ended| {
                keep(&job, ended.reason())?;
                Ok(Vec::new())
            });
        }
        for job in jobs {
            let piece = piece(&job);
            let verbosity = self.verbosity();
            let reason = self.with_runner(piece.part, store, |runner, prepared| {
                let part = &prepared.study.parts[piece.part];
                let place = part.variant.as_ref().map_or("", |variant| &variant.place);
                let mut progress =
                    CellProgress::of_job(verbosity, &job, place).logging(self.log(piece.part));
                compute_piece(runner, &part.plan, piece, &mut progress)
            })?;
            keep(&job, reason)?;
        }
        Ok(())
    }

    /// Writes the records of a part's stored results, and the reasons for missing ones.
    pub(super) fn record_stored(
        &self,
        store: &Store,
        part: usize,
        recorder: &mut Recorder,
    ) -> Result<(), Failure> {
        let plan = &self.study().parts[part].plan;
        let pieces = self.study().pieces();
        let of_part = |piece: &&Piece| piece.part == part && piece.kind == Kind::Evaluation;
        for piece in pieces.iter().filter(of_part) {
            let runner = recorder.runner;
            let searched = runner.searched_cell(plan, piece)?;
            recorder.put(searched, |_, _| match runner.has_result(plan, piece)? {
                true => Ok(None),
                false => Ok(Some(why_missing(store, &pieces, piece)?)),
            })?;
        }
        Ok(())
    }
}

/// Why the store does not have a piece's result.
fn why_missing(store: &Store, pieces: &[Piece], piece: &Piece) -> Result<String, Failure> {
    let reason = first_failure(store, pieces, piece)?;
    Ok(reason.unwrap_or_else(|| {
        format!(
            "{}: not computed, and the store has no reason: its job was not run, was cancelled or was killed",
            piece.name
        )
    }))
}

/// The error of a piece, or of the first one that it depends on.
fn first_failure(
    store: &Store,
    pieces: &[Piece],
    piece: &Piece,
) -> Result<Option<String>, Failure> {
    for name in &piece.waits_for {
        let input = pieces.iter().find(|one| one.name == *name);
        let input = input.expect("what a piece waits for is one of the study");
        if let Some(reason) = first_failure(store, pieces, input)? {
            return Ok(Some(reason));
        }
    }
    let ended = store.ended_piece(&piece.key)?.map(|ended| ended.end);
    Ok(match ended {
        Some(PieceEnd::Failed { reason }) if reason.starts_with(&piece.name) => Some(reason),
        Some(PieceEnd::Failed { reason }) => Some(format!("{}: {reason}", piece.name)),
        _ => None,
    })
}
