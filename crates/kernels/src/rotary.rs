//! Rotary position embedding: every head of a row is rotated by an angle that depends on its position.
//!
//! With a head's halves `a` and `b`, and the angles `φ` of the row's position, one per pair of coordinates:
//!
//! - `a' = a cos φ - b sin φ`, `b' = b cos φ + a sin φ`
//! - the gradient is rotated back, with `-φ`
//!
//! A factor of the whole output, which also scales the gradient, can be included in the cosines and sines.
//!
//! Only the angles are saved.

use std::sync::Arc;

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::{Tensor, TensorData};
use burn_flex::FlexTensor;

use super::flex::{self, contiguous, values_mut};
use super::vector::vectorised;

/// The rotations of `N` rows: `K/2` cosines and sines each.
#[derive(Clone, Debug)]
pub struct Rotation {
    cosines: Arc<[f32]>,
    sines: Arc<[f32]>,
    /// `K/2`.
    pairs: usize,
}

impl Rotation {
    /// The rotations of rows at these positions; `turns` are radians per position, one per pair of
    /// coordinates.
    pub fn new(positions: &[usize], turns: &[f64]) -> Self {
        let angles: Vec<f64> = positions
            .iter()
            .flat_map(|&position| turns.iter().map(move |turn| position as f64 * turn))
            .collect();
        Rotation {
            cosines: angles.iter().map(|angle| angle.cos() as f32).collect(),
            sines: angles.iter().map(|angle| angle.sin() as f32).collect(),
            pairs: turns.len(),
        }
    }

    /// The same rotation, with the output multiplied by `factor`.
    pub fn scaled(&self, factor: f32) -> Self {
        let scaled = |values: &[f32]| values.iter().map(|value| value * factor).collect();
        Rotation {
            cosines: scaled(&self.cosines),
            sines: scaled(&self.sines),
            pairs: self.pairs,
        }
    }

    fn back(&self) -> Self {
        Rotation {
            sines: self.sines.iter().map(|sine| -sine).collect(),
            ..self.clone()
        }
    }
}

/// Rotates all heads of every row.
///
/// # Shapes
///
/// - x and output: `[N, heads * K]`, any number of heads
/// - rotation: `N` rows
pub fn rotate(x: Tensor<2>, rotation: &Rotation) -> Tensor<2> {
    let [rows, width] = x.dims();
    assert!(
        width.is_multiple_of(2 * rotation.pairs) && rotation.cosines.len() == rows * rotation.pairs,
        "rotate: one angle for every row and pair of coordinates"
    );
    if !flex::is_fused(&x) {
        return reference(x, rotation);
    }
    let rotation = rotation.clone();
    Tensor::from_dispatch(Dispatch::rotate(x.into_dispatch(), rotation))
}

/// [`rotate`] in plain Burn operations.
pub fn reference(x: Tensor<2>, rotation: &Rotation) -> Tensor<2> {
    let ([rows, width], pairs) = (x.dims(), rotation.pairs);
    let heads = width / (2 * pairs);
    let device = x.device();
    let angles = |values: &[f32]| {
        let data = TensorData::new(values.to_vec(), [rows, 1, pairs]);
        Tensor::<3>::from_data(data, &device).expand([rows, heads, pairs])
    };
    let (cosines, sines) = (angles(&rotation.cosines), angles(&rotation.sines));
    let x = x.reshape([rows, heads, 2 * pairs]);
    let half = |from: usize| x.clone().slice([0..rows, 0..heads, from..from + pairs]);
    let (a, b) = (half(0), half(pairs));
    let first = a.clone() * cosines.clone() - b.clone() * sines.clone();
    Tensor::cat(vec![first, b * cosines + a * sines], 2).reshape([rows, width])
}

#[backend_extension(Flex, Autodiff)]
trait Rotate: Backend {
    fn rotate(x: FloatTensor<Self>, rotation: Rotation) -> FloatTensor<Self>;
}

impl Rotate for Flex {
    fn rotate(x: FlexTensor, rotation: Rotation) -> FlexTensor {
        turned(contiguous(x), &rotation)
    }
}

impl<C: CheckpointStrategy> Rotate for Autodiff<Flex, C> {
    fn rotate(x: FloatTensor<Self>, rotation: Rotation) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let output = turned(contiguous(x), &rotation);
        match RotateBackward
            .prepare::<C>([node])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(step) => step.finish(rotation, output),
            OpsKind::UnTracked(step) => step.finish(output),
        }
    }
}

#[derive(Debug)]
struct RotateBackward;

impl Backward<Flex, 1> for RotateBackward {
    type State = Rotation;

    fn backward(self, ops: Ops<Rotation, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = contiguous(grads.consume::<Flex>(&ops.node));
        if let [Some(node)] = ops.parents {
            grads.register::<Flex>(node.id, turned(dy, &ops.state.back()));
        }
    }
}

/// Rotates `x`, in place if the buffer is not shared.
fn turned(mut x: FlexTensor, rotation: &Rotation) -> FlexTensor {
    let [_, width] = flex::dims2(&x);
    let pairs = rotation.pairs;
    flex::for_each_share(values_mut(&mut x), width, |start, rows| {
        let first = start / width;
        for (row, x) in rows.chunks_exact_mut(width).enumerate() {
            let angles = (first + row) * pairs..(first + row + 1) * pairs;
            turn_row(
                x,
                &rotation.cosines[angles.clone()],
                &rotation.sines[angles],
            );
        }
    });
    x
}

vectorised! {
    /// Rotates all heads of one row.
    fn turn_row<A>(row: &mut [f32], cosines: &[f32], sines: &[f32]) {
        for head in row.chunks_exact_mut(2 * cosines.len()) {
            let (a, b) = head.split_at_mut(cosines.len());
            for (((a, b), cosine), sine) in a.iter_mut().zip(b).zip(cosines).zip(sines) {
                let (first, second) = (*a, *b);
                *a = A::mul_add(first, *cosine, -(second * sine));
                *b = A::mul_add(second, *cosine, first * sine);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Tensor;
    use proptest::prelude::*;

    use super::super::testing::{Input, check, check_differences, layouts, roles};
    use super::{Rotation, reference, rotate};

    fn rotation(rows: usize, pairs: usize) -> Rotation {
        let positions: Vec<usize> = (0..rows).map(|row| 3 * row % 17).collect();
        let turns: Vec<f64> = (0..pairs).map(|pair| 0.7 / (1.0 + pair as f64)).collect();
        Rotation::new(&positions, &turns)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn agrees_with_the_reference(
            (rows, heads, pairs) in (1..40_usize, 1..5_usize, 1..20_usize),
            role in roles(),
            layout in layouts(),
            seed in 1..1000_u64,
        ) {
            let rotation = rotation(rows, pairs).scaled(0.5);
            let input = Input::tracked([rows, heads * 2 * pairs], seed).with_role(role);
            check(
                &|inputs: &[Tensor<2>]| rotate(inputs[0].clone(), &rotation),
                &|inputs: &[Tensor<2>]| reference(inputs[0].clone(), &rotation),
                &[Input { layout, ..input }],
            );
        }
    }

    #[test]
    fn gradients_are_differences() {
        let rotation = rotation(3, 2);
        check_differences(
            &|inputs: &[Tensor<2>]| rotate(inputs[0].clone(), &rotation),
            &[Input::tracked([3, 8], 5)],
        );
    }

    #[test]
    fn a_quarter_turn_swaps_the_halves() {
        let device = burn::tensor::Device::flex();
        let x = Tensor::<2>::from_floats([[1.0, 2.0], [1.0, 2.0]], &device);
        let quarter = Rotation::new(&[0, 1], &[std::f64::consts::FRAC_PI_2]);
        let turned = rotate(x, &quarter).into_data().try_to_vec::<f32>().unwrap();
        for (found, wanted) in turned.into_iter().zip([1.0, 2.0, -2.0, 1.0]) {
            assert!((found - wanted).abs() < 1e-6);
        }
    }
}
