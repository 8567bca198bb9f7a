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
