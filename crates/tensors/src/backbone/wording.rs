//! Prepares a backbone for a wording.

use super::Backbone;
use crate::network::Network;
use promptshift_text::domain::card::Card;
use promptshift_text::domain::wording::{Opening, Wording};

/// Why a backbone does not support a wording.
#[derive(Debug, thiserror::Error)]
pub enum WordsError {
    /// The checkpoint has no masked-word head.
    #[error(
        "--score-by likelihood: '{model}' has no masked-word head, or one that does not share the embedding: wanted a \
         checkpoint with the head of its pre-training (BertForMaskedLM, RobertaForMaskedLM, DistilBertForMaskedLM), or \
         --score-by generation"
    )]
    NoHead {
        /// Its name.
        model: String,
    },
    /// A mask stands for a single token.
    #[error(
        "--score-by likelihood: '{word}' is {tokens} tokens of '{model}', but a mask stands for \
         one: wanted --verbalizer with a word of one token for each class"
    )]
    Long {
        /// The first word of a class.
        word: String,
        /// Its tokens.
        tokens: usize,
        /// The model's name.
        model: String,
    },
    /// The tokenizer has no sentinels to begin answers with.
    #[error("'{0}' has no sentinels (<extra_id_0> in its tokenizer): wanted a T5")]
    NoSentinel(String),
}

impl Backbone {
    /// Prepares the backbone for a wording. A BERT whose answers are chosen by likelihood gets the first word of each
    /// of the source's classes, and a gap between its two texts; any other backbone gets the sentinel that its answers
    /// begin with, if there is one.
    ///
    /// # Errors
    /// It does not support the wording.
    pub fn with_wording(self, wording: &Wording, source: &Card) -> Result<Self, WordsError> {
        let tokenizer = match wording.opening {
            Opening::Text => Some(self.tokenizer),
            Opening::Sentinel => self.tokenizer.opened(),
        };
        let tokenizer = tokenizer.ok_or_else(|| WordsError::NoSentinel(self.name.clone()))?;
        let Network::Bert(bert) = self.model else {
            return Ok(Backbone { tokenizer, ..self });
        };
        if !wording.score_by.ranks() {
            return Ok(Backbone {
                model: bert.into(),
                tokenizer,
                ..self
            });
        }
        let model = self.name.clone();
        if !bert.has_masked_words() {
            return Err(WordsError::NoHead { model });
        }
        let ids = (wording.words(source).iter())
            .map(|words| match tokenizer.encode_within(words[0])[..] {
                [id] => Ok(id),
                ref ids => Err(WordsError::Long {
                    word: words[0].to_string(),
                    tokens: ids.len(),
                    model: model.clone(),
                }),
            })
            .collect::<Result<Vec<u32>, WordsError>>();
        let no_head = || WordsError::NoHead {
            model: model.clone(),
        };
        Ok(Backbone {
            model: bert.with_words(ids?).ok_or_else(no_head)?.into(),
            tokenizer: tokenizer.with_gap().ok_or_else(no_head)?,
            ..self
        })
    }
}
