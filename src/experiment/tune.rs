//! Tuning a cell on its source, the best step chosen on source validation.

use std::ops::ControlFlow;

use super::evaluate::{answers, predictions};
use super::run::Run;
use super::{Event, ExperimentError, failed};
use crate::material::Source;
use promptshift_numbers::record::store::{Draft, StoreError};
use promptshift_numbers::record::{Provenance, Score, Training, ValidationAnswers};
use promptshift_numbers::score::{Metric, score};
use promptshift_tensors::batch::encode;
use promptshift_tensors::eval::EvalError;
use promptshift_tensors::eval::predict::Answer;
use promptshift_tensors::memory::peak_of;
use promptshift_tensors::train::{FitError, Fitted, Halts, TrainingSet, fit};
use promptshift_tensors::tuning::{self, Tuned};

impl Run<'_> {
    /// Applies the cell's method to the backbone and trains it on the source alone. What it returns is as
    /// training left it: [`Tuned::finished`] is what answers.
    pub fn tune(
        &self,
        provenance: &Provenance,
        draft: &Draft,
        halts: &mut Halts,
        watch: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<(Tuned, Option<Training>, Option<ValidationAnswers>), ExperimentError> {
        let (cell, backbone) = (self.cell, self.backbone);
        let source = self.source();
        let Some(recipe) = &cell.recipe else {
            let (task, classes) = (source.card.task, source.card.labels.len());
            let score_by = cell.wording.score_by;
            let head = tuning::head_form(&backbone.config, task, classes, score_by)?;
            return Ok((Tuned::untuned_on(backbone, head, cell.seed), None, None));
        };
        let tuned = self.applied(recipe)?;
        let trainable_parameters = tuned.trainable_parameters();
        let total_parameters = tuned.parameter_count();
        let train = self.training_set();
        let (fitted, peak_bytes) =
            peak_of(|| self.fit_on_source(tuned, &train, Some(halts), watch));
        let (fitted, kept) = fitted.map_err(|error| failed(error, cell))?;
        let best = fitted.best;
        let answering = best.clone().finished();
        let saved = answering.save(cell, &backbone.config, provenance, draft.path())?;
        let training = Training {
            trainable_parameters,
            total_parameters,
            examples: train.encodings().len(),
            cut_inputs: train.cut_inputs(),
            steps: fitted.steps,
            best_step: fitted.best_step,
            stop: fitted.stop,
            curve: fitted.curve,
            tokens: fitted.tokens,
            train_seconds: fitted.training.as_secs_f64(),
            validation_seconds: fitted.validation.as_secs_f64(),
            peak_bytes,
            peak_parts: fitted.peak,
            movement: fitted.movement,
            checkpoints: Vec::new(),
            saved,
        };
        let validation = kept.write(source, draft)?;
        Ok((best, Some(training), Some(validation)))
    }

    /// Trains on the source's training rows, choosing the step by its validation rows, whose answers at
    /// that step are kept.
    pub fn fit_on_source(
        &self,
        tuned: Tuned,
        train: &TrainingSet,
        halts: Option<&mut Halts>,
        watch: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<(Fitted, Kept), FitError> {
        let (cell, source) = (self.cell, self.source());
        let recipe = cell.recipe.as_ref().expect("what is trained has a recipe");
        let metric = Metric::main(source.card.task);
        let validation = &source.validation.examples;
        let asker = self.asker();
        let encodings = encode(validation, &self.backbone.tokenizer, &cell.limits);
        let mut kept = Kept::default();
        let mut validate = |tuned: &Tuned| -> Result<f64, EvalError> {
            let go_on = &mut |_| ControlFlow::Continue(());
            let answers = answers(&asker, tuned, &source.validation, &encodings, go_on)?;
            let scores: Vec<Score> = validation
                .iter()
                .zip(&answers)
                .map(|(example, answer)| score(&answer.text, &example.gold, &source.card.labels))
                .collect();
            let score = metric.value(&scores);
            kept.offer(score, answers);
            Ok(score)
        };
        let fitted = fit(
            tuned,
            train,
            recipe,
            cell.seed,
            halts,
            &mut validate,
            &mut |progress| watch(Event::Training(progress)),
        )?;
        Ok((fitted, kept))
    }
}

/// The answers to source validation of the best step so far.
#[derive(Default)]
pub(super) struct Kept {
    score: Option<f64>,
    answers: Vec<Answer>,
}

impl Kept {
    /// Keeps the answers if [`fit`] keeps their step: the highest score, the earlier of equals.
    fn offer(&mut self, score: f64, answers: Vec<Answer>) {
        if self.score.is_none_or(|best| score > best) {
            *self = Kept {
                score: Some(score),
                answers,
            };
        }
    }

    fn write(&self, source: &Source, draft: &Draft) -> Result<ValidationAnswers, StoreError> {
        let card = &source.card;
        let predictions = predictions(&source.validation, &self.answers, card, card);
        // No domain's name has an @.
        let name = format!("{}@validation", source.card.name);
        let file = draft.write_predictions(&name, &predictions)?;
        Ok(ValidationAnswers {
            examples: predictions.len(),
            predictions: file.file,
            predictions_sha256: file.sha256,
        })
    }
}
