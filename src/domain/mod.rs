//! Domains: what an example is, where it is read from and how it becomes text to text.
//!
//! A [`card`] tells what a domain is, the [`catalogue`] finds cards by name, a [`suite`] is where
//! rows are read from ([`parquet`] with one file per schema: [`squad`], [`mrqa`], [`glue`]), an
//! [`allotment`] says which rows serve as which split, [`remote`] where they are published, and a
//! [`template`] turns a [`row`] into an [`Example`].

pub mod allotment;
pub mod card;
pub mod catalogue;
pub mod describe;
pub mod glue;
pub mod label;
pub mod mini;
pub mod mrqa;
pub mod parquet;
pub mod remote;
pub mod row;
#[cfg(test)]
mod sample;
pub mod squad;
pub mod suite;
pub mod template;

use std::fmt;

use serde::{Deserialize, Serialize};

/// What is asked of the model, which decides template, metrics and the label strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// A question answered by a span of its context (SQuAD, MRQA): exact match and F1.
    ExtractiveQa,
    /// Do two sentences or questions mean the same (MRPC, QQP): accuracy and F1.
    Paraphrase,
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Task::ExtractiveQa => "question answering",
            Task::Paraphrase => "paraphrase detection",
        })
    }
}

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

/// What counts as right.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gold {
    /// Any of these strings; never empty.
    Answers(Vec<String>),
    /// The class with this index; its string is the domain's label at that index.
    Label(usize),
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
    /// The text to learn to generate.
    pub target: String,
    /// What counts as right.
    pub gold: Gold,
    /// Every fact that the passage states, where the domain lists them: the floor of the report
    /// is the expected score of one of them drawn at random.
    pub facts: Vec<String>,
}
