//! The main path: training → answers → record. Earlier trainings and answers come from the
//! [store](promptshift_numbers::store), from which a record is assembled.

mod answer;
mod checkpoints;
mod context;
mod cost;
pub mod elsewhere;
mod join;
mod k_shot;
mod piece;
mod runner;
mod search;
pub mod step_memory;
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
use promptshift_tensors::train::{CheckpointerError, FitError, Update, set_aside};
use promptshift_tensors::tuning::saved::TrainedError;
use promptshift_tensors::tuning::{self, TuningError};
use promptshift_text::domain::labels::LabelMismatch;

pub use answer::{prediction, score_answer, stored};
pub use checkpoints::places as checkpoint_steps;
pub use cost::{Cost, Costs, Speed, relative_length, step_operations};
pub use piece::State;
pub use runner::{Keep, Keeping, Runner, Searched, ToDo};
use words::words;

/// The watcher stopped the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("interrupted")]
pub struct Interrupted;

/// The watcher of an experiment: receives every event, and may stop the work.
pub type Watch<'a> = dyn FnMut(Event) -> Result<(), Interrupted> + 'a;

/// Why an experiment failed.
#[derive(Debug, thiserror::Error)]
pub enum ExperimentError {
    /// A method does not support the backbone.
    #[error(transparent)]
    Tuning(#[from] TuningError),
    /// No head suits the task.
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
    /// The tuned model's output is not finite.
    #[error("{method} with seed {seed} on {domain}: {source}")]
    Unanswered {
        /// What was tuned.
        method: &'static str,
        /// With which seed.
        seed: u64,
        /// The domain whose rows it answered.
        domain: String,
        /// Why.
        source: eval::NotFinite,
    },
    /// A checkpoint can't be written or read.
    #[error(transparent)]
    Checkpointer(#[from] CheckpointerError),
    /// The watcher stopped it.
    #[error("interrupted")]
    Interrupted(#[from] Interrupted),
    /// A result tuned elsewhere can't be read, or is not for this model.
    #[error(transparent)]
    Elsewhere(#[from] elsewhere::ElsewhereError),
    /// The answers' labels can't be read as those of the domain.
    #[error(transparent)]
    Labels(#[from] LabelMismatch),
    /// A training's result can't be read.
    #[error(transparent)]
    Trained(#[from] TrainedError),
    /// A record, or a file of the store, can't be written or read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A piece of a study lacks the result of another.
    #[error("{piece} needs {input}, which the store does not have{hint}")]
    Lacks {
        /// The piece that was to be computed.
        piece: String,
        /// The piece that it needs.
        input: String,
        /// Where another result exists.
        hint: String,
    },
    /// A worker's run left neither a record nor an error.
    #[error("{name}: found neither a record nor an error")]
    Lost {
        /// The folder of the run's record.
        name: String,
    },
}

/// The outcome of a plan.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The records of the completed cells, in the plan's order.
    pub records: Vec<StoredRecord>,
    /// Why the other cells have no record.
    pub failed: Vec<String>,
}

impl Outcome {
    /// Checks that every cell has a record.
    ///
    /// # Errors
    /// Some failed.
    pub fn complete(&self) -> Result<(), SomeFailed> {
        match self.failed.len() {
            0 => Ok(()),
            count => Err(SomeFailed {
                count,
                runs: count + self.records.len(),
                reasons: self.failed.join("; "),
            }),
        }
    }
}

/// The error of a plan in which some runs failed.
#[derive(Debug, thiserror::Error)]
#[error("{count} of {runs} runs failed, and reports show them as failed: {reasons}")]
pub struct SomeFailed {
    count: usize,
    runs: usize,
    reasons: String,
}

/// An event of an experiment.
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
    /// An interrupted training resumes.
    Resumed {
        /// Steps taken before.
        step: usize,
    },
    /// A training step was taken.
    Step {
        /// Steps taken.
        step: usize,
        /// The step's mean loss per target token.
        loss: f64,
        /// What else it did.
        update: Update,
    },
    /// Source validation was scored.
    Validated(CurvePoint),
    /// Training continues with a few examples of a target.
    TuningOn {
        /// The target.
        domain: &'a str,
        /// `K`.
        examples: usize,
        /// Steps to take.
        steps: usize,
    },
    /// Progress of answering at a checkpoint.
    Checkpoint {
        /// The checkpoint's step.
        step: usize,
        /// The domain.
        domain: &'a str,
        /// Examples answered.
        done: usize,
        /// Examples in all.
        total: usize,
    },
    /// Progress of answering.
    Predicting {
        /// The domain.
        domain: &'a str,
        /// Examples answered.
        done: usize,
        /// Examples in all.
        total: usize,
    },
    /// A checkpoint can't be used: it was moved away, and the training starts over.
    SetAside {
        /// Why.
        error: &'a CheckpointerError,
        /// Its new path.
        now: &'a Path,
    },
    /// Waiting for another process, which runs the training that is needed.
    Waiting(&'a StoreError),
    /// The other process is still training.
    StillWaiting,
    /// A cell's record is written.
    Recorded(&'a StoredRecord),
    /// A cell failed, with the error; the plan continues without it.
    Failed(&'a str),
}

/// Sets what recipes leave open until source and tokenizer are known: the tokens of the words for the
/// source's classes.
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

/// Checks that every method of the plan supports the backbone, before anything is trained. Returns limits
/// within the backbone's positions for all of the methods, and for a prompt of `longest` vectors that was
/// tuned elsewhere.
///
/// # Errors
/// A method does not.
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
    /// Whether the error only concerns one cell, which is recorded as failed while the plan continues.
    pub(crate) fn is_of_cell(&self) -> bool {
        matches!(
            self,
            ExperimentError::Fit { .. }
                | ExperimentError::Unanswered { .. }
                | ExperimentError::Lacks { .. }
        )
    }
}

/// Runs work that resumes from the checkpoint in `begun`, if there is one. A damaged checkpoint is moved
/// away, and training starts over.
fn past_damage<T>(
    begun: &Path,
    watch: &mut Watch,
    mut run: impl FnMut(&mut Watch) -> Result<T, ExperimentError>,
) -> Result<T, ExperimentError> {
    match run(watch) {
        Err(ExperimentError::Checkpointer(error)) if error.is_damage() => {
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

/// The error of a cell's training.
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
