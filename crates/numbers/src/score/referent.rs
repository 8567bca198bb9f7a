//! Whether a prediction names a referent, as T5 scores WSC (`wsc_simple` in
//! google-research/text-to-text-transfer-transformer, `t5/data/postprocessors.py`).

use std::collections::HashSet;

/// Words that do not tell one thing from another.
const DETERMINERS: [&str; 21] = [
    "a", "an", "few", "her", "his", "each", "every", "many", "much", "my", "our", "some", "that",
    "the", "their", "these", "this", "those", "which", "whose", "your",
];

/// Whether the prediction names the referent: the words of one are among those of the other,
/// without regard to case and determiners. "Ola" does not name "Ola's hat": both or neither have an
/// apostrophe. `None` where the prediction has no word.
pub fn names(prediction: &str, referent: &str) -> Option<bool> {
    let (prediction, referent) = (clean(prediction), clean(referent));
    if prediction.is_empty() {
        return None;
    }
    if prediction.contains('\'') != referent.contains('\'') {
        return Some(false);
    }
    let words = |text| -> HashSet<&str> { str::split(text, ' ').collect() };
    let (predicted, right) = (words(&prediction), words(&referent));
    Some(predicted.is_subset(&right) || right.is_subset(&predicted))
}

fn clean(text: &str) -> String {
    let text = text.trim().to_lowercase();
    let words = text.split(' ').filter(|word| !DETERMINERS.contains(word));
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prediction_names_the_referent_by_its_words() {
        for (prediction, referent, wanted) in [
            ("Per", "Per", Some(true)),
            ("per", "The Per", Some(true)),
            ("the old mill", "mill", Some(true)),
            ("mill", "The old mill", Some(true)),
            ("old barn", "the old mill", Some(false)),
            ("Ola", "Ola's hat", Some(false)),
            ("Ola's hat", "his hat", Some(false)),
            ("Ola's hat", "Ola's old hat", Some(true)),
            ("", "Per", None),
            (" the ", "Per", None),
        ] {
            assert_eq!(
                names(prediction, referent),
                wanted,
                "{prediction} / {referent}"
            );
        }
    }
}
