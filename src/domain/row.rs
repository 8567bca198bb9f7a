//! What a file states, before any template.

use sha2::{Digest, Sha256};

/// One question with its context and answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuestionRow {
    /// Unique within its file.
    pub id: String,
    /// The passage.
    pub context: String,
    /// The question.
    pub question: String,
    /// The right answers; never empty, repeats allowed.
    pub answers: Vec<String>,
    /// Every fact that the passage states, where the file lists them.
    pub facts: Vec<String>,
}

/// One labelled pair of texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairRow {
    /// Unique within its file.
    pub id: String,
    /// The two texts, in the file's order.
    pub texts: [String; 2],
    /// The class index.
    pub label: usize,
}

/// One row of a domain's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    /// Extractive question answering.
    Question(QuestionRow),
    /// A pair to compare.
    Pair(PairRow),
}

impl Row {
    /// The passage's name: 16 hex digits of a SHA-256, equal for equal passages in any file. A
    /// pair is its own passage, whichever of its texts comes first.
    pub fn passage(&self) -> String {
        match self {
            Row::Question(row) => digest([row.context.as_str()]),
            Row::Pair(row) => {
                let mut texts = row.texts.each_ref().map(String::as_str);
                texts.sort_unstable();
                digest(texts)
            }
        }
    }
}

/// The first 16 hex digits of the SHA-256 of the parts, with NUL between them.
fn digest<const N: usize>(parts: [&str; N]) -> String {
    hex(&Sha256::digest(parts.join("\0").as_bytes())[..8])
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(id: &str, context: &str) -> Row {
        Row::Question(QuestionRow {
            id: id.to_string(),
            context: context.to_string(),
            question: "Who?".to_string(),
            answers: vec!["abc".to_string()],
            facts: Vec::new(),
        })
    }

    fn pair(first: &str, second: &str) -> Row {
        Row::Pair(PairRow {
            id: "0".to_string(),
            texts: [first.to_string(), second.to_string()],
            label: 0,
        })
    }

    #[test]
    fn a_passage_is_named_by_its_context_alone() {
        // FIPS 180-2's example: SHA-256("abc") = ba7816bf 8f01cfea ...
        assert_eq!(question("1", "abc").passage(), "ba7816bf8f01cfea");
        assert_eq!(question("2", "abc").passage(), "ba7816bf8f01cfea");
        assert_ne!(question("1", "abd").passage(), "ba7816bf8f01cfea");
    }

    #[test]
    fn a_pair_is_a_passage_in_either_order() {
        assert_eq!(pair("a", "b").passage(), pair("b", "a").passage());
        assert_ne!(pair("a", "b").passage(), pair("ab", "").passage());
    }
}
