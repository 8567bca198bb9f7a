//! Whether a probability puts the examples of a class before the others, wherever a threshold would
//! stand; and the ranks that this is read from.

/// The area under the receiver operating characteristic: how probable it is that an example of the class
/// has a higher score than one that is not of it, ties counted half; 0.5 by chance (Hanley & McNeil 1982,
/// *The meaning and use of the area under a ROC curve*). Each example is its score and whether it is of the
/// class; `None` where all are, or none is.
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
    // The Mann–Whitney U over the number of pairs.
    Some((sum - of_class * (of_class + 1.0) / 2.0) / (of_class * others))
}

/// What each example is worth, in [0, 1], where the class is given to as many as are of it: to those with the
/// highest scores, of equals at the threshold to each in expectation. No other threshold leaves the shares of the
/// classes as they are, so what accuracy gains by it is what the shares had moved the threshold by.
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

/// Ranks from 1, the mean one of equals.
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

    /// The example of scikit-learn's `roc_auc_score`, and what follows from the definition.
    #[test]
    fn the_area_counts_pairs_in_order() {
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
    fn as_many_are_given_the_class_as_are_of_it() {
        // Two of the class: the first, and half of the two equals behind it.
        let examples = [(0.9, true), (0.4, false), (0.4, true), (0.1, false)];
        assert_eq!(at_matched_threshold(&examples), [1.0, 0.5, 0.5, 1.0]);
        // All below one half, and in order: nothing is wrong but the threshold.
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
