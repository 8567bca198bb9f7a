//! SentencePiece's file format, `spiece.model`: T5's vocabulary as published by Google.
//!
//! Produces the same ids as the SentencePiece library on every text. `tokenizers` does not: its unigram model
//! adds scores in f64 and so breaks ties differently, it matches `</s>` written in full-width characters, and
//! its normaliser applies the shortest rule instead of the longest. `tests/golden/make_sentencepiece.py`
//! compares the ids of both libraries.
//!
//! Control pieces (`</s>`, `<pad>`) never match in a text: such strings are split like other words. A
//! `tokenizer.json` does match them.

mod byte_pairs;
mod normalizer;
mod proto;
mod unigram;

use std::collections::HashMap;

use prost::Message;

pub use byte_pairs::Begins;
pub(crate) use byte_pairs::{BytePairs, beginning};
pub use normalizer::CharsMapError;

use normalizer::{CharsMap, Normalizer, SPACE};
pub use proto::SentencePieceError;
use proto::{ModelProto, Piece, PieceKind};
use unigram::{Score, Trie, Unigram};

/// The number of sentinels that T5 adds to a vocabulary without any.
const SENTINELS: usize = 100;

/// XLM-R's special tokens.
const FIRST: &str = "<s>";
const PAD: &str = "<pad>";
const END: &str = "</s>";
const UNKNOWN: &str = "<unk>";
const MASK: &str = "<mask>";

/// How text that no piece covers is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum UnknownText {
    /// As its bytes (`byte_fallback`).
    Bytes,
    /// As the unknown piece.
    OnePiece,
}

/// Converts between text and ids with a unigram model.
#[derive(Debug, Clone)]
pub struct SentencePiece {
    normalizer: Normalizer,
    model: Unigram,
    pieces: Vec<(String, PieceKind)>,
    ids: HashMap<String, u32>,
    unknown: u32,
    /// The ids of the 256 byte pieces, if the model has them.
    bytes: Option<Vec<u32>>,
}

impl SentencePiece {
    /// Parses the bytes of a `spiece.model`.
    ///
    /// A model without sentinels gets T5's hundred, `<extra_id_99>` first, as user-defined pieces after its
    /// own, as in `seqio.SentencePieceVocabulary(extra_ids=100)`. A sentinel in a text only matches after a
    /// space or at the start.
    ///
    /// # Errors
    /// It is not a complete unigram model, or has settings that no T5 has.
    pub fn parse(bytes: &[u8]) -> Result<Self, SentencePieceError> {
        Self::of_pieces(bytes, |mut pieces| {
            if !pieces.iter().any(|piece| is_sentinel(piece.piece())) {
                pieces.extend((0..SENTINELS).rev().map(sentinel));
            }
            Ok(pieces)
        })
    }

    /// Parses the bytes of XLM-R's `sentencepiece.bpe.model`, a unigram model despite its name. The ids are
    /// fairseq's, as in Transformers' `XLMRobertaTokenizer`: `<s>`, `<pad>`, `</s>` and `<unk>` come first,
    /// all other pieces shift by one, and `<mask>` comes last.
    ///
    /// # Errors
    /// As [`SentencePiece::parse`], or its first pieces are not `<unk>`, `<s>` and `</s>`.
    pub fn parse_fairseq(bytes: &[u8]) -> Result<Self, SentencePieceError> {
        Self::of_pieces(bytes, |pieces| {
            let own = pieces.iter().take(3);
            for (id, (piece, wanted)) in own.zip([UNKNOWN, FIRST, END]).enumerate() {
                if piece.piece() != wanted {
                    return Err(SentencePieceError::Piece {
                        id,
                        piece: piece.piece().to_string(),
                        reason: "wanted <unk>, <s> and </s> as the first pieces, as in XLM-R",
                    });
                }
            }
            let special = [
                (FIRST, PieceKind::Control),
                (PAD, PieceKind::Control),
                (END, PieceKind::Control),
                (UNKNOWN, PieceKind::Unknown),
            ];
            let special = special.map(|(text, kind)| of_kind(text.to_string(), kind));
            let mask = of_kind(MASK.to_string(), PieceKind::Control);
            let pieces = pieces.into_iter().skip(3);
            Ok(special.into_iter().chain(pieces).chain([mask]).collect())
        })
    }

    /// Parses a model after rearranging its pieces.
    fn of_pieces(
        bytes: &[u8],
        arrange: impl FnOnce(Vec<Piece>) -> Result<Vec<Piece>, SentencePieceError>,
    ) -> Result<Self, SentencePieceError> {
        let ModelProto {
            pieces,
            trainer_spec,
            normalizer_spec,
        } = ModelProto::decode(bytes).map_err(SentencePieceError::Unreadable)?;
        let absent = |wanted| SentencePieceError::Absent { wanted };
        if pieces.is_empty() {
            return Err(absent("pieces"));
        }
        let trainer = trainer_spec.ok_or(absent("trainer_spec"))?;
        let normalizer = normalizer_spec.ok_or(absent("normalizer_spec"))?;
        proto::check(&trainer, &normalizer)?;
        let rules = CharsMap::parse(normalizer.precompiled_charsmap())?;

        let unknown_text = match trainer.byte_fallback() {
            true => UnknownText::Bytes,
            false => UnknownText::OnePiece,
        };
        Self::build(arrange(pieces)?, rules, unknown_text)
    }

    fn build(
        pieces: Vec<Piece>,
        rules: CharsMap,
        unknown_text: UnknownText,
    ) -> Result<Self, SentencePieceError> {
        let mut ids = HashMap::with_capacity(pieces.len());
        let mut verbatim = Trie::new();
        let mut unknown = None;
        let mut bytes = vec![None; 256];
        for (id, piece) in pieces.iter().enumerate() {
            let wrong = |reason| SentencePieceError::Piece {
                id,
                piece: piece.piece().to_string(),
                reason,
            };
            let number = u32::try_from(id).map_err(|_| wrong("too many pieces"))?;
            if piece.piece().is_empty() {
                return Err(wrong("no text"));
            }
            if ids.insert(piece.piece().to_string(), number).is_some() {
                return Err(wrong("a second one of this text"));
            }
            match piece.kind() {
                PieceKind::Normal if !piece.score().is_finite() => {
                    return Err(wrong("its score is not finite"));
                }
                PieceKind::UserDefined => {
                    verbatim.insert(piece.piece(), number);
                }
                PieceKind::Unknown if unknown.replace(number).is_some() => {
                    return Err(wrong("a second unknown piece"));
                }
                PieceKind::Byte => {
                    let byte = byte_of(piece.piece()).ok_or_else(|| wrong("not a byte's name"))?;
                    bytes[usize::from(byte)] = Some(number);
                }
                _ => {}
            }
        }
        let absent = |wanted| SentencePieceError::Absent { wanted };
        let unknown = unknown.ok_or(absent("an unknown piece"))?;
        if !pieces.iter().any(|piece| piece.kind() == PieceKind::Normal) {
            return Err(absent("pieces of text"));
        }
        let bytes = match unknown_text {
            UnknownText::Bytes => {
                let bytes = bytes.into_iter().collect::<Option<Vec<u32>>>();
                Some(bytes.ok_or(absent("a piece for each byte"))?)
            }
            UnknownText::OnePiece => None,
        };
        let scores = pieces.iter().map(|piece| {
            let score = match piece.kind() {
                PieceKind::Normal => Score::Normal(piece.score()),
                PieceKind::UserDefined => Score::UserDefined,
                PieceKind::Unknown | PieceKind::Control | PieceKind::Unused | PieceKind::Byte => {
                    Score::Absent
                }
            };
            (piece.piece(), score)
        });
        Ok(SentencePiece {
            normalizer: Normalizer { rules, verbatim },
            model: Unigram::new(scores, unknown),
            pieces: pieces
                .iter()
                .map(|piece| (piece.piece().to_string(), piece.kind()))
                .collect(),
            ids,
            unknown,
            bytes,
        })
    }

    /// The token ids of `text` with each token's byte range. The space before a word is part of its first
    /// token.
    pub fn encode(&self, text: &str) -> Vec<(u32, (usize, usize))> {
        let normalized = self.normalizer.normalize(text);
        let mut tokens: Vec<(u32, (usize, usize))> = Vec::new();
        let mut after_unknown = false;
        for (id, range) in self.model.cut(&normalized.text) {
            let (start, end) = (normalized.origin[range.start], normalized.origin[range.end]);
            let is_unknown = id == self.unknown;
            match (&self.bytes, tokens.last_mut()) {
                (Some(bytes), _) if is_unknown => {
                    let spelt = normalized.text[range].bytes();
                    tokens.extend(spelt.map(|byte| (bytes[usize::from(byte)], (start, start))));
                    // The last byte's token covers the whole character.
                    if let Some((_, (_, last))) = tokens.last_mut() {
                        *last = end;
                    }
                }
                // Consecutive unknown characters are one token.
                (None, Some((_, (_, last)))) if is_unknown && after_unknown => *last = end,
                _ => tokens.push((id, (start, end))),
            }
            after_unknown = is_unknown;
        }
        tokens
    }

    /// The text of `ids`, without control pieces, unknown pieces, sentinels and unassigned ids; invalid UTF-8
    /// becomes U+FFFD.
    pub fn decode(&self, ids: &[u32]) -> String {
        let mut text = Vec::new();
        for &id in ids {
            match self.pieces.get(id as usize) {
                Some((piece, PieceKind::Normal)) => text.extend(piece.bytes()),
                Some((piece, PieceKind::UserDefined)) if !is_sentinel(piece) => {
                    text.extend(piece.bytes());
                }
                Some((piece, PieceKind::Byte)) => text.extend(byte_of(piece)),
                _ => {}
            }
        }
        String::from_utf8_lossy(&text)
            .replace(SPACE, " ")
            .trim()
            .to_string()
    }

    /// A piece's id.
    pub fn id(&self, piece: &str) -> Option<u32> {
        self.ids.get(piece).copied()
    }

    /// The id of `<extra_id_k>`.
    pub fn sentinel(&self, k: usize) -> Option<u32> {
        let name = format!("<extra_id_{k}>");
        self.id(&format!("{SPACE}{name}"))
            .or_else(|| self.id(&name))
    }

    /// The number of ids.
    pub fn size(&self) -> usize {
        self.pieces.len()
    }
}

/// `▁<extra_id_k>`, as added by seqio.
fn sentinel(k: usize) -> Piece {
    of_kind(format!("{SPACE}<extra_id_{k}>"), PieceKind::UserDefined)
}

fn of_kind(text: String, kind: PieceKind) -> Piece {
    Piece {
        piece: Some(text),
        score: Some(0.0),
        kind: Some(kind as i32),
    }
}

/// Whether a piece is `<extra_id_k>`, in seqio's form or without the space.
fn is_sentinel(piece: &str) -> bool {
    piece
        .trim_start_matches(SPACE)
        .strip_prefix("<extra_id_")
        .and_then(|rest| rest.strip_suffix('>'))
        .is_some_and(|k| k.parse::<usize>().is_ok())
}

/// The byte that a byte piece (`<0x0A>`) names.
fn byte_of(piece: &str) -> Option<u8> {
    let digits = piece.strip_prefix("<0x")?.strip_suffix('>')?;
    u8::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests;
