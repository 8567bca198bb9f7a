//! Trains on the source alone, choosing the best step by source validation; cells with the same training share it.

use std::fs;
use std::path::Path;

use super::answer::{predictions, stored};
use super::checkpoints::{Checkpoints, STEP, step_file};
use super::context::CellContext;
use super::runner::{Claimed, Keep, Runner};
use super::{Event, ExperimentError, Watch, failed, past_damage};
use crate::plan::Plan;
use promptshift_numbers::provenance;
use promptshift_numbers::recipe::{Method, Recipe};
use promptshift_numbers::record::folder::{StoreError, write_predictions};
use promptshift_numbers::record::{Provenance, Score, Training, ValidationAnswers};
use promptshift_numbers::score::{Metric, floor, score};
use promptshift_numbers::store::{StoredTraining, Subject, TrainingRecord, Work};
use promptshift_tensors::batch::{Encoding, encode};
use promptshift_tensors::eval::NotFinite;
use promptshift_tensors::eval::predict::Answer;
use promptshift_tensors::memory::peak_of;
use promptshift_tensors::train::{self, Checkpointer, FitError, Fitted, Fitting, TrainingSet};
use promptshift_tensors::tuning::Tuned;
use promptshift_tensors::tuning::saved::{Metadata, restored, save_trained, trained_bytes};
use promptshift_text::atomic_file;
use promptshift_text::domain::labels::LabelMap;

/// A training and, if in memory, the tuned model: without gradients, before [`Tuned::into_inference`].
pub(super) type Trained = (StoredTraining, Option<Tuned>);

/// Receives the parameters after every step.
type AtStep<'a> = dyn FnMut(usize, &Tuned, &mut Watch) -> Result<(), ExperimentError> + 'a;

impl Runner<'_> {
    /// The untuned backbone's score on source validation, asked as after training, and the floor there if it is defined;
    /// both in [0, 1].
    ///
    /// # Errors
    /// No head suits the task, or the model's output is not finite.
    pub fn untuned_validation(&self, plan: &Plan) -> Result<(f64, Option<f64>), ExperimentError> {
        let cell = plan.cell(Method::Untuned, 0);
        let context = self.context(&cell);
        let untuned = context.untuned()?.into_inference();
        let validated = context.validated(&untuned, &context.validation_encodings());
        let (score, _) = validated.map_err(|source| ExperimentError::Unanswered {
            method: cell.method.title(),
            seed: cell.seed,
            domain: cell.setting.source.clone(),
            source,
        })?;
        let source = context.source();
        let rows = [&source.train.examples, &source.validation.examples];
        let labels = LabelMap::same(&source.card);
        Ok((score, floor(rows[0], rows[1], &labels)))
    }

    /// The provenance of a result that is computed now.
    pub fn provenance(&self) -> Provenance {
        provenance::collect(self.origin.clone())
    }

    /// The cell's training, from the store or computed now. Waits while another process is computing it.
    pub(super) fn trained(
        &self,
        context: CellContext,
        subject: &Subject,
        watch: &mut Watch,
    ) -> Result<Trained, ExperimentError> {
        let done = || self.training(subject);
        match self.claimed(&self.environment.name(subject), &done, watch)? {
            Claimed::Done(found) => Ok((found, None)),
            Claimed::Work(work) => self.train(context, subject, *work, watch),
        }
    }

    /// A training's tuned model, read from its file; trained again if the file was not kept.
    pub(super) fn reopened(
        &self,
        context: CellContext,
        training: &StoredTraining,
        watch: &mut Watch,
    ) -> Result<Tuned, ExperimentError> {
        if let Some(path) = training.trained() {
            match context.restored(&path) {
                // Another process has just deleted it.
                Err(_) if !path.exists() => {}
                restored => return restored,
            }
        }
        let recipe = &training.record.subject.recipe;
        let tuned = context.applied(recipe)?;
        let train = context.training_set();
        let (fitted, _) =
            context.fit_on_source(tuned, &train, None, &mut |_, _, _| Ok(()), watch)?;
        Ok(fitted.best)
    }

    fn train(
        &self,
        context: CellContext,
        subject: &Subject,
        work: Work,
        watch: &mut Watch,
    ) -> Result<Trained, ExperimentError> {
        let (cell, backbone) = (context.cell, context.backbone);
        let recipe = &subject.recipe;
        let provenance = provenance::collect(self.origin.clone());
        let metadata = Metadata::of_cell(cell, backbone.config.kind(), &provenance);
        let train = context.training_set();
        let name = self.environment.name(subject);
        let (fitted, kept, sizes, peak_bytes) = past_damage(&work.begun(), watch, |watch| {
            let tuned = context.applied(recipe)?;
            let sizes = (tuned.trainable_parameters(), tuned.parameter_count());
            let checkpointer = Checkpointer::new(work.begun(), name.clone());
            let checkpoints = Checkpoints::of(self, context, subject)?;
            let mut keep_step = |step: usize, tuned: &Tuned| match self.keep {
                Keep::All => {
                    let bytes = trained_bytes(tuned, recipe, &backbone.config, &metadata);
                    write(&step_file(&work.begun(), step), &bytes)
                }
                Keep::Deltas | Keep::None => Ok(()),
            };
            let mut at_step = |step: usize, tuned: &Tuned, watch: &mut Watch| {
                checkpoints.pass(step, tuned, &mut keep_step, watch)
            };
            let (fitted, peak_bytes) = peak_of(|| {
                context.fit_on_source(tuned, &train, Some(checkpointer), &mut at_step, watch)
            });
            let (fitted, kept) = fitted?;
            Ok((fitted, kept, sizes, peak_bytes))
        })?;
        let best = fitted.best;
        let draft = work.draft();
        let saved = save_trained(&best, recipe, &backbone.config, &metadata, &draft)?;
        take_steps(&work.begun(), &draft)?;
        let record = TrainingRecord {
            subject: subject.clone(),
            environment: self.environment.clone(),
            provenance,
            training: Training {
                trainable_parameters: sizes.0,
                total_parameters: sizes.1,
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
                reserved_peak_bytes: fitted.reserved_peak,
                movement: fitted.movement,
                checkpoints: Vec::new(),
                saved: saved.answering,
                stored_as: Some(name),
            },
            validation: kept.write(context, &draft)?,
            trained: saved.trained,
        };
        Ok((work.finish(&record)?, Some(best)))
    }
}

impl CellContext<'_> {
    /// A tuned model, read from a training's file.
    pub fn restored(&self, path: &Path) -> Result<Tuned, ExperimentError> {
        let recipe = self
            .cell
            .recipe
            .as_ref()
            .expect("what was trained has a recipe");
        let words = self.words(recipe)?;
        Ok(restored(
            self.backbone,
            recipe,
            &words,
            self.cell.seed,
            path,
        )?)
    }

    fn validation_encodings(&self) -> Vec<Encoding> {
        let validation = &self.source().validation.examples;
        encode(
            validation,
            &self.backbone.tokenizer,
            &self.cell.setting.limits,
        )
    }

    /// Answers source validation; the main metric, in [0, 1], and the answers.
    fn validated(
        &self,
        tuned: &Tuned,
        encodings: &[Encoding],
    ) -> Result<(f64, Vec<Answer>), NotFinite> {
        let source = self.source();
        let wording = self.training_wording();
        let asker = CellContext { ..*self }.asker(&wording);
        let mut answers = Vec::with_capacity(encodings.len());
        for part in &source.validation.parts {
            let encodings = &encodings[part.rows.clone()];
            answers.extend(asker.answering(tuned, &part.card, encodings)?.finish()?);
        }
        let scores: Vec<Score> = (source.validation.examples.iter().zip(&answers))
            .map(|(example, answer)| score(&answer.text, &example.gold, &source.card))
            .collect();
        Ok((Metric::main(source.card.task).value(&scores), answers))
    }

    /// Trains on the source's training rows and chooses the step by its validation rows, whose answers at
    /// that step are kept. `at_step` receives the parameters after every step. If the training is
    /// interrupted, a last checkpoint is written to `checkpointer`.
    pub fn fit_on_source(
        &self,
        tuned: Tuned,
        train: &TrainingSet,
        checkpointer: Option<Checkpointer>,
        at_step: &mut AtStep,
        watch: &mut Watch,
    ) -> Result<(Fitted, BestAnswers), ExperimentError> {
        let cell = self.cell;
        let recipe: &Recipe = cell.recipe.as_ref().expect("what is trained has a recipe");
        let encodings = self.validation_encodings();
        let mut kept = BestAnswers::default();
        let mut validate = |tuned: &Tuned| -> Result<f64, NotFinite> {
            let (score, answers) = self.validated(tuned, &encodings)?;
            kept.offer(score, answers);
            Ok(score)
        };
        let failed = |error: FitError| failed(error, cell);
        let fit = Fitting::new(tuned, train, recipe, cell.seed, checkpointer).map_err(failed)?;
        let mut fit = fit.on(self.further_devices);
        while let Some(event) = fit.next_event().map_err(failed)? {
            let seen = match event {
                train::Event::Resumed { step } => {
                    watch(Event::Resumed { step })?;
                    // The interruption may have come while this step's checkpoint was being answered.
                    at_step(step, fit.tuned(), watch)?;
                    validate(fit.best()).map_err(|error| failed(error.into()))?;
                    Ok(())
                }
                train::Event::Step { step, loss, update } => {
                    let seen = at_step(step, fit.tuned(), watch);
                    seen.and_then(|()| Ok(watch(Event::Step { step, loss, update })?))
                }
                train::Event::ValidationDue => {
                    let point = fit.validate(&mut validate).map_err(failed)?;
                    watch(Event::Validated(point)).map_err(ExperimentError::from)
                }
            };
            if let Err(stop) = seen {
                fit.keep()?;
                return Err(stop);
            }
        }
        Ok((fit.finish(), kept))
    }
}

/// The answers to source validation of the best step so far.
#[derive(Default)]
pub(super) struct BestAnswers {
    score: Option<f64>,
    answers: Vec<Answer>,
}

impl BestAnswers {
    /// Keeps the answers if [`Fitting`] keeps their step: the highest score, the earlier step on ties.
    fn offer(&mut self, score: f64, answers: Vec<Answer>) {
        if self.score.is_none_or(|best| score > best) {
            *self = BestAnswers {
                score: Some(score),
                answers,
            };
        }
    }

    fn write(&self, context: CellContext, folder: &Path) -> Result<ValidationAnswers, StoreError> {
        let source = context.source();
        let card = &source.card;
        let answers: Vec<_> = (self.answers.iter())
            .map(|answer| stored(String::new(), answer))
            .collect();
        let answers: Vec<_> = answers.iter().collect();
        let predictions = predictions(&source.validation, &answers, &LabelMap::same(card));
        // No variant of a domain has this name.
        let name = format!("{}@validation", card.name);
        let file = write_predictions(folder, &name, &predictions)?;
        Ok(ValidationAnswers {
            examples: predictions.len(),
            predictions: file.file,
            predictions_sha256: file.sha256,
        })
    }
}

/// Moves the weights at past checkpoints, which are stored with the resumable state, into the training.
fn take_steps(begun: &Path, draft: &Path) -> Result<(), ExperimentError> {
    let Ok(entries) = fs::read_dir(begun) else {
        return Ok(());
    };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(STEP) {
            let path = entry.path();
            // They also stay there until the training has its final name: the process may still be killed.
            let to = draft.join(entry.file_name());
            atomic_file::link(&path, &to).map_err(io("copy", &path))?;
        }
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), ExperimentError> {
    let folder = path.parent().unwrap_or(Path::new(""));
    fs::create_dir_all(folder).map_err(io("make the folder", folder))?;
    // An incomplete file is written again, since a killed training resumes from an earlier step.
    fs::write(path, bytes).map_err(io("write", path))
}

fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> ExperimentError {
    let path = path.to_owned();
    move |source| {
        StoreError::Io {
            action,
            path,
            source,
        }
        .into()
    }
}
