//! The recipe of a miniature, committed beside its weights.

use serde::{Deserialize, Serialize};

use crate::t5::{Initialisation, T5Config};
use promptshift_text::synthetic::Phrasings;

/// Everything that determines a miniature's weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PretrainRecipe {
    /// Seed of initialisation and text.
    pub seed: u64,
    /// How the weights are initialised.
    pub initialisation: Initialisation,
    /// Documents in a batch.
    pub batch_size: usize,
    /// Maximum input length in tokens; documents with longer inputs are left out.
    pub input_limit: usize,
    /// Maximum target length in tokens; longer targets are truncated.
    pub target_limit: usize,
    /// Step size relative to each tensor's initial root mean square.
    pub learning_rate: f64,
    /// Steps until the full learning rate.
    pub warmup_steps: usize,
    /// The share of all steps over which the learning rate decays, in [0, 1].
    pub decay_share: f64,
    /// The share of the learning rate that remains at the end.
    pub decay_floor: f64,
    /// Global norm to which gradients are clipped.
    pub clip_norm: f64,
    /// The network.
    pub shape: Shape,
    /// The tokenizer.
    pub vocabulary: Vocabulary,
    /// The stages, in order.
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
    /// Maximum vocabulary size, sentinels and special tokens included.
    pub size: usize,
    /// Sentinels `<extra_id_k>`, at the end of the vocabulary.
    pub sentinels: usize,
    /// Training documents.
    pub documents: usize,
}

/// One stage of pre-training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Its name.
    pub name: String,
    /// Optimiser steps.
    pub steps: usize,
    /// The share of documents for span corruption, in [0, 1]; the others are for prefix LM.
    pub span_corruption: f64,
    /// Among those, the share whose spans are names and answers rather than random.
    pub salient_spans: f64,
    /// The share of documents with a natural cut that are split there; others are split anywhere.
    pub natural_cut: f64,
    /// The share of passages with notes that contain questions.
    pub qa_share: f64,
    /// Share of documents that are lists of keys and values.
    pub glossary_share: f64,
    /// The share of documents with sentence pairs that do or do not mean the same.
    pub pairs_share: f64,
    /// The share of question-first notes with random cue words rather than fixed ones.
    pub varied_cues: f64,
    /// How many phrasings of a statement or question are used.
    pub phrasings: Phrasings,
    /// Fewest and most facts in a passage; each domain's own where absent.
    pub facts: Option<(usize, usize)>,
}

impl PretrainRecipe {
    /// The total number of steps.
    pub fn steps(&self) -> usize {
        self.stages.iter().map(|stage| stage.steps).sum()
    }

    /// The `config.json` of the result, for a tokenizer of this size.
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
