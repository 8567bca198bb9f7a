//! One pass through a network: its dropout and, in training, gradient checkpointing.
//!
//! Gradient checkpointing (Chen et al. 2016, arXiv 1604.06174): a block runs without recording the operations
//! that its gradients need; only its input and its output are kept. After the loss's backward pass the blocks
//! are recomputed with recording, the last one first, and their gradients are computed from the gradient of
//! their output. A step then needs the activations of one block instead of all, and one more forward pass.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::{Gradients, Tensor};

use super::dropout::Dropout;
use super::injected::{Injected, KeyValue};
use promptshift_kernels::DistanceBias;

pub use promptshift_numbers::recipe::GradientCheckpointing;

/// The state of one pass through a network.
pub struct Pass {
    /// The source of dropout masks.
    pub dropout: Dropout,
    /// The segments to recompute; `None` without gradient checkpointing.
    recomputed: Option<Recomputed>,
}

/// The unrecorded parts of a pass, and the tensors that later parts start from.
#[derive(Default)]
struct Recomputed {
    segments: Vec<Segment>,
    /// Injected tensors: as blocks read them (detached), and as they were computed.
    injected: Vec<(Tensor<2>, Tensor<2>)>,
}

/// A part of the pass whose output is known but was not recorded.
struct Segment {
    /// The output, which later parts of the pass start from.
    output: Tensor<2>,
    /// Recomputes the output with recording.
    recorded: Box<dyn FnOnce() -> Tensor<2>>,
}

/// The tensors that a block reads.
#[derive(Clone)]
pub(crate) struct BlockInputs {
    /// The states before the block, `[N, D]`.
    pub x: Tensor<2>,
    /// The encoder's output `[B·T, D]`, for a decoder block.
    pub encoded: Option<Tensor<2>>,
    /// The position bias of its self-attention.
    pub bias: Option<DistanceBias>,
    /// A prefix of its self-attention.
    pub prefix: Option<KeyValue>,
    /// A prefix of its cross-attention.
    pub cross_prefix: Option<KeyValue>,
}

impl BlockInputs {
    /// Inputs without anything but the states before the block.
    pub fn new(x: Tensor<2>) -> Self {
        BlockInputs {
            x,
            encoded: None,
            bias: None,
            prefix: None,
            cross_prefix: None,
        }
    }

    fn is_tracked(&self) -> bool {
        let of_prefix = |prefix: &Option<KeyValue>| {
            (prefix.as_ref()).is_some_and(|it| it.key.is_tracked() || it.value.is_tracked())
        };
        self.x.is_tracked()
            || self.encoded.as_ref().is_some_and(Tensor::is_tracked)
            || (self.bias.as_ref()).is_some_and(|bias| bias.values.is_tracked())
            || of_prefix(&self.prefix)
            || of_prefix(&self.cross_prefix)
    }

    /// The same values, detached from the graph.
    fn detached(self) -> Self {
        let of_prefix = |prefix: KeyValue| KeyValue {
            key: detached(prefix.key),
            value: detached(prefix.value),
        };
        BlockInputs {
            x: detached(self.x),
            encoded: self.encoded.map(detached),
            bias: self.bias.map(|bias| DistanceBias {
                values: detached(bias.values),
                ..bias
            }),
            prefix: self.prefix.map(of_prefix),
            cross_prefix: self.cross_prefix.map(of_prefix),
        }
    }
}

/// The same values, detached from the graph. Burn's own `detach` keeps `require_grad` of a tensor.
fn detached(x: Tensor<2>) -> Tensor<2> {
    x.detach().set_require_grad(false)
}

impl Pass {
    /// A pass without dropout and without gradient checkpointing.
    pub fn evaluation() -> Self {
        Pass {
            dropout: Dropout::off(),
            recomputed: None,
        }
    }

    /// A training pass. [`gradients`](Self::gradients) must compute its gradients.
    pub fn training(dropout: Dropout, checkpointing: GradientCheckpointing) -> Self {
        Pass {
            dropout,
            recomputed: match checkpointing {
                GradientCheckpointing::Off => None,
                GradientCheckpointing::Blocks => Some(Recomputed::default()),
            },
        }
    }

    /// Runs a block. `run` returns the states after it, and whatever else the caller needs; it is called
    /// again for gradients, and must then compute the same values.
    pub(crate) fn block<B: Module + 'static, E>(
        &mut self,
        block: &B,
        inputs: BlockInputs,
        run: impl Fn(&B, BlockInputs, &mut Dropout) -> (Tensor<2>, E) + 'static,
    ) -> (Tensor<2>, E) {
        let Some(recomputed) = &mut self.recomputed else {
            return run(block, inputs, &mut self.dropout);
        };
        if !inputs.is_tracked() && !is_tracked(block) {
            return run(block, inputs, &mut self.dropout);
        }
        let mut dropout = self.dropout.clone();
        let frozen = block.clone().no_grad();
        let (output, extra) = run(&frozen, inputs.clone().detached(), &mut self.dropout);
        let output = output.detach().require_grad();
        let block = block.clone();
        recomputed.segments.push(Segment {
            output: output.clone(),
            recorded: Box::new(move || run(&block, inputs, &mut dropout).0),
        });
        (output, extra)
    }

    /// A tensor that several blocks read. Each block is recorded separately, so no block's recording may
    /// include the computation of this tensor.
    pub(crate) fn shared(&mut self, x: Tensor<2>) -> Tensor<2> {
        match &mut self.recomputed {
            Some(recomputed) if x.is_tracked() => {
                let output = x.clone().detach().require_grad();
                recomputed.segments.push(Segment {
                    output: output.clone(),
                    recorded: Box::new(move || x),
                });
                output
            }
            _ => x,
        }
    }

    /// The tensors that a tuning method injects, some of which may come from one network: the backward pass
    /// through their computation runs once, after all blocks.
    pub(crate) fn inject(&mut self, injected: Injected) -> Injected {
        let Some(recomputed) = &mut self.recomputed else {
            return injected;
        };
        injected.map(&mut |tensor| {
            if !tensor.is_tracked() {
                return tensor;
            }
            let output = tensor.clone().detach().require_grad();
            recomputed.injected.push((output.clone(), tensor));
            output
        })
    }

    /// The gradients of `loss`, which this pass computed, with respect to all parameters of `module` that
    /// require them; and the source of dropout masks for the next pass.
    pub fn gradients<M: Module>(self, loss: &Tensor<1>, module: &M) -> (GradientsParams, Dropout) {
        let computed = loss.backward();
        let Some(Recomputed {
            mut segments,
            injected,
        }) = self.recomputed
        else {
            return (GradientsParams::from_grads(computed, module), self.dropout);
        };
        let mut sum = GradientsAccumulator::new();
        let mut of_segments = vec![None; segments.len()];
        let mut of_injected = vec![None; injected.len()];
        let mut collect = |mut computed, segments: &[Segment], of_segments: &mut [_]| {
            let segments = segments.iter().map(|segment| &segment.output);
            let outputs = segments.chain(injected.iter().map(|(output, _)| output));
            for (output, sum) in outputs.zip(of_segments.iter_mut().chain(&mut of_injected)) {
                add_gradient(sum, output, &mut computed);
            }
            sum.accumulate(module, GradientsParams::from_grads(computed, module));
        };
        collect(computed, &segments, &mut of_segments);
        // Only later segments read a segment's output, so the last segment's gradient is complete.
        while let (Some(segment), Some(gradient)) = (segments.pop(), of_segments.pop()) {
            if let Some(gradient) = gradient {
                let computed = backward([((segment.recorded)(), gradient)]);
                collect(computed, &segments, &mut of_segments);
            }
        }
        let injected = injected.into_iter().zip(of_injected);
        let reached = injected.filter_map(|((_, tensor), gradient)| Some((tensor, gradient?)));
        let reached: Vec<_> = reached.collect();
        if !reached.is_empty() {
            let computed = backward(reached);
            sum.accumulate(module, GradientsParams::from_grads(computed, module));
        }
        (sum.grads(), self.dropout)
    }
}

/// Adds the gradient of `output`, if `computed` contains one, to `sum`.
fn add_gradient(sum: &mut Option<Tensor<2>>, output: &Tensor<2>, computed: &mut Gradients) {
    if let Some(more) = output.grad_remove(computed) {
        *sum = Some(match sum.take() {
            Some(so_far) => so_far + more,
            None => more,
        });
    }
}

/// The gradients with respect to the inputs of these tensors, given the tensors' own gradients.
fn backward(tensors: impl IntoIterator<Item = (Tensor<2>, Tensor<2>)>) -> Gradients {
    (tensors.into_iter())
        .map(|(tensor, gradient)| (tensor * Tensor::from_inner(gradient)).sum())
        .reduce(|a, b| a + b)
        .expect("at least one tensor")
        .backward()
}

/// Whether any parameter requires gradients.
fn is_tracked<M: Module>(module: &M) -> bool {
    struct Tracked(bool);
    impl ModuleVisitor for Tracked {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0 |= param.val().is_tracked();
        }
    }
    let mut tracked = Tracked(false);
    module.visit(&mut tracked);
    tracked.0
}
