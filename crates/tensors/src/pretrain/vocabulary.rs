//! The miniature's tokenizer: byte-pair merges that never cross the syllables of a name.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tokenizers::SplitDelimiterBehavior;
use tokenizers::decoders::metaspace::Metaspace as MetaspaceDecoder;
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainerBuilder};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};
use tokenizers::pre_tokenizers::punctuation::Punctuation;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{AddedToken, Tokenizer};

use super::recipe::{PretrainRecipe, Vocabulary};
use promptshift_text::synthetic::{DocumentMix, tokenizer_document};

/// Separates the syllables of a name while merges are learnt; used nowhere else.
const SYLLABLE_BREAK: &str = "\u{1}";

/// Trains the tokenizer: `<pad>` 0, `</s>` 1, `<unk>` 2, pieces, and the sentinels at the end in
/// T5's order (`<extra_id_0>` is the last id).
///
/// An error of `tokenizers`.
/// What `tokenizers` refuses.
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
    tokenizer.with_pre_tokenizer(Some(pre_tokenizer(true)?));
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
    tokenizer.with_pre_tokenizer(Some(pre_tokenizer(false)?));
    Ok(tokenizer)
}

fn metaspace_decoder() -> MetaspaceDecoder {
    Metaspace::new('▁', PrependScheme::Always, true)
}

/// Splits into words with their preceding space, single punctuation characters and pairs of digits; `at_syllables` also
/// splits names (and removes the separator).
fn pre_tokenizer(at_syllables: bool) -> tokenizers::Result<PreTokenizerWrapper> {
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
    if at_syllables {
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
