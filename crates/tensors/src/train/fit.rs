//! The one loop that every tuning method is trained by.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use burn::module::Module;

use super::halt::{self, HaltError, Halts, Kept, State};
use super::movement::movement;
use super::optimizer::optimizer;
use super::peak::{Peak, TensorBytes};
use super::trainer::{Course, NotFinite, Trainer};
use super::training_set::TrainingSet;
use crate::batch::Batches;
use crate::eval::{self, EvalError};
use crate::memory;
use crate::tuning::Tuned;
use promptshift_numbers::recipe::Recipe;
use promptshift_numbers::record::memory::{Moment, PeakParts};
use promptshift_numbers::record::{CurvePoint, Movement, Stop};

/// Training that could not be finished.
#[derive(Debug, thiserror::Error)]
pub enum FitError {
    /// The loss ran away.
    #[error(transparent)]
    NotFinite(#[from] NotFinite),
    /// So did what was asked of it between steps.
    #[error("source validation: {0}")]
    Validation(#[source] eval::NotFinite),
    /// The watcher broke it off.
    #[error("interrupted")]
    Interrupted,
    /// What it would go on from later can't be written, or read.
    #[error(transparent)]
    Halt(#[from] HaltError),
}

impl From<EvalError> for FitError {
    fn from(error: EvalError) -> Self {
        match error {
            EvalError::Interrupted => FitError::Interrupted,
            EvalError::NotFinite(error) => FitError::Validation(error),
        }
    }
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
    /// What the highest peak of the host's memory was made of; absent where tensors lie on a device
    /// with memory of its own.
    pub peak: Option<PeakParts>,
    /// How far the trainable tensors moved; absent where the last step made them no finite numbers.
    pub movement: Option<Movement>,
}

/// What a watcher of the training is told. It can look at the model, and tells the loop nothing but
/// whether to go on.
#[derive(Debug, Clone, Copy)]
pub enum Progress<'a> {
    /// A training that was broken off goes on.
    GoesOn {
        /// Steps taken before.
        step: usize,
    },
    /// A step was taken.
    Step {
        /// Steps taken.
        step: usize,
        /// The step's mean loss a target token.
        loss: f64,
        /// The parameters after it, on the tape.
        tuned: &'a Tuned,
    },
    /// Source validation was scored.
    Validated(&'a CurvePoint),
}

/// Trains `tuned` on the source's training set. `validate` scores a snapshot on source
/// validation, in [0, 1]; the snapshot with the highest score is kept, the earlier of equals.
/// Both closures may break the training off. With `halts` it is kept now and then, and when it is
/// broken off, and goes on from there: `validate` is then shown the best snapshot so far once more.
///
/// # Errors
/// The loss or what `validate` is answered stops being a finite number, a closure breaks the training off,
/// or it can't be kept.
pub fn fit(
    tuned: Tuned,
    train: &TrainingSet,
    recipe: &Recipe,
    seed: u64,
    mut halts: Option<&mut Halts>,
    validate: &mut dyn FnMut(&Tuned) -> Result<f64, EvalError>,
    watch: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Fitted, FitError> {
    let budget = &recipe.budget;
    let course = Course {
        learning_rate: recipe.optimizer.learning_rate(),
        schedule: recipe.schedule,
        steps: budget.steps,
    };
    let tensors = TensorBytes::of(&tuned, &recipe.optimizer);
    let mut batches = Batches::mixed(
        train.encodings(),
        train.shares(),
        budget.batch_size,
        train.pad(),
        seed,
    );
    let fresh = |tuned| {
        let optimizer = optimizer(&recipe.optimizer);
        Trainer::new(tuned, optimizer, course, recipe.objective.clone(), seed)
    };
    let (mut trainer, mut run) = match broken_off(halts.as_deref())? {
        None => {
            let run = Run::of(tuned.valid());
            (fresh(tuned), run)
        }
        Some((halts, kept)) => {
            let [start, trained, best] = halts.restored(&kept, tuned)?;
            let optimizer = halts.load_optimizer(optimizer(&recipe.optimizer), &kept)?;
            let state = kept.state;
            batches.skip(state.step);
            let (step, masks) = (state.step, state.dropout_masks);
            finished(watch(Progress::GoesOn { step }))?;
            validate(&best)?;
            let run = Run::went_on(start.valid(), best, state);
            (fresh(start).went_on(trained, optimizer, step, masks), run)
        }
    };
    loop {
        let step = trainer.steps_taken();
        let is_due = step.is_multiple_of(budget.evaluate_every) || step == budget.steps;
        let flow = if is_due && run.scored_step() != Some(step) {
            run.validate(&trainer, validate, watch)?
        } else if budget.patience.is_some_and(|most| run.stale >= most) {
            return Ok(run.end(&trainer, &tensors, Stop::Patience));
        } else if step == budget.steps {
            return Ok(run.end(&trainer, &tensors, Stop::Budget));
        } else {
            let started = Instant::now();
            let batch = batches.next_batch();
            let loss = trainer.step(&batch)?;
            run.training += started.elapsed();
            run.tokens += (batch.inputs.count() + batch.targets.count()) as u64;
            run.loss.add(loss.sum, loss.tokens);
            watch(Progress::Step {
                step: trainer.steps_taken(),
                loss: loss.sum / loss.tokens as f64,
                tuned: trainer.tuned(),
            })
        };
        if let Some(halts) = &mut halts
            && (flow.is_break() || halts.is_due())
        {
            run.keep(&trainer, halts)?;
        }
        finished(flow)?;
    }
}

/// What the same training left when it was broken off, if it was.
fn broken_off(halts: Option<&Halts>) -> Result<Option<(&Halts, Kept)>, HaltError> {
    let Some(halts) = halts else { return Ok(None) };
    Ok(halts.find()?.map(|kept| (halts, kept)))
}

/// What was not broken off.
fn finished(flow: ControlFlow<()>) -> Result<(), FitError> {
    match flow {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(FitError::Interrupted),
    }
}

/// What is remembered while the loop runs.
struct Run {
    /// The parameters before the first step, off the tape.
    start: Tuned,
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
    /// The highest of validations.
    peak: Option<Peak>,
}

impl Run {
    /// Before the first step.
    fn of(start: Tuned) -> Self {
        Run {
            best: start.clone(),
            start,
            best_step: 0,
            best_score: f64::NEG_INFINITY,
            stale: 0,
            curve: Vec::new(),
            loss: MeanLoss::default(),
            tokens: 0,
            training: Duration::ZERO,
            validation: Duration::ZERO,
            peak: None,
        }
    }

    /// After it was kept. Peaks are those of the part that is still to come, which has all kinds of steps.
    fn went_on(start: Tuned, best: Tuned, state: State) -> Self {
        let (sum, tokens) = state.loss;
        Run {
            start,
            best,
            best_step: state.best_step,
            best_score: state.best_score,
            stale: state.stale,
            curve: state.curve,
            loss: MeanLoss { sum, tokens },
            tokens: state.tokens,
            training: Duration::from_secs_f64(state.training_seconds),
            validation: Duration::from_secs_f64(state.validation_seconds),
            peak: None,
        }
    }

    /// Keeps it as it is between two steps. Before the first validation there is nothing to keep.
    fn keep(&self, trainer: &Trainer, halts: &mut Halts) -> Result<(), HaltError> {
        if self.curve.is_empty() {
            return Ok(());
        }
        let state = State {
            of: halts.of().to_owned(),
            step: trainer.steps_taken(),
            ids: halt::ids(trainer.tuned()),
            dropout_masks: trainer.masks_taken(),
            curve: self.curve.clone(),
            best_step: self.best_step,
            best_score: self.best_score,
            stale: self.stale,
            loss: (self.loss.sum, self.loss.tokens),
            tokens: self.tokens,
            training_seconds: self.training.as_secs_f64(),
            validation_seconds: self.validation.as_secs_f64(),
        };
        halts.keep(&state, [trainer.tuned(), &self.best], trainer.optimizer())
    }

    /// The step that was scored last.
    fn scored_step(&self) -> Option<usize> {
        self.curve.last().map(|point| point.step)
    }

    /// Scores the parameters on source validation; says whether to go on.
    fn validate(
        &mut self,
        trainer: &Trainer,
        validate: &mut dyn FnMut(&Tuned) -> Result<f64, EvalError>,
        watch: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, FitError> {
        let started = Instant::now();
        let snapshot = trainer.tuned().valid();
        let (before, steps) = (memory::allocated(), trainer.steps_taken());
        let (score, peak) = Peak::of(Moment::Validation, before, steps, || validate(&snapshot));
        let score = match score {
            Ok(score) => score,
            Err(EvalError::Interrupted) => return Ok(ControlFlow::Break(())),
            Err(EvalError::NotFinite(error)) => return Err(FitError::Validation(error)),
        };
        self.peak = Some(self.peak.map_or(peak, |highest| highest.or(peak)));
        self.validation += started.elapsed();
        let point = CurvePoint {
            step: steps,
            train_loss: self.loss.take(),
            validation_score: score,
        };
        self.stale += 1;
        if score > self.best_score {
            self.best = snapshot;
            self.best_step = steps;
            self.best_score = score;
            self.stale = 0;
        }
        self.curve.push(point);
        Ok(watch(Progress::Validated(&point)))
    }

    fn end(self, trainer: &Trainer, tensors: &TensorBytes, stop: Stop) -> Fitted {
        let highest = [trainer.peak(), self.peak].into_iter().flatten();
        let on_host = (self.start.backbone.device()).memory_pool_usage().is_none();
        Fitted {
            peak: highest
                .reduce(Peak::or)
                .filter(|_| on_host)
                .map(|peak| peak.parts(tensors)),
            movement: movement(&self.start, trainer.tuned()),
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
