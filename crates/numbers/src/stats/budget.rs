//! What a search is expected to find, by how long it goes on.

/// The expected best of k trials, for k = 1, 2, ..., n, from the scores of n (Dodge et al. 2019,
/// *Show your work*, §3.2): `Σ_i v_(i) ((i/n)^k - ((i-1)/n)^k)` over the sorted scores, the mean of the
/// highest of k scores drawn with replacement. At k = 1 it is the mean; at k = n it stays a little
/// below the highest, which such draws may miss. Trials of a grid are taken as if they came in a
/// random order.
pub fn expected_best(scores: &[f64]) -> Vec<f64> {
    let mut sorted = scores.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len() as f64;
    (1..=sorted.len())
        .map(|k| {
            let power = i32::try_from(k).unwrap_or(i32::MAX);
            let below = |count: usize| (count as f64 / n).powi(power);
            (sorted.iter().enumerate())
                .map(|(place, score)| score * (below(place + 1) - below(place)))
                .sum()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn three_trials_by_hand() {
        // Sorted .2 .4 .9. One: the mean, .5. Two: (.2 + 3 · .4 + 5 · .9) / 9. Three: (.2 + 7 · .4 + 19 · .9) / 27.
        let found = expected_best(&[0.4, 0.9, 0.2]);
        let wanted = [0.5, 5.9 / 9.0, 20.1 / 27.0];
        for (found, wanted) in found.iter().zip(wanted) {
            assert!((found - wanted).abs() < 1e-12, "{found} {wanted}");
        }
        assert_eq!(expected_best(&[]), Vec::<f64>::new());
        assert_eq!(expected_best(&[0.7]), [0.7]);
    }

    proptest! {
        #[test]
        fn more_trials_never_find_less(scores in prop::collection::vec(0.0..1.0_f64, 1..20)) {
            let found = expected_best(&scores);
            let mean = scores.iter().sum::<f64>() / scores.len() as f64;
            let best = scores.iter().copied().fold(0.0, f64::max);
            prop_assert!((found[0] - mean).abs() < 1e-9);
            prop_assert!(found.windows(2).all(|pair| pair[1] >= pair[0] - 1e-12));
            prop_assert!(found[found.len() - 1] <= best + 1e-12);
        }
    }
}
