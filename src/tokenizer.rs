//! `tokenizer.json` through the `tokenizers` crate, with T5's special tokens found and checked.

use std::path::Path;

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
    inner: tokenizers::Tokenizer,
    pad: u32,
    end: u32,
}

impl Tokenizer {
    /// Reads `tokenizer.json` and checks it against the model's configuration.
    ///
    /// # Errors
    /// Unreadable, of another vocabulary, or without T5's special tokens.
    pub fn read(path: &Path, config: &crate::t5::T5Config) -> Result<Self, TokenizerError> {
        let name = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|e| TokenizerError::Unreadable {
            path: name.clone(),
            reason: e.to_string(),
        })?;
        Self::parse(&bytes, &name, config)
    }

    /// Parses the bytes of a `tokenizer.json`; `name` is what errors call it.
    ///
    /// # Errors
    /// As [`Tokenizer::read`].
    pub fn parse(
        bytes: &[u8],
        name: &str,
        config: &crate::t5::T5Config,
    ) -> Result<Self, TokenizerError> {
        let inner =
            tokenizers::Tokenizer::from_bytes(bytes).map_err(|e| TokenizerError::Unreadable {
                path: name.to_string(),
                reason: e.to_string(),
            })?;
        let found = inner.get_vocab_size(true);
        // Published checkpoints have more rows (32,128) than the tokenizer has ids (32,100); one
        // with far fewer ids is another model's.
        if found > config.vocab_size || found + 128 < config.vocab_size {
            return Err(TokenizerError::Vocabulary {
                path: name.to_string(),
                wanted: config.vocab_size,
                found,
            });
        }
        let special = |token: &'static str, wanted: u32| {
            let found = inner.token_to_id(token);
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
        Ok(Tokenizer { inner, pad, end })
    }

    /// Token ids of `text`, without end of sequence.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        self.inner
            .encode_fast(text, false)
            .expect("a trained tokenizer encodes every text")
            .get_ids()
            .to_vec()
    }

    /// Token ids of `text` with each token's byte range.
    pub fn encode_with_offsets(&self, text: &str) -> (Vec<u32>, Vec<(usize, usize)>) {
        let encoding = self
            .inner
            .encode(text, false)
            .expect("a trained tokenizer encodes every text");
        (encoding.get_ids().to_vec(), encoding.get_offsets().to_vec())
    }

    /// The text of `ids`, special tokens left out.
    pub fn decode(&self, ids: &[u32]) -> String {
        self.inner
            .decode(ids, true)
            .expect("ids come from this vocabulary")
            .trim()
            .to_string()
    }

    /// Padding.
    pub fn pad(&self) -> u32 {
        self.pad
    }

    /// End of sequence.
    pub fn end(&self) -> u32 {
        self.end
    }

    /// The id of `<extra_id_k>`, the k-th sentinel of span corruption.
    pub fn sentinel(&self, k: usize) -> Option<u32> {
        self.inner.token_to_id(&format!("<extra_id_{k}>"))
    }

    /// All ids.
    pub fn size(&self) -> usize {
        self.inner.get_vocab_size(true)
    }
}
