//! Model tuning scored on its way, on source and targets: points of the line that effective robustness
//! is measured against.
//!
//! Training knows nothing of it: it shows its steps to whoever goes through them and takes no score back. Each
//! checkpoint is at twice the steps of the one before, since scores rise fast at first and the line is
//! to reach down to methods that score less than model tuning ends at. What was answered at a checkpoint is in the
//! store as any other answer.

use std::path::{Path, PathBuf};

use super::answer::score_answer;
use super::context::{Context, at_step};
use super::runner::{Keep, Runner};
use super::{ExperimentError, Watch};
use crate::datasets::Rows;
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::Score;
use promptshift_numbers::record::checkpoint::{Checkpoint, CheckpointScore};
use promptshift_numbers::score::Metric;
use promptshift_numbers::store::{Of, StoredTraining, Subject};
use promptshift_tensors::memory;
use promptshift_tensors::tuning::{Parameters, Tuned};
use promptshift_text::domain::sampling::drawn;

/// Checkpoints of a training that is long enough.
const COUNT: u32 = 5;

/// At most so many examples of each test split, drawn by their names, the same ones every time: on the
/// miniature all checkpoints of a run cost about as much as two evaluations, elsewhere far less.
const EXAMPLES: usize = 200;

/// Before this step little is learnt, and the point is the untuned model's; a training that is shorter still is looked
/// at half way.
const FIRST: usize = 8;

/// The steps at which a training of so many is looked at: half of them, a quarter, and so on, ascending.
fn places(steps: usize) -> Vec<usize> {
    let first = FIRST.min(steps / 2).max(1);
    let halves = (1..=COUNT).rev().map(|halvings| steps >> halvings);
    halves.filter(|step| *step >= first).collect()
}

/// The steps at which a training is looked at; none but of model tuning.
pub(super) fn steps_of(subject: &Subject) -> Vec<usize> {
    match subject.method {
        Method::Model => places(subject.recipe.budget.steps),
        _ => Vec::new(),
    }
}

pub(super) const STEP: &str = "step-";

/// The file of the weights at a step that was passed.
pub(super) fn step_file(folder: &Path, step: usize) -> PathBuf {
    folder.join(format!("{STEP}{step}.safetensors"))
}

/// The rows that checkpoints are scored on.
fn rows(pool: &Rows) -> Vec<usize> {
    let names = pool.examples.iter().map(|example| example.id.as_str());
    drawn(names, EXAMPLES)
}

/// The checkpoints of one training while it goes on.
pub(super) struct Checkpoints<'a> {
    runner: &'a Runner<'a>,
    context: Context<'a>,
    of: Of,
    steps: Vec<usize>,
}

impl<'a> Checkpoints<'a> {
    pub(super) fn of(
        runner: &'a Runner<'a>,
        context: Context<'a>,
        subject: &Subject,
    ) -> Result<Self, ExperimentError> {
        Ok(Checkpoints {
            runner,
            context,
            of: context.of(Some(runner.environment.name(subject)))?,
            steps: steps_of(subject),
        })
    }

    /// Has the model answer if the step that was taken is one of the checkpoints; `keep` is given it then.
    pub(super) fn pass(
        &self,
        step: usize,
        tuned: &Tuned,
        keep: &mut dyn FnMut(usize, &Tuned) -> Result<(), ExperimentError>,
    ) -> Result<(), ExperimentError> {
        if !self.steps.contains(&step) {
            return Ok(());
        }
        // A training's peak is its own.
        memory::apart(|| {
            let tuned = tuned.off_tape();
            keep(step, &tuned)?;
            self.runner
                .answer_at_step(self.context, &self.of, step, &mut || Ok(tuned.clone()))
        })
    }
}

impl Runner<'_> {
    /// Bytes of the weights that a training will leave in the store: those for use, in single precision, and those at
    /// its checkpoints where they are kept.
    pub(super) fn weight_bytes(&self, subject: &Subject) -> u64 {
        let stored = Parameters::of(&subject.recipe, &self.backbone.config).stored as u64;
        let times = match self.keep {
            Keep::All => 1 + steps_of(subject).len() as u64,
            Keep::Deltas => 1,
            Keep::None => 0,
        };
        4 * stored * times
    }

    /// Has a training's checkpoints answer what they were not asked before, where their weights were kept.
    pub(super) fn answer_at_steps(
        &self,
        context: Context,
        training: &StoredTraining,
    ) -> Result<(), ExperimentError> {
        let subject = &training.record.subject;
        let of = context.of(Some(training.name.clone()))?;
        for step in steps_of(subject) {
            let path = step_file(&training.folder, step);
            if path.exists() {
                let tuned = &mut || context.restored(&path);
                self.answer_at_step(context, &of, step, tuned)?;
            }
        }
        Ok(())
    }

    fn answer_at_step(
        &self,
        context: Context,
        of: &Of,
        step: usize,
        tuned: &mut dyn FnMut() -> Result<Tuned, ExperimentError>,
    ) -> Result<(), ExperimentError> {
        let mut loaded = None;
        for test in &context.datasets.tests {
            let asked = context.asked(at_step(of, step), test);
            let drawn = rows(&test.rows);
            let missing = self.unanswered(&asked, &test.rows.at(&drawn))?;
            let places: Vec<usize> = missing.into_iter().map(|at| drawn[at]).collect();
            if places.is_empty() {
                continue;
            }
            if loaded.is_none() {
                loaded = Some(tuned()?);
            }
            let tuned = loaded.as_ref().expect("just loaded");
            let watch: &mut Watch = &mut |_| Ok(());
            self.answer(context, asked, tuned, (test, &places), None, watch)?;
        }
        Ok(())
    }

    /// The scores of a training's checkpoints: those at which every domain's rows were answered.
    pub(super) fn checkpoints(
        &self,
        context: Context,
        training: &StoredTraining,
    ) -> Result<Vec<Checkpoint>, ExperimentError> {
        let subject = &training.record.subject;
        let of = context.of(Some(training.name.clone()))?;
        let metric = Metric::main(context.source().card.task);
        let mut found = Vec::new();
        'steps: for step in steps_of(subject) {
            let mut scores = Vec::new();
            let mut seconds = 0.0;
            for test in &context.datasets.tests {
                let asked = context.asked(at_step(&of, step), test);
                let rows = test.rows.at(&rows(&test.rows));
                let answered = self.store.answers(&asked, &self.environment, self.reuse)?;
                let Some(given) = answered.give(rows.inputs()) else {
                    continue 'steps;
                };
                seconds += given.seconds;
                let values: Vec<Score> = (rows.examples.iter().zip(&given.answers))
                    .map(|(example, answer)| {
                        score_answer(
                            &answer.text,
                            &example.gold,
                            &context.source().card,
                            &test.card,
                        )
                    })
                    .collect();
                scores.push(CheckpointScore {
                    domain: test.card.name.clone(),
                    examples: values.len(),
                    score: metric.value(&values),
                });
            }
            found.push(Checkpoint {
                step,
                metric: metric.name().to_owned(),
                scores,
                seconds,
            });
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoints_are_at_halves_of_the_steps() {
        assert_eq!(places(400), [12, 25, 50, 100, 200]);
        assert_eq!(places(30_000), [937, 1_875, 3_750, 7_500, 15_000]);
        assert_eq!(places(40), [10, 20]);
        assert_eq!(places(8), [4]);
        assert!(places(1).is_empty() && places(0).is_empty());
    }
}
