//! Tokenizers of encoders, which read pairs of texts: a `tokenizer.json` of any kind (WordPiece in a BERT and
//! a DistilBERT, byte-level BPE in a RoBERTa and a ModernBERT, a unigram model in an XLM-R), the `vocab.txt`
//! of older BERTs, or XLM-R's `sentencepiece.bpe.model`.
//!
//! A string in a text that looks like a special token (`[SEP]`) is tokenized as ordinary words: texts have no
//! markup, and only this program inserts separators.

use serde_json::json;

use super::sentencepiece::SentencePiece;
use super::{Ends, Found, Model, Pair, Tokenizer, TokenizerError};
use crate::bert::{BertConfig, Marks, Shape};
use promptshift_text::foreign;

/// The token for unknown words.
const UNKNOWN: &str = "[UNK]";

/// Whether a vocabulary distinguishes case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// No: texts are lower-cased and accents removed.
    Lower,
    /// Yes.
    Kept,
}

impl Case {
    /// Reads a `tokenizer_config.json`; lower case if it does not say, as in Transformers.
    pub fn of_config(bytes: &[u8]) -> Self {
        let json: Option<serde_json::Value> = serde_json::from_slice(bytes).ok();
        match json.and_then(|json| json.get("do_lower_case")?.as_bool()) {
            Some(false) => Case::Kept,
            _ => Case::Lower,
        }
    }
}

/// A family's special tokens, and the number of separators between two texts.
struct Special {
    pad: &'static str,
    first: &'static str,
    end: &'static str,
    mask: &'static str,
    between: usize,
}

impl Special {
    fn of(shape: Shape) -> Self {
        match shape {
            Shape::Bert | Shape::DistilBert | Shape::ModernBert => Special {
                pad: "[PAD]",
                first: "[CLS]",
                end: "[SEP]",
                mask: "[MASK]",
                between: 1,
            },
            Shape::Roberta => Special {
                pad: "<pad>",
                first: "<s>",
                end: "</s>",
                mask: "<mask>",
                between: 2,
            },
        }
    }
}

/// The format in which a tokenizer joins two texts: the first token, the separator, and the number of
/// separators between the texts. `None` if it adds nothing to texts.
///
/// # Errors
/// It uses another format; returns the tokens that it produces.
fn template(model: &tokenizers::Tokenizer) -> Result<Option<(u32, u32, usize)>, String> {
    let encoding = (model.encode(("a", "b"), true)).map_err(|error| error.to_string())?;
    let (ids, special) = (encoding.get_ids(), encoding.get_special_tokens_mask());
    if !special.contains(&1) {
        return Ok(None);
    }
    let runs: Vec<(u32, &[u32])> = {
        let mut rest = ids;
        (special.chunk_by(|one, other| one == other))
            .map(|run| {
                let (own, others) = rest.split_at(run.len());
                rest = others;
                (run[0], own)
            })
            .collect()
    };
    match runs[..] {
        [(1, [first]), (0, _), (1, between), (0, _), (1, [end])]
            if between.iter().all(|id| id == end) =>
        {
            Ok(Some((*first, *end, between.len())))
        }
        _ => Err(encoding.get_tokens().join(" ")),
    }
}

impl Found {
    /// The token that replaces special tokens in texts.
    const UNKNOWN: &'static str = "<unk>";

    /// Those of these tokens that the model matches in texts; `None` if there are none.
    ///
    /// # Errors
    /// There are some, but there is no unknown token.
    fn of(model: &Model, tokens: [&str; 4]) -> Result<Option<Self>, ()> {
        let ids = tokens
            .iter()
            .filter_map(|token| Some((token, model.id(token)?)));
        let special: Vec<u32> = ids
            .filter(|(token, id)| model.encode(token).contains(id))
            .map(|(_, id)| id)
            .collect();
        if special.is_empty() {
            return Ok(None);
        }
        let unknown = model.id(Found::UNKNOWN).ok_or(())?;
        Ok(Some(Found { special, unknown }))
    }
}

impl Tokenizer {
    /// Parses the bytes of XLM-R's `sentencepiece.bpe.model`, like [`Tokenizer::parse_of_pairs`].
    ///
    /// # Errors
    /// As for [`Tokenizer::parse_of_pairs`], or it is not a unigram model with XLM-R's first pieces.
    pub fn parse_fairseq(
        bytes: &[u8],
        name: &str,
        config: &BertConfig,
    ) -> Result<Self, TokenizerError> {
        let model = SentencePiece::parse_fairseq(bytes);
        let model = model.map_err(|reason| TokenizerError::SentencePiece {
            path: name.to_string(),
            reason,
        })?;
        Tokenizer::of_pairs(Model::SentencePiece(Box::new(model)), None, name, config)
    }

    /// Parses the bytes of a `tokenizer.json` and checks it against an encoder's configuration; errors refer
    /// to it as `name`. Texts are joined as the file specifies or, if it does not, as in the family's
    /// published models.
    ///
    /// # Errors
    /// It is unreadable, has another vocabulary, or lacks the family's special tokens.
    pub fn parse_of_pairs(
        bytes: &[u8],
        name: &str,
        config: &BertConfig,
    ) -> Result<Self, TokenizerError> {
        let mut model = Tokenizer::json(bytes, name)?;
        model.set_encode_special_tokens(true);
        let own = foreign::read(|| template(&model))
            .flatten()
            .map_err(|found| TokenizerError::Template {
                path: name.to_string(),
                found,
            })?;
        Tokenizer::of_pairs(Model::Json(Box::new(model)), own, name, config)
    }

    fn of_pairs(
        model: Model,
        own: Option<(u32, u32, usize)>,
        name: &str,
        config: &BertConfig,
    ) -> Result<Self, TokenizerError> {
        Tokenizer::check_size(&model, name, config.vocabulary)?;
        let tokens = Special::of(config.shape);
        let special = |token: &'static str| {
            model.id(token).ok_or(TokenizerError::Absent {
                path: name.to_string(),
                token,
            })
        };
        let pad = special(tokens.pad)?;
        if pad != config.pad {
            return Err(TokenizerError::Special {
                path: name.to_string(),
                token: tokens.pad,
                wanted: config.pad,
                found: Some(pad),
            });
        }
        let (first, end, between) = match own {
            Some(own) => own,
            None => (special(tokens.first)?, special(tokens.end)?, tokens.between),
        };
        let mask = model.id(tokens.mask);
        let found = Found::of(&model, [tokens.pad, tokens.first, tokens.end, tokens.mask]);
        let found = found.map_err(|()| TokenizerError::Absent {
            path: name.to_string(),
            token: Found::UNKNOWN,
        })?;
        Ok(Tokenizer {
            found,
            pad,
            ends: Ends::Sequence(end),
            pair: Some(Pair {
                first,
                between,
                mask,
                gap: None,
            }),
            opening: None,
            model,
        })
    }

    /// The special tokens of pairs, for an encoder.
    pub fn marks(&self) -> Option<Marks> {
        self.pair.map(|pair| Marks {
            separator: self.end(),
            between: pair.between,
            mask: pair.mask,
        })
    }

    /// Parses the bytes of a `vocab.txt`, one token on each line, like [`Tokenizer::parse_of_pairs`].
    ///
    /// # Errors
    /// As for [`Tokenizer::parse_of_pairs`].
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
        Tokenizer::parse_of_pairs(whole.to_string().as_bytes(), name, config)
    }
}
