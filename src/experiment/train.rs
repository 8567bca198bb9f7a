//! Training: on the source alone, the best step chosen on source validation, once for every cell that it is of.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::answer::{answers, predictions, stored};
use super::checkpoints::Checkpoints;
use super::context::Context;
use super::runner::{Keep, Runner};
use super::{Event, ExperimentError, failed, finished, past_damage};
use promptshift_numbers::provenance;
use promptshift_numbers::recipe::Recipe;
use promptshift_numbers::record::folder::{StoreError, write_predictions};
use promptshift_numbers::record::{Score, Training, ValidationAnswers};
use promptshift_numbers::score::{Metric, score};
use promptshift_numbers::store::{StoredTraining, Subject, TrainingRecord, Work};
use promptshift_tensors::batch::encode;
use promptshift_tensors::eval::EvalError;
use promptshift_tensors::eval::predict::Answer;
use promptshift_tensors::memory::peak_of;
use promptshift_tensors::train::{FitError, Fitted, Halts, TrainingSet, fit};
use promptshift_tensors::tuning::Tuned;
use promptshift_tensors::tuning::prompt_file::Metadata;
use promptshift_tensors::tuning::trained::{restored, save_trained, trained_bytes};

/// How long to wait before looking again at what another process trains.
const AGAIN: Duration = Duration::from_millis(500);

/// A training, and what it left where that is in memory already: before [`Tuned::finished`], off the tape.
pub(super) type Trained = (StoredTraining, Option<Tuned>);

impl Runner<'_> {
    /// The cell's training: the one that the store has, or else it is trained now. What another process trains is
    /// waited for.
    pub(super) fn trained(
        &self,
        context: Context,
        subject: &Subject,
        watch: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<Trained, ExperimentError> {
        let mut told = false;
        loop {
            if let Some(found) = self.training(subject)? {
                return Ok((found, None));
            }
            match self.store.begin(&self.environment.name(subject)) {
                Ok(work) => match self.training(subject)? {
                    // It was finished between the two looks.
                    Some(found) => return Ok((found, None)),
                    None => return self.train(context, subject, work, watch),
                },
                Err(error @ StoreError::Busy { .. }) => {
                    if !told {
                        finished(watch(Event::Waiting(&error)))?;
                        told = true;
                    }
                    thread::sleep(AGAIN);
                    finished(watch(Event::StillWaiting))?;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// What a training left, from its file; it is trained again where that was not kept.
    pub(super) fn reopened(
        &self,
        context: Context,
        training: &StoredTraining,
        watch: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<Tuned, ExperimentError> {
        if let Some(path) = training.trained() {
            match context.restored(&path) {
                // Another process has just let it go.
                Err(_) if !path.exists() => {}
                restored => return restored,
            }
        }
        let recipe = &training.record.subject.recipe;
        let tuned = context.applied(recipe)?;
        let fitted = context.fit_on_source(tuned, &context.training_set(), None, watch);
        Ok(fitted.map_err(|error| failed(error, context.cell))?.0.best)
    }

    fn train(
        &self,
        context: Context,
        subject: &Subject,
        work: Work,
        watch: &mut dyn FnMut(Event) -> ControlFlow<()>,
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
            let mut halts = Halts::new(work.begun(), name.clone());
            let mut checkpoints = Checkpoints::of(self, context, subject)?;
            let mut keep_step = |step: usize, tuned: &Tuned| match self.keep {
                Keep::All => {
                    let bytes = trained_bytes(tuned, recipe, &backbone.config, &metadata);
                    write(&step_file(&work.begun(), step), &bytes)
                }
                Keep::Deltas | Keep::None => Ok(()),
            };
            let (fitted, peak_bytes) = peak_of(|| {
                context.fit_on_source(tuned, &train, Some(&mut halts), &mut |event| {
                    match checkpoints.see(&event, &mut keep_step) {
                        ControlFlow::Continue(()) => watch(event),
                        broken => broken,
                    }
                })
            });
            checkpoints.passed()?;
            let (fitted, kept) = fitted.map_err(|error| failed(error, cell))?;
            Ok((fitted, kept, sizes, peak_bytes))
        })?;
        let best = fitted.best;
        let draft = work.draft();
        let saved = save_trained(&best, recipe, &backbone.config, &metadata, &draft)?;
        move_steps(&work.begun(), &draft)?;
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

impl Context<'_> {
    /// What a training left in a file.
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
        let recipe: &Recipe = cell.recipe.as_ref().expect("what is trained has a recipe");
        let metric = Metric::main(source.card.task);
        let validation = &source.validation.examples;
        let wording = self.training_wording();
        let asker = Context { ..*self }.asker(&wording);
        let encodings = encode(validation, &self.backbone.tokenizer, &cell.setting.limits);
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

    fn write(&self, context: Context, folder: &Path) -> Result<ValidationAnswers, StoreError> {
        let source = context.source();
        let card = &source.card;
        let answers: Vec<_> = (self.answers.iter())
            .map(|answer| stored(String::new(), answer))
            .collect();
        let answers: Vec<_> = answers.iter().collect();
        let predictions = predictions(&source.validation, &answers, card, card);
        // No domain's name has an @.
        let name = format!("{}@validation", card.name);
        let file = write_predictions(folder, &name, &predictions)?;
        Ok(ValidationAnswers {
            examples: predictions.len(),
            predictions: file.file,
            predictions_sha256: file.sha256,
        })
    }
}

/// The file of the weights at a step that was passed.
pub(super) fn step_file(folder: &Path, step: usize) -> PathBuf {
    folder.join(format!("{STEP}{step}.safetensors"))
}

const STEP: &str = "step-";

/// The weights at the steps that were passed are kept with what is resumed from, and belong to the training.
fn move_steps(begun: &Path, draft: &Path) -> Result<(), ExperimentError> {
    let Ok(entries) = fs::read_dir(begun) else {
        return Ok(());
    };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(STEP) {
            let path = entry.path();
            fs::rename(&path, draft.join(entry.file_name())).map_err(io("move", &path))?;
        }
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), ExperimentError> {
    let folder = path.parent().unwrap_or(Path::new(""));
    fs::create_dir_all(folder).map_err(io("make the folder", folder))?;
    let partial = path.with_extension("partial");
    fs::write(&partial, bytes).map_err(io("write", &partial))?;
    fs::rename(&partial, path).map_err(io("write", path))
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
