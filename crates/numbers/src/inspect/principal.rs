//! Principal component analysis (Jolliffe 2002): the directions in which points differ most.

use super::rows::eigen;

/// The mean of points and the directions in which they differ most.
#[derive(Debug, Clone, PartialEq)]
pub struct Principal {
    /// The points' mean.
    pub mean: Vec<f32>,
    /// Orthogonal directions, the one with the largest variance first; the length of each is the points' standard
    /// deviation (n - 1) along it.
    pub directions: Vec<Vec<f32>>,
    /// The share of the points' variance along each, in [0, 1].
    pub explained: Vec<f64>,
}

/// A smaller share of the variance than this is a rounding error.
const ROUNDING: f64 = 1e-9;

/// At most `most` principal directions of points of equal dimension; fewer if the points span fewer.
///
/// # Panics
/// There are no points.
pub fn principal(points: &[&[f32]], most: usize) -> Principal {
    let (count, width) = (points.len(), points[0].len());
    let mean: Vec<f64> = (0..width)
        .map(|at| points.iter().map(|point| f64::from(point[at])).sum::<f64>() / count as f64)
        .collect();
    let centred: Vec<Vec<f64>> = (points.iter())
        .map(|point| {
            (point.iter().zip(&mean))
                .map(|(v, m)| f64::from(*v) - m)
                .collect()
        })
        .collect();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    // The Gram matrix has a row for each point; the covariance would have one for each dimension.
    let gram: Vec<Vec<f64>> = (centred.iter())
        .map(|one| centred.iter().map(|other| dot(one, other)).collect())
        .collect();
    let total: f64 = (0..count).map(|at| gram[at][at]).sum();
    let mut found = eigen(gram);
    found.sort_by(|a, b| b.value.total_cmp(&a.value));
    found.retain(|one| one.value > ROUNDING * total);
    found.truncate(most);
    let length = ((count.max(2) - 1) as f64).sqrt().recip();
    let direction = |weights: &[f64]| -> Vec<f32> {
        let at = |at: usize| -> f64 {
            let parts = centred.iter().zip(weights);
            length * parts.map(|(point, weight)| weight * point[at]).sum::<f64>()
        };
        (0..width).map(|place| at(place) as f32).collect()
    };
    Principal {
        directions: found.iter().map(|one| direction(&one.vector)).collect(),
        explained: found.iter().map(|one| one.value / total).collect(),
        mean: mean.into_iter().map(|value| value as f32).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_longest_direction_comes_first_and_is_as_long_as_the_points_spread() {
        let points: [&[f32]; 4] = [
            &[5.0, 1.0, 0.0],
            &[1.0, 1.0, 0.0],
            &[3.0, 2.0, 0.0],
            &[3.0, 0.0, 0.0],
        ];
        let found = principal(&points, 5);
        assert_eq!(found.mean, [3.0, 1.0, 0.0]);
        assert_eq!(found.directions.len(), 2);
        // Σ(x − 3)² = 8 over n − 1 = 3, and 2 over 3.
        let long = (8.0_f32 / 3.0).sqrt();
        assert!((found.directions[0][0].abs() - long).abs() < 1e-6);
        let short = (2.0_f32 / 3.0).sqrt();
        assert!((found.directions[1][1].abs() - short).abs() < 1e-6);
        assert!((found.explained[0] - 0.8).abs() < 1e-9);
        assert_eq!(principal(&points, 1).directions.len(), 1);
        let same: [&[f32]; 2] = [&[1.0, 2.0], &[1.0, 2.0]];
        assert_eq!(principal(&same, 3).directions.len(), 0);
    }

    proptest! {
        /// With every direction, each point is the mean and something along them.
        #[test]
        fn all_directions_make_every_point_again(
            values in prop::collection::vec(-3.0f32..3.0, 20),
        ) {
            let points: Vec<&[f32]> = values.chunks(5).collect();
            let found = principal(&points, 4);
            prop_assert!(found.directions.len() <= 3);
            for point in points {
                let mut left: Vec<f64> =
                    point.iter().zip(&found.mean).map(|(v, m)| f64::from(v - m)).collect();
                for direction in &found.directions {
                    let dot = |a: &[f64]| -> f64 {
                        a.iter().zip(direction).map(|(a, b)| a * f64::from(*b)).sum()
                    };
                    let own: f64 = direction.iter().map(|v| f64::from(*v).powi(2)).sum();
                    let along = dot(&left) / own;
                    for (value, part) in left.iter_mut().zip(direction) {
                        *value -= along * f64::from(*part);
                    }
                }
                prop_assert!(left.iter().all(|value| value.abs() < 1e-3), "{left:?}");
            }
        }
    }
}
