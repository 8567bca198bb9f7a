//! The straight line: training → answers → record. What was trained or answered before is taken from the
//! [store](promptshift_numbers::store); a record is put together from it.

mod answer;
mod checkpoints;
mod context;
pub mod elsewhere;
mod join;
mod k_shot;
mod outcome;
mod piece;
mod runner;
mod search;
mod train;
mod words;

use std::path::Path;

use crate::datasets::Datasets;
use crate::plan::Plan;
use promptshift_numbers::recipe::{DeltaRecipe, Limits};
use promptshift_numbers::record::folder::{StoreError, StoredRecord};
use promptshift_numbers::record::{Cell, CurvePoint};
use promptshift_tensors::backbone::Backbone;
use promptshift_tensors::eval;
use promptshift_tensors::train::{CheckpointerError, FitError, set_aside};
use promptshift_tensors::tuning::saved::TrainedError;
use promptshift_tensors::tuning::{self, TuningError};

pub use answer::{prediction, score_answer, stored};
pub use checkpoints::places as checkpoint_steps;
pub use outcome::{Outcome, SomeFailed};
pub use piece::State;
pub use runner::{Keep, Keeping, Runner, Searched, ToDo};
use words::words;

/// Work that is to end: whoever watches it wants no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("interrupted")]
pub struct Interrupted;

/// Who watches an experiment: is told of every event, and may end the work there.
pub type Watch<'a> = dyn FnMut(Event) -> Result<(), Interrupted> + 'a;

/// An experiment that could not be done.
#[derive(Debug, thiserror::Error)]
pub enum ExperimentError {
    /// A method can't be put on the backbone.
    #[error(transparent)]
    Tuning(#[from] TuningError),
    /// The task needs a head that there is none of.
    #[error(transparent)]
    Head(#[from] tuning::NoHead),
    /// Training failed.
    #[error("{method} with seed {seed}: {source}")]
    Fit {
        /// What was tuned.
        method: &'static str,
        /// With which seed.
        seed: u64,
        /// Why.
        source: FitError,
    },
    /// What was tuned gives no answers.
    #[error("{method} with seed {seed} on {domain}: {source}")]
    Unanswered {
        /// What was tuned.
        method: &'static str,
        /// With which seed.
        seed: u64,
        /// The domain whose rows were asked.
        domain: String,
        /// Why.
        source: eval::NotFinite,
    },
    /// What a training goes on from can't be written or read.
    #[error(transparent)]
    Halt(#[from] CheckpointerError),
    /// The watcher broke it off.
    #[error("interrupted")]
    Interrupted(#[from] Interrupted),
    /// What was tuned elsewhere can't be read, or is none of this model's.
    #[error(transparent)]
    Elsewhere(#[from] elsewhere::ElsewhereError),
    /// What a training left can't be read.
    #[error(transparent)]
    Trained(#[from] TrainedError),
    /// A record, or something of the store, can't be written or read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A piece of a study that another is to be computed before.
    #[error("{piece} needs {input}, which the store does not have{hint}")]
    Lacks {
        /// What was to be computed.
        piece: String,
        /// What it needs.
        input: String,
        /// Where else there is one.
        hint: String,
    },
    /// A run that was to be done elsewhere.
    #[error("{name}: wanted its record or why it failed, found neither")]
    Lost {
        /// The folder of the run's record.
        name: String,
    },
}

/// What a watcher of the experiment is told.
#[derive(Debug)]
pub enum Event<'a> {
    /// A complete record of this cell was found; it is not run again.
    Found(&'a StoredRecord),
    /// A trial of the search for a method's recipe starts.
    Trying {
        /// The cell, with the trial's recipe.
        cell: &'a Cell,
        /// Which trial, from 1.
        number: usize,
    },
    /// A training that was broken off resumes.
    Resumed {
        /// Steps taken before.
        step: usize,
    },
    /// A training step was taken.
    Step {
        /// Steps taken.
        step: usize,
        /// The step's mean loss a target token.
        loss: f64,
    },
    /// Source validation was scored.
    Validated(CurvePoint),
    /// Tuning goes on with a few examples of a target.
    TuningOn {
        /// The target.
        domain: &'a str,
        /// `K`.
        examples: usize,
        /// Steps that will be taken.
        steps: usize,
    },
    /// So many of a domain's examples are answered by what was tuned until a step.
    Checkpoint {
        /// The step.
        step: usize,
        /// The domain.
        domain: &'a str,
        /// Examples answered.
        done: usize,
        /// Examples in all.
        total: usize,
    },
    /// So many of a domain's examples are answered.
    Predicting {
        /// The domain.
        domain: &'a str,
        /// Examples answered.
        done: usize,
        /// Examples in all.
        total: usize,
    },
    /// What a training was to go on from can't be used: it was put elsewhere, and the training starts over.
    SetAside {
        /// Why.
        error: &'a CheckpointerError,
        /// Where it is now.
        now: &'a Path,
    },
    /// Another process trains what is wanted: it is waited for.
    Waiting(&'a StoreError),
    /// It trains still.
    StillWaiting,
    /// A cell's record is written.
    Recorded(&'a StoredRecord),
    /// A cell failed, and why; the plan goes on without it.
    Failed(&'a str),
}

/// Fills in what recipes leave open until the source and the tokenizer are known: the tokens of the
/// words for the source's classes.
pub fn resolve(plan: &mut Plan, datasets: &Datasets, backbone: &Backbone) {
    let words = plan
        .setting
        .wording
        .words(&datasets.source.card)
        .into_iter();
    let mut ids: Vec<u32> = (words.flatten())
        .flat_map(|word| backbone.tokenizer.encode(word))
        .collect();
    if !ids.is_empty() {
        ids.push(backbone.tokenizer.end());
    }
    ids.sort_unstable();
    ids.dedup();
    for recipe in plan.recipes.values_mut() {
        if tuning::wants_labels(recipe) {
            recipe.label_ids.clone_from(&ids);
        }
    }
}

/// Whether every method of the plan can be put on the backbone, before any time is spent. Gives the lengths
/// that the backbone has positions for, whichever of them it is asked with, a prompt of `longest` vectors that was
/// tuned elsewhere among them.
///
/// # Errors
/// One can't.
pub fn check(
    plan: &Plan,
    datasets: &Datasets,
    backbone: &Backbone,
    longest: usize,
) -> Result<Limits, TuningError> {
    let mut most = longest;
    for recipe in plan.recipes.values() {
        tuning::supports(recipe, backbone.config.kind())?;
        let words = words(recipe, &plan.setting.wording, &datasets.source, backbone, 0)?;
        tuning::check_labels(recipe, &words, backbone.config.vocabulary())?;
        let vectors = match recipe.delta {
            DeltaRecipe::Preamble(_) => words.preamble.len(),
            _ => recipe.prompt_length(),
        };
        most = most.max(vectors);
        if let Some(prompt) = &recipe.prompt {
            tuning::check(prompt, &words, backbone.config.vocabulary())?;
        }
    }
    tuning::within(plan.setting.limits, most, &backbone.config)
}

impl ExperimentError {
    /// Whether one cell alone came to nothing: it is kept as failed, and the plan goes on without it.
    pub(crate) fn is_of_cell(&self) -> bool {
        matches!(
            self,
            ExperimentError::Fit { .. }
                | ExperimentError::Unanswered { .. }
                | ExperimentError::Lacks { .. }
        )
    }
}

/// Runs what goes on from what is kept in `begun`, if anything is; where that is damaged it is set aside,
/// and the training starts over.
fn past_damage<T>(
    begun: &Path,
    watch: &mut Watch,
    mut run: impl FnMut(&mut Watch) -> Result<T, ExperimentError>,
) -> Result<T, ExperimentError> {
    match run(watch) {
        Err(ExperimentError::Halt(error)) if error.is_damage() => {
            let now = set_aside(begun)?;
            watch(Event::SetAside {
                error: &error,
                now: &now,
            })?;
            run(watch)
        }
        ended => ended,
    }
}

/// Training of a cell that ended early.
fn failed(error: FitError, cell: &Cell) -> ExperimentError {
    match error {
        FitError::Checkpointer(error) => error.into(),
        source => ExperimentError::Fit {
            method: cell.method.title(),
            seed: cell.seed,
            source,
        },
    }
}
