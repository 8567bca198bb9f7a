//! Rows as text. By default exactly as T5 formats them, but without the task's name, which the paper omits; with a
//! [`Wording`], in its template and with its words for the classes.
//!
//! | rows | public file | function |
//! |---|---|---|
//! | SQuAD | google-research/text-to-text-transfer-transformer, `t5/data/preprocessors.py` | `squad` |
//! | MRQA | google-research/prompt-tuning, `prompt_tuning/data/preprocessors.py` | `mrqa` |
//! | GLUE and SuperGLUE except the next two | T5's `preprocessors.py` | `glue` |
//! | ReCoRD | T5's `preprocessors.py` | `record` |
//! | WSC | T5's `preprocessors.py` | `wsc_simple` |

mod continued;
mod t5;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::card::Card;
use super::example::{Example, TextNames};
use super::row::{LabelledRow, Row};
use super::splits::Split;
use super::wording::Wording;
use t5::Writer;

/// How rows are written, and how right answers of SQuAD and MRQA are written when predictions are compared with them.
/// `Padded` and `Raw` are T5's forms; both pad training targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerForm {
    /// With spaces around punctuation, as T5 and the paper train and score: `U . S .` normalises to `u s` on both
    /// sides.
    #[default]
    Padded,
    /// As published, which is what the official scripts of SQuAD and MRQA compare with: a prediction `U . S .` (`u s`)
    /// is wrong for the answer `U.S.` (`us`).
    Raw,
    /// For models that continue a text: `Context: …`, `Question: …` and `Answer:` on separate lines, everything as
    /// published, training targets included.
    Continued,
}

impl AnswerForm {
    /// The form used in training and for choosing the best step, whatever form evaluation uses.
    pub fn of_training(self) -> AnswerForm {
        match self {
            AnswerForm::Padded | AnswerForm::Raw => AnswerForm::Padded,
            AnswerForm::Continued => AnswerForm::Continued,
        }
    }

    /// The name on the command line and in records.
    pub fn name(self) -> &'static str {
        match self {
            AnswerForm::Padded => "padded",
            AnswerForm::Raw => "raw",
            AnswerForm::Continued => "continued",
        }
    }
}

/// The examples of one row of `split`, usually one. A cloze row with several right answers makes several training
/// examples; a pronoun row with a wrong referent makes none.
pub fn examples(
    card: &Card,
    row: Row,
    split: Split,
    answers: AnswerForm,
    wording: &Wording,
) -> Vec<Example> {
    let names = RowNames::of(&row);
    let group = row.group().map(str::to_string);
    let row = match &card.variant {
        Some(variant) => variant.applied(row),
        None => row,
    };
    let writer = Writer::of(card, wording);
    let mut examples = match row {
        row if answers == AnswerForm::Continued => continued::examples(&writer, names, row, split),
        Row::Question(row) => vec![t5::question(&writer, names, row, answers)],
        Row::Labelled(row) => vec![t5::labelled(&writer, names, row)],
        Row::Cloze(row) => t5::cloze(&writer, names, row, split),
        Row::Pronoun(row) => t5::pronoun(&writer, names, row, split),
    };
    for example in &mut examples {
        example.group.clone_from(&group);
    }
    examples
}

/// Hashes of a row's texts, by which it is known in another domain or variant.
struct RowNames {
    passage: String,
    texts: TextNames,
}

impl RowNames {
    fn of(row: &Row) -> RowNames {
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

/// What contextual calibration puts in place of an example's texts (Zhao et al. 2021, §5).
const NO_CONTENT: [&str; 3] = ["N/A", "[MASK]", ""];

/// Inputs without content, in the wording of a domain's labelled texts; empty for other domains.
pub fn without_content(card: &Card, wording: &Wording) -> Vec<Example> {
    let row = |text: &str| LabelledRow {
        group: None,
        id: text.to_string(),
        question: None,
        texts: vec![text.to_string(); card.texts.len()],
        passage: None,
        label: 0,
    };
    let rows = NO_CONTENT.iter().filter(|_| !card.labels.is_empty());
    rows.flat_map(|text| {
        let row = Row::Labelled(row(text));
        examples(card, row, Split::Test, AnswerForm::Padded, wording)
    })
    .collect()
}
