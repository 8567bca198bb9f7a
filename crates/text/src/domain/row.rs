//! A row: the content of a file, before any template.

use crate::hash::sha256;

/// One question with its context and answers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct QuestionRow {
    /// Unique within its file.
    pub id: String,
    /// The passage.
    pub context: String,
    /// The question.
    pub question: String,
    /// The right answers; never empty, repeats allowed.
    pub answers: Vec<String>,
    /// Byte offset of the first answer in the context, if stated in the file.
    pub answer_start: Option<usize>,
    /// Every fact stated by the passage, if listed in the file.
    pub facts: Vec<String>,
    /// The value of the card's group column.
    pub group: Option<String>,
}

/// Texts with a class.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LabelledRow {
    /// Unique within its file.
    pub id: String,
    /// The question this is one of several answers to, unique within the domain (MultiRC).
    pub question: Option<u64>,
    /// The texts, in the card's order.
    pub texts: Vec<String>,
    /// Index of the text that is the passage, if rows may share one.
    pub passage: Option<usize>,
    /// The class index.
    pub label: usize,
    /// The value of the card's group column.
    pub group: Option<String>,
}

/// A sentence with a gap to be filled by an entity of its passage (ReCoRD).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClozeRow {
    /// Unique within its file.
    pub id: String,
    /// The passage.
    pub passage: String,
    /// The sentence, with `@placeholder` for the gap.
    pub query: String,
    /// The entities of the passage.
    pub entities: Vec<String>,
    /// The right entities; never empty, repeats allowed.
    pub answers: Vec<String>,
}

/// A text with a pronoun and a candidate referent (WSC).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PronounRow {
    /// Unique within its file.
    pub id: String,
    /// The text, with `*` on both sides of the pronoun.
    pub text: String,
    /// The candidate referent.
    pub referent: String,
    /// Whether the pronoun refers to it.
    pub label: bool,
}

/// One row of a domain's file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Row {
    /// Extractive question answering.
    Question(QuestionRow),
    /// Texts to classify.
    Labelled(LabelledRow),
    /// A gap to fill.
    Cloze(ClozeRow),
    /// A pronoun to resolve.
    Pronoun(PronounRow),
}

impl Row {
    /// Its name, unique within its file.
    pub fn id(&self) -> &str {
        match self {
            Row::Question(row) => &row.id,
            Row::Labelled(row) => &row.id,
            Row::Cloze(row) => &row.id,
            Row::Pronoun(row) => &row.id,
        }
    }

    /// The passage's hash: 16 hex digits of a SHA-256, equal for equal passages in any file. For labelled
    /// texts without a passage, all texts together are the passage, in any order.
    pub fn passage(&self) -> String {
        match self {
            Row::Question(row) => digest(&[&row.context]),
            Row::Cloze(row) => digest(&[&row.passage]),
            Row::Pronoun(row) => digest(&[&row.text]),
            Row::Labelled(row) => match row.passage {
                Some(at) => digest(&[&row.texts[at]]),
                None => {
                    let mut texts: Vec<&str> = row.texts.iter().map(String::as_str).collect();
                    texts.sort_unstable();
                    digest(&texts)
                }
            },
        }
    }

    /// Its group, if its domain's card has a group column.
    pub fn group(&self) -> Option<&str> {
        match self {
            Row::Question(row) => row.group.as_deref(),
            Row::Labelled(row) => row.group.as_deref(),
            Row::Cloze(_) | Row::Pronoun(_) => None,
        }
    }

    /// Assigns it to a group; rows of ReCoRD and WSC have none.
    pub fn grouped(self, group: String) -> Row {
        let group = Some(group);
        match self {
            Row::Question(row) => Row::Question(QuestionRow { group, ..row }),
            Row::Labelled(row) => Row::Labelled(LabelledRow { group, ..row }),
            row @ (Row::Cloze(_) | Row::Pronoun(_)) => row,
        }
    }

    /// The texts read by the model, the passage first.
    pub fn texts(&self) -> Vec<&str> {
        match self {
            Row::Question(row) => vec![&row.context, &row.question],
            Row::Cloze(row) => vec![&row.passage, &row.query],
            Row::Pronoun(row) => vec![&row.text],
            Row::Labelled(row) => row.texts.iter().map(String::as_str).collect(),
        }
    }

    /// The question, or the first of the labelled texts.
    pub fn opening(&self) -> &str {
        match self {
            Row::Question(row) => &row.question,
            Row::Cloze(row) => &row.query,
            Row::Pronoun(row) => &row.text,
            Row::Labelled(row) => &row.texts[0],
        }
    }
}

/// The first 16 hex digits of the SHA-256 of the parts, separated by NUL.
fn digest(parts: &[&str]) -> String {
    let mut digits = sha256(parts.join("\0").as_bytes());
    digits.truncate(16);
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(id: &str, context: &str) -> Row {
        Row::Question(QuestionRow {
            group: None,
            id: id.to_string(),
            context: context.to_string(),
            question: "Who?".to_string(),
            answers: vec!["abc".to_string()],
            answer_start: None,
            facts: Vec::new(),
        })
    }

    fn pair(first: &str, second: &str) -> Row {
        Row::Labelled(LabelledRow {
            group: None,
            id: "0".to_string(),
            question: None,
            texts: vec![first.to_string(), second.to_string()],
            passage: None,
            label: 0,
        })
    }

    #[test]
    fn a_passage_s_hash_depends_only_on_its_context() {
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

    #[test]
    fn texts_on_one_passage_are_one_passage() {
        let on = |passage, text: &str| {
            Row::Labelled(LabelledRow {
                group: None,
                id: "0".to_string(),
                question: None,
                texts: vec!["abc".to_string(), text.to_string()],
                passage,
                label: 0,
            })
        };
        assert_eq!(on(Some(0), "x").passage(), on(Some(0), "y").passage());
        assert_eq!(on(Some(0), "x").passage(), question("1", "abc").passage());
        assert_ne!(on(None, "x").passage(), on(None, "y").passage());
    }
}
