//! An input in tokens, and the part that the model reads.

use std::ops::Range;

use super::ended;
use crate::tokenizer::Tokenizer;
use promptshift_numbers::recipe::Limits;
use promptshift_text::domain::Example;

/// All tokens of an input.
pub(super) struct Whole<'a> {
    text: &'a str,
    pub ids: Vec<u32>,
    /// The byte after each token.
    ends: Vec<usize>,
    /// As [`Encoding::soft`](super::Encoding::soft).
    pub soft: Vec<usize>,
}

/// The part of an input that the model reads.
pub(super) struct Read {
    /// At most the limit.
    pub ids: Vec<u32>,
    /// As [`Encoding::soft`](super::Encoding::soft).
    pub soft: Vec<usize>,
    /// If tokens were truncated, the bytes up to the cut.
    pub cut_at: Option<usize>,
}

impl<'a> Whole<'a> {
    /// Tokenizes an input. The texts between soft-prompt vectors are tokenized separately, without the spaces around
    /// them, as in OpenPrompt.
    pub fn of(example: &'a Example, tokenizer: &Tokenizer) -> Self {
        let text = &example.input;
        if example.soft.is_empty() {
            let (ids, offsets) = tokenizer.encode_input(text);
            return Whole {
                text,
                ids,
                ends: offsets.into_iter().map(|(_, end)| end).collect(),
                soft: Vec::new(),
            };
        }
        let mut whole = Whole {
            text,
            ids: Vec::new(),
            ends: Vec::new(),
            soft: Vec::new(),
        };
        let mut from = 0;
        for vectors in example.soft.chunk_by(|one, other| one == other) {
            whole.add(from..vectors[0], tokenizer);
            from = vectors[0];
            let before = whole.ids.len();
            whole.soft.extend(vectors.iter().map(|_| before));
        }
        whole.add(from..text.len(), tokenizer);
        whole
    }

    fn add(&mut self, range: Range<usize>, tokenizer: &Tokenizer) {
        let words = self.text[range.clone()].trim_start();
        let from = range.end - words.len();
        let (ids, offsets) = tokenizer.encode_with_offsets(words.trim_end());
        self.ids.extend(ids);
        self.ends.extend(offsets.iter().map(|(_, end)| from + end));
    }

    /// Truncates the tokens. T5 reads an end of sequence after them. A model that continues its input needs the input's
    /// end (the question and `Answer:`), so the last two lines stay and the text before them is truncated.
    pub fn read(self, tokenizer: &Tokenizer, limits: &Limits) -> Read {
        let Whole {
            text,
            mut ids,
            ends,
            soft,
        } = self;
        let cut_at = |kept: usize| kept.checked_sub(1).map_or(0, |last| ends[last]);
        if !tokenizer.continues() {
            let kept = limits.input.saturating_sub(1);
            return Read {
                cut_at: (ids.len() > kept).then(|| cut_at(kept)),
                ids: ended(ids, limits.input, tokenizer.end()),
                // Vectors after the cut move to the cut.
                soft: soft.into_iter().map(|at| at.min(kept)).collect(),
            };
        }
        if ids.len() <= limits.input {
            return Read {
                ids,
                soft,
                cut_at: None,
            };
        }
        let mut lines = text.rmatch_indices('\n').map(|(at, _)| at);
        let lines = lines.nth(1).unwrap_or(0);
        let tail = ends.iter().position(|end| *end > lines).unwrap_or(0);
        let tail = tail.max(ids.len().saturating_sub(limits.input));
        let kept = limits.input - (ids.len() - tail);
        ids.drain(kept..tail);
        Read {
            ids,
            soft,
            cut_at: Some(cut_at(kept)),
        }
    }
}
