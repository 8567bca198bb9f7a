//! Enforces zero-shot transfer by type: [`Fitting`](super::Fitting) takes a [`TrainingSet`], which contains
//! only training rows of a transfer's source or of a mixture's sources. The one exception is
//! [`TrainingSet::of_target`].

use crate::batch::{Encoding, Share, encode};
use crate::tokenizer::Tokenizer;
use promptshift_numbers::recipe::Limits;
use promptshift_text::domain::Example;
use promptshift_text::domain::mixture::Mixing;

/// Training rows in token ids.
pub struct TrainingSet {
    encodings: Vec<Encoding>,
    shares: Vec<Share>,
    pad: u32,
}

impl TrainingSet {
    /// Tokenizes the source's training rows. Drops rows without a target (an answer span that was truncated
    /// or not found), unless there are no others.
    pub fn of_source(rows: &[Example], tokenizer: &Tokenizer, limits: &Limits) -> Self {
        TrainingSet::of_sources(&[rows], Mixing::default(), tokenizer, limits)
    }

    /// As [`TrainingSet::of_source`], for all sources of a mixture; a single source is used in full.
    pub fn of_sources(
        sources: &[&[Example]],
        mixing: Mixing,
        tokenizer: &Tokenizer,
        limits: &Limits,
    ) -> Self {
        let mut encodings = Vec::new();
        let mut places = Vec::new();
        for rows in sources {
            let mut own = encode(rows, tokenizer, limits);
            if own.iter().any(|encoding| !encoding.target.is_empty()) {
                own.retain(|encoding| !encoding.target.is_empty());
            }
            let start = encodings.len();
            encodings.append(&mut own);
            places.push(start..encodings.len());
        }
        let rows: Vec<usize> = places.iter().map(ExactSizeIterator::len).collect();
        let each_epoch = match rows.as_slice() {
            [whole] => vec![*whole],
            rows => mixing.shares(rows),
        };
        TrainingSet {
            encodings,
            shares: (places.into_iter().zip(each_epoch))
                .map(|(rows, each_epoch)| Share { rows, each_epoch })
                .collect(),
            pad: tokenizer.pad(),
        }
    }

    /// Tokenizes a few examples of a target's training split for few-shot tuning. This is not zero-shot.
    pub fn of_target(examples: &[Example], tokenizer: &Tokenizer, limits: &Limits) -> Self {
        TrainingSet::of_source(examples, tokenizer, limits)
    }

    /// The examples.
    pub fn encodings(&self) -> &[Encoding] {
        &self.encodings
    }

    /// The rows of each source, and how many of them an epoch uses.
    pub fn shares(&self) -> &[Share] {
        &self.shares
    }

    /// The padding id.
    pub fn pad(&self) -> u32 {
        self.pad
    }

    /// The number of truncated inputs.
    pub fn cut_inputs(&self) -> usize {
        self.encodings.iter().filter(|e| e.cut).count()
    }
}
