//! Scores every method at earlier steps of its training, on source and targets, for the path in the report's
//! figure and the comparison at equal source scores.
//!
//! Training does not depend on this: it passes its steps to an observer and gets no score back. Each
//! checkpoint has twice the steps of the one before: scores rise fast at first, and the path should reach
//! down to methods that score below model tuning's final score. Model tuning, the reference, answers all
//! rows, and source validation, by which a checkpoint is chosen; the other methods answer a sample. The store
//! treats answers at a checkpoint like any others.

use std::path::{Path, PathBuf};

use super::answer::predictions;
use super::context::{CellContext, ToAnswer, at_step};
use super::runner::{Keep, Runner};
use super::{Event, ExperimentError, Watch};
use crate::datasets::{Rows, TestSet};
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::folder::{Draft, write_predictions};
use promptshift_numbers::record::{
    Checkpoint, CheckpointPredictions, CheckpointScore, Prediction, Score,
};
use promptshift_numbers::score::Metric;
use promptshift_numbers::store::{Asked, Of, StoredTraining, Subject};
use promptshift_tensors::memory;
use promptshift_tensors::tuning::{Parameters, Tuned};
use promptshift_text::domain::card::Card;
use promptshift_text::domain::labels::LabelMap;
use promptshift_text::domain::sampling::drawn;

/// The number of checkpoints, if the training is long enough.
const COUNT: u32 = 5;

/// For methods other than model tuning, the maximum number of examples of each test split. They are drawn by
/// name, so they are always the same; they only serve a figure.
const EXAMPLES: usize = 100;

/// Before this step a model scores like the untuned one. A shorter training has one checkpoint, at half of
/// its steps.
const FIRST: usize = 8;

/// The checkpoints of a training with this many steps: half of them, a quarter, and so on, ascending.
pub fn places(steps: usize) -> Vec<usize> {
    let first = FIRST.min(steps / 2).max(1);
    let halves = (1..=COUNT).rev().map(|halvings| steps >> halvings);
    halves.filter(|step| *step >= first).collect()
}

/// The checkpoints of a training.
pub(super) fn steps_of(subject: &Subject) -> Vec<usize> {
    places(subject.recipe.budget.steps)
}

pub(super) const STEP: &str = "step-";

/// The file of the weights at a checkpoint.
pub(super) fn step_file(folder: &Path, step: usize) -> PathBuf {
    folder.join(format!("{STEP}{step}.safetensors"))
}

/// Rows of a domain that are answered at a checkpoint, and their wording.
struct Question<'a> {
    asked: Asked,
    card: &'a Card,
    rows: &'a Rows,
    /// The indices of the rows to answer.
    places: Vec<usize>,
}

impl<'a> Question<'a> {
    /// For each test set, in the order of the evaluations.
    fn of_tests(context: CellContext<'a>, of: &Of) -> Vec<Question<'a>> {
        let question = |test: &'a TestSet| Question {
            asked: context.asked(of.clone(), test),
            card: &test.card,
            rows: &test.rows,
            places: places_of(context.cell.method, &test.rows),
        };
        context.datasets.tests.iter().map(question).collect()
    }

    /// For source validation, which only model tuning answers.
    fn of_validation(context: CellContext<'a>, of: &Of) -> Option<Question<'a>> {
        let rows = &context.source().validation;
        (context.cell.method == Method::Model).then(|| Question {
            asked: context.validation_asked(of.clone()),
            card: &context.source().card,
            rows,
            places: (0..rows.examples.len()).collect(),
        })
    }
}

fn places_of(method: Method, rows: &Rows) -> Vec<usize> {
    match method {
        Method::Model => (0..rows.examples.len()).collect(),
        _ => drawn(
            rows.examples.iter().map(|example| example.id.as_str()),
            EXAMPLES,
        ),
    }
}

/// Answers the questions at a training's checkpoints while it runs.
pub(super) struct Checkpoints<'a> {
    runner: &'a Runner<'a>,
    context: CellContext<'a>,
    of: Of,
    steps: Vec<usize>,
}

impl<'a> Checkpoints<'a> {
    pub(super) fn of(
        runner: &'a Runner<'a>,
        context: CellContext<'a>,
        subject: &Subject,
    ) -> Result<Self, ExperimentError> {
        Ok(Checkpoints {
            runner,
            context,
            of: context.of(Some(runner.environment.name(subject)))?,
            steps: steps_of(subject),
        })
    }

    /// If the step just taken is a checkpoint, answers its questions; `keep` then receives the model.
    pub(super) fn pass(
        &self,
        step: usize,
        tuned: &Tuned,
        keep: &mut dyn FnMut(usize, &Tuned) -> Result<(), ExperimentError>,
        watch: &mut Watch,
    ) -> Result<(), ExperimentError> {
        if !self.steps.contains(&step) {
            return Ok(());
        }
        // The training's memory peak must not include this.
        memory::apart(|| {
            let tuned = tuned.off_tape();
            keep(step, &tuned)?;
            let tuned = &mut || Ok(tuned.clone());
            (self.runner).answer_at_step(self.context, &self.of, step, tuned, watch)
        })
    }
}

impl Runner<'_> {
    /// The bytes of weights that a training will leave in the store: the final ones, in single precision, and
    /// those at checkpoints if they are kept.
    pub(super) fn weight_bytes(&self, subject: &Subject) -> u64 {
        let stored = Parameters::of(&subject.recipe, &self.backbone.config).stored as u64;
        let times = match self.keep {
            Keep::All => 1 + steps_of(subject).len() as u64,
            Keep::Deltas => 1,
            Keep::None => 0,
        };
        4 * stored * times
    }

    /// Answers missing questions at a training's checkpoints, if the weights were kept.
    pub(super) fn answer_at_steps(
        &self,
        context: CellContext,
        training: &StoredTraining,
        watch: &mut Watch,
    ) -> Result<(), ExperimentError> {
        let subject = &training.record.subject;
        let of = context.of(Some(training.name.clone()))?;
        for step in steps_of(subject) {
            let path = step_file(&training.folder, step);
            if path.exists() {
                let tuned = &mut || context.restored(&path);
                self.answer_at_step(context, &of, step, tuned, watch)?;
            }
        }
        Ok(())
    }

    fn answer_at_step(
        &self,
        context: CellContext,
        of: &Of,
        step: usize,
        tuned: &mut dyn FnMut() -> Result<Tuned, ExperimentError>,
        watch: &mut Watch,
    ) -> Result<(), ExperimentError> {
        let of = at_step(of, step);
        let mut loaded = None;
        let questions = Question::of_tests(context, &of).into_iter();
        for question in questions.chain(Question::of_validation(context, &of)) {
            let Question {
                asked,
                rows,
                places,
                ..
            } = question;
            let to_answer = self.to_answer(&asked, &rows.at(&places), watch)?;
            let Some((missing, _claim)) = to_answer else {
                continue;
            };
            let places: Vec<usize> = missing.into_iter().map(|at| places[at]).collect();
            if loaded.is_none() {
                loaded = Some(tuned()?);
            }
            let tuned = loaded.as_ref().expect("just loaded");
            let watch: &mut Watch = &mut |event| match event {
                Event::Predicting {
                    domain,
                    done,
                    total,
                } => watch(Event::Checkpoint {
                    step,
                    domain,
                    done,
                    total,
                }),
                other => watch(other),
            };
            let to_answer = ToAnswer {
                asked,
                rows,
                places: &places,
                few_shot_seconds: None,
            };
            self.answer(context, tuned, to_answer, watch)?;
        }
        Ok(())
    }

    /// A training's checkpoints with complete answers; predictions are written into the draft of its record.
    pub(super) fn checkpoints(
        &self,
        context: CellContext,
        training: &StoredTraining,
        draft: &Draft,
    ) -> Result<Vec<Checkpoint>, ExperimentError> {
        let of = context.of(Some(training.name.clone()))?;
        let steps = steps_of(&training.record.subject).into_iter();
        let found = steps.map(|step| self.checkpoint(context, &at_step(&of, step), step, draft));
        found.filter_map(Result::transpose).collect()
    }

    fn checkpoint(
        &self,
        context: CellContext,
        of: &Of,
        step: usize,
        draft: &Draft,
    ) -> Result<Option<Checkpoint>, ExperimentError> {
        let card = &context.source().card;
        let metric = Metric::main(card.task);
        let mut answered = Vec::new();
        for question in Question::of_tests(context, of) {
            match self.predictions_at(context, &question)? {
                Some(found) => answered.push((question, found)),
                None => return Ok(None),
            }
        }
        let mut seconds: f64 = answered.iter().map(|(_, (_, seconds))| seconds).sum();
        let validation_score = match Question::of_validation(context, of) {
            None => None,
            Some(question) => match self.predictions_at(context, &question)? {
                Some((predictions, own)) => {
                    seconds += own;
                    Some(metric.value(&scores(&predictions)))
                }
                None => return Ok(None),
            },
        };
        let mut on_domains = Vec::new();
        for (question, (predictions, _)) in &answered {
            let domain = &question.asked.domain;
            let kept = match context.cell.method {
                Method::Model => {
                    // No domain name contains an @.
                    let name = format!("{domain}@step-{step}");
                    let file = write_predictions(draft.path(), &name, predictions)?;
                    Some(CheckpointPredictions {
                        file: file.file,
                        sha256: file.sha256,
                    })
                }
                _ => None,
            };
            on_domains.push(CheckpointScore {
                domain: domain.clone(),
                examples: predictions.len(),
                score: metric.value(&scores(predictions)),
                predictions: kept,
            });
        }
        Ok(Some(Checkpoint {
            step,
            validation_score,
            metric: metric.name().to_owned(),
            scores: on_domains,
            seconds,
        }))
    }

    /// The answers to a question's rows and the seconds they took; `None` if some are missing.
    fn predictions_at(
        &self,
        context: CellContext,
        question: &Question,
    ) -> Result<Option<(Vec<Prediction>, f64)>, ExperimentError> {
        let rows = question.rows.at(&question.places);
        let answered = self
            .store
            .answers(&question.asked, &self.environment, self.reuse)?;
        let labels = LabelMap::between(&context.source().card, question.card)?;
        Ok(answered.give(rows.inputs()).map(|given| {
            let predictions = predictions(&rows, &given.answers, &labels);
            (predictions, given.seconds)
        }))
    }
}

fn scores(predictions: &[Prediction]) -> Vec<Score> {
    predictions
        .iter()
        .map(|prediction| prediction.score)
        .collect()
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
