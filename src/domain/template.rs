//! Rows as text to text, exactly as T5 writes them.
//!
//! Questions follow `squad` in google-research/text-to-text-transfer-transformer,
//! `t5/data/preprocessors.py`, and `mrqa` in google-research/prompt-tuning,
//! `prompt_tuning/data/preprocessors.py`, which write the same; pairs follow T5's `glue` without
//! the task's name, as the paper omits it.

use super::card::Card;
use super::row::{PairRow, QuestionRow, Row};
use super::{Example, Gold};

/// One row in text-to-text form.
pub fn apply(card: &Card, row: Row) -> Example {
    let passage = row.passage();
    match row {
        Row::Question(row) => question(passage, row),
        Row::Pair(row) => pair(card, passage, row),
    }
}

/// `question: {q} context: {c}` → the first answer. Everything is padded, the right answers and
/// facts too, so that a prediction is compared with what the model could have learnt to write.
fn question(passage: String, row: QuestionRow) -> Example {
    let (question, context) = (
        pad_punctuation(&row.question),
        pad_punctuation(&row.context),
    );
    let answers: Vec<String> = row
        .answers
        .iter()
        .map(|text| pad_punctuation(text))
        .collect();
    Example {
        id: row.id,
        passage,
        input: format!("question: {question} context: {context}"),
        target: answers
            .first()
            .cloned()
            .expect("the readers refuse rows without an answer"),
        gold: Gold::Answers(answers),
        facts: row.facts.iter().map(|text| pad_punctuation(text)).collect(),
    }
}

/// `sentence1: {s1} sentence2: {s2}` → the class string. No punctuation is padded.
fn pair(card: &Card, passage: String, row: PairRow) -> Example {
    let names = card
        .texts
        .as_ref()
        .expect("a card of pairs names its two texts");
    let [first, second] = row.texts;
    Example {
        id: row.id,
        passage,
        input: format!("{}: {first} {}: {second}", names[0], names[1]),
        target: card.labels[row.label].clone(),
        gold: Gold::Label(row.label),
        facts: Vec::new(),
    }
}

/// Puts spaces around every ASCII punctuation character and makes each run of white space one
/// space: T5's `_pad_punctuation`, `([[:punct:]])` → ` \1 `, then `\s+` → one space (RE2, so
/// ASCII white space). Spaces at the ends, which T5's SentencePiece drops, are dropped here, so
/// that every tokenizer sees the same.
pub fn pad_punctuation(text: &str) -> String {
    let mut padded = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if c.is_ascii_punctuation() {
            padded.extend([' ', c, ' ']);
        } else {
            padded.push(c);
        }
    }
    padded
        .split([' ', '\t', '\n', '\r', '\x0c'])
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::card;
    use proptest::prelude::*;

    fn card(name: &str) -> Card {
        card::bundled()
            .into_iter()
            .find(|card| card.name == name)
            .expect("a bundled card")
    }

    #[test]
    fn punctuation_is_padded_as_in_t5() {
        for (text, padded) in [
            ("U.S.", "U . S ."),
            ("don't", "don ' t"),
            ("[PAR] one_two", "[ PAR ] one _ two"),
            ("a\n\n b\tc", "a b c"),
            ("3.50%", "3 . 50 %"),
            ("  ", ""),
            ("", ""),
            (
                "caf\u{e9} \u{2013} \u{201c}x\u{201d}",
                "caf\u{e9} \u{2013} \u{201c}x\u{201d}",
            ),
            ("no\u{a0}break", "no\u{a0}break"),
            ("!!", "! !"),
        ] {
            assert_eq!(pad_punctuation(text), padded, "{text:?}");
        }
    }

    #[test]
    fn a_question_becomes_text_to_text() {
        let row = Row::Question(QuestionRow {
            id: "q7".to_string(),
            context: "Orla's mill (built 1902)\nstands.".to_string(),
            question: "When was it built?".to_string(),
            answers: vec!["c. 1902".to_string(), "1902".to_string()],
            facts: vec!["Orla's".to_string()],
        });
        let passage = row.passage();
        let example = apply(&card("textbookqa"), row);
        assert_eq!(
            example.input,
            "question: When was it built ? context: Orla ' s mill ( built 1902 ) stands ."
        );
        assert_eq!(example.target, "c . 1902");
        assert_eq!(
            example.gold,
            Gold::Answers(vec!["c . 1902".to_string(), "1902".to_string()])
        );
        assert_eq!(example.facts, ["Orla ' s"]);
        assert_eq!((example.id.as_str(), example.passage), ("q7", passage));
    }

    #[test]
    fn a_pair_becomes_text_to_text() {
        let row = |label| {
            Row::Pair(PairRow {
                id: "3".to_string(),
                texts: ["It's on.".to_string(), "It is on.".to_string()],
                label,
            })
        };
        let mrpc = apply(&card("mrpc"), row(1));
        assert_eq!(mrpc.input, "sentence1: It's on. sentence2: It is on.");
        assert_eq!(mrpc.target, "equivalent");
        assert_eq!(mrpc.gold, Gold::Label(1));
        let qqp = apply(&card("qqp"), row(0));
        assert_eq!(qqp.input, "question1: It's on. question2: It is on.");
        assert_eq!(qqp.target, "not_duplicate");
    }

    proptest! {
        #[test]
        fn padding_twice_is_padding_once(text in ".{0,40}") {
            let once = pad_punctuation(&text);
            prop_assert_eq!(pad_punctuation(&once), once);
        }
    }
}
