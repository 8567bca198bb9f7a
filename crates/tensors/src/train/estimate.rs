//! The memory of a training step, from shapes alone: nothing is computed.
//!
//! Weights, gradients and optimiser state follow from the shapes of the parameters. Activations are what the step
//! allocates besides: a pass over the batch is walked through operation by operation, each of which allocates its
//! output and keeps for the backward pass what the operation itself keeps ([`tape`]), and then backwards, where
//! buffers are freed and gradients made. The highest moment counts, as for a measured [`Peak`](super::Peak).
//!
//! Not counted: texts and tokens, the buffers of matrix products, and what an allocator keeps beyond what is asked of
//! it.

mod networks;
mod pass;
mod tape;

use std::rc::Rc;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;

pub use tape::Arithmetic;

use super::measured::TensorBytes;
use crate::batch::Batch;
use crate::network::Config;
use crate::parameters::ParameterPath;
use crate::tuning::Tuned;
use pass::{Parameters, Pass, accumulate};
use promptshift_numbers::recipe::{Recipe, StepMemory};
use tape::{FLOAT, Gradients, Tape};

/// A training step whose memory is asked for.
pub struct PlannedStep<'a> {
    /// The model as training starts.
    pub tuned: &'a Tuned,
    /// The backbone's configuration.
    pub config: &'a Config,
    /// The method, its objective and its optimiser.
    pub recipe: &'a Recipe,
    /// The batch.
    pub batch: &'a Batch,
}

/// Bytes at the highest moment of a training step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepBytes {
    /// All parameters, once.
    pub weights: u64,
    /// The trained parameters twice more: as they were before training and at the best step.
    pub copies: u64,
    /// The gradients of the trained parameters.
    pub gradients: u64,
    /// The optimiser's state.
    pub optimizer_state: u64,
    /// What else the step allocates.
    pub activations: u64,
}

impl StepBytes {
    /// The sum.
    pub fn total(&self) -> u64 {
        self.weights + self.copies + self.gradients + self.optimizer_state + self.activations
    }
}

impl PlannedStep<'_> {
    /// The memory of this step if it saves memory so, on a device with this arithmetic.
    pub fn bytes(&self, saving: StepMemory, arithmetic: Arithmetic) -> StepBytes {
        let tensors = TensorBytes::of(self.tuned, &self.recipe.optimizer);
        let tape = Rc::new(Tape::new(arithmetic));
        let mut shapes = Shapes {
            path: ParameterPath::default(),
            tape: &tape,
            parameters: Parameters::new(),
            largest: 0,
        };
        self.tuned.visit(&mut shapes);
        let largest = shapes.largest;
        let parameters = Rc::new(shapes.parameters);
        let mut shares = self.batch.shares(&saving);
        let replicas = shares.len();
        // The first replica's share, which is the largest.
        let parts = shares.swap_remove(0);
        let mut sum = Gradients::new();
        for part in &parts {
            let dropout = self.recipe.objective.dropout > 0.0;
            let pass = Pass::new(&tape, &parameters, dropout, saving.gradient_checkpointing);
            let losses = networks::losses(&pass, self.config, self.tuned.head(), part);
            accumulate(&mut sum, pass.gradients(losses));
        }
        // Clipping squares one gradient at a time.
        let clipped = if self.recipe.objective.clip_norm.is_some() {
            1
        } else {
            0
        };
        let temporaries = match arithmetic {
            Arithmetic::Fused => clipped,
            // An optimiser's own, in plain operations: the square, the update and the new parameter.
            Arithmetic::Plain => 3,
        };
        tape.needed_for_a_moment(temporaries * largest);
        drop(sum);
        // The sum over replicas is held while a replica makes its own gradients.
        let of_others = if replicas > 1 { tensors.trainable } else { 0 };
        StepBytes {
            weights: tensors.weights,
            copies: 2 * tensors.trainable,
            gradients: tensors.trainable,
            optimizer_state: tensors.optimizer_state,
            activations: tape.peak().saturating_sub(tensors.trainable) + of_others,
        }
    }
}

/// Collects the shapes of all parameters.
struct Shapes<'a> {
    path: ParameterPath,
    tape: &'a Tape,
    parameters: Parameters,
    /// The bytes of the largest trained one.
    largest: u64,
}

impl ModuleVisitor for Shapes<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, container: &str) {
        self.path.exit(container);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        let dims = value.dims();
        let width = dims[D - 1];
        let rows = dims[..D - 1].iter().product();
        let trained = value.is_require_grad();
        if trained {
            self.largest = self.largest.max((rows * width) as u64 * FLOAT);
        }
        let parameter = self.tape.parameter(rows, width, trained);
        self.parameters.insert(self.path.to_string(), parameter);
    }
}
