//! What one run scored on one domain: metrics, cost, and every example's prediction.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use promptshift_text::domain::{AnswerLocation, Example, Split, Task};
use promptshift_text::hash::sha256;

/// Source or target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The domain that was trained on.
    Source,
    /// A domain that was not.
    Target,
}

/// Scores on one domain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// The domain's name.
    pub domain: String,
    /// Source or target.
    pub role: Role,
    /// What is asked.
    pub task: Task,
    /// The split that was scored.
    pub split: Split,
    /// Examples scored.
    pub examples: usize,
    /// Inputs that were longer than the limit.
    pub cut_inputs: usize,
    /// Metric → value in [0, 1]: the two of its task (`f1` and `exact_match`, `accuracy` and `f1`,
    /// `accuracy` and `macro_f1`).
    pub metrics: BTreeMap<String, f64>,
    /// The expected main metric of a random fact of the passage, or of the constant answer that is
    /// most common in source training; absent where neither is defined.
    pub floor: Option<f64>,
    /// Seconds from tokens to text, for all examples.
    pub seconds: f64,
    /// Tokens generated, end of sequence included.
    pub generated_tokens: u64,
    /// The highest number of bytes allocated on the host during the evaluation.
    pub peak_bytes: u64,
    /// The predictions' file (JSON lines of [`Prediction`]), relative to the record.
    pub predictions: String,
    /// Its SHA-256.
    pub predictions_sha256: String,
    /// What the model was given for a handful of the examples, drawn without looking at any answer,
    /// so that a report can show some. Empty in records from before they were kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub excerpts: Vec<Excerpt>,
}

/// The text of one example, shortened where it is long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excerpt {
    /// The example.
    pub id: String,
    /// Its input; ` … ` stands for what was left out.
    pub input: String,
}

/// One example's prediction and what it is worth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// The example.
    pub id: String,
    /// Its passage: the cluster in the statistics.
    pub passage: String,
    /// The generated text; the class's label where classes were ranked, or where a verbalizer's
    /// word for it was written.
    pub prediction: String,
    /// The right answers, or the one right label's string, or a pronoun's candidate.
    pub answers: Vec<String>,
    /// What it is worth.
    pub score: Score,
    /// Sum of the generated tokens' log-probabilities (natural), end of sequence included; where
    /// classes were ranked, the logarithm of the class's share among all classes.
    pub log_prob: f64,
    /// Where classes were ranked, the logarithm of each one's share, in the order of the source's
    /// labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_log_probs: Option<Vec<f64>>,
    /// Input tokens, end of sequence included, after the cut; a soft prompt's vectors not counted.
    pub input_tokens: usize,
    /// Generated tokens, end of sequence included; where classes were ranked, those of the
    /// predicted class's word.
    pub output_tokens: usize,
    /// Whether the input was longer than the limit.
    pub cut: bool,
    /// What the example is like; absent in predictions from before it was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traits: Option<Traits>,
}

/// What an example is like: groups that a report breaks scores down by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Traits {
    /// Its domain, in a source of several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// The first question word of its question, or `other`; absent where nothing is asked in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question_word: Option<String>,
    /// Where in the whole input, before any cut, the first right answer ends, as a share of its
    /// bytes in (0, 1]; absent where no answer is stated in the passage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_position: Option<f64>,
}

/// What one prediction is worth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Score {
    /// Extractive question answering, each in [0, 1].
    Span {
        /// Equal to a gold answer after normalisation.
        exact_match: f64,
        /// Word overlap with the best gold answer.
        f1: f64,
    },
    /// Classification by generated label.
    Label {
        /// The right class.
        gold: usize,
        /// The class whose string was generated; `None` for any other string, counted wrong.
        predicted: Option<usize>,
    },
    /// One of several answers to a question, judged by generated label (MultiRC).
    Option {
        /// The question.
        question: u64,
        /// The right class.
        gold: usize,
        /// The class whose string was generated; `None` for any other string, counted wrong.
        predicted: Option<usize>,
    },
}

impl Score {
    /// Whether it is right: equal to a right answer after normalisation, or the right label.
    pub fn is_right(&self) -> bool {
        match *self {
            Score::Span { exact_match, .. } => exact_match == 1.0,
            Score::Label { gold, predicted }
            | Score::Option {
                gold, predicted, ..
            } => predicted == Some(gold),
        }
    }
}

/// The predictions on source validation of the step that was kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidationAnswers {
    /// Examples answered.
    pub examples: usize,
    /// The predictions' file (JSON lines of [`Prediction`]), relative to the record.
    pub predictions: String,
    /// Its SHA-256.
    pub predictions_sha256: String,
}

/// One target with one number of examples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KShot {
    /// `K`, the examples that were tuned on.
    pub examples: usize,
    /// Which rows of the target's training split they are: those of a smaller K are in a larger one.
    pub ids: Vec<String>,
    /// Optimiser steps.
    pub steps: usize,
    /// Examples a step.
    pub batch_size: usize,
    /// Seconds spent in them.
    pub train_seconds: f64,
    /// On the target's test rows, the same as without any example.
    pub evaluation: Evaluation,
}

/// Examples of a split that a record keeps the text of.
const EXAMPLES: usize = 24;

/// Bytes of an input that are kept from its start: the question stands there.
const START: usize = 240;

/// Bytes that are kept on each side of the right answer.
const AROUND: usize = 220;

/// Excerpts of the examples whose ids have the smallest hashes: a sample that no answer has a part
/// in, the same for every method, seed and machine.
pub fn excerpts(examples: &[Example]) -> Vec<Excerpt> {
    let mut drawn: Vec<(String, &Example)> = examples
        .iter()
        .map(|example| (sha256(example.id.as_bytes()), example))
        .collect();
    drawn.sort_by(|one, other| one.0.cmp(&other.0));
    drawn.truncate(EXAMPLES);
    drawn
        .into_iter()
        .map(|(_, example)| Excerpt {
            id: example.id.clone(),
            input: shortened(&example.input, example.answer_location),
        })
        .collect()
}

/// The start of an input and what stands around the right answer, or the whole where that is not
/// much more.
fn shortened(input: &str, answer_location: AnswerLocation) -> String {
    if input.len() <= START + 2 * AROUND {
        return input.to_owned();
    }
    let end = match answer_location {
        AnswerLocation::EndsAt(end) => end,
        AnswerLocation::Absent | AnswerLocation::NotExpected => 0,
    };
    let from = input.floor_char_boundary(end.saturating_sub(AROUND));
    let to = input.floor_char_boundary((end + AROUND).min(input.len()));
    let start = input.floor_char_boundary(START);
    let rest = if to < input.len() { " …" } else { "" };
    if from <= start {
        return format!("{}{rest}", &input[..to.max(start)]);
    }
    format!("{} … {}{rest}", &input[..start], &input[from..to])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_inputs_keep_their_start_and_their_answer() {
        let input = format!(
            "question: who? context: {}ANSWER{}",
            "ä ".repeat(900),
            "z ".repeat(900)
        );
        let end = input.find("ANSWER").expect("there") + 6;
        let short = shortened(&input, AnswerLocation::EndsAt(end));
        assert!(short.starts_with("question: who?"), "{short}");
        assert!(
            short.contains(" … ") && short.contains("ANSWERz z"),
            "{short}"
        );
        assert!(short.ends_with(" …") && short.len() < 720, "{short}");
        let start = shortened(&input, AnswerLocation::Absent);
        assert!(start.ends_with(" …") && start.len() <= START + 4, "{start}");
        assert_eq!(shortened("short", AnswerLocation::NotExpected), "short");
        let last = shortened(&input, AnswerLocation::EndsAt(input.len()));
        assert!(last.ends_with("z "), "{last}");
    }
}
