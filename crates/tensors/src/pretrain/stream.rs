//! Turns documents into an endless stream of training batches.

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::objective::{Pair, corrupt, prefix_lm, salient_spans, span_corruption};
use super::recipe::{PretrainRecipe, Stage};
use crate::batch::Batch;
use crate::layers::Tokens;
use crate::tokenizer::Tokenizer;
use promptshift_text::synthetic::{Document, DocumentMix, document};

/// The number of batches that are prepared together and sorted by length.
const POOL: usize = 12;

/// The share of a document's names and answers that salient-span corruption masks.
const SALIENT_SHARE: f64 = 0.4;

/// Documents with fewer tokens can't be split.
const SHORTEST: usize = 4;

/// The text to train on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Text {
    /// Generated documents, in the mix of the recipe's stages.
    Generated,
    /// These documents, drawn with replacement; for documents above the recipe's maximum input length, a
    /// random window. They have no answers to mask and no natural cut, so only a stage's steps and its share
    /// of span corruption apply. There must be at least one document, and none may be empty.
    Documents(Vec<String>),
}

impl Text {
    /// Drops documents that are too short to learn from; `None` if none is left.
    pub(super) fn long_enough(&self, tokenizer: &Tokenizer) -> Option<Text> {
        let Text::Documents(all) = self else {
            return Some(Text::Generated);
        };
        let kept: Vec<String> = (all.iter())
            .filter(|text| tokenizer.encode(text).len() >= SHORTEST)
            .cloned()
            .collect();
        (!kept.is_empty()).then_some(Text::Documents(kept))
    }
}

/// An endless stream of training batches.
pub struct Stream<'a> {
    recipe: &'a PretrainRecipe,
    text: &'a Text,
    tokenizer: &'a Tokenizer,
    sentinels: Vec<u32>,
    rng: ChaCha8Rng,
    waiting: Vec<Batch>,
}

impl<'a> Stream<'a> {
    /// The stream for a recipe's seed.
    pub fn new(recipe: &'a PretrainRecipe, text: &'a Text, tokenizer: &'a Tokenizer) -> Self {
        Stream {
            recipe,
            text,
            tokenizer,
            sentinels: (0..).map_while(|k| tokenizer.sentinel(k)).collect(),
            // The documents for training the tokenizer use the seed itself.
            rng: ChaCha8Rng::seed_from_u64(recipe.seed.wrapping_add(1)),
            waiting: Vec::new(),
        }
    }

    /// Discards prepared batches, because the next batch belongs to another stage.
    pub fn enter_stage(&mut self) {
        self.waiting.clear();
    }

    /// The next batch of `stage`.
    pub fn next_batch(&mut self, stage: &Stage) -> Batch {
        while self.waiting.is_empty() {
            self.refill(stage);
        }
        self.waiting.pop().expect("just refilled")
    }

    fn refill(&mut self, stage: &Stage) {
        let size = self.recipe.batch_size;
        let mix = DocumentMix {
            qa_share: stage.qa_share,
            glossary_share: stage.glossary_share,
            pairs_share: stage.pairs_share,
            facts: stage.facts,
            varied_cues: stage.varied_cues,
            phrasings: stage.phrasings,
        };
        let mut pairs: Vec<Pair> = (0..size * POOL)
            .filter_map(|_| {
                let document = match self.text {
                    Text::Generated => document(&mut self.rng, &mix),
                    Text::Documents(all) => Document {
                        text: all[self.rng.random_range(0..all.len())].clone(),
                        salient: Vec::new(),
                        cut: None,
                    },
                };
                self.pair(&document, stage)
            })
            .collect();
        pairs.sort_by_key(|(input, target)| (2 * input.len() + target.len(), input.len()));
        for chunk in pairs.chunks_exact(size) {
            let inputs: Vec<&[u32]> = chunk.iter().map(|(input, _)| input.as_slice()).collect();
            let targets: Vec<&[u32]> = chunk.iter().map(|(_, target)| target.as_slice()).collect();
            self.waiting.push(Batch {
                inputs: Tokens::padded(&inputs, self.tokenizer.pad()),
                targets: Tokens::padded(&targets, self.tokenizer.pad()),
            });
        }
        self.waiting.shuffle(&mut self.rng);
    }

    /// One document as input and target, each with an end of sequence; `None` if the input is too long.
    fn pair(&mut self, document: &Document, stage: &Stage) -> Option<Pair> {
        let (mut ids, mut offsets) = self.tokenizer.encode_with_offsets(&document.text);
        // Leaves room for the end of sequence, and for one more sentinel than masked tokens.
        let longest = self.recipe.input_limit.saturating_sub(2);
        if let Text::Documents(_) = self.text
            && ids.len() > longest
        {
            let from = self.rng.random_range(0..=ids.len() - longest);
            ids = ids[from..from + longest].to_vec();
            offsets = offsets[from..from + longest].to_vec();
        }
        let (mut input, mut target) = if self.rng.random_bool(stage.span_corruption) {
            self.corrupted(&ids, &offsets, document, stage)?
        } else {
            let cut = self.cut(&ids, &offsets, document, stage)?;
            prefix_lm(&ids, cut)
        };
        input.push(self.tokenizer.end());
        target.push(self.tokenizer.end());
        target.truncate(self.recipe.target_limit);
        (input.len() <= self.recipe.input_limit).then_some((input, target))
    }

    fn corrupted(
        &mut self,
        ids: &[u32],
        offsets: &[(usize, usize)],
        document: &Document,
        stage: &Stage,
    ) -> Option<Pair> {
        if self.rng.random_bool(stage.salient_spans) {
            let ranges = occurrences(document);
            let most = self.sentinels.len();
            let spans = salient_spans(offsets, &ranges, most, SALIENT_SHARE, &mut self.rng);
            if !spans.is_empty() {
                return Some(corrupt(ids, &spans, &self.sentinels));
            }
        }
        span_corruption(ids, &self.sentinels, &mut self.rng)
    }

    /// The position where prefix LM splits: the document's natural cut, or a random one in its middle half.
    fn cut(
        &mut self,
        ids: &[u32],
        offsets: &[(usize, usize)],
        document: &Document,
        stage: &Stage,
    ) -> Option<usize> {
        if ids.len() < SHORTEST {
            return None;
        }
        if let Some(cut) = document.cut
            && self.rng.random_bool(stage.natural_cut)
        {
            let at = offsets.iter().position(|&(_, end)| end > cut);
            return at.filter(|&at| at > 0);
        }
        Some(self.rng.random_range(ids.len() / 4..=ids.len() * 3 / 4))
    }
}

/// Byte ranges of a document's salient strings, in order and not overlapping.
fn occurrences(document: &Document) -> Vec<(usize, usize)> {
    let mut ranges: Vec<(usize, usize)> = document
        .salient
        .iter()
        .flat_map(|salient| {
            document
                .text
                .match_indices(salient.as_str())
                .map(|(at, found)| (at, at + found.len()))
        })
        .collect();
    ranges.sort_unstable();
    ranges.dedup();
    ranges
}
