//! Rows in T5's training formats, or in a template with the same fields.

use std::borrow::Cow;

use super::writer::{RowNames, Writer, locate, without_highlights};
use crate::domain::card::Schema;
use crate::domain::example::{AnswerForm, AnswerLocation, Example, Gold, Pair};
use crate::domain::row::{ClozeRow, LabelledRow, PronounRow, QuestionRow};
use crate::domain::splits::Split;

/// `question: {q} context: {c}` → the first answer. Everything is padded, facts too; right answers are in the
/// form `form`, so by default a prediction is compared with a string the model could have learnt to write.
pub(super) fn question(
    writer: &Writer,
    names: RowNames,
    row: QuestionRow,
    form: AnswerForm,
) -> Example {
    let (question, context) = (
        pad_punctuation(&row.question),
        pad_punctuation(&row.context),
    );
    let padded: Vec<String> = row
        .answers
        .iter()
        .map(|text| pad_punctuation(text))
        .collect();
    let fields = [
        ("question", question.as_str()),
        ("context", context.as_str()),
    ];
    let filled = writer.write(&fields);
    let answer = answer_place(&row, &context, &padded[0]);
    Example {
        group: None,
        id: row.id,
        passage: names.passage,
        target: padded
            .first()
            .cloned()
            .expect("the readers refuse rows without an answer"),
        answer_location: locate(&filled, "context", &context, &padded),
        pair: Pair {
            answer,
            ..filled.pair("question", "context")
        },
        gold: Gold::Answers(match form {
            AnswerForm::Padded => padded,
            AnswerForm::Raw | AnswerForm::Continued => row.answers,
        }),
        input: filled.text,
        soft: filled.soft,
        facts: row.facts.iter().map(|text| pad_punctuation(text)).collect(),
        texts: names.texts,
    }
}

/// The byte of the padded context where the padded first answer starts, if the file states its position:
/// after the padded text before it and an optional space.
fn answer_place(row: &QuestionRow, padded: &str, answer: &str) -> Option<usize> {
    let before = pad_punctuation(row.context.get(..row.answer_start?)?).len();
    let place = padded.get(before..)?.find(answer)?;
    Some(before + place)
}

/// `sentence1: {s1} sentence2: {s2}` → the class string. Punctuation is not padded.
pub(super) fn labelled(writer: &Writer, names: RowNames, row: LabelledRow) -> Example {
    let Writer { card, wording, .. } = writer;
    let texts: Vec<Cow<str>> = (row.texts.iter())
        .map(|text| match card.schema {
            Schema::Multirc => Cow::Owned(without_markup(text)),
            _ => Cow::Borrowed(text.as_str()),
        })
        .collect();
    let numbers: Vec<String> = (1..=texts.len()).map(|at| format!("text{at}")).collect();
    let fields: Vec<(&str, &str)> = (numbers.iter().map(String::as_str))
        .zip(texts.iter().map(Cow::as_ref))
        .chain((card.texts.iter().map(String::as_str)).zip(texts.iter().map(Cow::as_ref)))
        .collect();
    let filled = writer.write(&fields);
    let pair = filled.texts(&card.texts);
    Example {
        group: None,
        id: row.id,
        passage: names.passage,
        input: filled.text,
        soft: filled.soft,
        pair,
        target: wording.target(card, row.label).to_string(),
        gold: match row.question {
            Some(question) => Gold::Option {
                question,
                label: row.label,
            },
            None => Gold::Label(row.label),
        },
        facts: Vec::new(),
        answer_location: AnswerLocation::NotExpected,
        texts: names.texts,
    }
}

/// Removes MultiRC's markup as T5's `glue` does: `<br>` becomes a space, `<b>` and `</b>` are deleted.
fn without_markup(text: &str) -> String {
    text.replace("<br>", " ")
        .replace("<b>", "")
        .replace("</b>", "")
}

/// `query: {q} entities: {e}, {f} passage: {p}` → an entity. Training has one example per right entity;
/// scoring has one example, for which any of them is right.
pub(super) fn cloze(writer: &Writer, names: RowNames, row: ClozeRow, split: Split) -> Vec<Example> {
    let text = without_highlights(&row.passage);
    let entities = row.entities.join(", ");
    let fields = [
        ("query", row.query.as_str()),
        ("entities", entities.as_str()),
        ("passage", text.as_str()),
    ];
    let filled = writer.write(&fields);
    let whole = Example {
        group: None,
        id: row.id,
        passage: names.passage,
        target: row
            .answers
            .first()
            .cloned()
            .expect("the reader refuses rows without an answer"),
        answer_location: locate(&filled, "passage", &text, &row.answers),
        pair: filled.pair("query", "passage"),
        input: filled.text,
        soft: filled.soft,
        texts: names.texts,
        gold: Gold::Answers(row.answers.clone()),
        facts: row.entities,
    };
    if split != Split::Train {
        return vec![whole];
    }
    let of_answer = |(at, answer): (usize, String)| Example {
        id: format!("{}-{at}", whole.id),
        target: answer,
        ..whole.clone()
    };
    row.answers.into_iter().enumerate().map(of_answer).collect()
}

/// The text with `*pronoun*` → the referent. Training uses only true referents; scoring compares the
/// candidate's text with the prediction.
pub(super) fn pronoun(
    writer: &Writer,
    names: RowNames,
    row: PronounRow,
    split: Split,
) -> Vec<Example> {
    if split == Split::Train && !row.label {
        return Vec::new();
    }
    let referent = std::slice::from_ref(&row.referent);
    let filled = writer.write(&[("text", row.text.as_str())]);
    vec![Example {
        group: None,
        id: row.id,
        passage: names.passage,
        answer_location: locate(&filled, "text", &row.text, referent),
        pair: filled.pair("text", ""),
        input: filled.text,
        soft: filled.soft,
        target: row.referent.clone(),
        gold: Gold::Referent {
            text: row.referent,
            label: row.label,
        },
        facts: Vec::new(),
        texts: names.texts,
    }]
}

/// Puts spaces around every ASCII punctuation character and collapses white space: T5's `_pad_punctuation`,
/// `([[:punct:]])` → ` \1 `, then `\s+` → one space (RE2, so ASCII white space). T5's SentencePiece drops
/// spaces at the ends; this function drops them so that every tokenizer reads the same text.
fn pad_punctuation(text: &str) -> String {
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
mod tests;
