//! The layer norm of BERT and GPT-2 (Ba, Kiros & Hinton 2016, arXiv 1607.06450).
//!
//! For a row `x` with mean `m`, `r = 1 / sqrt(mean((x - m)²) + epsilon)` and `n = (x - m) r`:
//!
//! - `y = n gain + bias`
//! - `dx = r (h - mean(h) - n mean(h n))`, where `h = dy gain`
//! - `dgain = Σ rows of dy n`, `dbias = Σ rows of dy`
//!
//! The backward recomputes `m` and `r` from the saved input.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;
use burn_flex::FlexTensor;

use super::flex::{self, contiguous, values, values_mut};
use super::vector::{Arithmetic, LANES, dot, vectorised};

/// The layer norm of every row: `(x - mean) / sqrt(variance + epsilon) * gain + bias`, with the
/// variance over all values.
///
/// # Shapes
///
/// - x: `[N, D]`
/// - gain, bias: `[D]`
/// - output: `[N, D]`
pub fn layer_norm(x: Tensor<2>, gain: Tensor<1>, bias: Tensor<1>, epsilon: f64) -> Tensor<2> {
    let width = x.dims()[1];
    assert!(
        gain.dims() == [width] && bias.dims() == [width],
        "layer_norm: gain and bias must have the width of x"
    );
    if !flex::is_fused(&x) {
        return reference(x, gain, bias, epsilon);
    }
    Tensor::from_dispatch(Dispatch::layer_norm(
        x.into_dispatch(),
        gain.into_dispatch(),
        bias.into_dispatch(),
        epsilon as f32,
    ))
}

/// [`layer_norm`] in plain Burn operations.
pub fn reference(x: Tensor<2>, gain: Tensor<1>, bias: Tensor<1>, epsilon: f64) -> Tensor<2> {
    let centred = x.clone() - x.mean_dim(1);
    let variance = centred.clone().square().mean_dim(1);
    centred / (variance + epsilon).sqrt() * gain.unsqueeze() + bias.unsqueeze()
}

#[backend_extension(Flex, Autodiff)]
trait LayerNorm: Backend {
    fn layer_norm(
        x: FloatTensor<Self>,
        gain: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f32,
    ) -> FloatTensor<Self>;
}

impl LayerNorm for Flex {
    fn layer_norm(x: FlexTensor, gain: FlexTensor, bias: FlexTensor, epsilon: f32) -> FlexTensor {
        forward(contiguous(x), &contiguous(gain), &contiguous(bias), epsilon)
    }
}

impl<C: CheckpointStrategy> LayerNorm for Autodiff<Flex, C> {
    fn layer_norm(
        x: FloatTensor<Self>,
        gain: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f32,
    ) -> FloatTensor<Self> {
        let [(x, x_node), (gain, gain_node), (bias, bias_node)] =
            [x, gain, bias].map(FloatTensor::<Self>::into_parts);
        let [x, gain, bias] = [x, gain, bias].map(contiguous);
        match LayerNormBackward
            .prepare::<C>([x_node, gain_node, bias_node])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(step) => {
                let output = forward(x.clone(), &gain, &bias, epsilon);
                step.finish(Saved { x, gain, epsilon }, output)
            }
            OpsKind::UnTracked(step) => step.finish(forward(x, &gain, &bias, epsilon)),
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
struct LayerNormBackward;

impl Backward<Flex, 3> for LayerNormBackward {
    type State = Saved;

    fn backward(self, ops: Ops<Saved, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let Saved { x, gain, epsilon } = ops.state;
        let [x_node, gain_node, bias_node] = ops.parents;
        let dy = contiguous(grads.consume::<Flex>(&ops.node));
        if let Some(node) = gain_node {
            grads.register::<Flex>(node.id, gain_gradient(&dy, &x, epsilon));
        }
        if let Some(node) = bias_node {
            grads.register::<Flex>(node.id, flex::column_sums(&dy));
        }
        if let Some(node) = x_node {
            grads.register::<Flex>(node.id, input_gradient(dy, &x, &gain, epsilon));
        }
    }
}

/// Computes the output from `x`, in place if the buffer is not shared.
fn forward(mut x: FlexTensor, gain: &FlexTensor, bias: &FlexTensor, epsilon: f32) -> FlexTensor {
    let (gain, bias) = (values(gain), values(bias));
    flex::for_each_share(values_mut(&mut x), gain.len(), |_, rows| {
        normalise(rows, gain, bias, epsilon);
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

/// The sum of the values.
#[inline(always)]
fn sum<A: Arithmetic>(values: &[f32]) -> f32 {
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for chunk in chunks {
        A::add_products(&mut lanes, chunk, &[1.0; LANES]);
    }
    for (lane, value) in lanes.iter_mut().zip(rest) {
        *lane += value;
    }
    A::sum_lanes(lanes)
}

/// The sum of the squares of `values - mean`.
#[inline(always)]
fn square_sum<A: Arithmetic>(values: &[f32], mean: f32) -> f32 {
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for chunk in chunks {
        let mut centred = *chunk;
        for value in &mut centred {
            *value -= mean;
        }
        A::add_products(&mut lanes, &centred, &centred);
    }
    for (lane, value) in lanes.iter_mut().zip(rest) {
        *lane = A::mul_add(value - mean, value - mean, *lane);
    }
    A::sum_lanes(lanes)
}

/// A row's mean and inverse standard deviation.
#[inline(always)]
fn moments<A: Arithmetic>(row: &[f32], epsilon: f32) -> (f32, f32) {
    let width = row.len() as f32;
    let mean = sum::<A>(row) / width;
    let variance = square_sum::<A>(row, mean) / width;
    (mean, 1.0 / (variance + epsilon).sqrt())
}

vectorised! {
    fn normalise<A>(rows: &mut [f32], gain: &[f32], bias: &[f32], epsilon: f32) {
        for row in rows.chunks_exact_mut(gain.len()) {
            let (mean, scale) = moments::<A>(row, epsilon);
            for ((x, gain), bias) in row.iter_mut().zip(gain).zip(bias) {
                *x = A::mul_add((*x - mean) * scale, *gain, *bias);
            }
        }
    }

    /// `rows` holds `dy` and becomes `dx`.
    fn input_gradients<A>(rows: &mut [f32], x: &[f32], gain: &[f32], epsilon: f32) {
        let width = gain.len();
        for (row, x) in rows.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
            let (mean, scale) = moments::<A>(x, epsilon);
            for (dy, gain) in row.iter_mut().zip(gain) {
                *dy *= gain;
            }
            let level = sum::<A>(row) / width as f32;
            // `Σ h (x - mean)`; `level` is already known.
            let product = dot::<A>(row, x) - mean * level * width as f32;
            let along = product * scale * scale / width as f32;
            for (dy, x) in row.iter_mut().zip(x) {
                *dy = scale * A::mul_add(-along, x - mean, *dy - level);
            }
        }
    }

    fn add_gain_gradients<A>(sum: &mut [f32], dy: &[f32], x: &[f32], epsilon: f32) {
        let width = sum.len();
        for (dy, x) in dy.chunks_exact(width).zip(x.chunks_exact(width)) {
            let (mean, scale) = moments::<A>(x, epsilon);
            for ((sum, dy), x) in sum.iter_mut().zip(dy).zip(x) {
                *sum = A::mul_add(*dy, (x - mean) * scale, *sum);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Tensor;
    use proptest::prelude::*;

    use super::super::testing::{Input, check, check_differences, layouts, roles};
    use super::{layer_norm, reference};

    type Operation = fn(Tensor<2>, Tensor<1>, Tensor<1>, f64) -> Tensor<2>;

    fn of(operation: Operation) -> impl Fn(&[Tensor<2>]) -> Tensor<2> {
        move |inputs| {
            let [x, gain, bias] = inputs else {
                panic!("three inputs")
            };
            let [gain, bias] = [gain, bias].map(|vector| vector.clone().squeeze_dim(0));
            operation(x.clone(), gain, bias, 1e-2)
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn agrees_with_the_reference(
            (rows, width) in (1..40_usize, 1..70_usize),
            (x_role, gain_role, bias_role) in (roles(), roles(), roles()),
            layout in layouts(),
            seed in 1..1000_u64,
        ) {
            let x = Input { layout, ..Input::tracked([rows, width], seed).with_role(x_role) };
            let gain = Input::tracked([1, width], seed + 1).with_role(gain_role);
            let bias = Input::tracked([1, width], seed + 2).with_role(bias_role);
            check(&of(layer_norm), &of(reference), &[x, gain, bias]);
        }
    }

    #[test]
    fn agrees_with_the_reference_over_many_shares() {
        let [x, gain, bias] = [([700, 128], 3), ([1, 128], 4), ([1, 128], 5)]
            .map(|(shape, seed)| Input::tracked(shape, seed));
        check(&of(layer_norm), &of(reference), &[x, gain, bias]);
    }

    #[test]
    fn gradients_are_differences() {
        let inputs = [([3, 9], 5), ([1, 9], 6), ([1, 9], 7)]
            .map(|(shape, seed)| Input::tracked(shape, seed));
        check_differences(&of(layer_norm), &inputs);
    }

    #[test]
    fn a_row_of_one_value_is_the_bias() {
        let x = Tensor::<2>::full([1, 4], 3.0, &burn::tensor::Device::flex());
        let one: Tensor<1> = x.ones_like().squeeze_dim(0);
        let output = layer_norm(x, one.clone(), one * 2.0, 1e-12);
        assert_eq!(output.into_data().try_to_vec::<f32>().unwrap(), [2.0; 4]);
    }
}
