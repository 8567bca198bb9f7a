//! THE BORDER between text and tensors: examples become token ids here, and token ids become text
//! again in [`eval::predict`](crate::eval::predict).

use std::ops::Range;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::domain::{Example, Gold};
use crate::hygiene::Reading;
use crate::parts::Tokens;
use crate::recipe::Limits;
use crate::tokenizer::{Pair, Tokenizer};

/// One example in token ids, end of sequence included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoding {
    /// The input, cut to its limit.
    pub input: Vec<u32>,
    /// The training target, cut to its limit.
    pub target: Vec<u32>,
    /// Whether the input was longer than its limit.
    pub cut: bool,
    /// For each vector of a soft prompt inside the input, how many of the input's tokens are before
    /// it; empty where a prompt stands before the input.
    pub soft: Vec<usize>,
    /// The second text of a pair, to say answers that are stretches of it.
    pub second: Option<Second>,
}

/// An input's tokens, whole.
struct Whole<'a> {
    text: &'a str,
    ids: Vec<u32>,
    /// The byte behind each of them.
    ends: Vec<usize>,
    /// As [`Encoding::soft`].
    soft: Vec<usize>,
}

/// What the model reads of an input.
struct Read {
    /// At most as many as the limit.
    ids: Vec<u32>,
    /// As [`Encoding::soft`].
    soft: Vec<usize>,
    /// Where some tokens are cut, the bytes up to the cut.
    cut_at: Option<usize>,
}

impl<'a> Whole<'a> {
    /// Tokenizes an input. The texts between the vectors of a soft prompt are tokenized each by
    /// itself, without the spaces around it, as OpenPrompt does.
    fn of(example: &'a Example, tokenizer: &Tokenizer) -> Self {
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
    fn read(self, tokenizer: &Tokenizer, limits: &Limits) -> Read {
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

/// The second text of a pair as the model reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Second {
    text: String,
    /// Where its tokens begin in the input.
    first: usize,
    /// The bytes of each of its tokens.
    offsets: Vec<(usize, usize)>,
}

impl Second {
    /// The text from one place in the input to another, that included; nothing where either is none
    /// of its tokens.
    pub fn between(&self, first: u32, last: u32) -> &str {
        let token = |place: u32| self.offsets.get((place as usize).checked_sub(self.first)?);
        match (token(first), token(last)) {
            (Some((start, _)), Some((_, end))) => self.text.get(*start..*end).unwrap_or(""),
            _ => "",
        }
    }

    /// The places in the input of the tokens that an answer stands on, if it is not cut away: at this
    /// byte, where one is given, else where it is found first.
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
    /// Tokenizes one example. What is beyond a limit is cut from the end and the end of sequence
    /// put behind what is left, as seqio's `append_eos_after_trim` does; of an input that is gone on
    /// with, the last two lines stay.
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

    /// `[CLS] first [SEP] second [SEP]`, with a [gap](crate::tokenizer::Gap) between them where classes are
    /// words. Where they are too long, the end of the longer one is cut off;
    /// of a question with its context always the context's. The target is a class, or the places where
    /// the training answer stands: none where it is cut away.
    fn of_pair(example: &Example, tokenizer: &Tokenizer, pair: Pair, limits: &Limits) -> Self {
        let text = |range: &Range<usize>| &example.input[range.clone()];
        let second_text = text(&example.pair.second);
        let mut first = tokenizer.encode(text(&example.pair.first));
        let (mut second, mut offsets) = tokenizer.encode_with_offsets(second_text);
        let (ends, marks) = match pair.gap {
            Some(_) => (2, 3),
            None if second_text.is_empty() => (1, 0),
            None => (2, 0),
        };
        let room = limits.input.saturating_sub(1 + ends + marks);
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
        if let Some(gap) = pair.gap {
            input.extend([gap.question, tokenizer.end(), gap.mask, gap.comma]);
        } else {
            input.push(tokenizer.end());
        }
        let start = input.len();
        if ends == 2 {
            input.append(&mut second);
            input.push(tokenizer.end());
        }
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

/// How many tokens of two texts are kept within `room`: the shorter whole if it takes no more than
/// half, else half of each.
fn shared(first: usize, second: usize, room: usize) -> (usize, usize) {
    let half = room / 2;
    match (first <= half, second <= room - half) {
        _ if first + second <= room => (first, second),
        (true, _) => (first, room - first),
        (false, true) => (room - second, second),
        (false, false) => (half, room - half),
    }
}

/// What the model reads of each example's input, in their order.
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

/// What is kept of a pair, and where its second text ends in the input, if it was cut.
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

/// Tokenizes examples, in their order.
pub fn encode(examples: &[Example], tokenizer: &Tokenizer, limits: &Limits) -> Vec<Encoding> {
    examples
        .par_iter()
        .map(|example| Encoding::of(example, tokenizer, limits))
        .collect()
}

/// `ids` with `end` behind them, at most `limit` long.
fn ended(mut ids: Vec<u32>, limit: usize, end: u32) -> Vec<u32> {
    ids.truncate(limit.saturating_sub(1));
    ids.push(end);
    ids
}

/// The inputs of some encodings, with the places of a soft prompt inside them.
pub fn inputs(encodings: &[&Encoding], pad: u32) -> Tokens {
    let rows: Vec<&[u32]> = encodings.iter().map(|e| e.input.as_slice()).collect();
    let soft = encodings.iter().map(|e| e.soft.clone()).collect();
    Tokens::padded(&rows, pad).with_soft(soft)
}

/// Inputs and targets of one training step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Encoder side.
    pub inputs: Tokens,
    /// Decoder side.
    pub targets: Tokens,
}

impl Batch {
    /// Pads some encodings to a batch.
    pub fn of(encodings: &[&Encoding], pad: u32) -> Self {
        let targets: Vec<&[u32]> = encodings.iter().map(|e| e.target.as_slice()).collect();
        Batch {
            inputs: inputs(encodings, pad),
            targets: Tokens::padded(&targets, pad),
        }
    }
}

/// Encodings of one domain among those that are trained on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// Where they are.
    pub rows: Range<usize>,
    /// How many of them an epoch takes; at most all.
    pub each_epoch: usize,
}

/// A share, and those of its rows that the next epochs take.
struct Stock {
    share: Share,
    waiting: Vec<usize>,
}

impl Stock {
    /// An epoch's rows: all, or those that no epoch had since all were had.
    fn draw(&mut self, rng: &mut ChaCha8Rng) -> Vec<usize> {
        let Share { rows, each_epoch } = &self.share;
        if *each_epoch == rows.len() {
            return rows.clone().collect();
        }
        let mut drawn = Vec::with_capacity(*each_epoch);
        while drawn.len() < *each_epoch {
            if self.waiting.is_empty() {
                self.waiting = rows.clone().collect();
                self.waiting.shuffle(rng);
            }
            drawn.extend(self.waiting.pop());
        }
        drawn
    }
}

/// An endless stream of batches whose order depends on the seed alone.
///
/// An epoch has each share's rows. It is shuffled; pools of some batches are sorted by length, so that a batch holds
/// examples of like length and little padding, and the pool's batches are shuffled again.
pub struct Batches<'a> {
    encodings: &'a [Encoding],
    stocks: Vec<Stock>,
    size: usize,
    pad: u32,
    rng: ChaCha8Rng,
    waiting: Vec<Vec<usize>>,
}

/// Batches in a pool.
const POOL: usize = 8;

impl<'a> Batches<'a> {
    /// Batches of `size` examples; fewer where there are not as many examples.
    ///
    /// # Panics
    /// `encodings` is empty or `size` is 0: both are refused before training.
    pub fn new(encodings: &'a [Encoding], size: usize, pad: u32, seed: u64) -> Self {
        let whole = Share {
            rows: 0..encodings.len(),
            each_epoch: encodings.len(),
        };
        Batches::mixed(encodings, &[whole], size, pad, seed)
    }

    /// As [`Batches::new`], with each share at its own rate.
    ///
    /// # Panics
    /// An epoch is empty, or `size` is 0.
    pub fn mixed(
        encodings: &'a [Encoding],
        shares: &[Share],
        size: usize,
        pad: u32,
        seed: u64,
    ) -> Self {
        let epoch: usize = shares.iter().map(|share| share.each_epoch).sum();
        assert!(epoch > 0 && size > 0, "nothing to make batches of");
        Batches {
            encodings,
            stocks: (shares.iter())
                .map(|share| Stock {
                    share: share.clone(),
                    waiting: Vec::new(),
                })
                .collect(),
            size: size.min(epoch),
            pad,
            rng: ChaCha8Rng::seed_from_u64(seed),
            waiting: Vec::new(),
        }
    }

    /// Shuffles a new epoch into batches; a last one that is not full is left out.
    fn refill(&mut self) {
        let drawn = self
            .stocks
            .iter_mut()
            .map(|stock| stock.draw(&mut self.rng));
        let mut order = drawn.collect::<Vec<_>>().concat();
        order.shuffle(&mut self.rng);
        for pool in order.chunks_mut(POOL * self.size) {
            pool.sort_by_key(|&i| self.encodings[i].input.len());
            self.waiting
                .extend(pool.chunks_exact(self.size).map(<[usize]>::to_vec));
        }
        self.waiting.shuffle(&mut self.rng);
    }

    /// The rows of the next batch.
    fn next_rows(&mut self) -> Vec<usize> {
        if self.waiting.is_empty() {
            self.refill();
        }
        self.waiting.pop().expect("an epoch has at least one batch")
    }

    /// Passes over so many batches.
    pub fn skip(&mut self, batches: usize) {
        for _ in 0..batches {
            self.next_rows();
        }
    }

    /// The next batch.
    pub fn next_batch(&mut self) -> Batch {
        let indices = self.next_rows();
        let chosen: Vec<&Encoding> = indices.iter().map(|&i| &self.encodings[i]).collect();
        Batch::of(&chosen, self.pad)
    }
}

/// Groups examples of like length for evaluation: indices, longest groups first, at most
/// `positions` padded input positions a group.
pub fn buckets(lengths: &[usize], positions: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|&i| (std::cmp::Reverse(lengths[i]), i));
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for i in order {
        match groups.last_mut() {
            // The first of a group is its longest.
            Some(group) if (group.len() + 1) * lengths[group[0]] <= positions => group.push(i),
            _ => groups.push(vec![i]),
        }
    }
    groups
}
