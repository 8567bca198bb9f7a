//! Rows as text. By default exactly in T5's format, but without the task's name, which the paper omits; with
//! a [`Wording`], in its template and with its words for the classes.
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
mod writer;

use super::card::Card;
pub use super::example::AnswerForm;
use super::example::Example;
use super::row::{LabelledRow, Row};
use super::splits::Split;
use super::wording::Wording;
use writer::{RowNames, Writer};

/// The examples of one row of `split`, usually one. A cloze row with several right answers gives several
/// training examples; a pronoun row with a wrong referent gives none for training.
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

/// The content-free replacements of an example's texts in contextual calibration (Zhao et al. 2021, §5).
const NO_CONTENT: [&str; 3] = ["N/A", "[MASK]", ""];

/// Content-free inputs in the wording of a domain's labelled texts; empty for other domains.
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
