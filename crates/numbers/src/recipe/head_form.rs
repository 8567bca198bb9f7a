//! What a network answers with that does not generate.

use serde::{Deserialize, Serialize};

/// What a head answers with. Its answers are token ids, as a decoder's are, and so are its targets:
/// "tokens" that are classes or places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeadForm {
    /// One of so many classes, from the first token: `[class]`.
    Classes(usize),
    /// One of so many classes, by the word that stands for it in a masked place: `[class]`.
    Words(usize),
    /// From here to there in the input, both included: `[first, last]`. Only places in the second
    /// segment count, its separator not among them.
    Span,
}

impl HeadForm {
    /// The logits of a row.
    pub fn outputs(self) -> usize {
        match self {
            HeadForm::Classes(classes) | HeadForm::Words(classes) => classes,
            HeadForm::Span => 2,
        }
    }

    /// Its parameters on states of width `D`.
    pub fn parameters(self, width: usize) -> usize {
        (width + 1) * self.outputs()
    }
}
