//! One optimiser step, the same for tuning and for pre-training.

use burn::optim::{GradientsParams, ModuleOptimizer};

use super::clip::clip_global_norm;
use super::peak::Peak;
use super::schedule::share;
use crate::batch::Batch;
use crate::layers::Dropout;
use crate::memory;
use crate::tuning::Tuned;
use promptshift_numbers::recipe::{Objective, Reduction, Schedule};
use promptshift_numbers::record::memory::Moment;

/// A step whose loss is not a number; the parameters are as they were before it.
#[derive(Debug, thiserror::Error)]
#[error("the loss at step {step} is {loss}, not a finite number: try a lower learning rate")]
pub struct NotFinite {
    /// The step, from 0.
    pub step: usize,
    /// NaN or infinite.
    pub loss: f64,
}

/// The loss of one batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepLoss {
    /// Summed over target tokens.
    pub sum: f64,
    /// Target tokens.
    pub tokens: usize,
}

/// The learning rate over a whole training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Course {
    /// At the schedule's height.
    pub learning_rate: f64,
    /// How it rises and falls.
    pub schedule: Schedule,
    /// The steps that the schedule is spread over.
    pub steps: usize,
}

/// A module in training with its optimiser.
pub struct Trainer {
    /// `None` only while a step is under way.
    tuned: Option<Tuned>,
    optimizer: ModuleOptimizer,
    course: Course,
    objective: Objective,
    dropout: Dropout,
    step: usize,
    peak: Option<Peak>,
}

impl Trainer {
    /// `seed` is that of dropout.
    pub fn new(
        tuned: Tuned,
        optimizer: ModuleOptimizer,
        course: Course,
        objective: Objective,
        seed: u64,
    ) -> Self {
        Trainer {
            tuned: Some(tuned),
            optimizer,
            course,
            dropout: Dropout::new(objective.dropout, seed),
            objective,
            step: 0,
            peak: None,
        }
    }

    /// What is being trained.
    pub fn tuned(&self) -> &Tuned {
        self.tuned.as_ref().expect("no step is under way")
    }

    /// How many masks dropout has taken.
    pub(super) fn masks_taken(&self) -> u64 {
        self.dropout.taken()
    }

    /// The optimiser.
    pub(super) fn optimizer(&self) -> &ModuleOptimizer {
        &self.optimizer
    }

    /// The same trainer as it was after `step` steps, when dropout had taken so many masks.
    pub(super) fn resumed(
        self,
        tuned: Tuned,
        optimizer: ModuleOptimizer,
        step: usize,
        masks: u64,
    ) -> Self {
        Trainer {
            tuned: Some(tuned),
            optimizer,
            dropout: self.dropout.resumed(masks),
            step,
            ..self
        }
    }

    /// Steps taken.
    pub fn steps_taken(&self) -> usize {
        self.step
    }

    /// The highest peak of the host's memory in a step so far, the first of equals.
    pub fn peak(&self) -> Option<Peak> {
        self.peak
    }

    fn see(&mut self, peak: Peak) {
        self.peak = Some(self.peak.map_or(peak, |highest| highest.or(peak)));
    }

    /// Forward, backward, clip, update.
    ///
    /// # Errors
    /// The loss is NaN or infinite.
    pub fn step(&mut self, batch: &Batch) -> Result<StepLoss, NotFinite> {
        let tuned = self.tuned.take().expect("no step is under way");
        let before = memory::allocated();
        let tokens = batch.targets.count();
        let ((loss, value), forward) = Peak::of(Moment::Forward, before, self.step, || {
            let encoded = tuned.encode(&batch.inputs, &mut self.dropout);
            let losses = tuned.backbone.token_losses(
                &encoded,
                &batch.targets,
                self.objective.z_loss,
                &mut self.dropout,
            );
            let loss = match self.objective.reduction {
                Reduction::Sum => losses.sum(),
                Reduction::Mean => losses.mean(),
            };
            let value = f64::from(loss.clone().into_scalar::<f32>());
            (loss, value)
        });
        self.see(forward);
        if !value.is_finite() {
            self.tuned = Some(tuned);
            return Err(NotFinite {
                step: self.step,
                loss: value,
            });
        }
        let (mut grads, backward) = Peak::of(Moment::Backward, before, self.step, || {
            GradientsParams::from_grads(loss.backward(), &tuned)
        });
        self.see(backward);
        let Course {
            learning_rate,
            schedule,
            steps,
        } = self.course;
        let rate = learning_rate * share(schedule, self.step, steps);
        let (tuned, update) = Peak::of(Moment::Update, before, self.step, || {
            if let Some(limit) = self.objective.clip_norm {
                clip_global_norm(&tuned, &mut grads, limit);
            }
            self.optimizer.step(rate, tuned, grads)
        });
        self.see(update);
        self.tuned = Some(tuned);
        self.step += 1;
        let sum = match self.objective.reduction {
            Reduction::Sum => value,
            Reduction::Mean => value * tokens as f64,
        };
        Ok(StepLoss { sum, tokens })
    }

    /// Ends training.
    pub fn into_tuned(self) -> Tuned {
        self.tuned.expect("no step is under way")
    }
}
