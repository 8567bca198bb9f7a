//! Maps predictions in one domain's labels to another's.
//!
//! A model tuned on a source writes the source's labels. On a target with other labels, each is mapped to one
//! of the target's by the first of these rules that applies:
//!
//! 1. by name: the target's card says so in its `label_map` (HANS maps `neutral` and `contradiction` to
//!    `non-entailment`), or both domains have the label (`contradiction` is MNLI's class 2 and
//!    CommitmentBank's class 1);
//! 2. by position, if both have as many labels and no name in common: QQP's `duplicate` is MRPC's
//!    `equivalent`.
//!
//! A label that neither rule maps is an error before training, as is a target label that no source label maps
//! to: it could never be predicted.

use super::card::Card;

/// For each label of a source, the corresponding label of the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelMap<'a> {
    source: &'a Card,
    target: &'a Card,
    /// The target's class for each class of the source.
    classes: Vec<usize>,
    way: Way,
}

/// What labels are matched by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Name,
    Position,
}

/// Labels that can't be mapped to another domain's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{source_name}' has the labels {source_labels} and '{target}' {target_labels}: wanted each of the first mapped to \
     one of the second, and each of the second used, by name, by a label_map in the card of '{target}', or by \
     position if they are equally many and have no name in common"
)]
pub struct LabelMismatch {
    /// The source.
    pub source_name: String,
    /// Its labels.
    pub source_labels: String,
    /// The target.
    pub target: String,
    /// Its labels.
    pub target_labels: String,
}

impl<'a> LabelMap<'a> {
    /// The identity map of a domain's labels.
    pub fn same(card: &'a Card) -> LabelMap<'a> {
        LabelMap {
            source: card,
            target: card,
            classes: (0..card.labels.len()).collect(),
            way: Way::Name,
        }
    }

    /// Maps the labels of `source` to those of `target`; empty without labels.
    ///
    /// # Errors
    /// They can't be.
    pub fn between(source: &'a Card, target: &'a Card) -> Result<LabelMap<'a>, LabelMismatch> {
        let place = |label: &String| {
            let label = target.label_map.get(label).unwrap_or(label);
            target.labels.iter().position(|own| own == label)
        };
        let named: Vec<Option<usize>> = source.labels.iter().map(place).collect();
        let (classes, way): (Option<Vec<usize>>, _) = if named.iter().any(Option::is_some) {
            (named.into_iter().collect(), Way::Name)
        } else {
            let as_many = source.labels.len() == target.labels.len();
            (as_many.then(|| (0..named.len()).collect()), Way::Position)
        };
        let onto = |classes: &Vec<usize>| (0..target.labels.len()).all(|at| classes.contains(&at));
        match classes.filter(onto) {
            Some(classes) => Ok(LabelMap {
                source,
                target,
                classes,
                way,
            }),
            None => Err(LabelMismatch {
                source_name: source.name.clone(),
                source_labels: source.labels.join(", "),
                target: target.name.clone(),
                target_labels: target.labels.join(", "),
            }),
        }
    }

    /// Whether every class keeps its index, so that an index has the same meaning in both domains.
    pub fn keeps_places(&self) -> bool {
        self.classes.len() == self.target.labels.len()
            && (self.classes.iter().enumerate()).all(|(place, class)| place == *class)
    }

    /// The domain whose labels predictions are mapped to.
    pub fn target(&self) -> &'a Card {
        self.target
    }

    /// The target's class for a source class.
    pub fn class(&self, class: usize) -> usize {
        self.classes[class]
    }

    /// A prediction in the target's labels. A text that is no source label is unchanged; for labels matched
    /// by position, the string of class 1 is also replaced within other texts.
    ///
    /// The reference code does `str.replace("duplicate", "equivalent")` from QQP to MRPC and the reverse on
    /// the way back (google-research/prompt-tuning, `prompt_tuning/data/postprocessors.py`). The replaced
    /// words are the strings of class 1, which the strings of class 0 contain (`not_duplicate`), so both
    /// classes are rewritten.
    pub fn read(&self, prediction: &str) -> String {
        if let Some(class) = self
            .source
            .labels
            .iter()
            .position(|label| label == prediction)
        {
            return self.target.labels[self.classes[class]].clone();
        }
        match (
            self.way,
            self.source.labels.get(1),
            self.target.labels.get(1),
        ) {
            (Way::Position, Some(source), Some(target)) if !source.is_empty() => {
                prediction.replace(source, target)
            }
            _ => prediction.to_string(),
        }
    }

    /// The log-probabilities of the target's classes from those of the source's: probabilities of classes
    /// with the same target are added.
    pub fn log_shares(&self, of_source: &[f64]) -> Vec<f64> {
        let logarithm = |class: usize| {
            let read = self.classes.iter().zip(of_source);
            let logs: Vec<f64> = read
                .filter(|(to, _)| **to == class)
                .map(|(_, log)| *log)
                .collect();
            match logs.as_slice() {
                [one] => *one,
                logs => {
                    let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    let sum: f64 = logs.iter().map(|log| (log - largest).exp()).sum();
                    if largest.is_finite() {
                        largest + sum.ln()
                    } else {
                        largest
                    }
                }
            }
        };
        (0..self.target.labels.len()).map(logarithm).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sample::card;

    fn labels(name: &str, labels: &[&str]) -> Card {
        Card {
            name: name.to_string(),
            labels: labels.iter().map(|label| label.to_string()).collect(),
            label_map: Default::default(),
            ..card("qqp")
        }
    }

    #[test]
    fn by_position_both_classes_and_everything_else_follow_str_replace() {
        let (qqp, mrpc) = (
            labels("qqp", &["not_duplicate", "duplicate"]),
            labels("mrpc", &["not_equivalent", "equivalent"]),
        );
        let map = LabelMap::between(&qqp, &mrpc).expect("as many");
        for (prediction, wanted) in [
            ("duplicate", "equivalent"),
            ("not_duplicate", "not_equivalent"),
            ("duplicate duplicate", "equivalent equivalent"),
            ("equivalent", "equivalent"),
            ("no idea", "no idea"),
            ("", ""),
        ] {
            assert_eq!(map.read(prediction), wanted);
        }
        assert!(map.keeps_places());
        let back = LabelMap::between(&mrpc, &qqp).expect("as many");
        assert_eq!(back.read("not_equivalent"), "not_duplicate");
        let (truth, yes) = (labels("a", &["False", "True"]), labels("b", &["no", "yes"]));
        assert_eq!(
            LabelMap::between(&truth, &yes)
                .expect("as many")
                .read("False"),
            "no"
        );
        assert_eq!(
            LabelMap::between(&yes, &truth)
                .expect("as many")
                .read("yes"),
            "True"
        );
        assert_eq!(
            LabelMap::between(&qqp, &qqp)
                .expect("itself")
                .read("duplicate"),
            "duplicate"
        );
        let none = card("squad");
        let map = LabelMap::between(&none, &none).expect("nothing to read");
        assert_eq!(map.read("duplicate"), "duplicate");
    }

    #[test]
    fn three_classes_are_two_as_the_authors_of_hans_read_them() {
        let (mnli, hans) = (card("mnli"), card("hans"));
        let map = LabelMap::between(&mnli, &hans).expect("the card's map");
        // evaluate_heur_output.py, format_label.
        for (prediction, wanted) in [
            ("entailment", "entailment"),
            ("neutral", "non-entailment"),
            ("contradiction", "non-entailment"),
        ] {
            assert_eq!(map.read(prediction), wanted);
        }
        assert_eq!([0, 1, 2].map(|class| map.class(class)), [0, 1, 1]);
        assert!(!map.keeps_places());
        // Not a label: scored as wrong, not rewritten.
        assert_eq!(map.read("a neutral text"), "a neutral text");
        let shares = map.log_shares(&[0.5_f64.ln(), 0.2_f64.ln(), 0.3_f64.ln()]);
        assert!(
            shares.iter().all(|log| (log - 0.5_f64.ln()).abs() < 1e-12),
            "{shares:?}"
        );
        assert_eq!(
            map.log_shares(&[0.0, f64::NEG_INFINITY, f64::NEG_INFINITY])[1],
            f64::NEG_INFINITY
        );
        // Two classes can't be mapped to three.
        let error = LabelMap::between(&hans, &mnli).expect_err("'non-entailment' is which?");
        assert_eq!(
            (error.source_name.as_str(), error.target.as_str()),
            ("hans", "mnli")
        );
        assert!(
            LabelMap::between(&card("rte"), &hans)
                .expect("a map")
                .keeps_places()
        );
        assert!(LabelMap::between(&mnli, &card("rte")).is_ok());
    }

    #[test]
    fn names_come_before_positions() {
        // CommitmentBank has MNLI's classes in another order.
        let (mnli, cb) = (card("mnli"), card("cb"));
        let map = LabelMap::between(&mnli, &cb).expect("the same names");
        assert_eq!(map.read("neutral"), "neutral");
        assert_eq!([0, 1, 2].map(|class| map.class(class)), [0, 2, 1]);
        assert_eq!(map.log_shares(&[-1.0, -2.0, -3.0]), [-1.0, -3.0, -2.0]);
        assert!(!map.keeps_places());
    }

    #[test]
    fn what_cannot_be_read_is_an_error() {
        for (source, target) in [
            (&["a", "b"][..], &["c", "d", "e"][..]),
            // One name in common, and no rule for the others.
            (&["a", "b"], &["a", "c"]),
            // Never predicted.
            (&["a", "b"], &["a", "b", "c"]),
        ] {
            let (source, target) = (labels("s", source), labels("t", target));
            let error = LabelMap::between(&source, &target).expect_err("no map");
            assert_eq!(error.source_labels, source.labels.join(", "));
            assert_eq!(error.target_labels, target.labels.join(", "));
        }
    }
}
