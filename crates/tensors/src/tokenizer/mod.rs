//! Converts between text and token ids: a `tokenizer.json` through the `tokenizers` crate, SentencePiece
//! models, or BERT's `vocab.txt`, with checks of the model's special tokens.

mod pairs;
mod sentencepiece;

pub use pairs::Case;
pub use sentencepiece::{Begins, CharsMapError, SentencePieceError};
pub(crate) use sentencepiece::{BytePairs, beginning};

use promptshift_text::foreign;
use sentencepiece::SentencePiece;

/// Why a tokenizer can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    /// The file can't be read or parsed.
    #[error("{path}: not a tokenizer.json: {reason}")]
    Unreadable {
        /// The file.
        path: String,
        /// The error of `tokenizers`.
        reason: String,
    },
    /// The file is not a SentencePiece model of the wanted kind.
    #[error("{path}: {reason}")]
    SentencePiece {
        /// The file.
        path: String,
        /// What is wrong.
        reason: SentencePieceError,
    },
    /// It has more ids than the model has embeddings, or fewer by more than padding explains.
    #[error(
        "{path}: {found} ids, but the model's vocab_size is {wanted}: the tokenizer belongs to another model, or tokens \
         were added to only one of the two"
    )]
    Vocabulary {
        /// The file.
        path: String,
        /// `V`.
        wanted: usize,
        /// The tokenizer's ids.
        found: usize,
    },
    /// It has an id without an embedding.
    #[error(
        "{path}: an id of {found}, but the model's vocab_size is {wanted}: the tokenizer belongs to another model"
    )]
    Id {
        /// The file.
        path: String,
        /// `V`.
        wanted: usize,
        /// The tokenizer's largest id.
        found: u32,
    },
    /// It has no newline token, which is needed to end answers.
    #[error("{path}: no newline token, which must end answers")]
    NoLine {
        /// The file.
        path: String,
    },
    /// A token that an encoder requires is absent.
    #[error("{path}: no token '{token}'")]
    Absent {
        /// The file.
        path: String,
        /// The token.
        token: &'static str,
    },
    /// It joins two texts in an unsupported format.
    #[error(
        "{path}: wanted a tokenizer that joins two texts by separators, with one token before them and a separator \
         after them, found '{found}' for the texts 'a' and 'b'"
    )]
    Template {
        /// The file.
        path: String,
        /// The tokens that it produces.
        found: String,
    },
    /// A token that T5 requires is absent or has another id than in config.json.
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

/// Extra embedding rows of published checkpoints beyond the tokenizer's ids: 32,128 for 32,100.
pub const PUBLISHED_PADDING: usize = 128;

/// Vocabularies are padded to a multiple of 128 or of one of these.
const MULTIPLES: [usize; 5] = [256, 512, 1_024, 2_048, 4_096];

/// Tolerance: one spare row per this many ids.
const SPARE: usize = 64;

/// Whether an embedding with `rows` rows may belong to a tokenizer with `ids` ids: only a few rows are spare,
/// or the embedding was padded to a multiple of a power of two
/// (`resize_token_embeddings(pad_to_multiple_of)`) and padding less than doubled it.
fn is_padded(rows: usize, ids: usize) -> bool {
    let Some(more) = rows.checked_sub(ids) else {
        return false;
    };
    more <= PUBLISHED_PADDING.max(ids / SPARE)
        || (more < ids
            && MULTIPLES
                .into_iter()
                .any(|multiple| more < multiple && rows.is_multiple_of(multiple)))
}

/// A text with every kind of input: words, punctuation, newlines, other scripts, unassigned code points, and
/// a word longer than WordPiece's limit.
const PROBE: &str = "Ab, c. 12\n\n\té 東京 🙂 \u{e000}\u{10fffd} \
    xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

/// Converts between text and token ids.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    model: Model,
    pad: u32,
    ends: Ends,
    pair: Option<Pair>,
    /// The token before the text of an output, if any.
    opening: Option<u32>,
    /// Special tokens that the model would match in texts.
    found: Option<Found>,
}

/// Special tokens that a model matches in texts, as XLM-R's unigram model does, because they are among its
/// pieces. Here only this program inserts separators and masks, so within a text they become unknown words.
#[derive(Debug, Clone)]
struct Found {
    special: Vec<u32>,
    unknown: u32,
}

/// What ends an output, and how text is prepared for a network.
#[derive(Debug, Clone)]
enum Ends {
    /// A special token after inputs and outputs: T5's end-of-sequence token.
    Sequence(u32),
    /// A newline, for decoder-only networks. Any token that contains one ends an output, and so do special
    /// tokens; sorted.
    Line {
        /// The token of a single newline.
        newline: u32,
        any: Vec<u32>,
        /// How the space before an output's first word comes about.
        space: FirstSpace,
    },
}

/// Where the space before the first word of a text comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FirstSpace {
    /// From the text, as in byte-level BPE.
    Text,
    /// The tokenizer puts it before every text, as Llama 2's does.
    Tokenizer,
}

/// The format of text pairs: a first token, separators between the texts, and one after them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// `[CLS]`.
    pub first: u32,
    /// The number of separators between the texts.
    pub between: usize,
    /// `[MASK]`, if there is one.
    pub mask: Option<u32>,
    /// The gap between the texts, if they have one.
    pub gap: Option<Gap>,
}

/// A masked word between two texts, `first? [SEP] [MASK], second`: the pattern P₁ of Schick & Schütze 2021
/// (§4.1, MNLI) without its quotation marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// `?`.
    pub question: u32,
    /// `[MASK]`.
    pub mask: u32,
    /// `,`.
    pub comma: u32,
}

#[derive(Debug, Clone)]
enum Model {
    Json(Box<tokenizers::Tokenizer>),
    SentencePiece(Box<SentencePiece>),
}

impl Tokenizer {
    /// Parses the bytes of a `tokenizer.json` and checks it against the model's configuration; errors refer
    /// to it as `name`.
    ///
    /// # Errors
    /// It is unreadable, has another vocabulary, or lacks T5's special tokens.
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

    /// Parses a tokenizer and checks that it can encode any text and decode the result. The crate panics on
    /// some damaged files, and detects other damage only when a text uses the damaged part.
    fn json(bytes: &[u8], name: &str) -> Result<tokenizers::Tokenizer, TokenizerError> {
        let read = || -> Result<tokenizers::Tokenizer, tokenizers::Error> {
            let mut model = tokenizers::Tokenizer::from_bytes(bytes)?;
            // A file may contain padding and truncation settings from an earlier use; here, `batch` pads and
            // truncates.
            model.with_truncation(None)?;
            model.with_padding(None);
            for special in [false, true] {
                let ids = model.encode(PROBE, special)?;
                model.decode(ids.get_ids(), true)?;
            }
            Ok(model)
        };
        let unreadable = |reason| TokenizerError::Unreadable {
            path: name.to_string(),
            reason,
        };
        match foreign::read(read) {
            Ok(Ok(model)) => Ok(model),
            Ok(Err(error)) => Err(unreadable(tokenizers::Error::to_string(&error))),
            Err(panic) => Err(unreadable(panic)),
        }
    }

    /// Parses the bytes of a `spiece.model` and checks it as [`Tokenizer::parse`] does.
    ///
    /// # Errors
    /// It is not a unigram model, has another vocabulary, or lacks T5's special tokens.
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
        if !is_padded(vocab, found) {
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
            ends: Ends::Sequence(end),
            pair: None,
            opening: None,
            found: None,
        })
    }

    /// Parses the bytes of a `tokenizer.json` for a decoder-only network.
    ///
    /// # Errors
    /// It is unreadable, has another vocabulary, or lacks a newline token.
    pub fn parse_of_lines(
        bytes: &[u8],
        name: &str,
        vocabulary: usize,
    ) -> Result<Self, TokenizerError> {
        let json = Self::json(bytes, name)?;
        let tokens = json.get_vocab(true);
        // A newline in byte-level BPE or in byte fallback.
        let is_line = |token: &str| token.contains(['\n', 'Ċ']) || token == "<0x0A>";
        let special = json.get_added_tokens_decoder();
        let special = special.iter().filter(|(_, token)| token.special);
        let mut any: Vec<u32> = (tokens.iter())
            .filter(|(token, _)| is_line(token))
            .map(|(_, &id)| id)
            .chain(special.map(|(&id, _)| id))
            .collect();
        any.sort_unstable();
        any.dedup();
        let model = Model::Json(Box::new(json));
        Self::check_size(&model, name, vocabulary)?;
        let newline = model.encode("a\n").last().copied();
        let [once, twice] = ["a", "a a"].map(|text| model.encode(text));
        let space = match once.repeat(2) == twice {
            true => FirstSpace::Tokenizer,
            false => FirstSpace::Text,
        };
        match newline.filter(|id| any.contains(id)) {
            Some(newline) => Ok(Tokenizer {
                model,
                pad: newline,
                ends: Ends::Line {
                    newline,
                    any,
                    space,
                },
                pair: None,
                opening: None,
                found: None,
            }),
            None => Err(TokenizerError::NoLine {
                path: name.to_string(),
            }),
        }
    }

    /// Parses the bytes of a `tokenizer.model` for a decoder-only network.
    ///
    /// # Errors
    /// It is not a model of byte pairs, has another vocabulary, or lacks a newline token.
    pub fn parse_byte_pairs(
        bytes: &[u8],
        name: &str,
        begins: Begins,
        vocabulary: usize,
    ) -> Result<Self, TokenizerError> {
        let json = BytePairs::parse(bytes, begins).and_then(|model| model.to_json());
        let json = json.map_err(|reason| TokenizerError::SentencePiece {
            path: name.to_string(),
            reason,
        })?;
        Tokenizer::parse_of_lines(&json, name, vocabulary)
    }

    /// The token ids of an input as the network reads it; for T5 without end of sequence.
    pub fn encode_input(&self, text: &str) -> (Vec<u32>, Vec<(usize, usize)>) {
        match (&self.model, &self.ends) {
            // Includes the token that starts every text, if there is one.
            (Model::Json(model), Ends::Line { .. }) => {
                let encoding = model
                    .encode(text, true)
                    .expect("a trained tokenizer encodes every text");
                (encoding.get_ids().to_vec(), encoding.get_offsets().to_vec())
            }
            _ => self.encode_with_offsets(text),
        }
    }

    /// The token ids of an output as the network generates it, without the end token.
    pub fn encode_output(&self, text: &str) -> Vec<u32> {
        match self.ends {
            Ends::Sequence(_) => self.opening.into_iter().chain(self.encode(text)).collect(),
            Ends::Line { .. } => self.encode_after_space(text),
        }
    }

    /// `[MASK]`, if there is one.
    pub fn mask(&self) -> Option<u32> {
        self.pair?.mask
    }

    /// Adds a masked word between the two texts of a pair; `None` if the tokenizer is not for pairs or lacks
    /// the required tokens.
    pub fn with_gap(self) -> Option<Self> {
        let gap = Gap {
            question: self.model.id("?")?,
            mask: self.mask()?,
            comma: self.model.id(",")?,
        };
        let pair = Pair {
            gap: Some(gap),
            ..self.pair?
        };
        Some(Tokenizer {
            pair: Some(pair),
            ..self
        })
    }

    /// Adds the first sentinel before the text of every output; `None` if there are no sentinel tokens.
    pub fn opened(self) -> Option<Self> {
        Some(Tokenizer {
            opening: Some(self.sentinel(0)?),
            ..self
        })
    }

    /// Whether an output directly continues its input, without an end token between them.
    pub fn continues(&self) -> bool {
        matches!(self.ends, Ends::Line { .. })
    }

    /// Token ids of `text`, without end of sequence.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        self.without_special(self.model.encode(text))
    }

    /// Replaces special tokens that were matched within a text.
    fn without_special(&self, mut ids: Vec<u32>) -> Vec<u32> {
        if let Some(found) = &self.found {
            for id in ids.iter_mut().filter(|id| found.special.contains(id)) {
                *id = found.unknown;
            }
        }
        ids
    }

    /// Token ids of `text` within a sentence, after a space, where byte-level BPE has different tokens.
    pub fn encode_within(&self, text: &str) -> Vec<u32> {
        match text.is_empty() {
            true => Vec::new(),
            false => self.encode_after_space(text),
        }
    }

    fn encode_after_space(&self, text: &str) -> Vec<u32> {
        match self.ends {
            Ends::Line {
                space: FirstSpace::Tokenizer,
                ..
            } => self.encode(text),
            _ => self.encode(&format!(" {text}")),
        }
    }

    /// Token ids of `text` with each token's byte range.
    pub fn encode_with_offsets(&self, text: &str) -> (Vec<u32>, Vec<(usize, usize)>) {
        let (ids, offsets) = match &self.model {
            Model::Json(model) => {
                let encoding = model
                    .encode(text, false)
                    .expect("a trained tokenizer encodes every text");
                (encoding.get_ids().to_vec(), encoding.get_offsets().to_vec())
            }
            Model::SentencePiece(model) => model.encode(text).into_iter().unzip(),
        };
        (self.without_special(ids), offsets)
    }

    /// The text of `ids` without special tokens; only its first line if a newline ends an output.
    pub fn decode(&self, ids: &[u32]) -> String {
        let text = match &self.model {
            Model::Json(model) => model
                .decode(ids, true)
                .expect("ids come from this vocabulary")
                .trim()
                .to_string(),
            Model::SentencePiece(model) => model.decode(ids),
        };
        match self.ends {
            Ends::Sequence(_) => text,
            Ends::Line { .. } => text.lines().next().unwrap_or_default().trim().to_string(),
        }
    }

    /// The padding id.
    pub fn pad(&self) -> u32 {
        self.pad
    }

    /// The format of text pairs, for BERT.
    pub fn pair(&self) -> Option<Pair> {
        self.pair
    }

    /// The token after an output: end of sequence, separator of a pair, or newline.
    pub fn end(&self) -> u32 {
        match self.ends {
            Ends::Sequence(end) => end,
            Ends::Line { newline, .. } => newline,
        }
    }

    /// All tokens that end an output.
    pub fn ends(&self) -> &[u32] {
        match &self.ends {
            Ends::Sequence(end) => std::slice::from_ref(end),
            Ends::Line { any, .. } => any,
        }
    }

    /// The id of `<extra_id_k>`, the k-th sentinel of span corruption.
    pub fn sentinel(&self, k: usize) -> Option<u32> {
        match &self.model {
            Model::Json(model) => model.token_to_id(&format!("<extra_id_{k}>")),
            Model::SentencePiece(model) => model.sentinel(k),
        }
    }

    /// The id of a token.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.model.id(token)
    }

    /// The number of ids.
    pub fn size(&self) -> usize {
        self.model.size()
    }
}

impl Model {
    fn encode(&self, text: &str) -> Vec<u32> {
        match self {
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

    /// The largest id, or 0 if there are none. Ids of a `tokenizer.json` may have gaps.
    fn largest(&self) -> u32 {
        match self {
            Model::Json(model) => model.get_vocab(true).into_values().max().unwrap_or(0),
            Model::SentencePiece(model) => u32::try_from(model.size())
                .unwrap_or(u32::MAX)
                .saturating_sub(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_beyond_the_ids_are_padding_up_to_a_multiple() {
        for (rows, ids, padded) in [
            (32_128, 32_100, true),
            (2_304, 2_304, true),
            (2_560, 2_304, true),
            (3_072, 2_304, true),
            (151_936, 151_669, true),
            (4_096, 2_304, true),
            // BERT's embedding with the vocabulary of the cased model.
            (30_522, 28_996, false),
            (2_304, 900, false),
            (2_304, 2_310, false),
            (4_096, 1_000, false),
        ] {
            assert_eq!(is_padded(rows, ids), padded, "{rows} rows, {ids} ids");
        }
    }

    #[test]
    fn a_panic_of_the_reader_is_reported_as_damage() {
        let reason = |json: serde_json::Value| {
            let bytes = json.to_string();
            match Tokenizer::json(bytes.as_bytes(), "t.json") {
                Err(TokenizerError::Unreadable { path, reason }) if path == "t.json" => reason,
                other => panic!("{other:?}"),
            }
        };
        let with = |model: serde_json::Value| {
            serde_json::json!({
                "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
                "normalizer": null, "pre_tokenizer": {"type": "BertPreTokenizer"},
                "post_processor": null, "decoder": null, "model": model,
            })
        };
        let words = serde_json::json!({"ab": 0, "##c": 1});
        let found = reason(with(serde_json::json!({
            "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": words,
        })));
        assert!(found.contains("[UNK]"), "{found}");
        let found = reason(with(serde_json::json!({
            "type": "Unigram", "unk_id": null, "vocab": [["a", -1.0], ["b", -2.0]],
        })));
        assert!(!found.is_empty());
    }
}
