//! The sign-flip permutation test by passage.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::panel::{Sum, ratio};

/// How often and from which seed to flip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignFlip {
    /// Number of permutations.
    pub permutations: usize,
    /// Seed of the flips.
    pub seed: u64,
}

impl Default for SignFlip {
    fn default() -> SignFlip {
        SignFlip {
            permutations: 10_000,
            seed: 20_210_418,
        }
    }
}

/// Flips as they come out of one random word.
const WORD: usize = 64;

impl SignFlip {
    /// The two-sided p value of "it does not matter which method is which", given the sums of both
    /// on each passage: each permutation swaps the two on about half of the passages, whole, and
    /// computes both scores again. `p = (1 + #{|swapped difference| ≥ |difference|}) / (R + 1)`
    /// (Phipson & Smyth 2010), which is never 0. `None` of fewer than two passages.
    ///
    /// Runs are taken as given: it answers whether *these* runs differ on passages like these, not
    /// whether another seed would.
    pub fn p_value(self, passages: &[[Sum; 2]]) -> Option<f64> {
        if passages.len() < 2 {
            return None;
        }
        let total = passages
            .iter()
            .flatten()
            .fold(Sum::default(), |total, sum| total + *sum);
        let apart: Vec<Sum> = passages
            .iter()
            .map(|[first, second]| *first - *second)
            .collect();
        let observed = difference(total, apart.iter().fold(Sum::default(), |a, b| a + *b)).abs();
        // What rounding may do to a sum of so many numbers: equal differences must count as equal.
        let rounding = 1e-12 * (1.0 + observed);
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let mut extreme = 0_usize;
        for _ in 0..self.permutations {
            let mut flipped = Sum::default();
            for word in apart.chunks(WORD) {
                let bits = rng.next_u64();
                for (bit, sum) in word.iter().enumerate() {
                    // 1 or -1.
                    let sign = 1.0 - 2.0 * ((bits >> bit) & 1) as f64;
                    flipped.numerator += sign * sum.numerator;
                    flipped.denominator += sign * sum.denominator;
                }
            }
            if difference(total, flipped).abs() >= observed - rounding {
                extreme += 1;
            }
        }
        Some((1 + extreme) as f64 / (1 + self.permutations) as f64)
    }
}

/// First score minus second, from their total and what the first has more than the second.
fn difference(total: Sum, apart: Sum) -> f64 {
    let score = |sign: f64| {
        ratio(
            0.5 * (total.numerator + sign * apart.numerator),
            0.5 * (total.denominator + sign * apart.denominator),
        )
    };
    score(1.0) - score(-1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passages(differences: &[f64]) -> Vec<[Sum; 2]> {
        let sum = |numerator| Sum {
            numerator,
            denominator: 1.0,
        };
        differences
            .iter()
            .map(|d| [sum(0.5 + d), sum(0.5)])
            .collect()
    }

    #[test]
    fn all_flips_of_three_by_hand() {
        // ±1 ±2 ±4: |sum| is 7 for two of eight flips, and |sum| ≥ 7 has chance 1/4.
        let p = SignFlip::default()
            .p_value(&passages(&[1.0, 2.0, 4.0]))
            .expect("three passages");
        assert!((p - 0.25).abs() < 0.015, "{p}");
        // 1 + 2 - 4 = -1: every flip is at least as far from zero.
        let p = SignFlip::default()
            .p_value(&passages(&[1.0, 2.0, -4.0]))
            .expect("three passages");
        assert_eq!(p, 1.0);
    }

    #[test]
    fn no_difference_and_too_few_passages() {
        let flip = SignFlip::default();
        assert_eq!(flip.p_value(&passages(&[0.0; 5])), Some(1.0));
        assert_eq!(flip.p_value(&passages(&[1.0])), None);
        let many = flip.p_value(&passages(&[0.1; 40])).expect("many passages");
        assert_eq!(many, 1.0 / 10_001.0);
    }

    #[test]
    fn denominators_are_swapped_with_numerators() {
        // One method finds twice as much and answers twice as often: both ratios are 1/2 however
        // passages are swapped.
        let sum = |numerator: f64| Sum {
            numerator,
            denominator: 2.0 * numerator,
        };
        let equal = vec![[sum(2.0), sum(1.0)]; 10];
        assert_eq!(SignFlip::default().p_value(&equal), Some(1.0));
    }
}
