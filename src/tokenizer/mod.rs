//! Text ↔ token ids: a `tokenizer.json` through the `tokenizers` crate, or SentencePiece's own
//! `spiece.model`, or BERT's `vocab.txt`, with the model's special tokens found and checked.

mod sentencepiece;
mod wordpiece;

pub use sentencepiece::{CharsMapError, SentencePieceError};
pub use wordpiece::Case;

use sentencepiece::SentencePiece;

/// A tokenizer that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    /// The file can't be read or parsed.
    #[error("{path}: not a tokenizer.json: {reason}")]
    Unreadable {
        /// The file.
        path: String,
        /// What `tokenizers` says.
        reason: String,
    },
    /// The file is not that of a unigram model.
    #[error("{path}: {reason}")]
    SentencePiece {
        /// The file.
        path: String,
        /// What is wrong.
        reason: SentencePieceError,
    },
    /// It has more ids than the model has embeddings.
    #[error(
        "{path}: {found} ids, but the model's vocab_size is {wanted}: the tokenizer is another model's"
    )]
    Vocabulary {
        /// The file.
        path: String,
        /// `V`.
        wanted: usize,
        /// The tokenizer's ids.
        found: usize,
    },
    /// It has an id that the model has no embedding for.
    #[error(
        "{path}: an id of {found}, but the model's vocab_size is {wanted}: the tokenizer is another model's"
    )]
    Id {
        /// The file.
        path: String,
        /// `V`.
        wanted: usize,
        /// The tokenizer's largest id.
        found: u32,
    },
    /// A token that BERT cannot do without is absent.
    #[error("{path}: no token '{token}'")]
    Absent {
        /// The file.
        path: String,
        /// The token.
        token: &'static str,
    },
    /// A token that T5 cannot do without is absent or elsewhere than config.json says.
    #[error("{path}: token '{token}' has id {found:?}, config.json wants {wanted}")]
    Special {
        /// The file.
        path: String,
        /// The token.
        token: &'static str,
        /// Its id in config.json.
        wanted: u32,
        /// Its id in the tokenizer, if it has one.
        found: Option<u32>,
    },
}

/// Text ↔ token ids.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    model: Model,
    pad: u32,
    end: u32,
    pair: Option<Pair>,
}

/// How a model that reads pairs wants them: a token of its own first, and an end behind each text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// `[CLS]`.
    pub first: u32,
}

#[derive(Debug, Clone)]
enum Model {
    Json(Box<tokenizers::Tokenizer>),
    SentencePiece(Box<SentencePiece>),
}

impl Tokenizer {
    /// Parses the bytes of a `tokenizer.json` and checks it against the model's configuration;
    /// `name` is what errors call it.
    ///
    /// # Errors
    /// Unreadable, of another vocabulary, or without T5's special tokens.
    pub fn parse(
        bytes: &[u8],
        name: &str,
        config: &crate::t5::T5Config,
    ) -> Result<Self, TokenizerError> {
        Self::check(
            Model::Json(Box::new(Self::json(bytes, name)?)),
            name,
            config,
        )
    }

    fn json(bytes: &[u8], name: &str) -> Result<tokenizers::Tokenizer, TokenizerError> {
        let unreadable = |e: tokenizers::Error| TokenizerError::Unreadable {
            path: name.to_string(),
            reason: e.to_string(),
        };
        let mut model = tokenizers::Tokenizer::from_bytes(bytes).map_err(unreadable)?;
        // A file may carry the lengths of a batch that its tokenizer was once used for. Ours are
        // cut and filled in `batch`.
        model.with_truncation(None).map_err(unreadable)?;
        model.with_padding(None);
        Ok(model)
    }

    /// Parses the bytes of a `spiece.model` and checks it as [`Tokenizer::parse`] does.
    ///
    /// # Errors
    /// Not a unigram model, of another vocabulary, or without T5's special tokens.
    pub fn parse_sentencepiece(
        bytes: &[u8],
        name: &str,
        config: &crate::t5::T5Config,
    ) -> Result<Self, TokenizerError> {
        let model =
            SentencePiece::parse(bytes).map_err(|reason| TokenizerError::SentencePiece {
                path: name.to_string(),
                reason,
            })?;
        Self::check(Model::SentencePiece(Box::new(model)), name, config)
    }

    fn check_size(model: &Model, name: &str, vocab: usize) -> Result<(), TokenizerError> {
        let found = model.size();
        // Published checkpoints have more rows (32,128) than the tokenizer has ids (32,100); one
        // with far fewer ids is another model's.
        if found > vocab || found + 128 < vocab {
            return Err(TokenizerError::Vocabulary {
                path: name.to_string(),
                wanted: vocab,
                found,
            });
        }
        let largest = model.largest();
        if largest as usize >= vocab {
            return Err(TokenizerError::Id {
                path: name.to_string(),
                wanted: vocab,
                found: largest,
            });
        }
        Ok(())
    }

    fn check(
        model: Model,
        name: &str,
        config: &crate::t5::T5Config,
    ) -> Result<Self, TokenizerError> {
        Self::check_size(&model, name, config.vocab_size)?;
        let special = |token: &'static str, wanted: u32| {
            let found = model.id(token);
            if found == Some(wanted) {
                return Ok(wanted);
            }
            Err(TokenizerError::Special {
                path: name.to_string(),
                token,
                wanted,
                found,
            })
        };
        let (pad, end) = (
            special("<pad>", config.pad_token_id)?,
            special("</s>", config.eos_token_id)?,
        );
        Ok(Tokenizer {
            model,
            pad,
            end,
            pair: None,
        })
    }

    /// Token ids of `text`, without end of sequence.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        match &self.model {
            Model::Json(model) => model
                .encode_fast(text, false)
                .expect("a trained tokenizer encodes every text")
                .get_ids()
                .to_vec(),
            Model::SentencePiece(model) => {
                model.encode(text).into_iter().map(|(id, _)| id).collect()
            }
        }
    }

    /// Token ids of `text` with each token's byte range.
    pub fn encode_with_offsets(&self, text: &str) -> (Vec<u32>, Vec<(usize, usize)>) {
        match &self.model {
            Model::Json(model) => {
                let encoding = model
                    .encode(text, false)
                    .expect("a trained tokenizer encodes every text");
                (encoding.get_ids().to_vec(), encoding.get_offsets().to_vec())
            }
            Model::SentencePiece(model) => model.encode(text).into_iter().unzip(),
        }
    }

    /// The text of `ids`, special tokens left out.
    pub fn decode(&self, ids: &[u32]) -> String {
        match &self.model {
            Model::Json(model) => model
                .decode(ids, true)
                .expect("ids come from this vocabulary")
                .trim()
                .to_string(),
            Model::SentencePiece(model) => model.decode(ids),
        }
    }

    /// Padding.
    pub fn pad(&self) -> u32 {
        self.pad
    }

    /// How pairs of texts are put together, for a model that reads such.
    pub fn pair(&self) -> Option<Pair> {
        self.pair
    }

    /// End of sequence; of each text of a pair.
    pub fn end(&self) -> u32 {
        self.end
    }

    /// The id of `<extra_id_k>`, the k-th sentinel of span corruption.
    pub fn sentinel(&self, k: usize) -> Option<u32> {
        match &self.model {
            Model::Json(model) => model.token_to_id(&format!("<extra_id_{k}>")),
            Model::SentencePiece(model) => model.sentinel(k),
        }
    }

    /// All ids.
    pub fn size(&self) -> usize {
        self.model.size()
    }
}

impl Model {
    fn id(&self, token: &str) -> Option<u32> {
        match self {
            Model::Json(model) => model.token_to_id(token),
            Model::SentencePiece(model) => model.id(token),
        }
    }

    fn size(&self) -> usize {
        match self {
            Model::Json(model) => model.get_vocab_size(true),
            Model::SentencePiece(model) => model.size(),
        }
    }

    /// The largest id; 0 without any. Ids of a `tokenizer.json` may have gaps.
    fn largest(&self) -> u32 {
        match self {
            Model::Json(model) => model.get_vocab(true).into_values().max().unwrap_or(0),
            Model::SentencePiece(model) => u32::try_from(model.size())
                .unwrap_or(u32::MAX)
                .saturating_sub(1),
        }
    }
}
