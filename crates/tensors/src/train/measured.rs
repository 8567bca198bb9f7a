//! Measurements of a training: its peak memory, and how far the trainable parameters moved.

use std::collections::HashMap;

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::Tensor;

use super::optimizer::state_bytes;
use crate::memory;
use crate::tuning::Tuned;
use promptshift_numbers::recipe::OptimizerRecipe;
use promptshift_numbers::record::{Moment, Movement, PeakParts};

/// A peak of the host's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peak {
    /// The bytes at the peak.
    pub bytes: u64,
    /// The phase of training.
    pub moment: Moment,
    /// Bytes allocated before the step or validation.
    pub before: u64,
    /// Steps taken before the peak.
    pub steps: usize,
}

impl Peak {
    /// Measures the peak of a piece of work, in a step or validation that started with `before` bytes
    /// allocated.
    pub(super) fn of<T>(
        moment: Moment,
        before: u64,
        steps: usize,
        work: impl FnOnce() -> T,
    ) -> (T, Peak) {
        let (result, bytes) = memory::peak_of(work);
        let peak = Peak {
            bytes,
            moment,
            before,
            steps,
        };
        (result, peak)
    }

    /// The higher of two, the first on ties.
    pub(super) fn or(self, other: Peak) -> Peak {
        match other.bytes > self.bytes {
            true => other,
            false => self,
        }
    }

    /// The parts of the peak, given the sizes of these tensors.
    pub fn parts(&self, tensors: &TensorBytes) -> PeakParts {
        let gradients = match self.moment {
            Moment::Forward | Moment::Validation => 0,
            Moment::Backward | Moment::Update => tensors.trainable,
        };
        let optimizer_state = match self.moment {
            // The first update creates it.
            Moment::Update => tensors.optimizer_state,
            _ if self.steps > 0 => tensors.optimizer_state,
            _ => 0,
        };
        // State created by the first update did not exist before it.
        let made = match (self.moment, self.steps) {
            (Moment::Update, 0) => optimizer_state,
            _ => 0,
        };
        PeakParts {
            moment: self.moment,
            weights: tensors.weights,
            gradients,
            optimizer_state,
            activations: self.bytes.saturating_sub(self.before + gradients + made),
        }
    }
}

/// Measures the peaks of a step's phases. Only one thread may measure at a time.
#[derive(Debug)]
pub(super) enum Peaks {
    /// On the thread that trains.
    Measured {
        /// Bytes allocated before the step.
        before: u64,
        /// Steps taken before it.
        steps: usize,
        /// The highest peak so far, the first on ties.
        highest: Option<Peak>,
    },
    /// On all others.
    Unmeasured,
}

impl Peaks {
    /// Of a step after `steps` others.
    pub(super) fn of_step(steps: usize) -> Self {
        Peaks::Measured {
            before: memory::allocated(),
            steps,
            highest: None,
        }
    }

    /// The highest peak so far, the first on ties.
    pub(super) fn highest(&self) -> Option<Peak> {
        match self {
            Peaks::Measured { highest, .. } => *highest,
            Peaks::Unmeasured => None,
        }
    }

    /// Does the work of a phase.
    pub(super) fn phase<T>(&mut self, moment: Moment, work: impl FnOnce() -> T) -> T {
        match self {
            Peaks::Unmeasured => work(),
            Peaks::Measured {
                before,
                steps,
                highest,
            } => {
                let (result, peak) = Peak::of(moment, *before, *steps, work);
                *highest = Some(highest.map_or(peak, |highest| highest.or(peak)));
                result
            }
        }
    }
}

/// The bytes that a training holds throughout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TensorBytes {
    /// All parameters.
    pub weights: u64,
    /// Trainable parameters; a gradient has the same size.
    pub trainable: u64,
    /// The optimiser's state, once it exists.
    pub optimizer_state: u64,
}

impl TensorBytes {
    /// The sizes for a model in training, from its tensors' shapes.
    pub fn of(tuned: &Tuned, optimizer: &OptimizerRecipe) -> Self {
        TensorBytes {
            weights: tuned.weight_bytes(),
            trainable: tuned.trainable_bytes(),
            optimizer_state: state_bytes(optimizer, tuned),
        }
    }
}

/// The distance between the trainable tensors of `start`, which does not require gradients, and of `end`;
/// `None` if a norm is not finite.
pub(super) fn movement(start: &Tuned, end: &Tuned) -> Option<Movement> {
    let mut trained = Trained(HashMap::new());
    end.visit(&mut trained);
    let mut squares = Squares {
        ends: trained.0,
        start: 0.0,
        end: 0.0,
        change: 0.0,
    };
    start.visit(&mut squares);
    let movement = Movement {
        start_norm: squares.start.sqrt(),
        end_norm: squares.end.sqrt(),
        change_norm: squares.change.sqrt(),
    };
    let norms = [movement.start_norm, movement.end_norm, movement.change_norm];
    norms
        .iter()
        .all(|norm| norm.is_finite())
        .then_some(movement)
}

/// The trainable tensors, flattened and detached.
struct Trained(HashMap<ParamId, Tensor<1>>);

impl ModuleVisitor for Trained {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        if value.is_require_grad() {
            self.0.insert(param.id, flat(value));
        }
    }
}

struct Squares {
    ends: HashMap<ParamId, Tensor<1>>,
    start: f64,
    end: f64,
    change: f64,
}

impl ModuleVisitor for Squares {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(end) = self.ends.remove(&param.id) {
            let start = flat(param.val());
            self.start += squared(start.clone());
            self.end += squared(end.clone());
            self.change += squared(end - start);
        }
    }
}

fn flat<const D: usize>(tensor: Tensor<D>) -> Tensor<1> {
    let tensor = tensor.without_autodiff();
    let count = tensor.shape().num_elements();
    tensor.reshape([count])
}

fn squared(tensor: Tensor<1>) -> f64 {
    f64::from(tensor.square().sum().into_scalar::<f32>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_peak_are_those_of_its_moment() {
        let tensors = TensorBytes {
            weights: 100,
            trainable: 10,
            optimizer_state: 20,
        };
        let at = |moment, steps| {
            let peak = Peak {
                bytes: 500,
                moment,
                before: 150,
                steps,
            };
            let parts = peak.parts(&tensors);
            assert_eq!((parts.weights, parts.moment), (100, moment));
            (parts.gradients, parts.optimizer_state, parts.activations)
        };
        assert_eq!(at(Moment::Forward, 1), (0, 20, 350));
        assert_eq!(at(Moment::Backward, 1), (10, 20, 340));
        assert_eq!(at(Moment::Update, 1), (10, 20, 340));
        assert_eq!(at(Moment::Validation, 1), (0, 20, 350));
        // Before the first step there is no state; the first update creates it.
        assert_eq!(at(Moment::Forward, 0), (0, 0, 350));
        assert_eq!(at(Moment::Update, 0), (10, 20, 320));
    }

    #[test]
    fn the_parts_of_a_peak_add_up_to_it() {
        let parts = PeakParts {
            moment: Moment::Backward,
            weights: 100,
            gradients: 10,
            optimizer_state: 20,
            activations: 340,
        };
        assert_eq!(parts.left_over(500), 30);
        assert_eq!(parts.left_over(400), 0);
    }
}
