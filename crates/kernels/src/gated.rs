//! Gated activations: GELU in T5 v1.1's feed-forward, SiLU in Llama's.
//!
//! With `u = sqrt(2/π) (g + 0.044715 g³)` and `s = σ(2u) = (1 + tanh u) / 2`:
//!
//! - `gelu(g) = g s`
//! - `gelu'(g) = s + 2 g s (1 - s) u'`, where `u' = sqrt(2/π) (1 + 3 * 0.044715 g²)`
//!
//! With `s = σ(g)`: `silu(g) = g s`, `silu'(g) = s + g s (1 - s)`. With either:
//!
//! - `y = f(g) up`, `dup = dy f(g)`, `dg = dy up f'(g)`
//!
//! The backward recomputes `s` from the saved gate.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::{Tensor, activation};
use burn_flex::FlexTensor;

use super::flex::{self, contiguous, values, values_mut};
use super::gelu;
use super::vector::{Arithmetic, tanh, vectorised};

/// `sqrt(2/π)`, in GELU's tanh approximation.
const SLOPE: f32 = 0.797_884_6;
/// The coefficient of the cube in the same approximation.
const CUBE: f32 = 0.044_715;

/// The activation of the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    Gelu,
    ExactGelu,
    Silu,
}

/// `gelu_tanh(gate) * up`.
///
/// # Shapes
///
/// - gate, up and output: `[N, F]`
pub fn gated_gelu(gate: Tensor<2>, up: Tensor<2>) -> Tensor<2> {
    gated(gate, up, Gate::Gelu)
}

/// `gelu(gate) * up` with the exact GELU. Shapes as in [`gated_gelu`].
pub fn gated_exact_gelu(gate: Tensor<2>, up: Tensor<2>) -> Tensor<2> {
    gated(gate, up, Gate::ExactGelu)
}

/// `silu(gate) * up`. Shapes as in [`gated_gelu`].
pub fn gated_silu(gate: Tensor<2>, up: Tensor<2>) -> Tensor<2> {
    gated(gate, up, Gate::Silu)
}

fn gated(gate: Tensor<2>, up: Tensor<2>, kind: Gate) -> Tensor<2> {
    assert_eq!(gate.dims(), up.dims(), "gated: gate and up have one shape");
    if !flex::is_fused(&gate) {
        return match kind {
            Gate::Gelu => gelu_reference(gate, up),
            Gate::ExactGelu => exact_gelu_reference(gate, up),
            Gate::Silu => silu_reference(gate, up),
        };
    }
    Tensor::from_dispatch(Dispatch::gated(
        gate.into_dispatch(),
        up.into_dispatch(),
        kind,
    ))
}

/// [`gated_gelu`] in plain Burn operations.
pub fn gelu_reference(gate: Tensor<2>, up: Tensor<2>) -> Tensor<2> {
    // Not `powf`: it is slow when not fused.
    let cube = gate.clone() * gate.clone() * gate.clone();
    let inner = (gate.clone() + cube * CUBE) * SLOPE;
    gate * 0.5 * (inner.tanh() + 1.0) * up
}

/// [`gated_exact_gelu`] in plain Burn operations.
pub fn exact_gelu_reference(gate: Tensor<2>, up: Tensor<2>) -> Tensor<2> {
    activation::gelu(gate) * up
}

/// [`gated_silu`] in plain Burn operations.
pub fn silu_reference(gate: Tensor<2>, up: Tensor<2>) -> Tensor<2> {
    activation::silu(gate) * up
}

#[backend_extension(Flex, Autodiff)]
trait Gated: Backend {
    fn gated(gate: FloatTensor<Self>, up: FloatTensor<Self>, kind: Gate) -> FloatTensor<Self>;
}

impl Gated for Flex {
    fn gated(gate: FlexTensor, up: FlexTensor, kind: Gate) -> FlexTensor {
        forward(&contiguous(gate), contiguous(up), kind)
    }
}

impl<C: CheckpointStrategy> Gated for Autodiff<Flex, C> {
    fn gated(gate: FloatTensor<Self>, up: FloatTensor<Self>, kind: Gate) -> FloatTensor<Self> {
        let gate_is_tracked = gate.is_tracked();
        let ((gate, gate_node), (up, up_node)) = (gate.into_parts(), up.into_parts());
        let (gate, up) = (contiguous(gate), contiguous(up));
        match GatedBackward
            .prepare::<C>([gate_node, up_node])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(step) => {
                let saved_up = gate_is_tracked.then(|| up.clone());
                let output = forward(&gate, up, kind);
                let saved = Saved {
                    gate,
                    up: saved_up,
                    kind,
                };
                step.finish(saved, output)
            }
            OpsKind::UnTracked(step) => step.finish(forward(&gate, up, kind)),
        }
    }
}

#[derive(Clone, Debug)]
struct Saved {
    gate: FlexTensor,
    /// Only needed for the gate's gradient.
    up: Option<FlexTensor>,
    kind: Gate,
}

#[derive(Debug)]
struct GatedBackward;

impl Backward<Flex, 2> for GatedBackward {
    type State = Saved;

    fn backward(self, ops: Ops<Saved, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let Saved { gate, up, kind } = ops.state;
        let dy = contiguous(grads.consume::<Flex>(&ops.node));
        match (ops.parents, up) {
            ([Some(gate_node), Some(up_node)], Some(up)) => {
                let (dgate, dup) = both_gradients(gate, up, &dy, kind);
                grads.register::<Flex>(gate_node.id, dgate);
                grads.register::<Flex>(up_node.id, dup);
            }
            ([Some(gate_node), None], Some(up)) => {
                grads.register::<Flex>(gate_node.id, gate_gradient(gate, &up, &dy, kind));
            }
            // `dup = dy f(gate)` is the forward with `dy` instead of `up`.
            ([None, Some(up_node)], _) => {
                grads.register::<Flex>(up_node.id, forward(&gate, dy, kind));
            }
            _ => unreachable!("`up` is saved if the gate is tracked, and at least one parent is"),
        }
    }
}

/// Computes the output from `up`, in place if the buffer is not shared.
fn forward(gate: &FlexTensor, mut up: FlexTensor, kind: Gate) -> FlexTensor {
    let [_, width] = flex::dims2(gate);
    let gate = values(gate);
    flex::for_each_share(values_mut(&mut up), width, |start, up| {
        let gate = &gate[start..start + up.len()];
        match kind {
            Gate::Gelu => multiply_by_gelu(up, gate),
            Gate::ExactGelu => multiply_by_exact_gelu(up, gate),
            Gate::Silu => multiply_by_silu(up, gate),
        }
    });
    up
}

fn gate_gradient(mut gate: FlexTensor, up: &FlexTensor, dy: &FlexTensor, kind: Gate) -> FlexTensor {
    let [_, width] = flex::dims2(&gate);
    let (up, dy) = (values(up), values(dy));
    flex::for_each_share(values_mut(&mut gate), width, |start, gate| {
        let share = start..start + gate.len();
        let (up, dy) = (&up[share.clone()], &dy[share]);
        match kind {
            Gate::Gelu => gelu_gate_gradients(gate, up, dy),
            Gate::ExactGelu => exact_gelu_gate_gradients(gate, up, dy),
            Gate::Silu => silu_gate_gradients(gate, up, dy),
        }
    });
    gate
}

fn both_gradients(
    mut gate: FlexTensor,
    mut up: FlexTensor,
    dy: &FlexTensor,
    kind: Gate,
) -> (FlexTensor, FlexTensor) {
    let [_, width] = flex::dims2(&gate);
    let dy = values(dy);
    let (gates, ups) = (values_mut(&mut gate), values_mut(&mut up));
    flex::for_each_share_of_two(gates, ups, width, |start, gate, up| {
        let dy = &dy[start..start + gate.len()];
        match kind {
            Gate::Gelu => gelu_gradients(gate, up, dy),
            Gate::ExactGelu => exact_gelu_gradients(gate, up, dy),
            Gate::Silu => silu_gradients(gate, up, dy),
        }
    });
    (gate, up)
}

/// GELU and its derivative.
#[inline(always)]
fn tanh_gelu<A: Arithmetic>(gate: f32) -> (f32, f32) {
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

/// The exact GELU and its derivative.
#[inline(always)]
fn exact_gelu<A: Arithmetic>(gate: f32) -> (f32, f32) {
    let (share, bell) = gelu::parts::<A>(gate);
    (gate * share, share + bell)
}

/// SiLU and its derivative.
#[inline(always)]
fn silu<A: Arithmetic>(gate: f32) -> (f32, f32) {
    let share = A::mul_add(0.5, tanh::<A>(0.5 * gate), 0.5);
    let value = gate * share;
    (value, A::mul_add(value, 1.0 - share, share))
}

vectorised! {
    fn multiply_by_silu<A>(up: &mut [f32], gate: &[f32]) {
        for (up, &gate) in up.iter_mut().zip(gate) {
            *up *= silu::<A>(gate).0;
        }
    }

    /// Replaces `gate` by its gradient.
    fn silu_gate_gradients<A>(gate: &mut [f32], up: &[f32], dy: &[f32]) {
        for ((gate, up), dy) in gate.iter_mut().zip(up).zip(dy) {
            *gate = dy * up * silu::<A>(*gate).1;
        }
    }

    /// Replaces `gate` and `up` by their gradients.
    fn silu_gradients<A>(gate: &mut [f32], up: &mut [f32], dy: &[f32]) {
        for ((gate, up), dy) in gate.iter_mut().zip(up).zip(dy) {
            let (value, slope) = silu::<A>(*gate);
            *gate = dy * *up * slope;
            *up = dy * value;
        }
    }

    fn multiply_by_exact_gelu<A>(up: &mut [f32], gate: &[f32]) {
        for (up, &gate) in up.iter_mut().zip(gate) {
            *up *= exact_gelu::<A>(gate).0;
        }
    }

    /// Replaces `gate` by its gradient.
    fn exact_gelu_gate_gradients<A>(gate: &mut [f32], up: &[f32], dy: &[f32]) {
        for ((gate, up), dy) in gate.iter_mut().zip(up).zip(dy) {
            *gate = dy * up * exact_gelu::<A>(*gate).1;
        }
    }

    /// Replaces `gate` and `up` by their gradients.
    fn exact_gelu_gradients<A>(gate: &mut [f32], up: &mut [f32], dy: &[f32]) {
        for ((gate, up), dy) in gate.iter_mut().zip(up).zip(dy) {
            let (value, slope) = exact_gelu::<A>(*gate);
            *gate = dy * *up * slope;
            *up = dy * value;
        }
    }

    fn multiply_by_gelu<A>(up: &mut [f32], gate: &[f32]) {
        for (up, &gate) in up.iter_mut().zip(gate) {
            *up *= tanh_gelu::<A>(gate).0;
        }
    }

    /// Replaces `gate` by its gradient.
    fn gelu_gate_gradients<A>(gate: &mut [f32], up: &[f32], dy: &[f32]) {
        for ((gate, up), dy) in gate.iter_mut().zip(up).zip(dy) {
            *gate = dy * up * tanh_gelu::<A>(*gate).1;
        }
    }

    /// Replaces `gate` and `up` by their gradients.
    fn gelu_gradients<A>(gate: &mut [f32], up: &mut [f32], dy: &[f32]) {
        for ((gate, up), dy) in gate.iter_mut().zip(up).zip(dy) {
            let (value, slope) = tanh_gelu::<A>(*gate);
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
    use super::{
        exact_gelu_reference, gated_exact_gelu, gated_gelu, gated_silu, gelu_reference,
        silu_reference,
    };

    type Gated = fn(Tensor<2>, Tensor<2>) -> Tensor<2>;

    /// Fused and reference versions.
    const PAIRS: [(Gated, Gated); 3] = [
        (gated_gelu, gelu_reference),
        (gated_exact_gelu, exact_gelu_reference),
        (gated_silu, silu_reference),
    ];

    fn of_two(op: Gated) -> impl Fn(&[Tensor<2>]) -> Tensor<2> {
        move |inputs| op(inputs[0].clone(), inputs[1].clone())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn agrees_with_the_reference(
            shape in [1..40_usize, 1..70_usize],
            (gate_role, up_role) in (roles(), roles()),
            (gate_layout, up_layout) in (layouts(), layouts()),
            (which, seed) in (0..3_usize, 1..1000_u64),
        ) {
            let (fused, plain) = PAIRS[which];
            let gate = Input::tracked(shape, seed).with_role(gate_role);
            let up = Input::tracked(shape, seed + 1).with_role(up_role);
            let gate = Input { layout: gate_layout, ..gate };
            check(&of_two(fused), &of_two(plain), &[gate, Input { layout: up_layout, ..up }]);
        }
    }

    #[test]
    fn agrees_with_the_reference_over_many_shares() {
        for (fused, plain) in PAIRS {
            let inputs = [Input::tracked([300, 256], 3), Input::tracked([300, 256], 4)];
            check(&of_two(fused), &of_two(plain), &inputs);
        }
    }

    #[test]
    fn gradients_are_differences() {
        for (fused, _) in PAIRS {
            let inputs = [Input::tracked([3, 9], 5), Input::tracked([3, 9], 6)];
            check_differences(&of_two(fused), &inputs);
        }
    }

    #[test]
    fn one_tensor_as_gate_and_up() {
        let square =
            |op: Gated| move |inputs: &[Tensor<2>]| op(inputs[0].clone(), inputs[0].clone());
        for (fused, plain) in PAIRS {
            check(
                &square(fused),
                &square(plain),
                &[Input::tracked([4, 20], 7)],
            );
        }
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
