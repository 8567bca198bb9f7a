//! WordPiece, BERT's tokenization: a `tokenizer.json`, or the `vocab.txt` of older checkpoints.
//!
//! A string in a text that looks like a special token (`[SEP]`) is tokenized as ordinary words: texts have no markup,
//! and every separator is one that was put between texts.

use serde_json::json;

use super::{Model, Pair, Tokenizer, TokenizerError};
use crate::bert::BertConfig;

/// The token for unknown words.
const UNKNOWN: &str = "[UNK]";

/// Whether a vocabulary distinguishes case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// It does not: texts are lower-cased and accents removed.
    Lower,
    /// It does.
    Kept,
}

impl Case {
    /// Reads a `tokenizer_config.json`; lower case if it says nothing, as in Transformers.
    pub fn of_config(bytes: &[u8]) -> Self {
        let json: Option<serde_json::Value> = serde_json::from_slice(bytes).ok();
        match json.and_then(|json| json.get("do_lower_case")?.as_bool()) {
            Some(false) => Case::Kept,
            _ => Case::Lower,
        }
    }
}

impl Tokenizer {
    /// Parses the bytes of a `tokenizer.json` and checks it against a BERT's configuration; errors call it `name`.
    ///
    /// # Errors
    /// It is unreadable, has another vocabulary, or lacks BERT's special tokens.
    pub fn parse_wordpiece(
        bytes: &[u8],
        name: &str,
        config: &BertConfig,
    ) -> Result<Self, TokenizerError> {
        let mut model = Tokenizer::json(bytes, name)?;
        model.set_encode_special_tokens(true);
        let model = Model::Json(Box::new(model));
        Tokenizer::check_size(&model, name, config.vocab_size)?;
        let special = |token: &'static str| {
            model.id(token).ok_or(TokenizerError::Absent {
                path: name.to_string(),
                token,
            })
        };
        let pad = special("[PAD]")?;
        if pad != config.pad_token_id {
            return Err(TokenizerError::Special {
                path: name.to_string(),
                token: "[PAD]",
                wanted: config.pad_token_id,
                found: Some(pad),
            });
        }
        let (first, end) = (special("[CLS]")?, special("[SEP]")?);
        Ok(Tokenizer {
            model,
            pad,
            ends: super::Ends::Sequence(end),
            pair: Some(Pair { first, gap: None }),
            opening: None,
        })
    }

    /// Parses the bytes of a `vocab.txt`, one token on each line, like [`Tokenizer::parse_wordpiece`].
    ///
    /// # Errors
    /// As for [`Tokenizer::parse_wordpiece`].
    pub fn parse_vocabulary(
        bytes: &[u8],
        name: &str,
        case: Case,
        config: &BertConfig,
    ) -> Result<Self, TokenizerError> {
        let text = std::str::from_utf8(bytes).map_err(|error| TokenizerError::Unreadable {
            path: name.to_string(),
            reason: error.to_string(),
        })?;
        let ids: serde_json::Map<String, serde_json::Value> = (text.lines().enumerate())
            .map(|(id, token)| (token.to_string(), id.into()))
            .collect();
        if !ids.contains_key(UNKNOWN) {
            return Err(TokenizerError::Absent {
                path: name.to_string(),
                token: UNKNOWN,
            });
        }
        let specials: Vec<serde_json::Value> = ["[PAD]", UNKNOWN, "[CLS]", "[SEP]", "[MASK]"]
            .into_iter()
            .filter_map(|token| {
                Some(json!({
                    "id": ids.get(token)?, "content": token, "single_word": false,
                    "lstrip": false, "rstrip": false, "normalized": false, "special": true,
                }))
            })
            .collect();
        let whole = json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": specials,
            "normalizer": {
                "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                "strip_accents": null, "lowercase": case == Case::Lower,
            },
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "post_processor": null,
            "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
            "model": {
                "type": "WordPiece", "unk_token": UNKNOWN, "continuing_subword_prefix": "##",
                "max_input_chars_per_word": 100, "vocab": ids,
            },
        });
        Tokenizer::parse_wordpiece(whole.to_string().as_bytes(), name, config)
    }
}
