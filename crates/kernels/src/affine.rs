//! A linear map of rows, with a bias.
//!
//! - `y = x W + b`
//! - `dx = dy Wᵀ`, `dW = xᵀ dy`, `db = Σ rows of dy`
//!
//! The bias is added in the product's buffer.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;
use burn_flex::FlexTensor;

use super::flex::{self, contiguous, values, values_mut};
use super::linear::{input_gradient, weight_gradient};

/// `x W + b`.
///
/// # Shapes
///
/// - x: `[N, in]`
/// - weight: `[in, out]`
/// - bias: `[out]`
/// - output: `[N, out]`
pub fn affine(x: Tensor<2>, weight: Tensor<2>, bias: Tensor<1>) -> Tensor<2> {
    assert_eq!(
        x.dims()[1],
        weight.dims()[0],
        "affine: the width of x must equal the rows of the weight"
    );
    assert_eq!(
        weight.dims()[1],
        bias.dims()[0],
        "affine: the bias must have the width of the weight"
    );
    if !flex::is_fused(&x) {
        return reference(x, weight, bias);
    }
    Tensor::from_dispatch(Dispatch::affine(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
    ))
}

/// [`affine`] in plain Burn operations.
pub fn reference(x: Tensor<2>, weight: Tensor<2>, bias: Tensor<1>) -> Tensor<2> {
    super::linear::reference(x, weight) + bias.unsqueeze()
}

#[backend_extension(Flex, Autodiff)]
trait Affine: Backend {
    fn affine(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
}

impl Affine for Flex {
    fn affine(x: FlexTensor, weight: FlexTensor, bias: FlexTensor) -> FlexTensor {
        forward(&contiguous(x), &contiguous(weight), &contiguous(bias))
    }
}

impl<C: CheckpointStrategy> Affine for Autodiff<Flex, C> {
    fn affine(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let (x_is_tracked, weight_is_tracked) = (x.is_tracked(), weight.is_tracked());
        let [(x, x_node), (weight, weight_node), (bias, bias_node)] =
            [x, weight, bias].map(FloatTensor::<Self>::into_parts);
        let [x, weight, bias] = [x, weight, bias].map(contiguous);
        let output = forward(&x, &weight, &bias);
        match AffineBackward
            .prepare::<C>([x_node, weight_node, bias_node])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(step) => {
                let saved = Saved {
                    x: weight_is_tracked.then_some(x),
                    weight: x_is_tracked.then_some(weight),
                };
                step.finish(saved, output)
            }
            OpsKind::UnTracked(step) => step.finish(output),
        }
    }
}

/// Each is needed for the other's gradient.
#[derive(Clone, Debug)]
struct Saved {
    x: Option<FlexTensor>,
    weight: Option<FlexTensor>,
}

#[derive(Debug)]
struct AffineBackward;

impl Backward<Flex, 3> for AffineBackward {
    type State = Saved;

    fn backward(self, ops: Ops<Saved, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let Saved { x, weight } = ops.state;
        let [x_node, weight_node, bias_node] = ops.parents;
        let dy = contiguous(grads.consume::<Flex>(&ops.node));
        if let (Some(node), Some(weight)) = (x_node, weight) {
            grads.register::<Flex>(node.id, input_gradient(&dy, &weight));
        }
        if let (Some(node), Some(x)) = (weight_node, x) {
            grads.register::<Flex>(node.id, weight_gradient(&x, &dy));
        }
        if let Some(node) = bias_node {
            grads.register::<Flex>(node.id, flex::column_sums(&dy));
        }
    }
}

fn forward(x: &FlexTensor, weight: &FlexTensor, bias: &FlexTensor) -> FlexTensor {
    let mut output = super::linear::forward(x, weight);
    let bias = values(bias);
    flex::for_each_share(values_mut(&mut output), bias.len(), |_, rows| {
        for row in rows.chunks_exact_mut(bias.len()) {
            flex::add_to(row, bias);
        }
    });
    output
}

#[cfg(test)]
mod tests {
    use burn::tensor::Tensor;
    use proptest::prelude::*;

    use super::super::testing::{Input, check, check_differences, layouts, roles};
    use super::{affine, reference};

    type Operation = fn(Tensor<2>, Tensor<2>, Tensor<1>) -> Tensor<2>;

    fn of(operation: Operation) -> impl Fn(&[Tensor<2>]) -> Tensor<2> {
        move |inputs| {
            let [x, weight, bias] = inputs else {
                panic!("three inputs")
            };
            operation(x.clone(), weight.clone(), bias.clone().squeeze_dim(0))
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn agrees_with_the_reference(
            (rows, width, out) in (1..40_usize, 1..40_usize, 1..40_usize),
            (x_role, weight_role, bias_role) in (roles(), roles(), roles()),
            (x_layout, weight_layout) in (layouts(), layouts()),
            seed in 1..1000_u64,
        ) {
            let x = Input { layout: x_layout, ..Input::tracked([rows, width], seed) };
            let weight = Input { layout: weight_layout, ..Input::tracked([width, out], seed + 1) };
            let bias = Input::tracked([1, out], seed + 2).with_role(bias_role);
            let inputs = [x.with_role(x_role), weight.with_role(weight_role), bias];
            check(&of(affine), &of(reference), &inputs);
        }
    }

    #[test]
    fn agrees_with_the_reference_where_threads_share() {
        let inputs = [([300, 128], 3), ([128, 96], 4), ([1, 96], 5)]
            .map(|(shape, seed)| Input::tracked(shape, seed));
        check(&of(affine), &of(reference), &inputs);
    }

    #[test]
    fn gradients_are_differences() {
        let inputs = [([3, 5], 5), ([5, 4], 6), ([1, 4], 7)]
            .map(|(shape, seed)| Input::tracked(shape, seed));
        check_differences(&of(affine), &inputs);
    }
}
