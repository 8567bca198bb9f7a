//! The recipe of a miniature, committed next to its weights, and the tokenizer that it trains: byte-pair
//! merges that never cross a syllable boundary of a name.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use tokenizers::decoders::metaspace::Metaspace as MetaspaceDecoder;
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainerBuilder};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};
use tokenizers::pre_tokenizers::punctuation::Punctuation;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{AddedToken, SplitDelimiterBehavior, Tokenizer};

use crate::t5::{Initialisation, T5Config};
use promptshift_text::synthetic::{DocumentMix, Phrasings, tokenizer_document};

/// Everything that determines a miniature's weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PretrainRecipe {
    /// Seed of initialisation and text.
    pub seed: u64,
    /// The initialisation of the weights.
    pub initialisation: Initialisation,
    /// Documents in a batch.
    pub batch_size: usize,
    /// Maximum input length in tokens; documents with longer inputs are skipped.
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
    /// The share of documents for span corruption, in [0, 1]; the rest are for prefix LM.
    pub span_corruption: f64,
    /// Of those, the share whose spans are names and answers instead of random ones.
    pub salient_spans: f64,
    /// The share of documents with a natural cut that are split there; others are split at a random position.
    pub natural_cut: f64,
    /// The share of passages with notes that contain questions.
    pub qa_share: f64,
    /// The share of documents that are lists of keys and values.
    pub glossary_share: f64,
    /// The share of documents with sentence pairs that do or do not have the same meaning.
    pub pairs_share: f64,
    /// The share of question-first notes with random cue words instead of fixed ones.
    pub varied_cues: f64,
    /// How many phrasings of a statement or question are used.
    pub phrasings: Phrasings,
    /// The minimum and maximum number of facts in a passage; each domain's own if absent.
    pub facts: Option<(usize, usize)>,
}

impl PretrainRecipe {
    /// The total number of steps.
    pub fn steps(&self) -> usize {
        self.stages.iter().map(|stage| stage.steps).sum()
    }

    /// The `config.json` of the trained model, for a tokenizer of this size.
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

/// Separates the syllables of a name while merges are learnt; used nowhere else.
const SYLLABLE_BREAK: &str = "\u{1}";

/// Trains the tokenizer: `<pad>` 0, `</s>` 1, `<unk>` 2, pieces, and the sentinels at the end in T5's order
/// (`<extra_id_0>` is the last id).
///
/// # Errors
/// An error of `tokenizers`.
pub fn train_tokenizer(recipe: &PretrainRecipe) -> tokenizers::Result<Tokenizer> {
    let Vocabulary {
        size,
        sentinels,
        documents,
    } = recipe.vocabulary;
    let mut rng = ChaCha8Rng::seed_from_u64(recipe.seed);
    let mix = DocumentMix::default();
    let texts: Vec<String> = (0..documents)
        .map(|_| tokenizer_document(&mut rng, &mix))
        .collect();
    let model = BPE::builder().unk_token("<unk>".to_string()).build()?;
    let mut tokenizer = Tokenizer::new(model);
    tokenizer.with_pre_tokenizer(Some(pre_tokenizer(Names::AtSyllables)?));
    tokenizer.with_decoder(Some(metaspace_decoder()));
    let special = ["<pad>", "</s>", "<unk>"].map(|token| AddedToken::from(token, true));
    let mut trainer: TrainerWrapper = BpeTrainerBuilder::new()
        .show_progress(false)
        .vocab_size(size - sentinels)
        .special_tokens(special.to_vec())
        .build()
        .into();
    tokenizer.train(&mut trainer, texts.into_iter())?;
    let sentinels: Vec<AddedToken> = (0..sentinels)
        .rev()
        .map(|k| AddedToken::from(format!("<extra_id_{k}>"), true))
        .collect();
    tokenizer.add_special_tokens(sentinels)?;
    tokenizer.with_pre_tokenizer(Some(pre_tokenizer(Names::Whole)?));
    Ok(tokenizer)
}

fn metaspace_decoder() -> MetaspaceDecoder {
    Metaspace::new('▁', PrependScheme::Always, true)
}

/// How names are split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Names {
    /// At their syllables; removes the separator.
    AtSyllables,
    /// Not at all.
    Whole,
}

/// Splits into words with their preceding space, single punctuation characters and pairs of digits, and
/// splits names.
fn pre_tokenizer(names: Names) -> tokenizers::Result<PreTokenizerWrapper> {
    let mut steps: Vec<PreTokenizerWrapper> = vec![
        Metaspace::new('▁', PrependScheme::Always, true).into(),
        Punctuation::new(SplitDelimiterBehavior::Isolated).into(),
        Split::new(
            SplitPattern::Regex(r"\d{1,2}".to_string()),
            SplitDelimiterBehavior::Isolated,
            false,
        )?
        .into(),
    ];
    if names == Names::AtSyllables {
        steps.push(
            Split::new(
                SplitPattern::String(SYLLABLE_BREAK.to_string()),
                SplitDelimiterBehavior::Removed,
                false,
            )?
            .into(),
        );
    }
    Ok(Sequence::new(steps).into())
}
