//! THE BORDER between text and tensors: examples become token ids here, and token ids become text again in
//! [`eval::predict`](crate::eval::predict).

mod encode_pair;
mod encode_text;
mod order;

use rayon::prelude::*;

use crate::layers::Tokens;
use crate::tokenizer::Tokenizer;
use promptshift_numbers::leakage::Reading;
use promptshift_numbers::recipe::Limits;
use promptshift_text::domain::Example;

pub use encode_pair::Second;
use encode_pair::pair_reading;
use encode_text::{Read, Whole};
pub use order::{Batches, Share, buckets};

/// An example in token ids, end of sequence included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoding {
    /// The input, truncated to its limit.
    pub input: Vec<u32>,
    /// The training target, truncated to its limit.
    pub target: Vec<u32>,
    /// Whether the input was longer than its limit.
    pub cut: bool,
    /// For each vector of a soft prompt inside the input, the number of input tokens before it; empty if the prompt
    /// precedes the input.
    pub soft: Vec<usize>,
    /// The second text of a pair, to decode answers that are spans of it.
    pub second: Option<Second>,
}

impl Encoding {
    /// Tokenizes an example. Truncation is at the end, and the end of sequence is appended afterwards, as in seqio's
    /// `append_eos_after_trim`. An input that the model continues keeps its last two lines.
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

/// What the model reads of each example's input, in order.
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

/// `ids` followed by `end`, at most `limit` long.
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

    /// The same examples in parts of at most `size`, each padded to its own longest.
    pub(crate) fn micro_batches(&self, size: usize) -> Vec<Batch> {
        let examples = self.inputs.batch();
        let part = |first: usize| {
            let rows = first..examples.min(first + size);
            Batch {
                inputs: self.inputs.rows(rows.clone()),
                targets: self.targets.rows(rows),
            }
        };
        (0..examples).step_by(size.max(1)).map(part).collect()
    }
}
