//! Several tests at once.

/// Holm's step-down adjustment (1979): with adjusted p values below α rejected, the chance of even
/// one false rejection among all is at most α, however the tests depend on each other. In the
/// order given; each is at least the p value that it was made of and at most 1.
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

/// The greatest u for which "the hypothesis is false for at least u of all" holds with confidence `1 - level`: partial
/// conjunction by Bonferroni (Benjamini & Heller 2008; for evaluations on several data sets Dror et al. 2017,
/// doi 10.1162/tacl_a_00074), `p^(u/n) = max_{v ≤ u} (n - v + 1) p_(v)` over the sorted p values, however the tests
/// depend on each other. To say which of them, use [`holm`].
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
