//! The exact GELU of BERT's feed-forward (Hendrycks & Gimpel 2016, arXiv 1606.08415).
//!
//! With the normal distribution's `Φ(x) = (1 + erf(x / √2)) / 2` and `φ(x) = e^(-x²/2) / √(2π)`:
//!
//! - `y = x Φ(x)`
//! - `dx = dy (Φ(x) + x φ(x))`
//!
//! `Φ` is computed from the same exponential as `φ` (Abramowitz & Stegun 1964, 7.1.26: within 7.5e-8). The backward
//! recomputes it from the saved input.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::{Tensor, activation};
use burn_flex::FlexTensor;

use super::flex::{self, contiguous, values, values_mut};
use super::vector::{Arithmetic, exp, vectorised};

/// `x Φ(x)` of every value.
///
/// # Shapes
///
/// - x and output: `[N, F]`
pub fn gelu(x: Tensor<2>) -> Tensor<2> {
    if !flex::is_fused(&x) {
        return reference(x);
    }
    Tensor::from_dispatch(Dispatch::exact_gelu(x.into_dispatch()))
}

/// [`gelu`] in plain Burn operations.
pub fn reference(x: Tensor<2>) -> Tensor<2> {
    activation::gelu(x)
}

#[backend_extension(Flex, Autodiff)]
trait Gelu: Backend {
    fn exact_gelu(x: FloatTensor<Self>) -> FloatTensor<Self>;
}

impl Gelu for Flex {
    fn exact_gelu(x: FlexTensor) -> FlexTensor {
        forward(contiguous(x))
    }
}

impl<C: CheckpointStrategy> Gelu for Autodiff<Flex, C> {
    fn exact_gelu(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let x = contiguous(x);
        match GeluBackward.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(step) => {
                let output = forward(x.clone());
                step.finish(x, output)
            }
            OpsKind::UnTracked(step) => step.finish(forward(x)),
        }
    }
}

#[derive(Debug)]
struct GeluBackward;

impl Backward<Flex, 1> for GeluBackward {
    type State = FlexTensor;

    fn backward(self, ops: Ops<FlexTensor, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = contiguous(grads.consume::<Flex>(&ops.node));
        if let [Some(node)] = ops.parents {
            grads.register::<Flex>(node.id, gradient(dy, &ops.state));
        }
    }
}

/// Computes the output from `x`, in place if the buffer is not shared.
fn forward(mut x: FlexTensor) -> FlexTensor {
    let [_, width] = flex::dims2(&x);
    flex::for_each_share(values_mut(&mut x), width, |_, x| activate(x));
    x
}

/// Computes the gradient of the input from that of the output.
fn gradient(mut dy: FlexTensor, x: &FlexTensor) -> FlexTensor {
    let [_, width] = flex::dims2(x);
    let x = values(x);
    flex::for_each_share(values_mut(&mut dy), width, |start, dy| {
        multiply_by_slope(dy, &x[start..start + dy.len()]);
    });
    dy
}

/// `Φ(x)` and `x φ(x)`.
#[inline(always)]
pub(super) fn parts<A: Arithmetic>(x: f32) -> (f32, f32) {
    const INVERSE_SQRT_2_PI: f32 = 0.398_942_3;
    let size = x.abs();
    let bell = exp::<A>(-0.5 * size * size);
    let t = 1.0 / A::mul_add(0.327_591_1 * std::f32::consts::FRAC_1_SQRT_2, size, 1.0);
    let mut series = 1.061_405_4;
    for coefficient in [-1.453_152, 1.421_413_7, -0.284_496_74, 0.254_829_6] {
        series = A::mul_add(series, t, coefficient);
    }
    let tail = 0.5 * series * t * bell;
    let share = if x < 0.0 { tail } else { 1.0 - tail };
    (share, x * bell * INVERSE_SQRT_2_PI)
}

vectorised! {
    fn activate<A>(x: &mut [f32]) {
        for x in x {
            *x *= parts::<A>(*x).0;
        }
    }

    /// Replaces `dy` by `dx`.
    fn multiply_by_slope<A>(dy: &mut [f32], x: &[f32]) {
        for (dy, x) in dy.iter_mut().zip(x) {
            let (share, bell) = parts::<A>(*x);
            *dy *= share + bell;
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Tensor;
    use proptest::prelude::*;

    use super::super::testing::{Input, check, check_differences, layouts, roles};
    use super::{gelu, reference};

    fn fused(inputs: &[Tensor<2>]) -> Tensor<2> {
        gelu(inputs[0].clone())
    }

    fn plain(inputs: &[Tensor<2>]) -> Tensor<2> {
        reference(inputs[0].clone())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn agrees_with_the_reference(
            shape in [1..40_usize, 1..70_usize],
            role in roles(),
            layout in layouts(),
            seed in 1..1000_u64,
        ) {
            let x = Input::tracked(shape, seed).with_role(role);
            check(&fused, &plain, &[Input { layout, ..x }]);
        }
    }

    #[test]
    fn agrees_with_the_reference_over_many_shares() {
        check(&fused, &plain, &[Input::tracked([300, 256], 3)]);
    }

    #[test]
    fn gradients_are_differences() {
        check_differences(&fused, &[Input::tracked([3, 9], 5)]);
    }

    #[test]
    fn far_from_zero_it_is_nothing_or_the_value() {
        let device = burn::tensor::Device::flex();
        let x = Tensor::<2>::from_floats([[-1e4, -20.0, 0.0, 20.0, 1e4]], &device);
        assert_eq!(
            gelu(x).into_data().try_to_vec::<f32>().unwrap(),
            [0.0, 0.0, 0.0, 20.0, 1e4]
        );
    }
}
