//! Writes rows into a matrix in place, so that decoding's cache grows without copies.
//!
//! - `y[places[i]] = rows[i]`, and `y = x` elsewhere
//!
//! Decoding needs no gradient, so the fused version has no backward: with automatic differentiation the
//! reference is used.

use burn::backend::Flex;
use burn::tensor::{Bool, IndexingUpdateOp, Int, Tensor, TensorData};

use super::flex::{self, contiguous, values, values_mut};

/// `x` with these rows at these indices, each index at most once; reuses `x`'s buffer if it is not shared.
///
/// # Shapes
///
/// - x and output: `[N, D]`
/// - rows: `[M, D]`, one for each index
pub fn scatter_rows(x: Tensor<2>, places: &[usize], rows: Tensor<2>) -> Tensor<2> {
    let ([length, width], [count, row_width]) = (x.dims(), rows.dims());
    assert!(
        width == row_width && count == places.len() && places.iter().all(|&place| place < length),
        "scatter_rows: one index inside x for every row, and rows as wide as x"
    );
    if !flex::is_fused(&x) || x.device().is_autodiff() || rows.device().is_autodiff() {
        return reference(x, places, rows);
    }
    let [x, rows] = [x, rows].map(|tensor| {
        let tensor = tensor.try_into_primitive::<Flex>();
        contiguous(tensor.expect("without automatic differentiation it is Flex's"))
    });
    let mut x = x;
    let all = values_mut(&mut x);
    for (row, place) in values(&rows).chunks_exact(width.max(1)).zip(places) {
        all[place * width..][..width].copy_from_slice(row);
    }
    Tensor::from_primitive::<Flex>(x)
}

/// [`scatter_rows`] in plain Burn operations.
pub fn reference(x: Tensor<2>, places: &[usize], rows: Tensor<2>) -> Tensor<2> {
    let (device, shape) = (x.device(), x.dims());
    let length = shape[0];
    let mut replaced = vec![false; length];
    for &place in places {
        replaced[place] = true;
    }
    let replaced = Tensor::<2, Bool>::from_data(TensorData::new(replaced, [length, 1]), &device);
    let ids: Vec<i32> = places.iter().map(|&place| place as i32).collect();
    let ids = Tensor::<1, Int>::from_data(TensorData::new(ids, [places.len()]), &device);
    // A constant number of operations: on a GPU each is a kernel launch.
    (x.mask_fill(replaced.expand(shape), 0.0)).select_assign(0, ids, rows, IndexingUpdateOp::Add)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Tensor;
    use proptest::prelude::*;

    use super::super::testing::{Input, check, layouts, roles};
    use super::{reference, scatter_rows};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn agrees_with_the_reference(
            (length, width, count) in (1..20_usize, 1..20_usize, 1..20_usize),
            (x_role, rows_role) in (roles(), roles()),
            (x_layout, rows_layout) in (layouts(), layouts()),
            seed in 1..1000_u64,
        ) {
            let places: Vec<usize> = (0..length).rev().step_by(2).take(count).collect();
            let x = Input { layout: x_layout, ..Input::tracked([length, width], seed) };
            let rows = Input { layout: rows_layout, ..Input::tracked([places.len(), width], seed + 1) };
            check(
                &|inputs: &[Tensor<2>]| scatter_rows(inputs[0].clone(), &places, inputs[1].clone()),
                &|inputs: &[Tensor<2>]| reference(inputs[0].clone(), &places, inputs[1].clone()),
                &[x.with_role(x_role), rows.with_role(rows_role)],
            );
        }
    }

    #[test]
    fn a_shared_tensor_stays_unchanged() {
        let device = burn::tensor::Device::flex();
        let x = Tensor::<2>::zeros([3, 2], &device);
        let one = Tensor::<2>::ones([1, 2], &device);
        let put = scatter_rows(x.clone(), &[1], one);
        let floats = |x: Tensor<2>| x.into_data().try_to_vec::<f32>().expect("f32");
        assert_eq!(floats(x), [0.0; 6]);
        assert_eq!(floats(put), [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
    }
}
