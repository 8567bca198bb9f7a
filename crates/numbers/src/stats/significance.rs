//! Tests of whether runs differ: the sign-flip permutation test by passage, McNemar's test of paired answers, and
//! Holm's adjustment for several tests.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::Serialize;

use super::panel::Sum;

/// The number of permutations and the seed of the flips.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignFlip {
    /// Number of permutations.
    pub permutations: usize,
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

/// The number of flips from one random word.
const WORD: usize = 64;

impl SignFlip {
    /// The two-sided p value of the hypothesis that the two methods are exchangeable, given the sums of both on each
    /// passage: each permutation swaps the methods on a random half of the passages and computes both scores again.
    /// `p = (1 + #{|swapped difference| ≥ |difference|}) / (R + 1)` (Phipson & Smyth 2010), which is never 0. `None`
    /// for fewer than two passages.
    ///
    /// Runs are held fixed: the test is whether *these* runs differ on passages like these, not whether runs with
    /// other seeds would.
    pub fn p_value(self, passages: &[[Sum; 2]]) -> Option<f64> {
        if passages.len() < 2 {
            return None;
        }
        let total = passages.iter().flatten().copied().sum();
        let apart = (passages.iter()).map(|[first, second]| *first + -1.0 * *second);
        let apart: Vec<Sum> = apart.collect();
        let observed = difference(total, apart.iter().copied().sum()).abs();
        // Equal differences must count as equal despite rounding.
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
                    flipped += sign * *sum;
                }
            }
            if difference(total, flipped).abs() >= observed - rounding {
                extreme += 1;
            }
        }
        Some((1 + extreme) as f64 / (1 + self.permutations) as f64)
    }
}

/// First score minus second, from the sum and the difference of both methods' sums.
fn difference(total: Sum, apart: Sum) -> f64 {
    let score = |sign: f64| (0.5 * (total + sign * apart)).ratio();
    score(1.0) - score(-1.0)
}

/// Examples that only one of two runs answered correctly, and McNemar's test of whether that may be chance.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct McNemar {
    /// Examples that only the first run answered correctly.
    pub first_only: usize,
    /// Examples that only the second run answered correctly.
    pub second_only: usize,
    /// The exact two-sided p value (McNemar 1947): twice the binomial tail of the rarer kind among the discordant
    /// examples, at most 1. It assumes independent examples and holds the runs fixed: it does not cover other seeds.
    pub p_value: f64,
}

/// Compares two runs, example by example: `(first is right, second is right)`.
pub fn mcnemar(pairs: impl IntoIterator<Item = (bool, bool)>) -> McNemar {
    let (mut first_only, mut second_only) = (0, 0);
    for pair in pairs {
        match pair {
            (true, false) => first_only += 1,
            (false, true) => second_only += 1,
            _ => {}
        }
    }
    McNemar {
        first_only,
        second_only,
        p_value: two_sided(first_only.min(second_only), first_only + second_only),
    }
}

/// `min(1, 2 P(X ≤ fewer))` for X binomial with n trials of probability 1/2.
fn two_sided(fewer: usize, n: usize) -> f64 {
    if 2 * fewer == n {
        return 1.0;
    }
    // Terms are relative to C(n, fewer), the largest of the tail, so that none overflows or underflows.
    let mut term = 1.0;
    let mut tail = 1.0;
    for k in (1..=fewer).rev() {
        term *= k as f64 / (n - k + 1) as f64;
        tail += term;
    }
    let logarithm = statrs::function::factorial::ln_binomial(n as u64, fewer as u64)
        - n as f64 * std::f64::consts::LN_2;
    (2.0 * tail * logarithm.exp()).min(1.0)
}

/// Holm's step-down adjustment (1979): if adjusted p values below α are rejected, the probability of any false
/// rejection is at most α, whatever the dependence between tests. In the given order; each is at least the original p
/// value and at most 1.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut adjusted = vec![0.0; p_values.len()];
    let mut least = 0.0_f64;
    for (rank, &place) in order.iter().enumerate() {
        let left = (p_values.len() - rank) as f64;
        least = least.max((left * p_values[place]).min(1.0));
        adjusted[place] = least;
    }
    adjusted
}

/// The greatest u for which the claim that at least u of the hypotheses are false holds with confidence `1 - level`:
/// partial conjunction by Bonferroni (Benjamini & Heller 2008; for evaluations on several data sets Dror et al. 2017,
/// doi 10.1162/tacl_a_00074), `p^(u/n) = max_{v ≤ u} (n - v + 1) p_(v)` over the sorted p values, whatever the
/// dependence between tests. [`holm`] says which hypotheses are false.
pub fn at_least(p_values: &[f64], level: f64) -> usize {
    let mut sorted = p_values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let all = sorted.len();
    (sorted.iter().enumerate())
        .take_while(|(below, p)| (all - below) as f64 * **p <= level)
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passages(differences: &[f64]) -> Vec<[Sum; 2]> {
        let pair = |difference: &f64| [0.5 + difference, 0.5].map(Sum::once);
        differences.iter().map(pair).collect()
    }

    #[test]
    fn all_flips_of_three_by_hand() {
        // ±1 ±2 ±4: |sum| is 7 for two of eight flips, and |sum| ≥ 7 has chance 1/4.
        let p_value = |of: &[f64]| SignFlip::default().p_value(&passages(of)).expect("three");
        let p = p_value(&[1.0, 2.0, 4.0]);
        assert!((p - 0.25).abs() < 0.015, "{p}");
        // 1 + 2 - 4 = -1: every flip is at least as far from zero.
        assert_eq!(p_value(&[1.0, 2.0, -4.0]), 1.0);
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
        let equal = vec![[Sum::new(2.0, 4.0), Sum::new(1.0, 2.0)]; 10];
        assert_eq!(SignFlip::default().p_value(&equal), Some(1.0));
    }

    fn p_value(first: usize, second: usize) -> f64 {
        let alike = vec![(true, true), (false, false)];
        let result = mcnemar(
            [
                [(true, false)].repeat(first),
                [(false, true)].repeat(second),
                alike,
            ]
            .concat(),
        );
        assert_eq!((result.first_only, result.second_only), (first, second));
        result.p_value
    }

    #[test]
    fn small_counts_by_hand() {
        assert_eq!(p_value(0, 0), 1.0);
        assert_eq!(p_value(3, 3), 1.0);
        // 1 of 6: 2 (1 + 6) / 64.
        assert!((p_value(1, 5) - 14.0 / 64.0).abs() < 1e-12);
        assert!((p_value(5, 1) - 14.0 / 64.0).abs() < 1e-12);
        // None of 10: 2 / 1024.
        assert!((p_value(0, 10) - 2.0 / 1024.0).abs() < 1e-15);
    }

    #[test]
    fn large_counts_do_not_overflow() {
        let p = p_value(40_000, 41_000);
        assert!((4e-4..5e-4).contains(&p), "{p}");
        assert!(p_value(0, 5_000) >= 0.0);
    }

    #[test]
    fn partial_conjunctions_by_hand() {
        // Times 4, 3, 2, 1: .004 .03 .06: the third is not below .05, so the fourth does not count.
        assert_eq!(at_least(&[0.03, 0.001, 0.04, 0.01], 0.05), 2);
        // Times 3, 2, 1: .048 .04 .03.
        assert_eq!(at_least(&[0.016, 0.02, 0.03], 0.05), 3);
        assert_eq!(at_least(&[0.02, 0.02, 0.02], 0.05), 0);
        assert_eq!(at_least(&[], 0.05), 0);
    }

    #[test]
    fn four_by_hand() {
        // Sorted .005 .01 .03 .04: times 4, 3, 2, 1, and never falling: .02 .03 .06 .06.
        let adjusted = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (found, wanted) in adjusted.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((found - wanted).abs() < 1e-12, "{adjusted:?}");
        }
        assert_eq!(holm(&[]), Vec::<f64>::new());
        assert_eq!(holm(&[0.6, 0.7]), [1.0, 1.0]);
    }
}
