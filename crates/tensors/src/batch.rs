//! The border between text and tensors: examples become token ids here, and
//! [`eval::predict`](crate::eval::predict) turns token ids back into text.

mod order;

use std::ops::Range;

pub use order::{Batches, Share, buckets};
use rayon::prelude::*;

use crate::layers::Tokens;
use crate::tokenizer::{Pair, Tokenizer};
use promptshift_numbers::leakage::Reading;
use promptshift_numbers::recipe::{Limits, StepMemory};
use promptshift_text::domain::{Example, Gold};

/// An example in token ids, end of sequence included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoding {
    /// The input, truncated to its limit.
    pub input: Vec<u32>,
    /// The training target, truncated to its limit.
    pub target: Vec<u32>,
    /// Whether the input was truncated.
    pub cut: bool,
    /// For each vector of a soft prompt inside the input, the number of input tokens before it; empty if the
    /// prompt precedes the input.
    pub soft: Vec<usize>,
    /// The second text of a pair, to decode answers that are spans of it.
    pub second: Option<Second>,
}

impl Encoding {
    /// Tokenizes an example. Truncation is at the end, and the end-of-sequence token is appended afterwards,
    /// as in seqio's `append_eos_after_trim`. An input for a decoder-only model keeps its last two lines.
    pub fn of(example: &Example, tokenizer: &Tokenizer, limits: &Limits) -> Self {
        if let Some(pair) = tokenizer.pair() {
            return Encoding::of_pair(example, tokenizer, pair, limits);
        }
        let Read { ids, soft, cut_at } = Whole::of(example, tokenizer).read(tokenizer, limits);
        Encoding {
            input: ids,
            soft,
            target: ended(
                tokenizer.encode_output(&example.target),
                limits.target,
                tokenizer.end(),
            ),
            cut: cut_at.is_some(),
            second: None,
        }
    }
}

/// The part of each example's input that the model reads, in order.
pub fn readings(examples: &[Example], tokenizer: &Tokenizer, limits: &Limits) -> Vec<Reading> {
    if let Some(pair) = tokenizer.pair() {
        let reading = |example| pair_reading(example, tokenizer, pair, limits);
        return examples.par_iter().map(reading).collect();
    }
    let end = usize::from(!tokenizer.continues());
    examples
        .par_iter()
        .map(|example| {
            let whole = Whole::of(example, tokenizer);
            Reading {
                tokens: whole.ids.len() + end,
                cut_at: whole.read(tokenizer, limits).cut_at,
            }
        })
        .collect()
}

/// Tokenizes examples, in order.
pub fn encode(examples: &[Example], tokenizer: &Tokenizer, limits: &Limits) -> Vec<Encoding> {
    examples
        .par_iter()
        .map(|example| Encoding::of(example, tokenizer, limits))
        .collect()
}

/// `ids` with `end` appended, truncated to at most `limit` tokens.
fn ended(mut ids: Vec<u32>, limit: usize, end: u32) -> Vec<u32> {
    ids.truncate(limit.saturating_sub(1));
    ids.push(end);
    ids
}

/// The padded inputs of some encodings, with their soft-prompt positions.
pub fn inputs(encodings: &[&Encoding], pad: u32) -> Tokens {
    let rows: Vec<&[u32]> = encodings.iter().map(|e| e.input.as_slice()).collect();
    let soft = encodings.iter().map(|e| e.soft.clone()).collect();
    Tokens::padded(&rows, pad).with_soft(soft)
}

/// Inputs and targets of one training step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Encoder inputs.
    pub inputs: Tokens,
    /// Decoder targets.
    pub targets: Tokens,
}

impl Batch {
    /// Pads encodings to a batch.
    pub fn of(encodings: &[&Encoding], pad: u32) -> Self {
        let targets: Vec<&[u32]> = encodings.iter().map(|e| e.target.as_slice()).collect();
        Batch {
            inputs: inputs(encodings, pad),
            targets: Tokens::padded(&targets, pad),
        }
    }

    /// Splits the batch as a recipe says: for each replica its share, in micro-batches. Shares are equal, except
    /// that the last one may be smaller; there are at most as many as examples.
    pub(crate) fn shares(&self, memory: &StepMemory) -> Vec<Vec<Batch>> {
        let shares = self.split(self.inputs.batch().div_ceil(memory.replicas.get()));
        let in_parts = |share: Batch| match memory.micro_batch {
            Some(size) => share.split(size),
            None => vec![share],
        };
        shares.into_iter().map(in_parts).collect()
    }

    /// Parts of at most `size` examples, each padded to its own longest.
    fn split(&self, size: usize) -> Vec<Batch> {
        let examples = self.inputs.batch();
        let part = |first: usize| {
            let rows = first..examples.min(first + size);
            Batch {
                inputs: self.inputs.rows(rows.clone()),
                targets: self.targets.rows(rows),
            }
        };
        match size < examples {
            true => (0..examples).step_by(size.max(1)).map(part).collect(),
            false => vec![self.clone()],
        }
    }
}

/// An input before truncation.
struct Whole<'a> {
    text: &'a str,
    pub ids: Vec<u32>,
    /// The byte offset after each token.
    ends: Vec<usize>,
    /// As [`Encoding::soft`](super::Encoding::soft).
    pub soft: Vec<usize>,
}

/// The part of an input that the model reads, after truncation.
struct Read {
    /// At most as many tokens as the limit.
    pub ids: Vec<u32>,
    /// As [`Encoding::soft`](super::Encoding::soft).
    pub soft: Vec<usize>,
    /// If tokens were truncated, the byte offset of the cut.
    pub cut_at: Option<usize>,
}

impl<'a> Whole<'a> {
    /// Tokenizes an input. The texts between soft-prompt vectors are tokenized separately, without the spaces
    /// around them, as in OpenPrompt.
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

    /// Truncates the tokens. For a T5, the end-of-sequence token follows them. A decoder-only model needs the
    /// end of its input (the question and `Answer:`), so the last two lines are kept and the text before them
    /// is truncated.
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
    /// The text between two input positions, both included, without the space that some tokenizers count as
    /// part of a word; empty if either position is not one of its tokens.
    pub fn between(&self, first: u32, last: u32) -> &str {
        let token = |place: u32| self.offsets.get((place as usize).checked_sub(self.first)?);
        match (token(first), token(last)) {
            (Some((start, _)), Some((_, end))) => self.text.get(*start..*end).unwrap_or("").trim(),
            _ => "",
        }
    }

    /// The input positions of an answer's first and last token, unless it was truncated. The answer starts at
    /// byte `at` if given, else at its first occurrence.
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
    /// `[CLS] first [SEP] second [SEP]`, with as many separators between the texts as the tokenizer uses, and
    /// a [gap](crate::tokenizer::Gap) if classes are words. A pair that is too long is truncated at the end
    /// of the longer text; for a question with its context, always at the end of the context. The target is a
    /// class, or the positions of the training answer; it is empty if the answer was truncated.
    fn of_pair(example: &Example, tokenizer: &Tokenizer, pair: Pair, limits: &Limits) -> Self {
        let text = |range: &Range<usize>| &example.input[range.clone()];
        let second_text = text(&example.pair.second);
        let mut first = tokenizer.encode(text(&example.pair.first));
        let (mut second, mut offsets) = match pair.gap {
            // Only classification has a gap, and it does not need the texts' byte ranges.
            Some(_) => (tokenizer.encode_within(second_text), Vec::new()),
            None => tokenizer.encode_with_offsets(second_text),
        };
        let end = tokenizer.end();
        // The tokens between the texts.
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

/// How many tokens of each text fit into `room`: all of the shorter one if it takes at most half, else half
/// of each.
fn shared(first: usize, second: usize, room: usize) -> (usize, usize) {
    let half = room / 2;
    match (first <= half, second <= room - half) {
        _ if first + second <= room => (first, second),
        (true, _) => (first, room - first),
        (false, true) => (room - second, second),
        (false, false) => (half, room - half),
    }
}

/// The part of a pair that is kept and, if it was truncated, where its second text ends in the input.
fn pair_reading(example: &Example, tokenizer: &Tokenizer, pair: Pair, limits: &Limits) -> Reading {
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
