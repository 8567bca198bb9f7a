//! The most probable token of every row of logits, for greedy decoding.
//!
//! - `id[n] = argmax_v logits[n, v]`, the lowest id on ties
//! - `log p[n] = logits[n, id] - log Σ_v exp(logits[n, v])`
//!
//! Decoding needs no gradient, so there is no backward.

use burn::tensor::Tensor;
use rayon::prelude::*;

use super::cross_entropy::{largest, log_sum_exp};
use super::flex;

/// The id of each row's highest logit and its natural log-probability. NaN logits give a non-finite
/// log-probability.
///
/// # Shapes
///
/// - logits: `[N, V]`, `V` below 2²⁴
/// - output: `N` pairs
pub fn most_probable(logits: Tensor<2>) -> Vec<(u32, f64)> {
    if !flex::is_fused(&logits) {
        return reference(logits);
    }
    let [_, width] = logits.dims();
    let data = logits.into_data();
    let logits = data.as_slice::<f32>().expect("f32 on Flex");
    logits.par_chunks(width).map(of_row).collect()
}

fn of_row(logits: &[f32]) -> (u32, f64) {
    let highest = largest(logits);
    let id = logits.iter().position(|&logit| logit == highest);
    (
        id.unwrap_or(0) as u32,
        f64::from(highest - log_sum_exp(logits)),
    )
}

/// [`most_probable`] in plain Burn operations: reads `[N, 2]` numbers from the device rather than `[N, V]`.
pub fn reference(logits: Tensor<2>) -> Vec<(u32, f64)> {
    let (highest, id) = logits.clone().max_dim_with_indices(1);
    let log_prob = (logits - highest).exp().sum_dim(1).log().neg();
    // A 32-bit float represents every id below 2²⁴ exactly, so one read returns both.
    let both = Tensor::cat(vec![id.float(), log_prob], 1).into_data();
    let both: Vec<f32> = both.convert::<f32>().try_to_vec().expect("converted");
    let pair = |row: &[f32]| (row[0] as u32, f64::from(row[1]));
    both.chunks_exact(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};
    use proptest::prelude::*;

    use super::*;

    fn tensor(values: Vec<f32>, width: usize) -> Tensor<2> {
        let rows = values.len() / width;
        Tensor::from_data(TensorData::new(values, [rows, width]), &Device::flex())
    }

    proptest! {
        #[test]
        fn agrees_with_the_reference(
            (width, values) in (1..40_usize).prop_flat_map(|width| {
                let rows = (1..6_usize).prop_flat_map(move |rows| {
                    prop::collection::vec(-30_f32..30.0, rows * width)
                });
                (Just(width), rows)
            }),
        ) {
            let fused = most_probable(tensor(values.clone(), width));
            let plain = reference(tensor(values, width));
            prop_assert_eq!(fused.len(), plain.len());
            for ((id, log_prob), (other, other_log_prob)) in fused.into_iter().zip(plain) {
                prop_assert_eq!(id, other);
                prop_assert!((log_prob - other_log_prob).abs() < 1e-4);
            }
        }
    }

    #[test]
    fn ties_go_to_the_lowest_id_and_no_number_to_no_probability() {
        for most_probable in [most_probable, reference] {
            let found = most_probable(tensor(vec![1.0, 3.0, 3.0, 0.0], 4));
            assert_eq!(found[0].0, 1);
            assert!((found[0].1 - -0.7817).abs() < 1e-3, "{found:?}");
            let found = most_probable(tensor(vec![0.0, f32::NAN, 1.0], 3));
            assert!(!found[0].1.is_finite(), "{found:?}");
        }
    }
}
