//! Every kind of file that a user can hand to promptshift, and what reads it: one function a kind, for the fuzz
//! targets and for the short form of them in `tests/fuzz.rs`.
//!
//! A reader may refuse its bytes. A panic, a hang, or memory out of proportion to the bytes is a fault. What is
//! accepted is put to use as a command would: rows become examples, a model answers, records become a report.

mod models;
mod place;
mod records;
mod text;
mod tuned;

use promptshift::memory;

pub use models::CONFIGS;
pub use place::{T5_TOKENIZER, committed, repository};
pub use tuned::{SEED, backbones, recipes, trained_backbone};

/// What became of the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// They were read and put to use.
    Accepted,
    /// They were refused, in these words.
    Refused(String),
}

impl Outcome {
    /// Of a reading whose value is not looked at further.
    fn of<T, E: std::fmt::Display>(result: Result<T, E>) -> Outcome {
        match result {
            Ok(_) => Outcome::Accepted,
            // Words are made of what was found, whatever it is.
            Err(error) => Outcome::Refused(error.to_string()),
        }
    }

    /// Accepted if one of several readings was, all of which are made: the bytes may be wrong in another way for each.
    fn any(outcomes: impl IntoIterator<Item = Outcome>) -> Outcome {
        let mut reasons = Vec::new();
        let mut accepted = false;
        for outcome in outcomes {
            match outcome {
                Outcome::Accepted => accepted = true,
                Outcome::Refused(reason) => reasons.push(reason),
            }
        }
        match accepted {
            true => Outcome::Accepted,
            false => Outcome::Refused(reasons.join("; ")),
        }
    }
}

/// One kind of file.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// The name of its fuzz target and of its folder in the corpus.
    pub name: &'static str,
    /// Reads bytes as such a file.
    pub read: fn(&[u8]) -> Outcome,
}

/// What stands between the two files of a folder that are fuzzed as one: no text holds it.
pub const BETWEEN: u8 = 0;

/// Every kind.
pub const KINDS: [Kind; 21] = [
    kind("parquet_rows", text::parquet_rows),
    kind("mrqa_lines", text::mrqa_lines),
    kind("card", text::card),
    kind("template", text::template),
    kind("verbalizer", text::verbalizer),
    kind("sweep", text::sweep),
    kind("safetensors", models::safetensors),
    kind("config", models::config),
    kind("pytorch_model", models::pytorch_model),
    kind("gguf", models::gguf),
    kind("tokenizer_json", models::tokenizer_json),
    kind("spiece_model", models::spiece_model),
    kind("vocab_txt", models::vocab_txt),
    kind("npy", tuned::npy),
    kind("prompt_folder", tuned::prompt_folder),
    kind("adapter_folder", tuned::adapter_folder),
    kind("own_prompt", tuned::own_prompt),
    kind("own_adapter", tuned::own_adapter),
    kind("trained", tuned::trained),
    kind("record", records::record),
    kind("predictions", records::predictions),
];

const fn kind(name: &'static str, read: fn(&[u8]) -> Outcome) -> Kind {
    Kind { name, read }
}

/// Bytes of memory that a reading may take whatever its file's size: tables that a library keeps, a network, a figure.
const ALWAYS: u64 = 64 << 20;
/// Bytes of memory that a reading may take for each of its file's: gzip alone makes a thousand of one.
const FOR_EACH: u64 = 1_100;

impl Kind {
    /// Reads bytes, and measures.
    ///
    /// # Errors
    /// The memory that it took is out of proportion to the bytes.
    pub fn measured(self, bytes: &[u8]) -> Result<Outcome, String> {
        let before = memory::allocated();
        let (outcome, peak) = memory::peak_of(|| (self.read)(bytes));
        let taken = peak.saturating_sub(before);
        match taken <= ALWAYS + FOR_EACH * bytes.len() as u64 {
            true => Ok(outcome),
            false => Err(format!(
                "{}: reading {} bytes took {taken} bytes of memory",
                self.name,
                bytes.len()
            )),
        }
    }
}

/// The kind of this name.
///
/// # Panics
/// There is none.
pub fn named(name: &str) -> Kind {
    (KINDS.into_iter().find(|kind| kind.name == name)).expect("a kind of this name")
}

/// The two files of bytes that are fuzzed as one: what is before the first zero, and what is behind it.
fn halves(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.iter().position(|byte| *byte == BETWEEN) {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (bytes, &[]),
    }
}
