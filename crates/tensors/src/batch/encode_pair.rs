//! Encodes pairs of texts for encoders, and answers that are spans of the second text.

use std::ops::Range;

use super::Encoding;
use crate::tokenizer::{Pair, Tokenizer};
use promptshift_numbers::leakage::Reading;
use promptshift_numbers::recipe::Limits;
use promptshift_text::domain::{Example, Gold};

/// The second text of a pair as the model reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Second {
    text: String,
    /// The input position of its first token.
    first: usize,
    /// The byte range of each of its tokens.
    offsets: Vec<(usize, usize)>,
}

impl Second {
    /// The text from one input position through another, both included, without the space that some tokenizers count
    /// to a word; empty if either is not one of its tokens.
    pub fn between(&self, first: u32, last: u32) -> &str {
        let token = |place: u32| self.offsets.get((place as usize).checked_sub(self.first)?);
        match (token(first), token(last)) {
            (Some((start, _)), Some((_, end))) => self.text.get(*start..*end).unwrap_or("").trim(),
            _ => "",
        }
    }

    /// The input positions of an answer's first and last token, if it was not truncated. The answer is at byte `at` if
    /// given, else at its first occurrence.
    fn places(&self, answer: &str, at: Option<usize>) -> Option<[u32; 2]> {
        let start = at.or_else(|| self.text.find(answer))?;
        let end = start + answer.len();
        let on = |(from, to): &(usize, usize)| *from < end && *to > start;
        let first = self.offsets.iter().position(on)?;
        let last = self.offsets.iter().rposition(on)?;
        let whole = self.offsets[last].1 >= end;
        whole.then(|| [first, last].map(|at| (self.first + at) as u32))
    }
}

impl Encoding {
    /// `[CLS] first [SEP] second [SEP]`, with as many separators between the texts as the tokenizer has there, and a
    /// [gap](crate::tokenizer::Gap) if classes are words.
    /// Too long a pair is truncated at the end of the longer text; for a question with its context, always of the
    /// context. The target is a class, or the positions of the training answer, empty if it was truncated.
    pub(super) fn of_pair(
        example: &Example,
        tokenizer: &Tokenizer,
        pair: Pair,
        limits: &Limits,
    ) -> Self {
        let text = |range: &Range<usize>| &example.input[range.clone()];
        let second_text = text(&example.pair.second);
        let mut first = tokenizer.encode(text(&example.pair.first));
        let (mut second, mut offsets) = match pair.gap {
            // Only classes have a gap, and their texts' byte ranges are not needed.
            Some(_) => (tokenizer.encode_within(second_text), Vec::new()),
            None => tokenizer.encode_with_offsets(second_text),
        };
        let end = tokenizer.end();
        // What stands between the texts.
        let middle = match pair.gap {
            Some(gap) => {
                let separators = vec![end; pair.between];
                [vec![gap.question], separators, vec![gap.mask, gap.comma]].concat()
            }
            None if second_text.is_empty() => Vec::new(),
            None => vec![end; pair.between],
        };
        let room = limits.input.saturating_sub(2 + middle.len());
        let cut = first.len() + second.len() > room;
        let answers = matches!(example.gold, Gold::Answers(_) | Gold::Referent { .. });
        let (kept_first, kept_second) = match answers {
            true => (first.len().min(room), second.len()),
            false => shared(first.len(), second.len(), room),
        };
        first.truncate(kept_first);
        second.truncate(kept_second.min(room - kept_first));
        offsets.truncate(second.len());
        let mut input = vec![pair.first];
        input.append(&mut first);
        input.extend(middle);
        let start = input.len();
        input.append(&mut second);
        input.push(end);
        let reading = Second {
            text: if answers { second_text } else { "" }.to_string(),
            first: start,
            offsets: if answers { offsets } else { Vec::new() },
        };
        Encoding {
            target: match &example.gold {
                Gold::Label(label) | Gold::Option { label, .. } => vec![*label as u32],
                Gold::Answers(_) | Gold::Referent { .. } => {
                    let places = reading.places(&example.target, example.pair.answer);
                    places.map_or(Vec::new(), |places| places.to_vec())
                }
            },
            input,
            cut,
            soft: Vec::new(),
            second: answers.then_some(reading),
        }
    }
}

/// How many tokens of two texts are kept within `room`: all of the shorter one if it takes at most half, else half of
/// each.
fn shared(first: usize, second: usize, room: usize) -> (usize, usize) {
    let half = room / 2;
    match (first <= half, second <= room - half) {
        _ if first + second <= room => (first, second),
        (true, _) => (first, room - first),
        (false, true) => (room - second, second),
        (false, false) => (half, room - half),
    }
}

/// How much of a pair is kept and, if it was truncated, where its second text ends in the input.
pub(super) fn pair_reading(
    example: &Example,
    tokenizer: &Tokenizer,
    pair: Pair,
    limits: &Limits,
) -> Reading {
    let whole = Limits {
        input: usize::MAX,
        ..*limits
    };
    let tokens = Encoding::of_pair(example, tokenizer, pair, &whole)
        .input
        .len();
    let kept = Encoding::of_pair(example, tokenizer, pair, limits);
    let end = || {
        let last = kept
            .second
            .as_ref()
            .and_then(|second| second.offsets.last());
        example.pair.second.start + last.map_or(0, |(_, end)| *end)
    };
    Reading {
        tokens,
        cut_at: kept.cut.then(end),
    }
}
