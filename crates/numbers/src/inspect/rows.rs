//! A matrix of vectors, row by row, and its effective rank.

/// `[P, D]`, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows {
    values: Vec<f32>,
    width: usize,
}

impl Rows {
    /// Splits values into rows of `width`.
    ///
    /// # Panics
    /// The number of values is not a multiple of `width`.
    pub fn new(values: Vec<f32>, width: usize) -> Self {
        let holds = width > 0 && values.len().is_multiple_of(width);
        assert!(holds, "whole rows");
        Rows { values, width }
    }

    /// `P`.
    pub fn count(&self) -> usize {
        self.values.len() / self.width
    }

    /// A row.
    pub fn row(&self, at: usize) -> &[f32] {
        &self.values[at * self.width..(at + 1) * self.width]
    }

    /// All rows in order.
    pub fn iter(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks(self.width)
    }

    /// The mean row.
    pub fn mean(&self) -> Vec<f32> {
        let mut sums = vec![0.0_f32; self.width];
        for row in self.iter() {
            sums.iter_mut().zip(row).for_each(|(sum, v)| *sum += v);
        }
        let count = self.count() as f32;
        sums.into_iter().map(|sum| sum / count).collect()
    }
}

/// Sweeps of Jacobi's method; a few suffice for matrices of a hundred rows.
const SWEEPS: usize = 30;

/// The effective rank of a matrix: `exp(H)` with H the entropy of its singular values divided by their
/// sum (Roy & Vetterli 2007, "The effective rank: a measure of effective dimensionality"). Between 1, all rows
/// in one direction, and P, P directions of equal strength; 0 if all numbers are zero.
pub fn effective_rank(rows: &Rows) -> f64 {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        let products = a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b));
        products.sum()
    };
    let gram: Vec<Vec<f64>> = (rows.iter())
        .map(|one| rows.iter().map(|other| dot(one, other)).collect())
        .collect();
    let singular: Vec<f64> = (eigen(gram).into_iter())
        .map(|one| one.value.max(0.0).sqrt())
        .collect();
    let sum: f64 = singular.iter().sum();
    if sum == 0.0 {
        return 0.0;
    }
    let shares = singular.iter().map(|value| value / sum);
    let entropy: f64 = shares
        .filter(|share| *share > 0.0)
        .map(|s| -s * s.ln())
        .sum();
    entropy.exp()
}

/// An eigenvalue and its eigenvector, of length 1.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Eigen {
    pub(super) value: f64,
    pub(super) vector: Vec<f64>,
}

/// The eigenvalues and eigenvectors of a symmetric matrix, by Jacobi's rotations (Golub & Van Loan, §8.5), in no
/// particular order.
pub(super) fn eigen(mut matrix: Vec<Vec<f64>>) -> Vec<Eigen> {
    let size = matrix.len();
    let unit = |at: usize| {
        (0..size)
            .map(|place| f64::from(u8::from(place == at)))
            .collect()
    };
    // Its rows become the eigenvectors.
    let mut vectors: Vec<Vec<f64>> = (0..size).map(unit).collect();
    let trace: f64 = (0..size).map(|at| matrix[at][at].abs()).sum();
    for _ in 0..SWEEPS {
        let mut left = 0.0_f64;
        for p in 0..size {
            for q in p + 1..size {
                left = left.max(matrix[p][q].abs());
                rotate(&mut matrix, &mut vectors, p, q);
            }
        }
        if left <= 1e-12 * trace {
            break;
        }
    }
    let values = (0..size).map(|at| matrix[at][at]);
    (values.zip(vectors))
        .map(|(value, vector)| Eigen { value, vector })
        .collect()
}

/// Rotates the plane of p and q so that their off-diagonal element becomes zero, and the vectors with it.
fn rotate(matrix: &mut [Vec<f64>], vectors: &mut [Vec<f64>], p: usize, q: usize) {
    let off = matrix[p][q];
    if off == 0.0 {
        return;
    }
    let theta = (matrix[q][q] - matrix[p][p]) / (2.0 * off);
    let tangent = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
    let tangent = if theta == 0.0 { 1.0 } else { tangent };
    let cosine = 1.0 / (tangent * tangent + 1.0).sqrt();
    let sine = tangent * cosine;
    for row in matrix.iter_mut() {
        let (at_p, at_q) = (row[p], row[q]);
        row[p] = cosine * at_p - sine * at_q;
        row[q] = sine * at_p + cosine * at_q;
    }
    for rows in [matrix, vectors] {
        let (above, below) = rows.split_at_mut(q);
        for (at_p, at_q) in above[p].iter_mut().zip(below[0].iter_mut()) {
            let (old_p, old_q) = (*at_p, *at_q);
            *at_p = cosine * old_p - sine * old_q;
            *at_q = sine * old_p + cosine * old_q;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_direction_has_rank_one_and_equal_ones_all() {
        let same = Rows::new(vec![1.0, 2.0, 2.0, 4.0, -1.0, -2.0], 2);
        assert!((effective_rank(&same) - 1.0).abs() < 1e-4);
        let apart = Rows::new(vec![3.0, 0.0, 0.0, 0.0, 3.0, 0.0, 0.0, 0.0, -3.0], 3);
        assert!((effective_rank(&apart) - 3.0).abs() < 1e-9);
        // Singular values 3 and 1: H = 0.5623 nats.
        let uneven = Rows::new(vec![3.0, 0.0, 0.0, 1.0], 2);
        assert!((effective_rank(&uneven) - 0.562_335_f64.exp()).abs() < 1e-5);
        assert_eq!(effective_rank(&Rows::new(vec![0.0; 4], 2)), 0.0);
    }

    proptest! {
        /// Trace and Frobenius norm are those of the eigenvalues.
        #[test]
        fn eigenvalues_keep_trace_and_norm(values in prop::collection::vec(-2.0f64..2.0, 25)) {
            let matrix: Vec<Vec<f64>> = (0..5)
                .map(|i| (0..5).map(|j| values[5 * i + j] + values[5 * j + i]).collect())
                .collect();
            let found = eigen(matrix.clone());
            let trace: f64 = (0..5).map(|i| matrix[i][i]).sum();
            let norm: f64 = matrix.iter().flatten().map(|v| v * v).sum();
            prop_assert!((found.iter().map(|one| one.value).sum::<f64>() - trace).abs() < 1e-9);
            prop_assert!((found.iter().map(|one| one.value.powi(2)).sum::<f64>() - norm).abs() < 1e-8);
            for Eigen { value, vector } in found {
                for (row, entry) in matrix.iter().zip(&vector) {
                    let product: f64 = row.iter().zip(&vector).map(|(a, b)| a * b).sum();
                    prop_assert!((product - value * entry).abs() < 1e-6);
                }
            }
        }
    }
}
