//! The recipe of a miniature, as committed beside its weights.

use serde::{Deserialize, Serialize};

use crate::t5::{Initialisation, T5Config};
use promptshift_text::synthetic::Phrasings;

/// Everything that decides a miniature's weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PretrainRecipe {
    /// Seed of initialisation and text.
    pub seed: u64,
    /// How the weights start.
    pub initialisation: Initialisation,
    /// Documents a step.
    pub batch_size: usize,
    /// Longest input in tokens; documents with a longer one are left out.
    pub input_limit: usize,
    /// Longest target in tokens; what is beyond is cut.
    pub target_limit: usize,
    /// Step size relative to each tensor's root mean square at the start.
    pub learning_rate: f64,
    /// Steps until the full learning rate.
    pub warmup_steps: usize,
    /// Share of all steps over which the learning rate falls, in [0, 1].
    pub decay_share: f64,
    /// The share of the learning rate that is left at the end.
    pub decay_floor: f64,
    /// Global norm to which gradients are clipped.
    pub clip_norm: f64,
    /// The network.
    pub shape: Shape,
    /// The tokenizer.
    pub vocabulary: Vocabulary,
    /// The stages, one after the other.
    pub stages: Vec<Stage>,
}

/// A T5 v1.1's sizes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    /// `D`.
    pub d_model: usize,
    /// `K`.
    pub d_kv: usize,
    /// `H`.
    pub num_heads: usize,
    /// `F`.
    pub d_ff: usize,
    /// Encoder blocks.
    pub encoder_layers: usize,
    /// Decoder blocks.
    pub decoder_layers: usize,
}

/// The tokenizer's training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vocabulary {
    /// Ids at most, sentinels and special tokens included.
    pub size: usize,
    /// Sentinels `<extra_id_k>`, at the end.
    pub sentinels: usize,
    /// Documents that it is trained on.
    pub documents: usize,
}

/// One stretch of pre-training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// What to call it.
    pub name: String,
    /// Optimiser steps.
    pub steps: usize,
    /// Share of documents learnt by span corruption, in [0, 1]; the others by prefix LM.
    pub span_corruption: f64,
    /// Among those, the share whose spans are names and answers rather than random ones.
    pub salient_spans: f64,
    /// Share of documents with a natural cut that are split there; others anywhere.
    pub natural_cut: f64,
    /// Share of passages with notes that ask about them.
    pub qa_share: f64,
    /// Share of documents that are lists of keys and values.
    pub glossary_share: f64,
    /// Share of documents with pairs of sentences that do or do not mean the same.
    pub pairs_share: f64,
    /// Share of question-first notes with random cue words, rather than one set of them.
    pub varied_cues: f64,
    /// How many ways there are of saying and asking a thing.
    pub phrasings: Phrasings,
    /// Fewest and most facts in a passage; each domain's own where absent.
    pub facts: Option<(usize, usize)>,
}

impl PretrainRecipe {
    /// All steps.
    pub fn steps(&self) -> usize {
        self.stages.iter().map(|stage| stage.steps).sum()
    }

    /// The `config.json` of the result, for a tokenizer of so many ids.
    pub fn config(&self, vocab_size: usize) -> T5Config {
        T5Config {
            vocab_size,
            d_model: self.shape.d_model,
            d_kv: self.shape.d_kv,
            num_heads: self.shape.num_heads,
            d_ff: self.shape.d_ff,
            num_layers: self.shape.encoder_layers,
            num_decoder_layers: Some(self.shape.decoder_layers),
            ..T5Config::published("small").expect("a published size")
        }
    }
}
