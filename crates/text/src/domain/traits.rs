//! What an example is like, as far as its text tells: the groups that a report breaks scores down by.

use super::{Evidence, Example};

/// The words that a question is grouped by, the longer before what they begin with.
const QUESTION_WORDS: [&str; 10] = [
    "how many", "how much", "how", "what", "when", "where", "which", "who", "why", "whose",
];

/// The group of questions that have none of the words.
pub const OTHER: &str = "other";

/// The first question word of an input `question: ... context: ...`, or [`OTHER`]; `None` for an
/// input of another form.
pub fn question_word(input: &str) -> Option<&'static str> {
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

/// Where in the input the first right answer ends, as a share of its length in (0, 1]; `None` where
/// no answer is in the passage, or none is expected there.
pub fn answer_position(example: &Example) -> Option<f64> {
    match example.evidence {
        Evidence::EndsAt(end) if !example.input.is_empty() => {
            Some(end as f64 / example.input.len() as f64)
        }
        _ => None,
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
