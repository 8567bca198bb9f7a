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

use super::card::Card;
use super::example::Example;
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
    let passage = row.passage();
    let writer = Writer::of(card, wording);
    if answers == AnswerForm::Continued {
        return continued::examples(&writer, passage, row, split);
    }
    match row {
        Row::Question(row) => vec![t5::question(&writer, passage, row, answers)],
        Row::Labelled(row) => vec![t5::labelled(&writer, passage, row)],
        Row::Cloze(row) => t5::cloze(&writer, passage, row, split),
        Row::Pronoun(row) => t5::pronoun(&writer, passage, row, split),
    }
}

/// What contextual calibration puts in place of an example's texts (Zhao et al. 2021, §5).
const NO_CONTENT: [&str; 3] = ["N/A", "[MASK]", ""];

/// Inputs without content, in the wording of a domain's labelled texts; empty for other domains.
pub fn without_content(card: &Card, wording: &Wording) -> Vec<Example> {
    let row = |text: &str| LabelledRow {
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
