//! SentencePiece's models of byte pairs, Llama 2's and Gemma's `tokenizer.model` and the same in GGUF, as a
//! `tokenizer.json` that gives the same ids.
//!
//! SentencePiece merges the neighbours whose piece has the highest score, the leftmost of several
//! (`src/bpe_model.cc`). A `tokenizer.json` lists pairs from the first to merge to the last, here as Transformers'
//! `generate_merges` (`convert_slow_tokenizer.py`) does: by score, then by the length of the left part. User-defined
//! pieces match as SentencePiece's do, in the text with visible spaces; control pieces match where they are written, as
//! Transformers' do, since templates of chats contain them.

use std::collections::{HashMap, HashSet};

use prost::Message;
use serde_json::{Value, json};

use super::byte_of;
use super::normalizer::SPACE;
use super::proto::{ModelProto, ModelType, Piece, PieceKind, SentencePieceError};

/// The most bytes of a piece of text, far above those of any real one.
const LONGEST: usize = 1024;

/// A vocabulary of byte pairs, and how texts are read with it.
pub(crate) struct BytePairs {
    pieces: Vec<Piece>,
    /// Whether a space is put before every text.
    adds_space: bool,
    /// The id of the token that begins every input, if one does.
    first: Option<u32>,
}

/// Whether inputs begin with the model's token for the beginning of a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begins {
    /// They do (`add_bos_token`), as by default in Transformers.
    WithToken,
    /// They do not.
    Plainly,
}

impl BytePairs {
    /// Parses the bytes of a `tokenizer.model`.
    ///
    /// # Errors
    /// It is not a model of byte pairs, or has settings that neither Llama 2's nor Gemma's has.
    pub(crate) fn parse(bytes: &[u8], begins: Begins) -> Result<Self, SentencePieceError> {
        let ModelProto {
            pieces,
            trainer_spec,
            normalizer_spec,
        } = ModelProto::decode(bytes).map_err(SentencePieceError::Unreadable)?;
        let absent = |wanted| SentencePieceError::Absent { wanted };
        let trainer = trainer_spec.ok_or(absent("trainer_spec"))?;
        let normalizer = normalizer_spec.ok_or(absent("normalizer_spec"))?;
        let number = trainer.model_type.unwrap_or(ModelType::Unigram as i32);
        if number != ModelType::Bpe as i32 {
            return Err(SentencePieceError::NotBytePairs {
                found: ModelType::try_from(number)
                    .map_or(number.to_string(), |kind| format!("{kind:?}")),
            });
        }
        let has_rules = normalizer.precompiled_charsmap.as_ref();
        for (setting, wanted, found) in [
            (
                "trainer_spec.treat_whitespace_as_suffix",
                false,
                trainer.treat_whitespace_as_suffix.unwrap_or(false),
            ),
            (
                "normalizer_spec.remove_extra_whitespaces",
                false,
                normalizer.remove_extra_whitespaces.unwrap_or(true),
            ),
            (
                "normalizer_spec.escape_whitespaces",
                true,
                normalizer.escape_whitespaces.unwrap_or(true),
            ),
            (
                "rules in normalizer_spec.precompiled_charsmap",
                false,
                has_rules.is_some_and(|rules| !rules.is_empty()),
            ),
        ] {
            if wanted != found {
                return Err(SentencePieceError::Setting {
                    setting,
                    wanted,
                    found,
                });
            }
        }
        let first = match begins {
            Begins::WithToken => u32::try_from(trainer.bos_id.unwrap_or(1)).ok(),
            Begins::Plainly => None,
        };
        Ok(BytePairs {
            pieces,
            adds_space: normalizer.add_dummy_prefix.unwrap_or(true),
            first,
        })
    }

    /// A vocabulary of pieces with their scores and the numbers of their kinds.
    pub(crate) fn new(
        pieces: impl Iterator<Item = (String, f32, i32)>,
        adds_space: bool,
        first: Option<u32>,
    ) -> Self {
        let piece = |(text, score, kind)| Piece {
            piece: Some(text),
            score: Some(score),
            kind: Some(kind),
        };
        BytePairs {
            pieces: pieces.map(piece).collect(),
            adds_space,
            first,
        }
    }

    /// The bytes of the `tokenizer.json`.
    ///
    /// # Errors
    /// A piece can't be what it is, or the model has user-defined pieces and puts a space before texts.
    pub(crate) fn to_json(&self) -> Result<Vec<u8>, SentencePieceError> {
        let wrong = |id: usize, reason| SentencePieceError::Piece {
            id,
            piece: self.pieces[id].piece().to_string(),
            reason,
        };
        let own: HashSet<&str> = self.pieces.iter().map(Piece::piece).collect();
        let mut ids: HashMap<String, usize> = HashMap::with_capacity(self.pieces.len());
        let mut unknown = None;
        let (mut bytes, mut added) = (0, Vec::new());
        for (id, piece) in self.pieces.iter().enumerate() {
            let Ok(kind) = PieceKind::try_from(piece.kind.unwrap_or(PieceKind::Normal as i32))
            else {
                return Err(wrong(id, "a piece of an unknown kind"));
            };
            let mut text = piece.piece().to_string();
            match kind {
                PieceKind::Normal if !piece.score().is_finite() => {
                    return Err(wrong(id, "its score is not finite"));
                }
                PieceKind::Normal if piece.piece().len() > LONGEST => {
                    return Err(wrong(id, "too long"));
                }
                PieceKind::Unknown if unknown.replace(text.clone()).is_some() => {
                    return Err(wrong(id, "a second unknown piece"));
                }
                PieceKind::UserDefined if self.adds_space => {
                    return Err(wrong(
                        id,
                        "user-defined in a model that puts a space before texts: wanted a tokenizer.json",
                    ));
                }
                PieceKind::Control | PieceKind::UserDefined => {
                    let is_defined = kind == PieceKind::UserDefined;
                    added.push(json!({
                        "id": id, "content": &text, "single_word": false, "lstrip": false, "rstrip": false,
                        "normalized": is_defined, "special": !is_defined
                    }));
                }
                PieceKind::Byte => {
                    let byte = byte_of(&text).ok_or_else(|| wrong(id, "not a byte's name"))?;
                    bytes += 1;
                    // SentencePiece also merges characters that are no pieces of their own, such as Gemma's tab.
                    let character = char::from(byte).to_string();
                    if byte.is_ascii() && !own.contains(character.as_str()) {
                        text = character;
                    }
                }
                _ => {}
            }
            if text.is_empty() {
                return Err(wrong(id, "no text"));
            }
            if ids.insert(text, id).is_some() {
                return Err(wrong(id, "a second one of this text"));
            }
        }
        let merges = self.merges(&ids).map_err(|id| {
            wrong(id, "a character of it is no piece, so that its merges are unknown: wanted a tokenizer.json")
        })?;
        let space = SPACE.to_string();
        let replaced = json!({"type": "Replace", "pattern": {"String": " "}, "content": &space});
        let spaced = json!({"type": "Replace", "pattern": {"String": &space}, "content": " "});
        let mut normalizers = vec![replaced];
        let mut decoders = vec![
            spaced,
            json!({"type": "ByteFallback"}),
            json!({"type": "Fuse"}),
        ];
        if self.adds_space {
            normalizers.insert(0, json!({"type": "Prepend", "prepend": &space}));
            decoders.push(json!({"type": "Strip", "content": " ", "start": 1, "stop": 0}));
        }
        let first = match self.first.map(|id| (id, self.pieces.get(id as usize))) {
            Some((id, Some(piece))) => Some((id, piece.piece())),
            Some((_, None)) => {
                return Err(SentencePieceError::Absent {
                    wanted: "the piece that begins texts",
                });
            }
            None => None,
        };
        let json = json!({
            "version": "1.0",
            "added_tokens": added,
            "normalizer": {"type": "Sequence", "normalizers": normalizers},
            "post_processor": first.map(|(id, token)| beginning(id, token)),
            "decoder": {"type": "Sequence", "decoders": decoders},
            "model": {
                "type": "BPE", "unk_token": unknown, "fuse_unk": true, "byte_fallback": bytes == 256, "vocab": ids,
                "merges": merges
            }
        });
        Ok(serde_json::to_vec(&json).expect("plain data"))
    }

    /// The pairs that make each piece of text, from the first to merge to the last; otherwise the id of a piece with
    /// a character that is no piece.
    fn merges(&self, ids: &HashMap<String, usize>) -> Result<Vec<[String; 2]>, usize> {
        let mut all: Vec<(f32, [&str; 2])> = Vec::new();
        for (id, piece) in self.pieces.iter().enumerate() {
            let text = piece.piece();
            if piece.kind() != PieceKind::Normal {
                continue;
            }
            let mut buffer = [0; 4];
            if !(text.chars())
                .all(|character| ids.contains_key(&*character.encode_utf8(&mut buffer)))
            {
                return Err(id);
            }
            let cuts = text.char_indices().skip(1).map(|(at, _)| text.split_at(at));
            let known =
                cuts.filter(|(left, right)| ids.contains_key(*left) && ids.contains_key(*right));
            all.extend(known.map(|(left, right)| (piece.score(), [left, right])));
        }
        // Stable: of pairs with equal scores and lengths the earlier piece comes first.
        all.sort_by(|(one, [a, _]), (two, [b, _])| {
            two.total_cmp(one)
                .then_with(|| b.chars().count().cmp(&a.chars().count()))
        });
        Ok(all
            .into_iter()
            .map(|(_, pair)| pair.map(str::to_string))
            .collect())
    }
}

/// A post-processor that puts a token before every input.
pub(crate) fn beginning(id: u32, token: &str) -> Value {
    let before = json!({"SpecialToken": {"id": token, "type_id": 0}});
    let sequence = |name: &str| json!({"Sequence": {"id": name, "type_id": 0}});
    json!({
        "type": "TemplateProcessing",
        "single": [before, sequence("A")],
        "pair": [before, sequence("A"), sequence("B")],
        "special_tokens": {token: {"id": token, "ids": [id], "tokens": [token]}}
    })
}
