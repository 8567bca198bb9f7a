//! Zero-shot as a type: [`fit`](super::fit) takes a [`TrainingSet`], and the only way to make one
//! is from the training rows of a transfer's source.

use crate::batch::{Encoding, encode};
use crate::domain::Example;
use crate::recipe::Limits;
use crate::tokenizer::Tokenizer;

/// The source's training rows in token ids.
pub struct TrainingSet {
    encodings: Vec<Encoding>,
    pad: u32,
}

impl TrainingSet {
    /// Tokenizes the source's training rows. Rows without anything to learn from (a stretch that was
    /// cut away, or that stands nowhere) are left out, unless there are no others.
    pub fn of_source(rows: &[Example], tokenizer: &Tokenizer, limits: &Limits) -> Self {
        let mut encodings = encode(rows, tokenizer, limits);
        if encodings.iter().any(|encoding| !encoding.target.is_empty()) {
            encodings.retain(|encoding| !encoding.target.is_empty());
        }
        TrainingSet {
            encodings,
            pad: tokenizer.pad(),
        }
    }

    /// The examples.
    pub fn encodings(&self) -> &[Encoding] {
        &self.encodings
    }

    /// The padding id.
    pub fn pad(&self) -> u32 {
        self.pad
    }

    /// Inputs that were longer than the limit.
    pub fn cut_inputs(&self) -> usize {
        self.encodings.iter().filter(|e| e.cut).count()
    }
}
