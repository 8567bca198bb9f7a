//! Rows as text. As text to text, by default exactly as T5 writes them, without the task's name, as the
//! paper omits it; with a [`Wording`], in its template and with its words for the classes.
//!
//! | rows | public file | function |
//! |---|---|---|
//! | SQuAD | google-research/text-to-text-transfer-transformer, `t5/data/preprocessors.py` | `squad` |
//! | MRQA | google-research/prompt-tuning, `prompt_tuning/data/preprocessors.py` | `mrqa` |
//! | GLUE and SuperGLUE but for the next two | T5's `preprocessors.py` | `glue` |
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

/// How rows are written, and the right answers of SQuAD and MRQA when a prediction is compared with
/// them. Of the first two, which are T5's, training targets are padded either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerForm {
    /// With spaces around punctuation, as T5 trains and scores, and the paper with it: both sides
    /// of `U . S .` normalise to `u s`.
    #[default]
    Padded,
    /// As published, which is what SQuAD's and MRQA's official scripts are given: a prediction
    /// `U . S .` (`u s`) is wrong for the answer `U.S.` (`us`).
    Raw,
    /// For models that go on with a text: `Context: …`, `Question: …` and `Answer:` on lines of their
    /// own, and everything as published, training targets too.
    Continued,
}

impl AnswerForm {
    /// The form of the rows that training learns and chooses its step by, whichever form evaluation asks for.
    pub fn of_training(self) -> AnswerForm {
        match self {
            AnswerForm::Padded | AnswerForm::Raw => AnswerForm::Padded,
            AnswerForm::Continued => AnswerForm::Continued,
        }
    }

    /// The name typed and recorded.
    pub fn name(self) -> &'static str {
        match self {
            AnswerForm::Padded => "padded",
            AnswerForm::Raw => "raw",
            AnswerForm::Continued => "continued",
        }
    }
}

/// The examples that one row makes as a row of `split`: mostly one. A gap with several right
/// answers is several training examples, and a pronoun with a wrong referent is none.
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

/// Inputs without content, worded as a domain's labelled texts are; none for other domains.
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
