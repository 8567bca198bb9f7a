//! The gated activation of T5 v1.1's feed-forward.
//!
//! With `u = sqrt(2/π) (g + 0.044715 g³)` and `s = σ(2u) = (1 + tanh u) / 2`:
//!
//! - `gelu(g) = g s`
//! - `gelu'(g) = s + 2 g s (1 - s) u'`, where `u' = sqrt(2/π) (1 + 3 * 0.044715 g²)`
//! - `y = gelu(g) up`, `dup = dy gelu(g)`, `dg = dy up gelu'(g)`
//!
//! The backward computes `s` again from the saved gate.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;
use burn_flex::FlexTensor;

use super::flex::{self, contiguous, values, values_mut};
use super::vector::{Arithmetic, tanh, vectorised};

/// `sqrt(2/π)`, of GELU's approximation by tanh.
const SLOPE: f32 = 0.797_884_6;
/// The weight of the cube in the same approximation.
const CUBE: f32 = 0.044_715;

/// `gelu_tanh(gate) * up`.
///
/// # Shapes
///
/// - gate, up and output: `[N, F]`
pub fn gated_gelu(gate: Tensor<2>, up: Tensor<2>) -> Tensor<2> {
    assert_eq!(
        gate.dims(),
        up.dims(),
        "gated_gelu: gate and up have one shape"
    );
    if !flex::is_fused(&gate) {
        return reference(gate, up);
    }
    Tensor::from_dispatch(Dispatch::gated_gelu(
        gate.into_dispatch(),
        up.into_dispatch(),
    ))
}

/// [`gated_gelu`] in plain Burn operations.
pub fn reference(gate: Tensor<2>, up: Tensor<2>) -> Tensor<2> {
    // Not `powf`: it is slow where it is not fused.
    let cube = gate.clone() * gate.clone() * gate.clone();
    let inner = (gate.clone() + cube * CUBE) * SLOPE;
    gate * 0.5 * (inner.tanh() + 1.0) * up
}

#[backend_extension(Flex, Autodiff)]
trait GatedGelu: Backend {
    fn gated_gelu(gate: FloatTensor<Self>, up: FloatTensor<Self>) -> FloatTensor<Self>;
}

impl GatedGelu for Flex {
    fn gated_gelu(gate: FlexTensor, up: FlexTensor) -> FlexTensor {
        forward(&contiguous(gate), contiguous(up))
    }
}

impl<C: CheckpointStrategy> GatedGelu for Autodiff<Flex, C> {
    fn gated_gelu(gate: FloatTensor<Self>, up: FloatTensor<Self>) -> FloatTensor<Self> {
        let gate_is_tracked = gate.is_tracked();
        let ((gate, gate_node), (up, up_node)) = (gate.into_parts(), up.into_parts());
        let (gate, up) = (contiguous(gate), contiguous(up));
        match GatedGeluBackward
            .prepare::<C>([gate_node, up_node])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(step) => {
                let saved_up = gate_is_tracked.then(|| up.clone());
                let output = forward(&gate, up);
                step.finish(Saved { gate, up: saved_up }, output)
            }
            OpsKind::UnTracked(step) => step.finish(forward(&gate, up)),
        }
    }
}

#[derive(Clone, Debug)]
struct Saved {
    gate: FlexTensor,
    /// Only where the gate's gradient, which alone needs it, is wanted.
    up: Option<FlexTensor>,
}

#[derive(Debug)]
struct GatedGeluBackward;

impl Backward<Flex, 2> for GatedGeluBackward {
    type State = Saved;

    fn backward(self, ops: Ops<Saved, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let Saved { gate, up } = ops.state;
        let dy = contiguous(grads.consume::<Flex>(&ops.node));
        match (ops.parents, up) {
            ([Some(gate_node), Some(up_node)], Some(up)) => {
                let (dgate, dup) = both_gradients(gate, up, &dy);
                grads.register::<Flex>(gate_node.id, dgate);
                grads.register::<Flex>(up_node.id, dup);
            }
            ([Some(gate_node), None], Some(up)) => {
                grads.register::<Flex>(gate_node.id, gate_gradient(gate, &up, &dy));
            }
            // `dup = dy gelu(gate)` is the forward with `dy` in the place of `up`.
            ([None, Some(up_node)], _) => {
                grads.register::<Flex>(up_node.id, forward(&gate, dy));
            }
            _ => unreachable!("`up` is saved where the gate is tracked, and one parent is"),
        }
    }
}

/// Turns `up` into the output, in place where nothing else holds it.
fn forward(gate: &FlexTensor, mut up: FlexTensor) -> FlexTensor {
    let [_, width] = flex::dims2(gate);
    let gate = values(gate);
    flex::for_each_share(values_mut(&mut up), width, |start, up| {
        multiply_by_gelu(up, &gate[start..start + up.len()]);
    });
    up
}

fn gate_gradient(mut gate: FlexTensor, up: &FlexTensor, dy: &FlexTensor) -> FlexTensor {
    let [_, width] = flex::dims2(&gate);
    let (up, dy) = (values(up), values(dy));
    flex::for_each_share(values_mut(&mut gate), width, |start, gate| {
        let share = start..start + gate.len();
        gate_gradients(gate, &up[share.clone()], &dy[share]);
    });
    gate
}

fn both_gradients(
    mut gate: FlexTensor,
    mut up: FlexTensor,
    dy: &FlexTensor,
) -> (FlexTensor, FlexTensor) {
    let [_, width] = flex::dims2(&gate);
    let dy = values(dy);
    let (gates, ups) = (values_mut(&mut gate), values_mut(&mut up));
    flex::for_each_share_of_two(gates, ups, width, |start, gate, up| {
        gradients(gate, up, &dy[start..start + gate.len()]);
    });
    (gate, up)
}

/// GELU and its derivative.
#[inline(always)]
fn gelu<A: Arithmetic>(gate: f32) -> (f32, f32) {
    let square = gate * gate;
    let inner = SLOPE * gate * A::mul_add(CUBE, square, 1.0);
    let share = A::mul_add(0.5, tanh::<A>(inner), 0.5);
    let inner_slope = SLOPE * A::mul_add(3.0 * CUBE, square, 1.0);
    let value = gate * share;
    (
        value,
        A::mul_add(2.0 * value * (1.0 - share), inner_slope, share),
    )
}

vectorised! {
    fn multiply_by_gelu<A>(up: &mut [f32], gate: &[f32]) {
        for (up, &gate) in up.iter_mut().zip(gate) {
            *up *= gelu::<A>(gate).0;
        }
    }

    /// `gate` becomes its gradient.
    fn gate_gradients<A>(gate: &mut [f32], up: &[f32], dy: &[f32]) {
        for ((gate, up), dy) in gate.iter_mut().zip(up).zip(dy) {
            *gate = dy * up * gelu::<A>(*gate).1;
        }
    }

    /// `gate` and `up` become their gradients.
    fn gradients<A>(gate: &mut [f32], up: &mut [f32], dy: &[f32]) {
        for ((gate, up), dy) in gate.iter_mut().zip(up).zip(dy) {
            let (value, slope) = gelu::<A>(*gate);
            *gate = dy * *up * slope;
            *up = dy * value;
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Tensor;
    use proptest::prelude::*;

    use super::super::testing::{Input, check, check_differences, layouts, roles};
    use super::{gated_gelu, reference};

    fn fused(inputs: &[Tensor<2>]) -> Tensor<2> {
        gated_gelu(inputs[0].clone(), inputs[1].clone())
    }

    fn plain(inputs: &[Tensor<2>]) -> Tensor<2> {
        reference(inputs[0].clone(), inputs[1].clone())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn agrees_with_the_reference(
            shape in [1..40_usize, 1..70_usize],
            (gate_role, up_role) in (roles(), roles()),
            (gate_layout, up_layout) in (layouts(), layouts()),
            seed in 1..1000_u64,
        ) {
            let gate = Input::tracked(shape, seed).with_role(gate_role);
            let up = Input::tracked(shape, seed + 1).with_role(up_role);
            let gate = Input { layout: gate_layout, ..gate };
            check(&fused, &plain, &[gate, Input { layout: up_layout, ..up }]);
        }
    }

    #[test]
    fn agrees_with_the_reference_over_many_shares() {
        check(
            &fused,
            &plain,
            &[Input::tracked([300, 256], 3), Input::tracked([300, 256], 4)],
        );
    }

    #[test]
    fn gradients_are_differences() {
        check_differences(
            &fused,
            &[Input::tracked([3, 9], 5), Input::tracked([3, 9], 6)],
        );
    }

    #[test]
    fn one_tensor_as_gate_and_up() {
        let square = |op: fn(Tensor<2>, Tensor<2>) -> Tensor<2>| {
            move |inputs: &[Tensor<2>]| op(inputs[0].clone(), inputs[0].clone())
        };
        check(
            &square(gated_gelu),
            &square(reference),
            &[Input::tracked([4, 20], 7)],
        );
    }

    #[test]
    fn far_from_zero_the_gate_opens_or_shuts() {
        let device = burn::tensor::Device::flex();
        let gate = Tensor::<2>::from_floats([[-1e4, -20.0, 20.0, 1e4]], &device);
        let output = gated_gelu(gate.clone(), gate.ones_like());
        assert_eq!(
            output.into_data().try_to_vec::<f32>().unwrap(),
            [0.0, 0.0, 20.0, 1e4]
        );
    }
}
