//! The one loop that every tuning method is trained by.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use burn::module::Module;

use super::optimizer::optimizer;
use super::trainer::{Course, NotFinite, Trainer};
use super::training_set::TrainingSet;
use crate::batch::Batches;
use crate::recipe::Recipe;
use crate::record::{CurvePoint, Stop};
use crate::tuning::Tuned;

/// Training that could not be finished.
#[derive(Debug, thiserror::Error)]
pub enum FitError {
    /// The loss ran away.
    #[error(transparent)]
    NotFinite(#[from] NotFinite),
    /// The watcher broke it off.
    #[error("interrupted")]
    Interrupted,
}

/// What training came to.
pub struct Fitted {
    /// The parameters of the best step, off the tape.
    pub best: Tuned,
    /// That step.
    pub best_step: usize,
    /// Steps taken.
    pub steps: usize,
    /// Why it ended.
    pub stop: Stop,
    /// The learning curve.
    pub curve: Vec<CurvePoint>,
    /// Input and target tokens seen, padding and prompt not counted.
    pub tokens: u64,
    /// Time in training steps.
    pub training: Duration,
    /// Time in source validation.
    pub validation: Duration,
}

/// What a watcher of the training is told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Progress<'a> {
    /// A step was taken.
    Step {
        /// Steps taken.
        step: usize,
        /// The step's mean loss a target token.
        loss: f64,
    },
    /// Source validation was scored.
    Validated(&'a CurvePoint),
}

/// Trains `tuned` on the source's training set. `validate` scores a snapshot on source
/// validation, in [0, 1]; the snapshot with the highest score is kept, the earlier of equals.
/// Both closures may break the training off.
///
/// # Errors
/// The loss stops being a finite number, or a closure breaks the training off.
pub fn fit(
    tuned: Tuned,
    train: &TrainingSet,
    recipe: &Recipe,
    seed: u64,
    validate: &mut dyn FnMut(&Tuned) -> ControlFlow<(), f64>,
    watch: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Fitted, FitError> {
    let budget = &recipe.budget;
    let course = Course {
        learning_rate: recipe.optimizer.learning_rate(),
        schedule: recipe.schedule,
        steps: budget.steps,
    };
    let optimizer = optimizer(&recipe.optimizer);
    let mut batches = Batches::mixed(
        train.encodings(),
        train.shares(),
        budget.batch_size,
        train.pad(),
        seed,
    );
    let mut trainer = Trainer::new(tuned, optimizer, course, recipe.objective.clone(), seed);
    let mut run = finished(Run::start(&trainer, validate, watch))?;
    while trainer.steps_taken() < budget.steps {
        let started = Instant::now();
        let batch = batches.next_batch();
        let loss = trainer.step(&batch)?;
        run.training += started.elapsed();
        run.tokens += (batch.inputs.count() + batch.targets.count()) as u64;
        run.loss.add(loss.sum, loss.tokens);
        let step = trainer.steps_taken();
        finished(watch(Progress::Step {
            step,
            loss: loss.sum / loss.tokens as f64,
        }))?;
        if step.is_multiple_of(budget.evaluate_every) || step == budget.steps {
            finished(run.validate(&trainer, validate, watch))?;
            if budget
                .patience
                .is_some_and(|patience| run.stale >= patience)
            {
                return Ok(run.end(&trainer, Stop::Patience));
            }
        }
    }
    Ok(run.end(&trainer, Stop::Budget))
}

/// What was not broken off.
fn finished<T>(flow: ControlFlow<(), T>) -> Result<T, FitError> {
    match flow {
        ControlFlow::Continue(value) => Ok(value),
        ControlFlow::Break(()) => Err(FitError::Interrupted),
    }
}

/// What is remembered while the loop runs.
struct Run {
    best: Tuned,
    best_step: usize,
    best_score: f64,
    /// Validations since the best.
    stale: usize,
    curve: Vec<CurvePoint>,
    loss: MeanLoss,
    tokens: u64,
    training: Duration,
    validation: Duration,
}

impl Run {
    /// Scores the parameters before the first step.
    fn start(
        trainer: &Trainer,
        validate: &mut dyn FnMut(&Tuned) -> ControlFlow<(), f64>,
        watch: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> ControlFlow<(), Self> {
        let mut run = Run {
            best: trainer.tuned().valid(),
            best_step: 0,
            best_score: f64::NEG_INFINITY,
            stale: 0,
            curve: Vec::new(),
            loss: MeanLoss::default(),
            tokens: 0,
            training: Duration::ZERO,
            validation: Duration::ZERO,
        };
        run.validate(trainer, validate, watch)?;
        ControlFlow::Continue(run)
    }

    fn validate(
        &mut self,
        trainer: &Trainer,
        validate: &mut dyn FnMut(&Tuned) -> ControlFlow<(), f64>,
        watch: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let started = Instant::now();
        let snapshot = trainer.tuned().valid();
        let score = validate(&snapshot)?;
        self.validation += started.elapsed();
        let point = CurvePoint {
            step: trainer.steps_taken(),
            train_loss: self.loss.take(),
            validation_score: score,
        };
        watch(Progress::Validated(&point))?;
        self.curve.push(point);
        self.stale += 1;
        if score > self.best_score {
            self.best = snapshot;
            self.best_step = trainer.steps_taken();
            self.best_score = score;
            self.stale = 0;
        }
        ControlFlow::Continue(())
    }

    fn end(self, trainer: &Trainer, stop: Stop) -> Fitted {
        Fitted {
            best: self.best,
            best_step: self.best_step,
            steps: trainer.steps_taken(),
            stop,
            curve: self.curve,
            tokens: self.tokens,
            training: self.training,
            validation: self.validation,
        }
    }
}

/// The mean loss a target token since it was last asked for.
#[derive(Default)]
struct MeanLoss {
    sum: f64,
    tokens: usize,
}

impl MeanLoss {
    fn add(&mut self, sum: f64, tokens: usize) {
        self.sum += sum;
        self.tokens += tokens;
    }

    fn take(&mut self) -> Option<f64> {
        let MeanLoss { sum, tokens } = std::mem::take(self);
        (tokens > 0).then(|| sum / tokens as f64)
    }
}
