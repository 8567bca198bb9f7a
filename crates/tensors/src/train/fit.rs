//! The training loop of every tuning method.

use std::time::{Duration, Instant};

use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::tensor::Device;

use super::checkpointer::{self, Checkpointer, CheckpointerError, State};
use super::measured::{Peak, TensorBytes, movement};
use super::optimizer::optimizer;
use super::trainer::{Course, NotFinite, Trainer, Update};
use super::training_set::TrainingSet;
use crate::batch::Batches;
use crate::tuning::Tuned;
use crate::{eval, memory};
use promptshift_numbers::recipe::{Budget, Recipe};
use promptshift_numbers::record::{CurvePoint, Moment, Movement, PeakParts, Stop};

/// Why training failed.
#[derive(Debug, thiserror::Error)]
pub enum FitError {
    /// The loss diverged.
    #[error(transparent)]
    NotFinite(#[from] NotFinite),
    /// The network's output in source validation is not finite.
    #[error("source validation: {0}")]
    Validation(#[from] eval::NotFinite),
    /// A checkpoint can't be written or read.
    #[error(transparent)]
    Checkpointer(#[from] CheckpointerError),
}

/// The result of a training.
pub struct Fitted {
    /// The parameters of the best step, not requiring gradients.
    pub best: Tuned,
    /// The step of those parameters.
    pub best_step: usize,
    /// Steps taken.
    pub steps: usize,
    /// Why training ended.
    pub stop: Stop,
    /// The learning curve.
    pub curve: Vec<CurvePoint>,
    /// Input and target tokens seen, without padding and prompt.
    pub tokens: u64,
    /// Time spent in training steps.
    pub training: Duration,
    /// Time spent in source validation.
    pub validation: Duration,
    /// The composition of the host's memory peak; absent if tensors are in device memory.
    pub peak: Option<PeakParts>,
    /// The bytes that the device's memory pools had reserved at most; absent if tensors are in host memory.
    pub reserved_peak: Option<u64>,
    /// How far the trainable tensors moved; absent if the last step made any of them non-finite.
    pub movement: Option<Movement>,
}

/// The next event of a training.
#[derive(Debug, Clone, Copy)]
pub enum Event {
    /// Training resumes from a checkpoint. A caller that collects the best step's answers during validation
    /// must score [`Fitting::best`] once more.
    Resumed {
        /// Steps taken before the checkpoint.
        step: usize,
    },
    /// A step was taken.
    Step {
        /// Steps taken.
        step: usize,
        /// The step's mean loss per target token.
        loss: f64,
        /// What else it did.
        update: Update,
    },
    /// The parameters must be scored with [`Fitting::validate`]. Returned again until they are.
    ValidationDue,
}

/// A training in progress. The caller requests one event after another; to stop early, it requests no more.
pub struct Fitting<'a> {
    trainer: Trainer,
    batches: Batches<'a>,
    budget: &'a Budget,
    tensors: TensorBytes,
    checkpointer: Option<Checkpointer>,
    /// The step that training resumes from, until it has been reported.
    resumed: Option<usize>,
    /// The parameters before the first step, not requiring gradients.
    start: Tuned,
    best: Tuned,
    best_step: usize,
    best_score: f64,
    /// Validations since the best one.
    stale: usize,
    curve: Vec<CurvePoint>,
    loss: MeanLoss,
    tokens: u64,
    training: Duration,
    validation: Duration,
    /// The highest peak among validations.
    peak: Option<Peak>,
    /// The most that the device's pools had reserved after a validation.
    reserved_peak: Option<u64>,
}

impl<'a> Fitting<'a> {
    /// Trains `tuned` on the source's training set. With a `checkpointer`, writes checkpoints at intervals
    /// and resumes from the last one.
    ///
    /// # Errors
    /// The checkpoint can't be read.
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
            memory::release_unused(&start.backbone.device());
            Fitting {
                tensors: TensorBytes::of(&tuned, &recipe.optimizer),
                trainer: Trainer::new(
                    tuned,
                    optimizer(&recipe.optimizer),
                    course,
                    recipe.objective.clone(),
                    seed,
                )
                .saving(recipe.memory),
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
                reserved_peak: None,
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

    /// Restores a checkpoint. The measured peaks cover only the remaining steps, which include all phases.
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

    /// Puts the recipe's replicas on these devices too, besides the model's own. The result does not depend on
    /// them.
    pub fn on(self, further: &[Device]) -> Self {
        Fitting {
            trainer: self.trainer.on(further),
            ..self
        }
    }

    /// The current parameters, requiring gradients.
    pub fn tuned(&self) -> &Tuned {
        self.trainer.tuned()
    }

    /// The parameters with the highest score so far (the earliest on ties), not requiring gradients.
    pub fn best(&self) -> &Tuned {
        &self.best
    }

    /// Advances to the next event, running a training step if one is next; `None` once training has ended.
    ///
    /// # Errors
    /// The loss is not finite, or a checkpoint can't be written.
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
            update: self.trainer.last_update(),
        }))
    }

    fn is_validation_due(&self) -> bool {
        let step = self.trainer.steps_taken();
        let is_scored = (self.curve.last()).is_some_and(|point| point.step == step);
        let is_place = step.is_multiple_of(self.budget.evaluate_every) || step == self.budget.steps;
        is_place && !is_scored
    }

    /// Why training has ended, apart from a pending validation.
    fn stop(&self) -> Option<Stop> {
        if (self.budget.patience).is_some_and(|most| self.stale >= most) {
            return Some(Stop::Patience);
        }
        (self.trainer.steps_taken() == self.budget.steps).then_some(Stop::Budget)
    }

    /// Scores the parameters (not requiring gradients) on source validation with `score`, in [0, 1]. They
    /// become the best so far if their score exceeds all earlier ones.
    ///
    /// # Errors
    /// The network's output is not finite.
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
        self.reserved_peak = self.reserved_so_far();
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

    /// Writes a checkpoint between two events, if there is a checkpointer; for a caller that stops early.
    /// Before the first validation there is nothing to save.
    ///
    /// # Errors
    /// The checkpoint can't be written.
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

    /// The higher of the last reading and of what is reserved now. Between the two, pools only grow: see
    /// [`memory::reserved`].
    fn reserved_so_far(&self) -> Option<u64> {
        memory::reserved(&self.start.backbone.device()).max(self.reserved_peak)
    }

    /// The result of the training.
    ///
    /// # Panics
    /// Training has not ended: [`next_event`](Self::next_event) has not yet returned `None`.
    pub fn finish(self) -> Fitted {
        let stop = self.stop().expect("it has ended");
        let highest = [self.trainer.peak(), self.peak].into_iter().flatten();
        let reserved_peak = self.reserved_so_far();
        Fitted {
            peak: highest
                .reduce(Peak::or)
                .filter(|_| reserved_peak.is_none())
                .map(|peak| peak.parts(&self.tensors)),
            reserved_peak,
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

/// The mean loss per target token since it was last read.
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
