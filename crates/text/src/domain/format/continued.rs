//! Rows as text for a decoder-only model: named lines, the last of which is `Answer:`. Nothing is padded. The
//! model completes that line or writes the label.

use super::t5::{cloze, labelled, pronoun};
use super::writer::{RowNames, Writer, stated, without_highlights};
use crate::domain::example::{AnswerLocation, Example, Gold, Pair};
use crate::domain::row::{QuestionRow, Row};
use crate::domain::splits::Split;

/// As [`examples`](super::examples). The writer's input, which follows T5's template, is not used.
pub(super) fn examples(writer: &Writer, names: RowNames, row: Row, split: Split) -> Vec<Example> {
    match row {
        Row::Question(row) => vec![question(names, row)],
        Row::Labelled(row) => {
            let lines: Vec<(String, String)> = (writer.card.texts.iter().zip(&row.texts))
                .map(|(name, text)| (capital(name), text.clone()))
                .collect();
            vec![Example {
                input: asked(&lines),
                pair: Pair::default(),
                ..labelled(writer, names, row)
            }]
        }
        Row::Cloze(row) => {
            let text = without_highlights(&row.passage);
            let lines = [
                ("Context", text.as_str()),
                ("Entities", &row.entities.join(", ")),
                ("Query", &row.query),
            ];
            let input = asked(&lines);
            let answer_location = within(&input, &text, &row.answers);
            let of_row = cloze(writer, names, row, split).into_iter();
            of_row
                .map(|example| Example {
                    input: input.clone(),
                    pair: Pair::default(),
                    answer_location,
                    ..example
                })
                .collect()
        }
        Row::Pronoun(row) => {
            let input = asked(&[("Text", &row.text)]);
            let answer_location = within(&input, &row.text, std::slice::from_ref(&row.referent));
            let of_row = pronoun(writer, names, row, split).into_iter();
            of_row
                .map(|example| Example {
                    input: input.clone(),
                    pair: Pair::default(),
                    answer_location,
                    ..example
                })
                .collect()
        }
    }
}

fn question(names: RowNames, row: QuestionRow) -> Example {
    let input = asked(&[("Context", &row.context), ("Question", &row.question)]);
    let target = row.answers.first().cloned();
    Example {
        group: None,
        id: row.id,
        passage: names.passage,
        target: target.expect("the readers refuse rows without an answer"),
        answer_location: within(&input, &row.context, &row.answers),
        input,
        soft: Vec::new(),
        pair: Pair::default(),
        gold: Gold::Answers(row.answers),
        facts: row.facts,
        texts: names.texts,
    }
}

/// Lines `Name: text` followed by `Answer:`. Line breaks within a text become spaces.
fn asked<N: AsRef<str>, T: AsRef<str>>(lines: &[(N, T)]) -> String {
    let mut text = String::new();
    for (name, line) in lines {
        text.push_str(name.as_ref());
        text.push_str(": ");
        text.push_str(&on_a_line(line.as_ref()));
        text.push('\n');
    }
    text + "Answer:"
}

fn on_a_line(text: &str) -> String {
    text.split(['\n', '\r']).collect::<Vec<_>>().join(" ")
}

/// `sentence1` as `Sentence1`.
fn capital(name: &str) -> String {
    let mut letters = name.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}

/// Position of an answer in an input whose first line ends with the context.
fn within(input: &str, context: &str, answers: &[String]) -> AnswerLocation {
    let line = input.lines().next().unwrap_or_default();
    let context = on_a_line(context);
    stated(line.len() - context.len(), &context, answers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::AnswerForm;
    use crate::domain::row::LabelledRow;
    use crate::domain::sample::card;
    use crate::domain::wording::Wording;

    fn apply(name: &str, row: Row) -> Vec<Example> {
        let (form, wording) = (AnswerForm::Continued, Wording::default());
        super::super::examples(&card(name), row, Split::Train, form, &wording)
    }

    #[test]
    fn a_question_follows_its_context() {
        let row = Row::Question(QuestionRow {
            group: None,
            id: "q7".to_string(),
            context: "Orla's mill (built c. 1902)\nstands.".to_string(),
            question: "When was it built?".to_string(),
            answers: vec!["c. 1902".to_string()],
            answer_start: None,
            facts: Vec::new(),
        });
        let [example] = &apply("squad", row)[..] else {
            panic!("one example");
        };
        assert_eq!(
            example.input,
            "Context: Orla's mill (built c. 1902) stands.\nQuestion: When was it built?\nAnswer:"
        );
        assert_eq!(example.target, "c. 1902");
        let AnswerLocation::EndsAt(end) = example.answer_location else {
            panic!("the answer is there");
        };
        assert!(example.input[..end].ends_with("built c. 1902"));
    }

    #[test]
    fn labelled_texts_are_separate_lines() {
        let row = Row::Labelled(LabelledRow {
            group: None,
            id: "3".to_string(),
            question: None,
            texts: vec!["a".to_string(), "b".to_string()],
            passage: None,
            label: 1,
        });
        let [example] = &apply("mrpc", row)[..] else {
            panic!("one example");
        };
        assert_eq!(example.input, "Sentence1: a\nSentence2: b\nAnswer:");
        assert_eq!(example.target, "equivalent");
    }
}
