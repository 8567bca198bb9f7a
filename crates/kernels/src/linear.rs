//! A linear map of rows, without a bias.
//!
//! - `y = x W`
//! - `dx = dy Wᵀ`, `dW = xᵀ dy`
//!
//! Equal to Burn's matrix product, except for the output's buffer: Flex fills one with zeros and copies it
//! before writing, which for narrow matrices takes as long as the product. Transposed matrices are read in
//! place. A weight in bf16 is converted for each product, so that no f32 copy of it outlives the product; it can't be
//! trained.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::{DType, Tensor};
use burn_flex::FlexTensor;

use super::flex::{self, contiguous, values, widened};
use super::matrix::{Matrix, product};

/// `x W`.
///
/// # Shapes
///
/// - x: `[N, in]`
/// - weight: `[in, out]`, in f32, or in bf16 if it is not trained
/// - output: `[N, out]`
pub fn linear(x: Tensor<2>, weight: Tensor<2>) -> Tensor<2> {
    assert_eq!(
        x.dims()[1],
        weight.dims()[0],
        "linear: the width of x must equal the rows of the weight"
    );
    if !flex::is_fused(&x) {
        return reference(x, weight);
    }
    Tensor::from_dispatch(Dispatch::linear(x.into_dispatch(), weight.into_dispatch()))
}

/// [`linear`] in plain Burn operations. With a weight in bf16, `x` and the product are rounded to it as well, since
/// devices multiply two numbers of one type; [`linear`] on the CPU rounds neither.
pub fn reference(x: Tensor<2>, weight: Tensor<2>) -> Tensor<2> {
    match weight.dtype() {
        DType::BF16 => (x.cast(DType::BF16).matmul(weight)).cast(DType::F32),
        _ => x.matmul(weight),
    }
}

#[backend_extension(Flex, Autodiff)]
trait Linear: Backend {
    fn linear(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self>;
}

impl Linear for Flex {
    fn linear(x: FlexTensor, weight: FlexTensor) -> FlexTensor {
        forward(&readable(x), &readable(weight))
    }
}

impl<C: CheckpointStrategy> Linear for Autodiff<Flex, C> {
    fn linear(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self> {
        let (x_is_tracked, weight_is_tracked) = (x.is_tracked(), weight.is_tracked());
        let ((x, x_node), (weight, weight_node)) = (x.into_parts(), weight.into_parts());
        let (x, weight) = (readable(x), readable(weight));
        let output = forward(&x, &weight);
        match LinearBackward
            .prepare::<C>([x_node, weight_node])
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
struct LinearBackward;

impl Backward<Flex, 2> for LinearBackward {
    type State = Saved;

    fn backward(self, ops: Ops<Saved, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let Saved { x, weight } = ops.state;
        let [x_node, weight_node] = ops.parents;
        let dy = contiguous(grads.consume::<Flex>(&ops.node));
        if let (Some(node), Some(weight)) = (x_node, weight) {
            grads.register::<Flex>(node.id, input_gradient(&dy, &weight));
        }
        if let (Some(node), Some(x)) = (weight_node, x) {
            grads.register::<Flex>(node.id, weight_gradient(&x, &dy));
        }
    }
}

pub(super) fn forward(x: &FlexTensor, weight: &FlexTensor) -> FlexTensor {
    let shape = [flex::dims2(x)[0], flex::dims2(weight)[1]];
    let weight = widened(weight);
    flex::from_values(product(matrix(x), matrix(&weight)), shape)
}

/// `dy Wᵀ`.
pub(super) fn input_gradient(dy: &FlexTensor, weight: &FlexTensor) -> FlexTensor {
    let shape = [flex::dims2(dy)[0], flex::dims2(weight)[0]];
    let weight = widened(weight);
    flex::from_values(product(matrix(dy), matrix(&weight).transposed()), shape)
}

/// `xᵀ dy`.
pub(super) fn weight_gradient(x: &FlexTensor, dy: &FlexTensor) -> FlexTensor {
    let shape = [flex::dims2(x)[1], flex::dims2(dy)[1]];
    flex::from_values(product(matrix(x).transposed(), matrix(dy)), shape)
}

/// Whether this is the transpose of a contiguous matrix, such as an output head tied to the embedding.
fn is_transposed(tensor: &FlexTensor) -> bool {
    let [rows, columns] = flex::dims2(tensor);
    let strides = tensor.layout().strides();
    rows > 1 && columns > 1 && strides[0] == 1 && strides[1] == rows as isize
}

/// A tensor readable by [`matrix`]: itself, or a copy.
fn readable(tensor: FlexTensor) -> FlexTensor {
    match is_transposed(&tensor) {
        true => tensor,
        false => contiguous(tensor),
    }
}

fn matrix(tensor: &FlexTensor) -> Matrix<'_> {
    let [rows, columns] = flex::dims2(tensor);
    if is_transposed(tensor) {
        let start = tensor.layout().start_offset();
        let values = &tensor.storage()[start..start + rows * columns];
        return Matrix::whole(values, columns, rows).transposed();
    }
    Matrix::whole(values(tensor), rows, columns)
}

#[cfg(test)]
mod tests {
    use burn::tensor::{DType, Device, Tensor, TensorData};
    use proptest::prelude::*;

    use super::super::testing::{Input, Role, check, check_differences, layouts, noise, roles};
    use super::{linear, reference};

    fn fused(inputs: &[Tensor<2>]) -> Tensor<2> {
        linear(inputs[0].clone(), inputs[1].clone())
    }

    fn plain(inputs: &[Tensor<2>]) -> Tensor<2> {
        reference(inputs[0].clone(), inputs[1].clone())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn agrees_with_the_reference(
            (rows, width, out) in (1..40_usize, 1..40_usize, 1..40_usize),
            (x_role, weight_role) in (roles(), roles()),
            (x_layout, weight_layout) in (layouts(), layouts()),
            seed in 1..1000_u64,
        ) {
            let x = Input { layout: x_layout, ..Input::tracked([rows, width], seed) };
            let weight = Input { layout: weight_layout, ..Input::tracked([width, out], seed + 1) };
            check(&fused, &plain, &[x.with_role(x_role), weight.with_role(weight_role)]);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        /// Also as the transpose of a table, as a tied output head is.
        #[test]
        fn a_weight_in_bf16_is_multiplied_as_its_rounded_numbers(
            (rows, width, out) in (1..40_usize, 1..40_usize, 1..40_usize),
            seed in 1..1000_u64,
        ) {
            let round = |weight: &Tensor<2>| weight.clone().cast(DType::BF16);
            let wide = |inputs: &[Tensor<2>]| {
                linear(inputs[0].clone(), round(&inputs[1]).cast(DType::F32))
            };
            let narrow = |inputs: &[Tensor<2>]| linear(inputs[0].clone(), round(&inputs[1]));
            let turned = |inputs: &[Tensor<2>]| {
                linear(inputs[0].clone(), round(&inputs[1].clone().transpose()).transpose())
            };
            let x = Input::tracked([rows, width], seed);
            let inputs = [x, Input::tracked([width, out], seed + 1).with_role(Role::Plain)];
            check(&narrow, &wide, &inputs);
            check(&turned, &wide, &inputs);
        }
    }

    /// What a device computes, which rounds the input and the product too: about three significant digits.
    #[test]
    fn the_reference_rounds_to_bf16() {
        let device = Device::flex();
        let of = |shape: [usize; 2], seed| {
            Tensor::<2>::from_data(
                TensorData::new(noise(seed, shape[0] * shape[1]), shape),
                &device,
            )
        };
        let (x, weight) = (of([8, 64], 1), of([64, 16], 2).cast(DType::BF16));
        let exact = linear(x.clone(), weight.clone());
        let rounded = reference(x, weight);
        let norm = |x: Tensor<2>| x.square().sum().sqrt().into_scalar::<f32>();
        let error = norm(rounded - exact.clone()) / norm(exact);
        assert!((1e-4..1e-2).contains(&error), "{error}");
    }

    #[test]
    fn agrees_with_the_reference_where_threads_share() {
        let inputs = [Input::tracked([300, 128], 3), Input::tracked([128, 96], 4)];
        check(&fused, &plain, &inputs);
    }

    #[test]
    fn gradients_are_differences() {
        let inputs = [Input::tracked([3, 5], 5), Input::tracked([5, 4], 6)];
        check_differences(&fused, &inputs);
    }
}
