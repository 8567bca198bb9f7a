//! One optimiser step, for tuning and for pre-training.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor};

use super::measured::{Peak, Peaks};
use super::replicas::{Computed, Replicas, Share};
use crate::batch::Batch;
use crate::layers::Dropout;
use crate::tuning::Tuned;
use promptshift_numbers::recipe::{Objective, Reduction, Schedule, StepMemory};
use promptshift_numbers::record::Moment;

/// The loss of a step is not finite; the parameters are unchanged.
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
    /// The sum over target tokens.
    pub sum: f64,
    /// The number of target tokens.
    pub tokens: usize,
}

/// What a step did beside its loss.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Update {
    /// The learning rate of the step.
    pub learning_rate: f64,
    /// The global norm of the gradients before clipping; `None` if they are not clipped, since it is not computed then.
    pub gradient_norm: Option<f64>,
}

/// The learning rate over the course of a training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Course {
    /// The schedule's maximum.
    pub learning_rate: f64,
    /// The schedule's shape.
    pub schedule: Schedule,
    /// The number of steps that the schedule covers.
    pub steps: usize,
}

/// The factor of the learning rate at `step` (from 0) of `steps`, in [0, 1].
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
    memory: StepMemory,
    replicas: Replicas,
    dropout: Dropout,
    step: usize,
    last_update: Update,
    peak: Option<Peak>,
}

impl Trainer {
    /// Creates a trainer; `seed` is for dropout.
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
            memory: StepMemory::default(),
            replicas: Replicas::on(&[]),
            step: 0,
            last_update: Update::default(),
            peak: None,
        }
    }

    /// Divides every step.
    pub fn saving(self, memory: StepMemory) -> Self {
        Trainer { memory, ..self }
    }

    /// Puts replicas on these devices too; without replicas they are not used. The result does not depend on
    /// them.
    pub fn on(self, further: &[Device]) -> Self {
        let replicas = Replicas::on(further);
        Trainer { replicas, ..self }
    }

    /// The module in training.
    pub fn tuned(&self) -> &Tuned {
        self.tuned.as_ref().expect("no step is under way")
    }

    /// The number of dropout masks used so far.
    pub(super) fn masks_taken(&self) -> u64 {
        self.dropout.taken()
    }

    /// The optimiser.
    pub(super) fn optimizer(&self) -> &ModuleOptimizer {
        &self.optimizer
    }

    /// The state of the trainer after `step` steps, when this many dropout masks had been used.
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

    /// The number of steps taken.
    pub fn steps_taken(&self) -> usize {
        self.step
    }

    /// What the last step did; the default before the first one.
    pub fn last_update(&self) -> Update {
        self.last_update
    }

    /// The highest peak of host memory in a step so far, the first on ties.
    pub fn peak(&self) -> Option<Peak> {
        self.peak
    }

    /// The loss of a batch, and its gradients before clipping, as the next step would take them.
    ///
    /// # Errors
    /// The loss is NaN or infinite.
    pub fn gradients(&mut self, batch: &Batch) -> Result<(StepLoss, GradientsParams), NotFinite> {
        let tuned = self.tuned.take().expect("no step is under way");
        let computed = self.compute(&tuned, batch, &mut Peaks::Unmeasured);
        self.tuned = Some(tuned);
        computed
    }

    /// Forward pass, backward pass, clipping, update. Waits for a device only once, after all gradient
    /// computations are queued.
    ///
    /// # Errors
    /// The loss is NaN or infinite.
    pub fn step(&mut self, batch: &Batch) -> Result<StepLoss, NotFinite> {
        let tuned = self.tuned.take().expect("no step is under way");
        let mut peaks = Peaks::of_step(self.step);
        let (loss, mut grads) = match self.compute(&tuned, batch, &mut peaks) {
            Ok(computed) => computed,
            Err(error) => {
                self.tuned = Some(tuned);
                return Err(error);
            }
        };
        let Course {
            learning_rate,
            schedule,
            steps,
        } = self.course;
        let rate = learning_rate * share(schedule, self.step, steps);
        let (tuned, gradient_norm) = peaks.phase(Moment::Update, || {
            let limit = self.objective.clip_norm;
            let norm = limit.map(|limit| clip_global_norm(&tuned, &mut grads, limit));
            (self.optimizer.step(rate, tuned, grads), norm)
        });
        self.last_update = Update {
            learning_rate: rate,
            gradient_norm,
        };
        self.peak = self
            .peak
            .into_iter()
            .chain(peaks.highest())
            .reduce(Peak::or);
        self.tuned = Some(tuned);
        self.step += 1;
        Ok(loss)
    }

    fn compute(
        &mut self,
        tuned: &Tuned,
        batch: &Batch,
        peaks: &mut Peaks,
    ) -> Result<(StepLoss, GradientsParams), NotFinite> {
        let tokens = batch.targets.count();
        let shares = batch.shares(&self.memory).into_iter().enumerate();
        let shares = shares.map(|(replica, parts)| Share {
            parts,
            tokens,
            objective: self.objective.clone(),
            checkpointing: self.memory.gradient_checkpointing,
            dropout: self.dropout.of_replica(replica),
        });
        let Computed { loss, grads, masks } =
            (self.replicas).compute(tuned, shares.collect(), peaks);
        let taken = self.dropout.taken() + masks;
        self.dropout = self.dropout.clone().resumed(taken);
        if !loss.is_finite() {
            let step = self.step;
            return Err(NotFinite { step, loss });
        }
        let sum = match self.objective.reduction {
            Reduction::Sum => loss,
            Reduction::Mean => loss * tokens as f64,
        };
        Ok((StepLoss { sum, tokens }, grads))
    }
}

/// Scales all gradients so that their global norm is at most `limit`; returns the norm before scaling. The
/// norm is over all parameters, as in T5X and PyTorch; Burn's own clipping is per tensor.
fn clip_global_norm<M: Module>(module: &M, grads: &mut GradientsParams, limit: f64) -> f64 {
    let mut squares = Squares {
        grads,
        sums: Vec::new(),
    };
    module.visit(&mut squares);
    let norm = squares.total().sqrt();
    if norm > limit {
        module.visit(&mut Scale {
            grads,
            factor: limit / norm,
        });
    }
    norm
}

/// Computes the sum of squares of each gradient.
struct Squares<'a> {
    grads: &'a GradientsParams,
    sums: Vec<Tensor<1>>,
}

impl ModuleVisitor for Squares<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(grad) = self.grads.get::<D>(param.id) {
            self.sums.push(grad.square().sum());
        }
    }
}

impl Squares<'_> {
    /// Reads all sums at once and adds them in f64.
    fn total(self) -> f64 {
        if self.sums.is_empty() {
            return 0.0;
        }
        let sums = Tensor::cat(self.sums, 0).into_data();
        sums.iter::<f64>().sum()
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
