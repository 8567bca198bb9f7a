//! Whether probabilities rank the examples of a class before the others, whatever the threshold.

/// The area under the receiver operating characteristic: the probability that an example of the class has a higher
/// score than an example of another class, ties counted half; 0.5 by chance (Hanley & McNeil 1982, *The meaning and
/// use of the area under a ROC curve*). An example is its score and whether it is of the class. `None` if all
/// examples are of the class, or none.
pub fn auroc(examples: &[(f64, bool)]) -> Option<f64> {
    let scores: Vec<f64> = examples.iter().map(|(score, _)| *score).collect();
    let of_class = examples.iter().filter(|(_, is)| *is).count() as f64;
    let others = examples.len() as f64 - of_class;
    if of_class == 0.0 || others == 0.0 {
        return None;
    }
    let sum: f64 = (ranks(&scores).iter().zip(examples))
        .filter(|(_, (_, is))| *is)
        .map(|(rank, _)| rank)
        .sum();
    // The Mann–Whitney U divided by the number of pairs.
    Some((sum - of_class * (of_class + 1.0) / 2.0) / (of_class * others))
}

/// For each example a value whose mean over all examples is the [`auroc`], and whose variation over examples is that of
/// the area: the area plus the example's influence on it (the structural components of DeLong, DeLong & Clarke-Pearson
/// 1988, scaled so that the variance has their divisors m − 1 and n − 1). With them an area is resampled and compared
/// like any other mean. They may lie outside [0, 1]. `None` if a class has no examples; the influence of a single one
/// is unknown and counts as none.
pub fn auroc_values(examples: &[(f64, bool)]) -> Option<Vec<f64>> {
    let area = auroc(examples)?;
    let all: Vec<f64> = examples.iter().map(|(score, _)| *score).collect();
    let ranks_in_all = ranks(&all);
    let mut values = vec![0.0; examples.len()];
    for class in [true, false] {
        let own: Vec<usize> = (0..examples.len())
            .filter(|place| examples[*place].1 == class)
            .collect();
        let scores: Vec<f64> = own.iter().map(|place| all[*place]).collect();
        let others = (examples.len() - own.len()) as f64;
        let count = own.len() as f64;
        let weight = examples.len() as f64 / (count * (count - 1.0).max(1.0)).sqrt();
        for (place, rank) in own.iter().zip(ranks(&scores)) {
            // The share of the other class below this example, ties counted half.
            let below = (ranks_in_all[*place] - rank) / others;
            let ordered = if class { below } else { 1.0 - below };
            values[*place] = area + weight * (ordered - area);
        }
    }
    Some(values)
}

/// The threshold that classifies most of these examples rightly if scores above it are of the class: halfway between
/// two neighbouring scores, or infinite if one class is best for all; of equally good thresholds the one nearest to
/// 0.5. `None` without examples.
pub fn best_threshold(examples: &[(f64, bool)]) -> Option<f64> {
    if examples.is_empty() {
        return None;
    }
    let mut sorted = examples.to_vec();
    sorted.sort_by(|one, other| one.0.total_cmp(&other.0));
    // Nothing is below the lowest threshold: all examples are assigned to the class.
    let mut right = sorted.iter().filter(|(_, is)| *is).count();
    let mut found = vec![(right, f64::NEG_INFINITY)];
    let mut places = sorted.chunk_by(|one, other| one.0 == other.0).peekable();
    while let Some(equal) = places.next() {
        let of_class = equal.iter().filter(|(_, is)| *is).count();
        right = right + equal.len() - 2 * of_class;
        let threshold = match places.peek() {
            Some(next) => 0.5 * (equal[0].0 + next[0].0),
            None => f64::INFINITY,
        };
        found.push((right, threshold));
    }
    let best = found.iter().map(|(right, _)| *right).max()?;
    let thresholds = found.into_iter().filter(|(right, _)| *right == best);
    let apart = |threshold: &f64| (threshold - 0.5).abs();
    thresholds
        .map(|(_, threshold)| threshold)
        .min_by(|one, other| apart(one).total_cmp(&apart(other)))
}

/// The score of each example, in [0, 1], if as many examples are assigned to the class as belong to it: those with
/// the highest scores, with the expectation among ties at the threshold. This is the threshold at which the predicted
/// shares of the classes equal the true ones, so the gain in accuracy is the loss from a misplaced threshold.
pub fn at_matched_threshold(examples: &[(f64, bool)]) -> Vec<f64> {
    let of_class = examples.iter().filter(|(_, is)| *is).count();
    let mut order: Vec<usize> = (0..examples.len()).collect();
    order.sort_by(|&one, &other| examples[other].0.total_cmp(&examples[one].0));
    let mut worths = vec![0.0; examples.len()];
    let mut taken = 0;
    for equal in order.chunk_by(|&one, &other| examples[one].0 == examples[other].0) {
        let left = of_class.saturating_sub(taken).min(equal.len());
        let given = left as f64 / equal.len() as f64;
        for &place in equal {
            worths[place] = if examples[place].1 {
                given
            } else {
                1.0 - given
            };
        }
        taken += equal.len();
    }
    worths
}

/// Ranks from 1; equal values have their mean rank.
pub(super) fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&one, &other| values[one].total_cmp(&values[other]));
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    for equal in order.chunk_by(|&one, &other| values[one] == values[other]) {
        let rank = first as f64 + 0.5 * (equal.len() as f64 + 1.0);
        for &place in equal {
            ranks[place] = rank;
        }
        first += equal.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::bootstrap::Bootstrap;
    use crate::stats::estimate::normal_cdf;
    use crate::stats::panel::{Panel, Sample, Sum};
    use crate::stats::tests::Normal;

    /// The example of scikit-learn's `roc_auc_score`, and cases that follow from the definition.
    #[test]
    fn the_area_is_the_share_of_ordered_pairs() {
        let of = |scores: [f64; 4]| {
            let classes = [false, false, true, true];
            auroc(&scores.into_iter().zip(classes).collect::<Vec<_>>())
        };
        assert_eq!(of([0.1, 0.4, 0.35, 0.8]), Some(0.75));
        assert_eq!(of([0.1, 0.2, 0.3, 0.4]), Some(1.0));
        assert_eq!(of([0.3, 0.4, 0.1, 0.2]), Some(0.0));
        assert_eq!(of([0.5; 4]), Some(0.5));
        assert_eq!(of([0.1, 0.3, 0.3, 0.9]), Some(0.875));
        assert_eq!(auroc(&[(0.1, true), (0.2, true)]), None);
    }

    #[test]
    fn the_values_of_examples_have_the_mean_and_the_variance_of_the_area() {
        let examples = [
            (0.1, false),
            (0.3, true),
            (0.3, false),
            (0.5, false),
            (0.7, true),
            (0.7, true),
            (0.9, true),
        ];
        let values = auroc_values(&examples).expect("both classes");
        let area = auroc(&examples).expect("both classes");
        let n = values.len() as f64;
        assert!((values.iter().sum::<f64>() / n - area).abs() < 1e-12);
        // DeLong's variance by hand: the shares of the other class on the right side are 0.5, 1, 1, 1 for the class,
        // and 1, 0.875, 0.75 for the others.
        assert!((area - 0.875).abs() < 1e-12);
        let of_class = [0.5_f64, 1.0, 1.0, 1.0].map(|v| (v - area).powi(2));
        let others = [1.0_f64, 0.875, 0.75].map(|v| (v - area).powi(2));
        let wanted = of_class.iter().sum::<f64>() / 12.0 + others.iter().sum::<f64>() / 6.0;
        let found: f64 = values.iter().map(|v| (v - area).powi(2)).sum::<f64>() / (n * n);
        assert!((found - wanted).abs() < 1e-12, "{found} {wanted}");
        assert_eq!(auroc_values(&[(0.2, true)]), None);
    }

    /// Studies of five runs whose distance of the classes varies, on 200 passages whose examples are equally hard for
    /// every run: how often does the 95 % interval contain the expected area, with a third and with a tenth of the
    /// examples in the class?
    #[test]
    fn intervals_of_areas_cover_the_truth() {
        for every in [3, 10] {
            let share = covered(every);
            assert!((0.92..=0.98).contains(&share), "1 in {every}: {share}");
        }
    }

    fn covered(every: usize) -> f64 {
        const STUDIES: u64 = 400;
        const DISTANCE: f64 = 1.0;
        const BETWEEN_RUNS: f64 = 0.2;
        let mut normal = Normal::new(5);
        let areas: Vec<f64> = (0..20_000)
            .map(|_| DISTANCE + BETWEEN_RUNS * normal.next())
            // The noise of an example is that of its passage and of the run, with variances 0.5 each.
            .map(|distance| normal_cdf(distance / 2.0_f64.sqrt()))
            .collect();
        let truth = areas.iter().sum::<f64>() / areas.len() as f64;
        let covered = (0..STUDIES).filter(|study| {
            let mut normal = Normal::new(1_000 + study);
            let ease: Vec<f64> = (0..200).map(|_| normal.next()).collect();
            let samples = (0..5).flat_map(|seed| {
                let distance = DISTANCE + BETWEEN_RUNS * normal.next();
                let examples: Vec<(f64, bool)> = (ease.iter().enumerate())
                    .map(|(passage, ease)| {
                        let is = passage % every == 0;
                        let noise = (ease + normal.next()) / 2.0_f64.sqrt();
                        (noise + if is { distance } else { 0.0 }, is)
                    })
                    .collect();
                let values = auroc_values(&examples).expect("both classes");
                let sample = move |(passage, value): (usize, f64)| {
                    Sample::new(seed, format!("{passage:03}"), Sum::once(value))
                };
                values.into_iter().enumerate().map(sample)
            });
            let panel = Panel::new(&[samples.collect()]);
            let draws = Bootstrap::new(400, *study)
                .scores(&[panel])
                .remove(0)
                .remove(0);
            let interval = draws.expect("five runs").estimate().interval;
            (interval.low..=interval.high).contains(&truth)
        });
        covered.count() as f64 / STUDIES as f64
    }

    #[test]
    fn the_best_threshold_classifies_most_examples_rightly() {
        let examples = [(0.1, false), (0.2, false), (0.3, true), (0.35, true)];
        assert_eq!(best_threshold(&examples), Some(0.25));
        // One class is best for all.
        let all = [(0.0, true), (0.6, true)];
        assert_eq!(best_threshold(&all), Some(f64::NEG_INFINITY));
        let none = [(0.4, false), (1.0, false)];
        assert_eq!(best_threshold(&none), Some(f64::INFINITY));
        // Equally good: 0.15 and 0.5 (three of four each).
        let examples = [(0.1, false), (0.2, true), (0.4, false), (0.6, true)];
        assert_eq!(best_threshold(&examples), Some(0.5));
        // Equal scores are on the same side.
        let examples = [(0.2, false), (0.5, true), (0.5, false), (0.5, true)];
        assert_eq!(best_threshold(&examples), Some(0.35));
        assert_eq!(best_threshold(&[]), None);
    }

    #[test]
    fn as_many_examples_are_assigned_to_the_class_as_belong_to_it() {
        // Two belong to the class: the first is assigned, and half of the two equal ones after it.
        let examples = [(0.9, true), (0.4, false), (0.4, true), (0.1, false)];
        assert_eq!(at_matched_threshold(&examples), [1.0, 0.5, 0.5, 1.0]);
        // All scores are below one half but in order: only the threshold is wrong.
        let examples = [(0.4, true), (0.3, true), (0.2, false)];
        assert_eq!(at_matched_threshold(&examples), [1.0; 3]);
        assert!(at_matched_threshold(&[]).is_empty());
    }

    #[test]
    fn equals_share_their_mean_rank() {
        assert_eq!(ranks(&[3.0, 1.0, 3.0, 0.0]), [3.5, 2.0, 3.5, 1.0]);
        assert!(ranks(&[]).is_empty());
    }
}
