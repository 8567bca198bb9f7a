//! The fields of SentencePiece's `ModelProto` that are needed to encode a text.
//!
//! Tags and defaults: `src/sentencepiece_model.proto` of google/sentencepiece. Other fields are skipped.

use super::normalizer::CharsMapError;

/// The message of a `spiece.model` file.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ModelProto {
    /// A piece's id is its index.
    #[prost(message, repeated, tag = "1")]
    pub(super) pieces: Vec<Piece>,
    #[prost(message, optional, tag = "2")]
    pub(super) trainer_spec: Option<TrainerSpec>,
    #[prost(message, optional, tag = "3")]
    pub(super) normalizer_spec: Option<NormalizerSpec>,
}

/// One piece of the vocabulary.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Piece {
    #[prost(string, optional, tag = "1")]
    pub(super) piece: Option<String>,
    /// The piece's log-probability.
    #[prost(float, optional, tag = "2")]
    pub(super) score: Option<f32>,
    #[prost(enumeration = "PieceKind", optional, tag = "3")]
    pub(super) kind: Option<i32>,
}

/// The type of a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub(super) enum PieceKind {
    /// A piece of text.
    Normal = 1,
    /// Text that no piece covers.
    Unknown = 2,
    /// Never matches in a text: `</s>`, `<pad>`.
    Control = 3,
    /// Always matches as one piece.
    UserDefined = 4,
    /// Has an id but is never used.
    Unused = 5,
    /// A byte of text that no piece covers.
    Byte = 6,
}

/// How the vocabulary was trained.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct TrainerSpec {
    #[prost(enumeration = "ModelType", optional, tag = "3")]
    pub(super) model_type: Option<i32>,
    #[prost(bool, optional, tag = "24")]
    pub(super) treat_whitespace_as_suffix: Option<bool>,
    #[prost(bool, optional, tag = "35")]
    pub(super) byte_fallback: Option<bool>,
    /// Negative for none.
    #[prost(int32, optional, tag = "41")]
    pub(super) bos_id: Option<i32>,
}

/// The types of model that SentencePiece trains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub(super) enum ModelType {
    Unigram = 1,
    Bpe = 2,
    Word = 3,
    Char = 4,
}

/// The normalisation before tokenization.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct NormalizerSpec {
    #[prost(bytes = "vec", optional, tag = "2")]
    pub(super) precompiled_charsmap: Option<Vec<u8>>,
    #[prost(bool, optional, tag = "3")]
    pub(super) add_dummy_prefix: Option<bool>,
    #[prost(bool, optional, tag = "4")]
    pub(super) remove_extra_whitespaces: Option<bool>,
    #[prost(bool, optional, tag = "5")]
    pub(super) escape_whitespaces: Option<bool>,
}

/// Rejects settings that would give other ids than SentencePiece.
pub(super) fn check(
    trainer: &TrainerSpec,
    normalizer: &NormalizerSpec,
) -> Result<(), SentencePieceError> {
    let number = trainer.model_type.unwrap_or(ModelType::Unigram as i32);
    match ModelType::try_from(number) {
        Ok(ModelType::Unigram) => {}
        Ok(other) => {
            return Err(SentencePieceError::ModelType {
                found: format!("{other:?}"),
            });
        }
        Err(_) => {
            return Err(SentencePieceError::ModelType {
                found: number.to_string(),
            });
        }
    }
    let settings = [
        (
            "trainer_spec.treat_whitespace_as_suffix",
            false,
            trainer.treat_whitespace_as_suffix.unwrap_or(false),
        ),
        (
            "normalizer_spec.add_dummy_prefix",
            true,
            normalizer.add_dummy_prefix.unwrap_or(true),
        ),
        (
            "normalizer_spec.remove_extra_whitespaces",
            true,
            normalizer.remove_extra_whitespaces.unwrap_or(true),
        ),
        (
            "normalizer_spec.escape_whitespaces",
            true,
            normalizer.escape_whitespaces.unwrap_or(true),
        ),
    ];
    match settings
        .into_iter()
        .find(|(_, wanted, found)| wanted != found)
    {
        Some((setting, wanted, found)) => Err(SentencePieceError::Setting {
            setting,
            wanted,
            found,
        }),
        None => Ok(()),
    }
}

/// Why bytes are not a usable SentencePiece model.
#[derive(Debug, thiserror::Error)]
pub enum SentencePieceError {
    /// Not a `ModelProto`, or truncated within a field.
    #[error("not a SentencePiece model: {0}")]
    Unreadable(prost::DecodeError),
    /// A part is absent: the file is truncated between two fields, or is another protobuf.
    #[error("not a whole SentencePiece model: wanted {wanted}, found none")]
    Absent {
        /// The part.
        wanted: &'static str,
    },
    /// The model has another type.
    #[error("wanted a unigram model, found model_type {found}")]
    ModelType {
        /// The type's name, or its number if it has none.
        found: String,
    },
    /// The same, of a model of byte pairs.
    #[error("wanted a model of byte pairs (model_type Bpe), found model_type {found}")]
    NotBytePairs {
        /// The type's name, or its number if it has none.
        found: String,
    },
    /// A setting that no supported model has.
    #[error("wanted {setting} {wanted}, found {found}")]
    Setting {
        /// Its name.
        setting: &'static str,
        /// The value of the supported models.
        wanted: bool,
        /// This model's value.
        found: bool,
    },
    /// An invalid piece.
    #[error("piece {id} '{piece}': {reason}")]
    Piece {
        /// Its id.
        id: usize,
        /// Its text.
        piece: String,
        /// Why it is invalid.
        reason: &'static str,
    },
    /// The normaliser's rules are damaged.
    #[error("normalizer_spec.precompiled_charsmap: {0}")]
    Rules(#[from] CharsMapError),
}
