//! The miniature suite `mini`: generated domains and pre-training text for a small T5.
//!
//! Real domains can't be bundled, and a model small enough for a test can't read them. So the miniature suite
//! invents both: small worlds of persons, towns, toads, drugs and football teams, written in the style of the
//! data set that gives each domain its name, with questions whose answers are spans of the passage, and
//! pre-training documents from the same worlds.
//!
//! Precautions:
//!
//! - Names are split by their letters (see [`split_of_word`]): a name of the test split occurs nowhere else.
//! - Question phrasings are split by reader (see `grammar.rs`): those of the data sets, and some of their statements,
//!   never occur in pre-training.
//! - A passage states 3 to 8 facts and contains every answer once, so the expected score of copying a random fact is
//!   low and can be computed from [`QaRow::facts`].
//! - Everything is a function of a seed.
//!
//! The documents contain no reviews and no inference. They do contain questions and answers about all other
//! domains, in other formats and other words. So a score on a target domain shows how much of a pre-trained
//! skill survives tuning on the source, not how well a model learns the skill from scratch.

mod answers;
mod documents;
mod domains;
mod grammar;
mod inference;
mod names;
mod pairs;
mod reviews;
mod rows;
mod write;

pub use documents::{Document, DocumentMix, Phrasings, document, tokenizer_document};
pub use domains::{Domain, domains};
pub use names::{SEPARATOR, split_of_word};
pub use rows::{LabelledRow, QaRow, Rows, rows, sizes};
pub use write::{WriteError, write_parquet};

/// The seed of the bundled files.
pub const MINI_SEED: u64 = 2021;
