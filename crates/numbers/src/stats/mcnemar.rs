//! Two runs' right and wrong answers to the same examples.

use serde::Serialize;

/// Examples by which of two runs answered them rightly, and whether that can be chance.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct McNemar {
    /// Right by the first run alone.
    pub first_only: usize,
    /// Right by the second run alone.
    pub second_only: usize,
    /// The exact two-sided p value (McNemar 1947): twice the binomial tail of the rarer kind among
    /// the discordant examples, at most 1. It takes examples for independent, and the runs for
    /// given: another seed is another test.
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

/// `min(1, 2 P(X ≤ fewer))` for X binomial with n trials of chance 1/2.
fn two_sided(fewer: usize, n: usize) -> f64 {
    if 2 * fewer == n {
        return 1.0;
    }
    // Terms are ratios to C(n, fewer), the largest of the tail: none overflows and none is lost.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn p_value(first: usize, second: usize) -> f64 {
        let pairs = [(true, false)]
            .repeat(first)
            .into_iter()
            .chain([(false, true)].repeat(second))
            .chain([(true, true), (false, false)]);
        let result = mcnemar(pairs);
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
}
