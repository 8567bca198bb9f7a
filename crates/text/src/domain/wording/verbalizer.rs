//! Words for classes (Schick & Schütze 2021, arXiv 2001.07676): one or more per class, each of one or more
//! tokens.

use std::path::Path;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::spelling::{Aggregate, Spelling};
use crate::domain::card::Card;
use crate::hash::sha256;

/// The verbalizer of one domain's classes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verbalizer {
    /// Its name in the card, or its file's.
    pub name: String,
    /// SHA-256 of its file; for a card's verbalizer, of its words as JSON.
    pub sha256: String,
    /// How several words of a class are combined.
    pub aggregate: Aggregate,
    /// In the order of the classes.
    pub classes: Vec<Words>,
}

/// The words of one class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Words {
    /// The class's label string.
    pub label: String,
    /// At least one.
    pub words: Vec<String>,
}

/// Why a verbalizer can't be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum VerbalizerError {
    /// Neither a name in the card nor a file.
    #[error(
        "unknown verbalizer '{found}' of {domain}: wanted {}the path of a TOML file with [words]",
        names(.known)
    )]
    Unknown {
        /// What was typed.
        found: String,
        /// The domain.
        domain: String,
        /// The verbalizers of its card.
        known: Vec<String>,
    },
    /// The file can't be read.
    #[error("{file}: wanted a verbalizer, found: {found}")]
    Open {
        /// The file.
        file: String,
        /// The system's error.
        found: String,
    },
    /// It is not a verbalizer, or does not fit the domain.
    #[error("{file}, {key}: wanted {wanted}, found {found}")]
    Invalid {
        /// The file, or the verbalizer's name.
        file: String,
        /// The key.
        key: String,
        /// What was wanted.
        wanted: String,
        /// What was found.
        found: String,
    },
}

fn names(known: &[String]) -> String {
    match known {
        [] => String::new(),
        known => format!("one of {}, or ", known.join(", ")),
    }
}

impl Verbalizer {
    /// The verbalizer of this name in a domain's card, or at this path.
    ///
    /// # Errors
    /// There is no such verbalizer, or it does not fit the domain's labels.
    pub fn find(text: &str, card: &Card) -> Result<Verbalizer, VerbalizerError> {
        if let Some(spelling) = card.verbalizers.get(text) {
            let bytes = serde_json::to_vec(spelling).expect("a spelling is plain data");
            let sha256 = sha256(&bytes);
            return Verbalizer::of_classes(spelling, text, text, sha256, card);
        }
        let path = Path::new(text);
        if !path.is_file() {
            return Err(VerbalizerError::Unknown {
                found: text.to_string(),
                domain: card.name.clone(),
                known: card.verbalizers.keys().cloned().collect(),
            });
        }
        let bytes = std::fs::read_to_string(path).map_err(|error| VerbalizerError::Open {
            file: text.to_string(),
            found: error.to_string(),
        })?;
        let spelling: Spelling = toml::from_str(&bytes).map_err(|error| VerbalizerError::Open {
            file: text.to_string(),
            found: error.to_string(),
        })?;
        let name = path.file_stem().unwrap_or(path.as_os_str());
        let sha256 = sha256(bytes.as_bytes());
        Verbalizer::of_classes(&spelling, &name.to_string_lossy(), text, sha256, card)
    }

    /// The largest number of words of a class.
    pub fn most_words(&self) -> usize {
        let counts = self.classes.iter().map(|class| class.words.len());
        counts.max().unwrap_or(0)
    }
}

impl Verbalizer {
    /// The verbalizer of a card's classes; `file` is its name in errors.
    fn of_classes(
        spelling: &Spelling,
        name: &str,
        file: &str,
        sha256: String,
        card: &Card,
    ) -> Result<Verbalizer, VerbalizerError> {
        if let Some((key, wanted, found)) = spelling.contradiction(&card.labels) {
            return Err(VerbalizerError::Invalid {
                file: file.to_string(),
                key,
                wanted,
                found,
            });
        }
        let of_label = |label: &String| Words {
            label: label.clone(),
            words: spelling.words[label].clone(),
        };
        Ok(Verbalizer {
            name: name.to_string(),
            sha256,
            aggregate: spelling.aggregate,
            classes: card.labels.iter().map(of_label).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sample::card;

    fn file(text: &str) -> (tempfile::TempDir, String) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("yes-no.toml");
        std::fs::write(&path, text).expect("written");
        let path = path.display().to_string();
        (folder, path)
    }

    #[test]
    fn words_are_in_the_order_of_the_classes() {
        let (_folder, path) = file(
            "aggregate = \"mean\"\n[words]\nduplicate = [\"yes\", \"the same\"]\nnot_duplicate = [\"no\"]\n",
        );
        let found = Verbalizer::find(&path, &card("qqp")).expect("a verbalizer");
        assert_eq!(
            (found.name.as_str(), found.aggregate),
            ("yes-no", Aggregate::Mean)
        );
        let words: Vec<(&str, usize)> = (found.classes.iter())
            .map(|class| (class.label.as_str(), class.words.len()))
            .collect();
        assert_eq!(words, [("not_duplicate", 1), ("duplicate", 2)]);
        assert_eq!(found.sha256.len(), 64);
    }

    #[test]
    fn a_mismatch_names_file_key_and_what_was_wanted() {
        for (text, parts) in [
            (
                "[words]\nduplicate = [\"yes\"]\n",
                &["words", "not_duplicate"][..],
            ),
            (
                "[words]\nduplicate = [\"yes\"]\nnot_duplicate = []\n",
                &["words.not_duplicate", "at least one word"],
            ),
            (
                "[words]\nduplicate = [\"yes\"]\nnot_duplicate = [\"yes\"]\n",
                &["words.not_duplicate", "duplicate's too"],
            ),
            (
                "[words]\nduplicate = [\" yes\"]\nnot_duplicate = [\"no\"]\n",
                &["words.duplicate", "white space"],
            ),
            ("[word]\n", &["unknown field `word`"]),
        ] {
            let (_folder, path) = file(text);
            let message = Verbalizer::find(&path, &card("qqp"))
                .expect_err(text)
                .to_string();
            assert!(message.contains("yes-no.toml"), "{message}");
            for part in parts {
                assert!(message.contains(part), "{message}");
            }
        }
        let message = Verbalizer::find("yes-mo", &card("qqp"))
            .expect_err("no such")
            .to_string();
        assert!(
            message.contains("'yes-mo' of qqp: wanted one of same-different, yes-no"),
            "{message}"
        );
        let (_folder, path) = file("[words]\na = [\"b\"]\n");
        let message = Verbalizer::find(&path, &card("squad"))
            .expect_err("no classes")
            .to_string();
        assert!(message.contains("labels none"), "{message}");
    }
}
