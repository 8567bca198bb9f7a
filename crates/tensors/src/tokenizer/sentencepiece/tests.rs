//! Tests of invalid models and their errors. tests/it compares ids with SentencePiece's.

use prost::Message;

use super::proto::{ModelProto, ModelType, NormalizerSpec, Piece, PieceKind, TrainerSpec};
use super::{SentencePiece, SentencePieceError};

fn piece(text: &str, score: f32, kind: PieceKind) -> Piece {
    Piece {
        piece: Some(text.to_string()),
        score: Some(score),
        kind: Some(kind as i32),
    }
}

/// A complete model of six pieces.
fn model() -> ModelProto {
    ModelProto {
        pieces: vec![
            piece("<pad>", 0.0, PieceKind::Control),
            piece("</s>", 0.0, PieceKind::Control),
            piece("<unk>", 0.0, PieceKind::Unknown),
            piece("▁", -2.0, PieceKind::Normal),
            piece("a", -3.0, PieceKind::Normal),
            piece("▁ab", -3.5, PieceKind::Normal),
        ],
        trainer_spec: Some(TrainerSpec::default()),
        normalizer_spec: Some(NormalizerSpec::default()),
    }
}

fn refused(model: &ModelProto) -> String {
    SentencePiece::parse(&model.encode_to_vec())
        .expect_err("refused")
        .to_string()
}

#[test]
fn sentinels_follow_the_pieces_from_the_last() {
    let parsed = SentencePiece::parse(&model().encode_to_vec()).expect("whole");
    assert_eq!(parsed.size(), 106);
    assert_eq!(parsed.sentinel(0), Some(105));
    assert_eq!(parsed.sentinel(99), Some(6));
    assert_eq!(parsed.sentinel(100), None);
    let ids = |text| -> Vec<u32> { parsed.encode(text).into_iter().map(|(id, _)| id).collect() };
    assert_eq!(ids("ab <extra_id_0> a"), [5, 105, 3, 4]);
    assert_eq!(parsed.decode(&[5, 105, 3, 4, 1, 2, 0, 4_000_000]), "ab a");
}

#[test]
fn a_models_own_sentinels_are_kept() {
    for name in ["▁<extra_id_0>", "<extra_id_0>"] {
        let mut model = model();
        model.pieces.push(piece(name, 0.0, PieceKind::UserDefined));
        let parsed = SentencePiece::parse(&model.encode_to_vec()).expect("whole");
        assert_eq!((parsed.size(), parsed.sentinel(0)), (7, Some(6)));
    }
}

#[test]
fn truncation_anywhere_is_refused() {
    let bytes = model().encode_to_vec();
    for length in 0..bytes.len() {
        let error = SentencePiece::parse(&bytes[..length]).expect_err("refused");
        let known = matches!(
            error,
            SentencePieceError::Unreadable(_) | SentencePieceError::Absent { .. }
        );
        assert!(known, "{length}: {error}");
    }
}

#[test]
fn other_files_than_protobuf_are_refused() {
    for bytes in [
        &b"{\"version\": \"1.0\"}"[..],
        b"version https://git-lfs",
        &[0xff; 64],
    ] {
        let error = SentencePiece::parse(bytes)
            .expect_err("refused")
            .to_string();
        assert!(error.starts_with("not a SentencePiece model"), "{error}");
    }
    let error = SentencePiece::parse(&[]).expect_err("refused").to_string();
    assert_eq!(
        error,
        "not a whole SentencePiece model: wanted pieces, found none"
    );
}

#[test]
fn other_kinds_of_model_are_refused_by_name() {
    let with = |number| {
        let mut model = model();
        model.trainer_spec = Some(TrainerSpec {
            model_type: Some(number),
            ..TrainerSpec::default()
        });
        refused(&model)
    };
    assert_eq!(
        with(ModelType::Bpe as i32),
        "wanted a unigram model, found model_type Bpe"
    );
    assert_eq!(with(9), "wanted a unigram model, found model_type 9");
}

#[test]
fn settings_that_no_t5_has_are_refused() {
    let mut model = model();
    model.normalizer_spec = Some(NormalizerSpec {
        remove_extra_whitespaces: Some(false),
        ..NormalizerSpec::default()
    });
    assert_eq!(
        refused(&model),
        "wanted normalizer_spec.remove_extra_whitespaces true, found false"
    );
}

#[test]
fn damaged_rules_are_refused() {
    let mut model = model();
    model.normalizer_spec = Some(NormalizerSpec {
        precompiled_charsmap: Some(vec![8, 0, 0, 0, 1]),
        ..NormalizerSpec::default()
    });
    let error = refused(&model);
    assert!(
        error.starts_with("normalizer_spec.precompiled_charsmap: "),
        "{error}"
    );
}

#[test]
fn impossible_pieces_are_refused() {
    let with = |piece| {
        let mut model = model();
        model.pieces.push(piece);
        refused(&model)
    };
    let normal = |text, score| piece(text, score, PieceKind::Normal);
    assert_eq!(with(normal("", -1.0)), "piece 6 '': no text");
    assert_eq!(
        with(normal("a", -1.0)),
        "piece 6 'a': a second one of this text"
    );
    assert_eq!(
        with(normal("b", f32::NAN)),
        "piece 6 'b': its score is not finite"
    );
    assert_eq!(
        with(piece("?", 0.0, PieceKind::Unknown)),
        "piece 6 '?': a second unknown piece"
    );
    assert_eq!(
        with(piece("<0xG0>", 0.0, PieceKind::Byte)),
        "piece 6 '<0xG0>': not a byte's name"
    );

    let mut without = model();
    without.pieces.remove(2);
    assert_eq!(
        refused(&without),
        "not a whole SentencePiece model: wanted an unknown piece, found none"
    );
    let mut without = model();
    without.pieces.truncate(3);
    assert_eq!(
        refused(&without),
        "not a whole SentencePiece model: wanted pieces of text, found none"
    );
    let mut fallback = model();
    fallback.trainer_spec = Some(TrainerSpec {
        byte_fallback: Some(true),
        ..TrainerSpec::default()
    });
    assert_eq!(
        refused(&fallback),
        "not a whole SentencePiece model: wanted a piece for each byte, found none"
    );
}
