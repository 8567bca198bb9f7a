//! Answers of questions, which also fill the details of sentences.

use std::collections::BTreeMap;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;

use super::names::{NameKind, Namer, pick, takes_an};

/// Closed lists by their names.
pub type Lists = BTreeMap<String, Vec<String>>;

/// The kind of an answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Answer {
    /// An invented name.
    Name(NameKind),
    /// A year, relative to the year in which the subject's story begins: a birth precedes a death.
    Year { from: u32, to: u32 },
    /// A number and, if not empty, its unit.
    Number {
        from: u32,
        to: u32,
        #[serde(default)]
        unit: String,
    },
    /// An entry of this closed list.
    OneOf(String),
    /// `a silver kite`: an article (may be empty) and one entry from each of two lists.
    Compound {
        #[serde(default)]
        article: String,
        adjectives: String,
        nouns: String,
    },
}

impl Answer {
    /// The lists it refers to.
    pub fn lists(&self) -> Vec<&str> {
        match self {
            Answer::OneOf(list) => vec![list],
            Answer::Compound {
                adjectives, nouns, ..
            } => vec![adjectives, nouns],
            Answer::Name(_) | Answer::Year { .. } | Answer::Number { .. } => Vec::new(),
        }
    }

    /// A value for a subject whose story begins in the year `epoch`; `lists` must contain every list the
    /// answer refers to.
    pub fn draw(&self, rng: &mut ChaCha8Rng, namer: &Namer, lists: &Lists, epoch: u32) -> String {
        match self {
            Answer::Name(kind) => namer.draw(*kind, rng),
            Answer::Year { from, to } => (epoch + rng.random_range(*from..=*to)).to_string(),
            Answer::Number { from, to, unit } => {
                let number = rng.random_range(*from..=*to);
                if unit.is_empty() {
                    number.to_string()
                } else {
                    format!("{number} {unit}")
                }
            }
            Answer::OneOf(list) => pick(rng, &lists[list]).to_owned(),
            Answer::Compound {
                article,
                adjectives,
                nouns,
            } => {
                let adjective = pick(rng, &lists[adjectives]);
                let noun = pick(rng, &lists[nouns]);
                match article.as_str() {
                    "" => format!("{adjective} {noun}"),
                    "a" if takes_an(adjective) => format!("an {adjective} {noun}"),
                    article => format!("{article} {adjective} {noun}"),
                }
            }
        }
    }
}
