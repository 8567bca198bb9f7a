//! Parts of records for tests.

use std::fmt::{Debug, Display};

use crate::recipe::Limits;
use crate::record::{Prediction, Provenance, Score};

pub const LIMITS: Limits = Limits {
    input: 64,
    target: 8,
    answer: 8,
};

pub fn prediction(id: &str, [text, right]: [&str; 2], score: Score) -> Prediction {
    Prediction {
        id: id.to_owned(),
        passage: "p".to_owned(),
        prediction: text.to_owned(),
        answers: vec![right.to_owned()],
        score,
        log_prob: -0.12345678901234567,
        class_log_probs: None,
        input_tokens: 3,
        output_tokens: 2,
        cut: false,
        traits: None,
    }
}

pub fn provenance() -> Provenance {
    Provenance {
        version: "0".to_owned(),
        revision: "r".to_owned(),
        command: "c".to_owned(),
        data_sha256: [("squad/test".to_owned(), "1".to_owned())].into(),
        model_sha256: "2".to_owned(),
        tokenizer_sha256: "3".to_owned(),
        device: "cpu".to_owned(),
        processor: "p".to_owned(),
        gpu: None,
        node: None,
        threads: 1,
        side_by_side: 1,
        software: Default::default(),
        started_unix_seconds: 7,
    }
}

/// Asserts that there is an error with these words in its message.
pub fn assert_refused<T: Debug, E: Display>(result: Result<T, E>, words: &[&str]) {
    match result {
        Ok(found) => panic!("an error was wanted, found {found:?}"),
        Err(error) => assert_has(&error, words),
    }
}

pub fn assert_has(text: &impl Display, words: &[&str]) {
    let text = text.to_string();
    for part in words {
        assert!(text.contains(part), "wanted '{part}', found: {text}");
    }
}
