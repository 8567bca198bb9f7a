//! An example: a row as the text that a model reads, with its right answers.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// The right answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gold {
    /// Any of these strings; never empty.
    Answers(Vec<String>),
    /// The class with this index; its string is the domain's label at that index.
    Label(usize),
    /// As [`Gold::Label`], for one of several answers to a question that are also scored together (MultiRC).
    Option {
        /// The question's number, unique within the domain.
        question: u64,
        /// The class.
        label: usize,
    },
    /// Whether a pronoun refers to this candidate (WSC). The prediction names a referent, which is compared
    /// with it.
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
    /// The encoder's input text.
    pub input: String,
    /// For each soft-prompt vector inside the text, the byte offset it precedes, in order; empty if the prompt
    /// precedes the input.
    pub soft: Vec<usize>,
    /// The input's two texts without T5's field names: the input of sentence-pair models.
    pub pair: Pair,
    /// The text to generate.
    pub target: String,
    /// The right answers.
    pub gold: Gold,
    /// Every fact stated by the passage, if listed by the domain. The expected score of a random fact is the
    /// floor in the report.
    pub facts: Vec<String>,
    /// Where the input states a right answer, if it does.
    pub answer_location: AnswerLocation,
    /// Hashes of its texts, to find equal texts in another domain.
    pub texts: TextNames,
    /// Its group, if its domain's card has a group column.
    pub group: Option<String>,
}

/// Two texts within an example's input, in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pair {
    /// The question, or the first of the texts.
    pub first: Range<usize>,
    /// The context that answers are spans of, or the other texts; empty if there is only one text.
    pub second: Range<usize>,
    /// The byte offset of the training target in the second text, if stated in the file.
    pub answer: Option<usize>,
}

/// Where an example's input states a right answer, as spelt in the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerLocation {
    /// Its answers are class strings, which passages are not expected to state.
    NotExpected,
    /// Not in its passage.
    Absent,
    /// The first right answer ends before this byte of the input.
    EndsAt(usize),
}

/// Hashes of texts. Texts that are equal after normalisation (lower case, white space collapsed) have equal hashes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TextNames {
    /// The passage; for pairs, all texts together in any order.
    pub context: u64,
    /// The question; for pairs, each text.
    pub questions: Vec<u64>,
}

/// Question words to group by; a longer entry comes before its prefix.
const QUESTION_WORDS: [&str; 10] = [
    "how many", "how much", "how", "what", "when", "where", "which", "who", "why", "whose",
];

/// The group of questions without any question word.
const OTHER: &str = "other";

impl Example {
    /// The first question word of an input `question: ... context: ...`, or `other`; `None` for any other input.
    pub fn question_word(&self) -> Option<&'static str> {
        question_word(&self.input)
    }

    /// Where the first right answer ends in the input, as a share of its length in (0, 1]; `None` if the
    /// passage states no answer or is not expected to.
    pub fn answer_position(&self) -> Option<f64> {
        match self.answer_location {
            AnswerLocation::EndsAt(end) if !self.input.is_empty() => {
                Some(end as f64 / self.input.len() as f64)
            }
            _ => None,
        }
    }
}

fn question_word(input: &str) -> Option<&'static str> {
    let (question, _) = input.strip_prefix("question: ")?.split_once(" context: ")?;
    let question = question.to_lowercase();
    let words: Vec<&str> = question.split_whitespace().collect();
    let found = (0..words.len()).find_map(|at| {
        let pair = format!("{} {}", words[at], words.get(at + 1).unwrap_or(&""));
        let matches = |wanted: &&&str| match **wanted {
            "how many" | "how much" => pair == **wanted,
            "who" => ["who", "whom"].contains(&words[at]),
            single => words[at] == single,
        };
        QUESTION_WORDS.iter().find(matches).copied()
    });
    Some(found.unwrap_or(OTHER))
}

/// The form of rows, and of SQuAD's and MRQA's right answers when predictions are compared with them.
/// `Padded` and `Raw` are T5's forms; both pad training targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerForm {
    /// With spaces around punctuation, as in T5's and the paper's training and scoring: `U . S .` normalises
    /// to `u s` on both sides.
    #[default]
    Padded,
    /// As published, as in the official scripts of SQuAD and MRQA: a prediction `U . S .` (`u s`) is wrong
    /// for the answer `U.S.` (`us`).
    Raw,
    /// For models that continue a text: `Context: …`, `Question: …` and `Answer:` on separate lines,
    /// everything as published, training targets included.
    Continued,
}

impl AnswerForm {
    /// The form used in training and for selecting the best step, whatever the form in evaluation.
    pub fn of_training(self) -> AnswerForm {
        match self {
            AnswerForm::Padded | AnswerForm::Raw => AnswerForm::Padded,
            AnswerForm::Continued => AnswerForm::Continued,
        }
    }

    /// The name on the command line and in records.
    pub fn name(self) -> &'static str {
        match self {
            AnswerForm::Padded => "padded",
            AnswerForm::Raw => "raw",
            AnswerForm::Continued => "continued",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_grouped_by_their_first_question_word() {
        let word = |question: &str| question_word(&format!("question: {question} context: What ."));
        assert_eq!(word("In which year was it built ?"), Some("which"));
        assert_eq!(word("How many mills are there ?"), Some("how many"));
        assert_eq!(word("How was it built ?"), Some("how"));
        assert_eq!(word("To whom was it sold when ?"), Some("who"));
        assert_eq!(word("Name the mill ."), Some(OTHER));
        assert_eq!(question_word("sentence1: a sentence2: b"), None);
    }
}
