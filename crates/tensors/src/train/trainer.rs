//! One optimiser step, for tuning and for pre-training.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::Tensor;

use super::measured::Peak;
use crate::batch::Batch;
use crate::layers::Dropout;
use crate::memory;
use crate::tuning::Tuned;
use promptshift_numbers::recipe::{Objective, Reduction, Schedule};
use promptshift_numbers::record::Moment;

/// A step whose loss is not finite; the parameters are as before it.
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

/// The learning rate over a training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Course {
    /// At the schedule's maximum.
    pub learning_rate: f64,
    /// Its shape.
    pub schedule: Schedule,
    /// The number of steps that the schedule covers.
    pub steps: usize,
}

/// The share of the full learning rate at `step` (from 0) of `steps`, in [0, 1].
pub fn share(schedule: Schedule, step: usize, steps: usize) -> f64 {
    let rise = |warmup: usize| ((step + 1) as f64 / warmup.max(1) as f64).min(1.0);
    match schedule {
        Schedule::Constant => 1.0,
        Schedule::Warmup { steps } => rise(steps),
        Schedule::WarmupDecay {
            warmup,
            share,
            floor,
        } => {
            let falling = steps as f64 * share;
            let left = steps.saturating_sub(step) as f64;
            let fall = if falling > 0.0 {
                (left / falling).min(1.0)
            } else {
                1.0
            };
            rise(warmup) * fall.max(floor)
        }
    }
}

/// A module in training with its optimiser.
pub struct Trainer {
    /// `None` only during a step.
    tuned: Option<Tuned>,
    optimizer: ModuleOptimizer,
    course: Course,
    objective: Objective,
    dropout: Dropout,
    step: usize,
    peak: Option<Peak>,
}

impl Trainer {
    /// `seed` is for dropout.
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

    /// The module in training.
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

    /// The trainer as it was after `step` steps, when dropout had taken this many masks.
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

    /// The highest peak of host memory in a step so far, the first on ties.
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
}

/// Scales all gradients so that their global norm is at most `limit`; returns the norm before scaling. The norm is over
/// all parameters, as in T5X and PyTorch; Burn's own clipping is per tensor.
fn clip_global_norm<M: Module>(module: &M, grads: &mut GradientsParams, limit: f64) -> f64 {
    let mut squares = Squares { grads, total: 0.0 };
    module.visit(&mut squares);
    let norm = squares.total.sqrt();
    if norm > limit {
        module.visit(&mut Scale {
            grads,
            factor: limit / norm,
        });
    }
    norm
}

struct Squares<'a> {
    grads: &'a GradientsParams,
    total: f64,
}

impl ModuleVisitor for Squares<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(grad) = self.grads.get::<D>(param.id) {
            self.total += f64::from(grad.square().sum().into_scalar::<f32>());
        }
    }
}

struct Scale<'a> {
    grads: &'a mut GradientsParams,
    factor: f64,
}

impl ModuleVisitor for Scale<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(grad) = self.grads.remove::<D>(param.id) {
            self.grads.register(param.id, grad.mul_scalar(self.factor));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_rise_stay_and_fall() {
        assert_eq!(share(Schedule::Constant, 0, 10), 1.0);
        let warmup = Schedule::Warmup { steps: 4 };
        assert_eq!(share(warmup, 0, 10), 0.25);
        assert_eq!(share(warmup, 3, 10), 1.0);
        assert_eq!(share(warmup, 9, 10), 1.0);
        let both = Schedule::WarmupDecay {
            warmup: 2,
            share: 0.5,
            floor: 0.1,
        };
        assert_eq!(share(both, 0, 100), 0.5);
        assert_eq!(share(both, 50, 100), 1.0);
        assert_eq!(share(both, 75, 100), 0.5);
        assert_eq!(share(both, 99, 100), 0.1);
    }
}
