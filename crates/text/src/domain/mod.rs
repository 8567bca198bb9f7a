//! Domains: what an example is, where it is read from and how it becomes text to text.
//!
//! A [`card`] tells what a domain is, the [`catalogue`] finds cards by name, a [`suite`] says which
//! files a domain's rows are in, [`remote`] where they are published, a [`reader`] reads them ([`parquet`] and [`mrqa_lines`], with one
//! file per schema: [`question`], [`glue`], [`multirc`], [`record`], [`wsc`]), an
//! [`allotment`] says which rows serve as which split, a [`draw`] which of them are taken, and a
//! [`template`] turns a [`row`] into an [`Example`], in T5's words or another [`wording`]. Several domains are one source in a [`mixture`]. [`verify`] holds files against their card.

pub mod allotment;
mod answers;
pub mod card;
pub mod catalogue;
pub mod describe;
pub mod draw;
pub mod fingerprint;
pub mod glue;
pub mod label;
mod layout;
pub mod mini;
pub mod mixture;
pub mod mrqa_lines;
pub mod multirc;
pub mod names;
pub mod own;
pub mod padding;
pub mod parquet;
pub mod question;
pub mod reader;
pub mod record;
pub mod remote;
pub mod row;
#[cfg(test)]
mod sample;
pub mod spans;
pub mod suite;
pub mod task;
pub mod template;
pub mod traits;
pub mod verify;
pub mod wording;
pub mod wsc;

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

pub use task::Task;

/// Which part of a domain: training reads `Train`, selection `Validation`, the report `Test`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// Rows to learn from.
    Train,
    /// Rows to choose a step or a recipe by.
    Validation,
    /// Rows that are only ever scored.
    Test,
}

impl Split {
    /// Every split, in the order of their use.
    pub const ALL: [Split; 3] = [Split::Train, Split::Validation, Split::Test];

    /// The name of its file (`train.parquet`) and of its column in a table.
    pub fn name(self) -> &'static str {
        match self {
            Split::Train => "train",
            Split::Validation => "validation",
            Split::Test => "test",
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How rows are written, and the right answers of SQuAD and MRQA when a prediction is compared with
/// them. Of the first two, which are T5's, training targets are padded either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerForm {
    /// With spaces around punctuation, as T5 trains and scores, and the paper with it: both sides
    /// of `U . S .` normalise to `u s`.
    #[default]
    Padded,
    /// As published, which is what SQuAD's and MRQA's official scripts are given: a prediction
    /// `U . S .` (`u s`) is wrong for the answer `U.S.` (`us`).
    Raw,
    /// For models that go on with a text: `Context: …`, `Question: …` and `Answer:` on lines of their
    /// own, and everything as published, training targets too.
    Continued,
}

impl AnswerForm {
    /// The form of the rows that training learns and chooses its step by, whichever form evaluation asks for.
    pub fn of_training(self) -> AnswerForm {
        match self {
            AnswerForm::Padded | AnswerForm::Raw => AnswerForm::Padded,
            AnswerForm::Continued => AnswerForm::Continued,
        }
    }

    /// The name typed and recorded.
    pub fn name(self) -> &'static str {
        match self {
            AnswerForm::Padded => "padded",
            AnswerForm::Raw => "raw",
            AnswerForm::Continued => "continued",
        }
    }
}

/// What counts as right.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gold {
    /// Any of these strings; never empty.
    Answers(Vec<String>),
    /// The class with this index; its string is the domain's label at that index.
    Label(usize),
    /// As [`Gold::Label`], for one of several answers to a question that are also scored together
    /// (MultiRC).
    Option {
        /// The question, by a number of its own within the domain.
        question: u64,
        /// The class.
        label: usize,
    },
    /// Whether this is what a pronoun stands for (WSC): naming it, or something else, tells.
    Referent {
        /// The candidate.
        text: String,
        /// Whether it is right.
        label: bool,
    },
}

/// One example, already in text-to-text form.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// Unique within its file.
    pub id: String,
    /// The passage it is about: examples with the same passage form one cluster in the statistics.
    pub passage: String,
    /// The encoder's text.
    pub input: String,
    /// For each vector of a soft prompt that stands inside the text, the byte before which it
    /// does, in order; empty where a prompt stands before the input.
    pub soft: Vec<usize>,
    /// The input's two texts, without the words that T5 puts before them: what a model of pairs reads.
    pub pair: Pair,
    /// The text to learn to generate.
    pub target: String,
    /// What counts as right.
    pub gold: Gold,
    /// Every fact that the passage states, where the domain lists them: the floor of the report
    /// is the expected score of one of them drawn at random.
    pub facts: Vec<String>,
    /// Where the input states a right answer.
    pub evidence: Evidence,
    /// Its texts by name, to find the same texts in another domain.
    pub texts: TextNames,
}

/// Two texts within an example's input, in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pair {
    /// The question, or the first of the texts.
    pub first: Range<usize>,
    /// The context, which answers are found in, or the other texts; empty where there is one text.
    pub second: Range<usize>,
    /// The byte of the second text at which the training target stands, where the file says it.
    pub answer: Option<usize>,
}

/// Where an example's input states a right answer, as written in the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// Its answers are class strings, which no passage states.
    NotExpected,
    /// Nowhere in its passage.
    Absent,
    /// The first one ends before this byte of the input.
    EndsAt(usize),
}

/// Texts by name: the same for texts that are equal after normalisation (lower case, white space
/// collapsed).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TextNames {
    /// The passage, or for pairs all texts together in any order.
    pub context: u64,
    /// The question, or for pairs each text.
    pub questions: Vec<u64>,
}
