//! The one loop that every tuning method is trained by.

use std::time::{Duration, Instant};

use burn::module::Module;
use burn::optim::ModuleOptimizer;

use super::checkpointer::{self, Checkpointer, CheckpointerError, State};
use super::movement::movement;
use super::optimizer::optimizer;
use super::peak::{Peak, TensorBytes};
use super::trainer::{Course, NotFinite, Trainer};
use super::training_set::TrainingSet;
use crate::batch::Batches;
use crate::eval;
use crate::memory;
use crate::tuning::Tuned;
use promptshift_numbers::recipe::{Budget, Recipe};
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
    Validation(#[from] eval::NotFinite),
    /// A checkpoint can't be written or read.
    #[error(transparent)]
    Checkpointer(#[from] CheckpointerError),
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

/// What a training came to next.
#[derive(Debug, Clone, Copy)]
pub enum Event {
    /// It resumes from a checkpoint. A caller that collects what the best step answers at validation asks
    /// [`Fitting::best`] once more.
    Resumed {
        /// Steps taken before.
        step: usize,
    },
    /// A step was taken.
    Step {
        /// Steps taken.
        step: usize,
        /// The step's mean loss a target token.
        loss: f64,
    },
    /// The parameters are to be scored, with [`Fitting::validate`]; it is said again until they are.
    ValidationDue,
}

/// A training under way. Whoever has it asks for one event after the other, and stops by asking no more.
pub struct Fitting<'a> {
    trainer: Trainer,
    batches: Batches<'a>,
    budget: &'a Budget,
    tensors: TensorBytes,
    checkpointer: Option<Checkpointer>,
    /// The step that it resumes from, until that is said.
    resumed: Option<usize>,
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

impl<'a> Fitting<'a> {
    /// Of `tuned` on the source's training set, before its first step. With `checkpointer` it is kept now and then, and
    /// resumes from what was kept.
    ///
    /// # Errors
    /// What was kept can't be read.
    pub fn new(
        tuned: Tuned,
        train: &'a TrainingSet,
        recipe: &'a Recipe,
        seed: u64,
        checkpointer: Option<Checkpointer>,
    ) -> Result<Self, FitError> {
        let budget = &recipe.budget;
        let course = Course {
            learning_rate: recipe.optimizer.learning_rate(),
            schedule: recipe.schedule,
            steps: budget.steps,
        };
        let fresh = |tuned: Tuned, checkpointer| {
            let start = tuned.valid();
            Fitting {
                tensors: TensorBytes::of(&tuned, &recipe.optimizer),
                trainer: Trainer::new(
                    tuned,
                    optimizer(&recipe.optimizer),
                    course,
                    recipe.objective.clone(),
                    seed,
                ),
                batches: Batches::mixed(
                    train.encodings(),
                    train.shares(),
                    budget.batch_size,
                    train.pad(),
                    seed,
                ),
                budget,
                checkpointer,
                resumed: None,
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
        };
        let Some(checkpointer) = checkpointer else {
            return Ok(fresh(tuned, None));
        };
        let Some(kept) = checkpointer.find()? else {
            return Ok(fresh(tuned, Some(checkpointer)));
        };
        let [start, trained, best] = checkpointer.restored(&kept, tuned)?;
        let optimizer = checkpointer.load_optimizer(optimizer(&recipe.optimizer), &kept)?;
        Ok(fresh(start, Some(checkpointer)).resumed(trained, best, optimizer, kept.state))
    }

    /// As it was when it was kept. Peaks are those of the part that is still to come, which has all kinds of steps.
    fn resumed(
        mut self,
        trained: Tuned,
        best: Tuned,
        optimizer: ModuleOptimizer,
        state: State,
    ) -> Self {
        let (sum, tokens) = state.loss;
        self.batches.skip(state.step);
        Fitting {
            trainer: (self.trainer).resumed(trained, optimizer, state.step, state.dropout_masks),
            resumed: Some(state.step),
            best,
            best_step: state.best_step,
            best_score: state.best_score,
            stale: state.stale,
            curve: state.curve,
            loss: MeanLoss { sum, tokens },
            tokens: state.tokens,
            training: Duration::from_secs_f64(state.training_seconds),
            validation: Duration::from_secs_f64(state.validation_seconds),
            ..self
        }
    }

    /// The parameters as they are, on the tape.
    pub fn tuned(&self) -> &Tuned {
        self.trainer.tuned()
    }

    /// The parameters with the highest score so far, the earlier of equals, off the tape.
    pub fn best(&self) -> &Tuned {
        &self.best
    }

    /// Goes on to the next event, with a step if one is to be taken; `None` once the training has ended.
    ///
    /// # Errors
    /// The loss stops being a finite number, or the training can't be kept.
    pub fn next_event(&mut self) -> Result<Option<Event>, FitError> {
        if self.checkpointer.as_ref().is_some_and(Checkpointer::is_due) {
            self.keep()?;
        }
        if let Some(step) = self.resumed.take() {
            return Ok(Some(Event::Resumed { step }));
        }
        if self.is_validation_due() {
            return Ok(Some(Event::ValidationDue));
        }
        if self.stop().is_some() {
            return Ok(None);
        }
        let started = Instant::now();
        let batch = self.batches.next_batch();
        let loss = self.trainer.step(&batch)?;
        self.training += started.elapsed();
        self.tokens += (batch.inputs.count() + batch.targets.count()) as u64;
        self.loss.add(loss.sum, loss.tokens);
        Ok(Some(Event::Step {
            step: self.trainer.steps_taken(),
            loss: loss.sum / loss.tokens as f64,
        }))
    }

    fn is_validation_due(&self) -> bool {
        let step = self.trainer.steps_taken();
        let is_scored = (self.curve.last()).is_some_and(|point| point.step == step);
        let is_place = step.is_multiple_of(self.budget.evaluate_every) || step == self.budget.steps;
        is_place && !is_scored
    }

    /// Why no step is taken any more, where no validation is due.
    fn stop(&self) -> Option<Stop> {
        if (self.budget.patience).is_some_and(|most| self.stale >= most) {
            return Some(Stop::Patience);
        }
        (self.trainer.steps_taken() == self.budget.steps).then_some(Stop::Budget)
    }

    /// Has `score` score the parameters, off the tape, on source validation, in [0, 1]; they are the best so far if
    /// they score higher than all before.
    ///
    /// # Errors
    /// The network gives no numbers.
    pub fn validate(
        &mut self,
        score: impl FnOnce(&Tuned) -> Result<f64, eval::NotFinite>,
    ) -> Result<CurvePoint, FitError> {
        let started = Instant::now();
        let snapshot = self.trainer.tuned().valid();
        let (before, steps) = (memory::allocated(), self.trainer.steps_taken());
        let (score, peak) = Peak::of(Moment::Validation, before, steps, || score(&snapshot));
        let score = score?;
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
        Ok(point)
    }

    /// Keeps it as it is between two events, where it has a place to be kept at: for a caller that stops. Before the
    /// first validation there is nothing to keep.
    ///
    /// # Errors
    /// It can't be written.
    pub fn keep(&mut self) -> Result<(), CheckpointerError> {
        let Some(checkpointer) = &mut self.checkpointer else {
            return Ok(());
        };
        if self.curve.is_empty() {
            return Ok(());
        }
        let state = State {
            of: checkpointer.of().to_owned(),
            step: self.trainer.steps_taken(),
            ids: checkpointer::ids(self.trainer.tuned()),
            dropout_masks: self.trainer.masks_taken(),
            curve: self.curve.clone(),
            best_step: self.best_step,
            best_score: self.best_score,
            stale: self.stale,
            loss: (self.loss.sum, self.loss.tokens),
            tokens: self.tokens,
            training_seconds: self.training.as_secs_f64(),
            validation_seconds: self.validation.as_secs_f64(),
        };
        let tensors = [self.trainer.tuned(), &self.best];
        checkpointer.keep(&state, tensors, self.trainer.optimizer())
    }

    /// What it came to.
    ///
    /// # Panics
    /// It has not ended: [`next_event`](Self::next_event) still had something to say.
    pub fn finish(self) -> Fitted {
        let stop = self.stop().expect("it has ended");
        let highest = [self.trainer.peak(), self.peak].into_iter().flatten();
        let on_host = (self.start.backbone.device()).memory_pool_usage().is_none();
        Fitted {
            peak: highest
                .reduce(Peak::or)
                .filter(|_| on_host)
                .map(|peak| peak.parts(&self.tensors)),
            movement: movement(&self.start, self.trainer.tuned()),
            best: self.best,
            best_step: self.best_step,
            steps: self.trainer.steps_taken(),
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
