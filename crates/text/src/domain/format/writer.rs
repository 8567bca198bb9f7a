//! Shared by the formats: filling a template with a row's fields, locating an answer in it, and hashing its
//! texts.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use crate::domain::card::Card;
use crate::domain::example::{AnswerLocation, TextNames};
use crate::domain::row::Row;
use crate::domain::variant::Variant;
use crate::domain::wording::{Filled, Template, Wording};

/// Fills a domain's template with the fields of its rows.
pub(super) struct Writer<'a> {
    pub(super) card: &'a Card,
    pub(super) wording: &'a Wording,
    template: Cow<'a, Template>,
}

impl<'a> Writer<'a> {
    pub(super) fn of(card: &'a Card, wording: &'a Wording) -> Self {
        Writer {
            card,
            wording,
            template: match (&card.variant, &wording.template) {
                (Some(Variant::Template(template)), _) => Cow::Borrowed(&**template),
                (_, Some(template)) => Cow::Borrowed(template),
                (_, None) => Cow::Owned(Template::of_t5(card)),
            },
        }
    }

    /// Fills the template with these fields.
    pub(super) fn write(&self, fields: &[(&str, &str)]) -> Filled {
        let (task, labels) = (self.card.task.to_string(), self.card.labels.join(", "));
        self.template.fill(|slot| {
            let field = fields.iter().find(|(name, _)| *name == slot);
            Some(match (field, slot) {
                (Some((_, value)), _) => value,
                (None, "domain") => &self.card.title,
                (None, "task") => &task,
                (None, "labels") => &labels,
                (None, _) => return None,
            })
        })
    }
}

/// A passage's highlights as sentences: `@highlight` and the line breaks around it become a space after the end of a
/// sentence, and `. ` elsewhere.
pub(super) fn without_highlights(passage: &str) -> String {
    const MARK: &str = "\n@highlight\n";
    let mut parts = passage.split(MARK);
    let mut text = parts.next().unwrap_or_default().to_string();
    for part in parts {
        text.push_str(if text.ends_with(['.', '?', '!', '"', '\'']) {
            " "
        } else {
            ". "
        });
        text.push_str(part);
    }
    text
}

/// Where the first answer ends in the context, which fills this slot of the input.
pub(super) fn locate(
    filled: &Filled,
    slot: &str,
    context: &str,
    answers: &[String],
) -> AnswerLocation {
    // A checked template has a slot for the context.
    let Some(before) = filled.place(slot).map(|place| place.start) else {
        return AnswerLocation::Absent;
    };
    stated(before, context, answers)
}

/// As [`locate`], for a context that begins at this byte of the input.
pub(super) fn stated(before: usize, context: &str, answers: &[String]) -> AnswerLocation {
    answers
        .iter()
        .filter(|answer| !answer.is_empty())
        .filter_map(|answer| Some(context.find(answer.as_str())? + answer.len()))
        .min()
        .map_or(AnswerLocation::Absent, |end| {
            AnswerLocation::EndsAt(before + end)
        })
}

/// Hashes of a row's texts, which identify it in another domain or variant.
pub(super) struct RowNames {
    pub(super) passage: String,
    pub(super) texts: TextNames,
}

impl RowNames {
    pub(super) fn of(row: &Row) -> RowNames {
        RowNames {
            passage: row.passage(),
            texts: match row {
                Row::Question(row) => TextNames {
                    context: name(&row.context),
                    questions: vec![name(&row.question)],
                },
                Row::Labelled(row) => labelled_names(&row.texts, row.passage),
                Row::Cloze(row) => TextNames {
                    context: name(&row.passage),
                    questions: vec![name(&row.query)],
                },
                Row::Pronoun(row) => TextNames {
                    context: name(&row.text),
                    questions: Vec::new(),
                },
            },
        }
    }
}

/// Hashes of the passage, or of all texts in any order, and of each of the other texts.
fn labelled_names(texts: &[String], passage: Option<usize>) -> TextNames {
    let names: Vec<u64> = texts.iter().map(|text| name(text)).collect();
    match passage {
        Some(at) => TextNames {
            context: names[at],
            questions: (names.iter().enumerate())
                .filter(|(text, _)| *text != at)
                .map(|(_, name)| *name)
                .collect(),
        },
        None => {
            let mut sorted = names.clone();
            sorted.sort_unstable();
            let all: Vec<String> = sorted.iter().map(u64::to_string).collect();
            TextNames {
                context: name(&all.join(" ")),
                questions: names,
            }
        }
    }
}

/// A text's hash: 64 bits of the SHA-256 of the text in lower case with white space collapsed.
fn name(text: &str) -> u64 {
    let words: Vec<&str> = text.split_whitespace().collect();
    let digest = Sha256::digest(words.join(" ").to_lowercase().as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(first)
}
