//! T5's RMS norm.
//!
//! For a row `x` with `r = 1 / sqrt(mean(x²) + epsilon)`:
//!
//! - `y = x r gain`
//! - `dx = r (dy gain) - x r³ mean(x dy gain)`
//! - `dgain = Σ rows of dy x r`
//!
//! The backward recomputes `r` from the saved input.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;
use burn_flex::FlexTensor;

use super::flex::{self, contiguous, values, values_mut};
use super::vector::{dot, vectorised};

/// T5's RMS norm of every row: `x / sqrt(mean(x²) + epsilon) * gain`.
///
/// # Shapes
///
/// - x: `[N, D]`
/// - gain: `[D]`
/// - output: `[N, D]`
pub fn rms_norm(x: Tensor<2>, gain: Tensor<1>, epsilon: f64) -> Tensor<2> {
    assert_eq!(
        x.dims()[1],
        gain.dims()[0],
        "rms_norm: the gain must have the width of x"
    );
    if !flex::is_fused(&x) {
        return reference(x, gain, epsilon);
    }
    let (x, gain) = (x.into_dispatch(), gain.into_dispatch());
    Tensor::from_dispatch(Dispatch::rms_norm(x, gain, epsilon as f32))
}

/// [`rms_norm`] in plain Burn operations.
pub fn reference(x: Tensor<2>, gain: Tensor<1>, epsilon: f64) -> Tensor<2> {
    let mean_square = x.clone().square().mean_dim(1);
    x / (mean_square + epsilon).sqrt() * gain.unsqueeze()
}

#[backend_extension(Flex, Autodiff)]
trait RmsNorm: Backend {
    fn rms_norm(x: FloatTensor<Self>, gain: FloatTensor<Self>, epsilon: f32) -> FloatTensor<Self>;
}

impl RmsNorm for Flex {
    fn rms_norm(x: FlexTensor, gain: FlexTensor, epsilon: f32) -> FlexTensor {
        forward(contiguous(x), &contiguous(gain), epsilon)
    }
}

impl<C: CheckpointStrategy> RmsNorm for Autodiff<Flex, C> {
    fn rms_norm(x: FloatTensor<Self>, gain: FloatTensor<Self>, epsilon: f32) -> FloatTensor<Self> {
        let ((x, x_node), (gain, gain_node)) = (x.into_parts(), gain.into_parts());
        let (x, gain) = (contiguous(x), contiguous(gain));
        match RmsNormBackward
            .prepare::<C>([x_node, gain_node])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(step) => {
                let output = forward(x.clone(), &gain, epsilon);
                step.finish(Saved { x, gain, epsilon }, output)
            }
            OpsKind::UnTracked(step) => step.finish(forward(x, &gain, epsilon)),
        }
    }
}

#[derive(Clone, Debug)]
struct Saved {
    x: FlexTensor,
    gain: FlexTensor,
    epsilon: f32,
}

#[derive(Debug)]
struct RmsNormBackward;

impl Backward<Flex, 2> for RmsNormBackward {
    type State = Saved;

    fn backward(self, ops: Ops<Saved, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let Saved { x, gain, epsilon } = ops.state;
        let [x_node, gain_node] = ops.parents;
        let dy = contiguous(grads.consume::<Flex>(&ops.node));
        if let Some(node) = gain_node {
            grads.register::<Flex>(node.id, gain_gradient(&dy, &x, epsilon));
        }
        if let Some(node) = x_node {
            grads.register::<Flex>(node.id, input_gradient(dy, &x, &gain, epsilon));
        }
    }
}

/// Computes the output from `x`, in place if the buffer is not shared.
fn forward(mut x: FlexTensor, gain: &FlexTensor, epsilon: f32) -> FlexTensor {
    let gain = values(gain);
    flex::for_each_share(values_mut(&mut x), gain.len(), |_, rows| {
        normalise(rows, gain, epsilon);
    });
    x
}

/// Computes the gradient of the input from that of the output.
fn input_gradient(
    mut dy: FlexTensor,
    x: &FlexTensor,
    gain: &FlexTensor,
    epsilon: f32,
) -> FlexTensor {
    let (x, gain) = (values(x), values(gain));
    flex::for_each_share(values_mut(&mut dy), gain.len(), |start, rows| {
        input_gradients(rows, &x[start..start + rows.len()], gain, epsilon);
    });
    dy
}

fn gain_gradient(dy: &FlexTensor, x: &FlexTensor, epsilon: f32) -> FlexTensor {
    let [rows, width] = flex::dims2(x);
    let (dy, x) = (values(dy), values(x));
    let parts = flex::map_shares(rows, width, |rows| {
        let share = rows.start * width..rows.end * width;
        let mut sum = vec![0.0; width];
        add_gain_gradients(&mut sum, &dy[share.clone()], &x[share], epsilon);
        sum
    });
    flex::from_values(flex::total(parts, width), [width])
}

/// `1 / sqrt(mean(x²) + epsilon)`, given the sum of squares.
#[inline(always)]
fn inverse_rms(square_sum: f32, width: usize, epsilon: f32) -> f32 {
    1.0 / (square_sum / width as f32 + epsilon).sqrt()
}

vectorised! {
    fn normalise<A>(rows: &mut [f32], gain: &[f32], epsilon: f32) {
        for row in rows.chunks_exact_mut(gain.len()) {
            let scale = inverse_rms(dot::<A>(row, row), row.len(), epsilon);
            for (x, gain) in row.iter_mut().zip(gain) {
                *x *= scale * gain;
            }
        }
    }

    /// `rows` contains `dy` and is replaced by `dx`.
    fn input_gradients<A>(rows: &mut [f32], x: &[f32], gain: &[f32], epsilon: f32) {
        let width = gain.len();
        for (row, x) in rows.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
            let scale = inverse_rms(dot::<A>(x, x), width, epsilon);
            for (dy, gain) in row.iter_mut().zip(gain) {
                *dy *= gain;
            }
            let along = dot::<A>(row, x) * scale * scale * scale / width as f32;
            for (dy, x) in row.iter_mut().zip(x) {
                *dy = A::mul_add(*dy, scale, -along * x);
            }
        }
    }

    fn add_gain_gradients<A>(sum: &mut [f32], dy: &[f32], x: &[f32], epsilon: f32) {
        let width = sum.len();
        for (dy, x) in dy.chunks_exact(width).zip(x.chunks_exact(width)) {
            let scale = inverse_rms(dot::<A>(x, x), width, epsilon);
            for ((sum, dy), x) in sum.iter_mut().zip(dy).zip(x) {
                *sum = A::mul_add(*dy, x * scale, *sum);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Tensor;
    use proptest::prelude::*;

    use super::super::testing::{Input, Role, check, check_differences, layouts, roles};
    use super::{reference, rms_norm};

    fn fused(inputs: &[Tensor<2>]) -> Tensor<2> {
        rms_norm(inputs[0].clone(), inputs[1].clone().squeeze_dim(0), 1e-6)
    }

    fn plain(inputs: &[Tensor<2>]) -> Tensor<2> {
        reference(inputs[0].clone(), inputs[1].clone().squeeze_dim(0), 1e-6)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn agrees_with_the_reference(
            (rows, width) in (1..40_usize, 1..70_usize),
            (x_role, gain_role) in (roles(), roles()),
            layout in layouts(),
            seed in 1..1000_u64,
        ) {
            let x = Input { layout, ..Input::tracked([rows, width], seed).with_role(x_role) };
            let gain = Input::tracked([1, width], seed + 1).with_role(gain_role);
            check(&fused, &plain, &[x, gain]);
        }
    }

    #[test]
    fn agrees_with_the_reference_over_many_shares() {
        check(
            &fused,
            &plain,
            &[Input::tracked([700, 128], 3), Input::tracked([1, 128], 4)],
        );
    }

    #[test]
    fn gradients_are_differences() {
        check_differences(
            &fused,
            &[Input::tracked([3, 9], 5), Input::tracked([1, 9], 6)],
        );
    }

    #[test]
    fn a_row_of_zeros_stays() {
        let x = Tensor::<2>::zeros([1, 4], &burn::tensor::Device::flex());
        let output = rms_norm(x.clone(), x.ones_like().squeeze_dim(0), 1e-6);
        assert_eq!(output.into_data().try_to_vec::<f32>().unwrap(), [0.0; 4]);
    }

    #[test]
    fn a_frozen_gain_does_not_change_the_input_gradient() {
        let gain = Input::tracked([1, 16], 8).with_role(Role::Frozen);
        check(&fused, &plain, &[Input::tracked([5, 16], 7), gain]);
    }
}
