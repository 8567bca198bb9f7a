//! An input in tokens, and what the model reads of it.

use std::ops::Range;

use super::ended;
use crate::tokenizer::Tokenizer;
use promptshift_numbers::recipe::Limits;
use promptshift_text::domain::Example;

/// An input's tokens, whole.
pub(super) struct Whole<'a> {
    text: &'a str,
    pub ids: Vec<u32>,
    /// The byte behind each of them.
    ends: Vec<usize>,
    /// As [`Encoding::soft`](super::Encoding::soft).
    pub soft: Vec<usize>,
}

/// What the model reads of an input.
pub(super) struct Read {
    /// At most as many as the limit.
    pub ids: Vec<u32>,
    /// As [`Encoding::soft`](super::Encoding::soft).
    pub soft: Vec<usize>,
    /// Where some tokens are cut, the bytes up to the cut.
    pub cut_at: Option<usize>,
}

impl<'a> Whole<'a> {
    /// Tokenizes an input. The texts between the vectors of a soft prompt are tokenized each by
    /// itself, without the spaces around it, as OpenPrompt does.
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

    /// T5 reads an end of sequence behind what is left. A model that goes on with its input needs the
    /// end of it (the question and `Answer:`), so that what is cut is the end of all but the last two
    /// lines.
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
                // What stood behind the cut stands at it.
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
