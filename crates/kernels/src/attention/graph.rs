//! Attention as an operation of the backend and of the autodiff graph.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, NodeGuard, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Flex, backend_extension};
use burn_flex::FlexTensor;

use super::call::Call;
use super::inputs::{Inputs, Wanted};
use crate::flex::contiguous;

#[backend_extension(Flex, Autodiff)]
pub(super) trait Attention: Backend {
    fn biased_attention(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        call: Call,
    ) -> FloatTensor<Self>;

    fn plain_attention(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        call: Call,
    ) -> FloatTensor<Self>;
}

impl Attention for Flex {
    fn biased_attention(
        query: FlexTensor,
        key: FlexTensor,
        value: FlexTensor,
        bias: FlexTensor,
        call: Call,
    ) -> FlexTensor {
        Inputs::new(query, key, value, Some(bias), call).forward().0
    }

    fn plain_attention(
        query: FlexTensor,
        key: FlexTensor,
        value: FlexTensor,
        call: Call,
    ) -> FlexTensor {
        Inputs::new(query, key, value, None, call).forward().0
    }
}

impl<C: CheckpointStrategy> Attention for Autodiff<Flex, C> {
    fn biased_attention(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        call: Call,
    ) -> FloatTensor<Self> {
        let [(query, q), (key, k), (value, v)] =
            [query, key, value].map(FloatTensor::<Self>::into_parts);
        let (bias, b) = bias.into_parts();
        record::<C, 4>(
            Inputs::new(query, key, value, Some(bias), call),
            [q, k, v, b],
        )
    }

    fn plain_attention(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        call: Call,
    ) -> FloatTensor<Self> {
        let [(query, q), (key, k), (value, v)] =
            [query, key, value].map(FloatTensor::<Self>::into_parts);
        record::<C, 3>(Inputs::new(query, key, value, None, call), [q, k, v])
    }
}

/// Runs the forward and, if an input is tracked, records the backward.
fn record<C: CheckpointStrategy, const N: usize>(
    inputs: Inputs,
    nodes: [NodeGuard; N],
) -> FloatTensor<Autodiff<Flex, C>> {
    let (output, log_z) = inputs.forward();
    match AttentionBackward
        .prepare::<C>(nodes)
        .compute_bound()
        .stateful()
    {
        OpsKind::Tracked(step) => step.finish(Saved { inputs, log_z }, output),
        OpsKind::UnTracked(step) => step.finish(output),
    }
}

#[derive(Clone, Debug)]
struct Saved {
    inputs: Inputs,
    /// For every example, head and query.
    log_z: Vec<f32>,
}

#[derive(Debug)]
struct AttentionBackward;

/// The parents are query, key, value and, if `N` is 4, the bias.
impl<const N: usize> Backward<Flex, N> for AttentionBackward {
    type State = Saved;

    fn backward(self, ops: Ops<Saved, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = contiguous(grads.consume::<Flex>(&ops.node));
        let wanted = |parent: usize| ops.parents.get(parent).is_some_and(Option::is_some);
        let wanted = Wanted {
            query: wanted(0),
            key: wanted(1),
            value: wanted(2),
            bias: wanted(3),
        };
        let Saved { inputs, log_z } = ops.state;
        let gradients = inputs.backward(&log_z, &dy, wanted);
        for (node, gradient) in ops.parents.into_iter().zip(gradients) {
            if let (Some(node), Some(gradient)) = (node, gradient) {
                grads.register::<Flex>(node.id, gradient);
            }
        }
    }
}
