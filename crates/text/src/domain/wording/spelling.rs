//! A verbalizer as written in a card or in its own file.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// How the probabilities of a class's words are combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregate {
    /// Their sum: a class with more words can be expressed in more ways.
    #[default]
    Sum,
    /// Their mean.
    Mean,
}

/// A verbalizer as written, in a domain's card (`[verbalizers.NAME]`) or in its own file.
///
/// ```toml
/// about = "a yes or a no"
/// aggregate = "mean"        # or "sum", which is the default
///
/// [words]
/// not_duplicate = ["no", "different"]
/// duplicate = ["yes", "the same"]
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spelling {
    /// A one-line description.
    #[serde(default)]
    pub about: String,
    /// How several words of a class are combined.
    #[serde(default)]
    pub aggregate: Aggregate,
    /// The words of each label; models are trained to answer with the first.
    pub words: BTreeMap<String, Vec<String>>,
}

impl Spelling {
    /// The first key that does not match these labels, with what was wanted and what was found.
    pub(crate) fn contradiction(&self, labels: &[String]) -> Option<(String, String, String)> {
        let wanted: BTreeSet<&String> = labels.iter().collect();
        let found: BTreeSet<&String> = self.words.keys().collect();
        let list = |names: &BTreeSet<&String>| {
            let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
            match names[..] {
                [] => "none".to_string(),
                _ => names.join(", "),
            }
        };
        if wanted != found || labels.is_empty() {
            let wanted = format!("words for each of the labels {}", list(&wanted));
            return Some(("words".to_string(), wanted, list(&found)));
        }
        let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
        for (label, words) in &self.words {
            let key = format!("words.{label}");
            if words.is_empty() {
                return Some((key, "at least one word".to_string(), "none".to_string()));
            }
            for word in words {
                if word.trim().is_empty() || word.trim() != word {
                    let wanted = "words without white space around them".to_string();
                    return Some((key, wanted, format!("'{word}'")));
                }
                if let Some(other) = seen.insert(word, label) {
                    let wanted = "each word once".to_string();
                    return Some((key, wanted, format!("'{word}', which is {other}'s too")));
                }
            }
        }
        None
    }
}
