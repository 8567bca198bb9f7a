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
    /// A domain that was not trained on.
    Target,
}

/// Scores on one domain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// The domain's name.
    pub domain: String,
    /// Source or target.
    pub role: Role,
    /// The task.
    pub task: Task,
    /// The split that was scored.
    pub split: Split,
    /// Examples scored.
    pub examples: usize,
    /// Inputs that were longer than the limit.
    pub cut_inputs: usize,
    /// Metric → value in [0, 1], for both metrics of its task (`f1` and `exact_match`, `accuracy` and `f1`,
    /// `accuracy` and `macro_f1`).
    pub metrics: BTreeMap<String, f64>,
    /// The expected main metric of a random fact of the passage, or of the answer that is most common in source
    /// training; absent if neither is defined.
    pub floor: Option<f64>,
    /// Seconds for all examples, from tokens to text.
    pub seconds: f64,
    /// Tokens generated, end of sequence included.
    pub generated_tokens: u64,
    /// The highest number of bytes allocated on the host during the evaluation.
    pub peak_bytes: u64,
    /// The predictions' file (JSON lines of [`Prediction`]), relative to the record.
    pub predictions: String,
    /// Its SHA-256.
    pub predictions_sha256: String,
    /// Inputs of a few examples for the report, chosen independently of the answers. Empty in older records.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub excerpts: Vec<Excerpt>,
}

/// The input of one example, shortened if it is long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excerpt {
    /// The example.
    pub id: String,
    /// The input; ` … ` marks omissions.
    pub input: String,
}

/// The prediction for one example and its score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// The example.
    pub id: String,
    /// Its passage, the cluster in the statistics.
    pub passage: String,
    /// The generated text; the class's label if classes were ranked or a verbalizer's word for the class was
    /// generated.
    pub prediction: String,
    /// The right answers, the right label's string, or a pronoun's candidate.
    pub answers: Vec<String>,
    /// Its score.
    pub score: Score,
    /// Sum of the natural log-probabilities of the generated tokens, end of sequence included; if classes were
    /// ranked, the log of the class's probability relative to all classes.
    pub log_prob: f64,
    /// If classes were ranked, the log of each class's probability relative to all classes, in the order of the
    /// domain's labels; the probabilities of the source's classes that are read as one of these are added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_log_probs: Option<Vec<f64>>,
    /// Input tokens after truncation, end of sequence included, soft prompt not included.
    pub input_tokens: usize,
    /// Generated tokens, end of sequence included; if classes were ranked, the tokens of the predicted class's word.
    pub output_tokens: usize,
    /// Whether the input was longer than the limit.
    pub cut: bool,
    /// Properties of the example; absent in older predictions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traits: Option<Traits>,
}

/// Properties of an example by which a report groups scores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Traits {
    /// Its domain, if the source is a mixture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// Its group, if its domain's card names a column of groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The first question word of its question, or `other`; absent without a question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question_word: Option<String>,
    /// Where the first right answer ends in the input before truncation, as a fraction of its bytes in (0, 1]; absent
    /// if the passage does not contain an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_position: Option<f64>,
}

/// The score of one prediction.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Score {
    /// Extractive question answering, each in [0, 1].
    Span {
        /// 1 if equal to a gold answer after normalisation, else 0.
        exact_match: f64,
        /// Word overlap with the best gold answer.
        f1: f64,
    },
    /// Classification by generated label.
    Label {
        /// The right class.
        gold: usize,
        /// The class whose string was generated; `None` for any other string, which counts as wrong.
        predicted: Option<usize>,
    },
    /// One of several answers to a question, judged by generated label (MultiRC).
    Option {
        /// The question.
        question: u64,
        /// The right class.
        gold: usize,
        /// The class whose string was generated; `None` for any other string, which counts as wrong.
        predicted: Option<usize>,
    },
}

impl Score {
    /// The right class and the predicted one; `None` for a span.
    pub fn classes(&self) -> Option<(usize, Option<usize>)> {
        match *self {
            Score::Label { gold, predicted }
            | Score::Option {
                gold, predicted, ..
            } => Some((gold, predicted)),
            Score::Span { .. } => None,
        }
    }

    /// The score if another class had been predicted; `None` for a span.
    pub fn answering(mut self, class: Option<usize>) -> Option<Score> {
        match &mut self {
            Score::Label { predicted, .. } | Score::Option { predicted, .. } => *predicted = class,
            Score::Span { .. } => return None,
        }
        Some(self)
    }

    /// Whether the prediction is right: equal to a right answer after normalisation, or the right label.
    pub fn is_right(&self) -> bool {
        match (*self, self.classes()) {
            (Score::Span { exact_match, .. }, _) => exact_match == 1.0,
            (_, classes) => classes.is_some_and(|(gold, predicted)| predicted == Some(gold)),
        }
    }
}

/// The predictions of the kept step on source validation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidationAnswers {
    /// Examples answered.
    pub examples: usize,
    /// The predictions' file (JSON lines of [`Prediction`]), relative to the record.
    pub predictions: String,
    /// Its SHA-256.
    pub predictions_sha256: String,
}

/// The score on one target after few-shot tuning on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KShot {
    /// `K`, the number of examples.
    pub examples: usize,
    /// Their ids in the target's training split. The examples of a smaller K are a subset of those of a larger K.
    pub ids: Vec<String>,
    /// Optimiser steps.
    pub steps: usize,
    /// Examples per step.
    pub batch_size: usize,
    /// Seconds spent in training steps.
    pub train_seconds: f64,
    /// The evaluation on the same test rows as in the zero-shot case.
    pub evaluation: Evaluation,
}

/// Examples of each split whose text a record contains.
const EXAMPLES: usize = 24;

/// Bytes kept from the start of an input, where the question is.
const START: usize = 240;

/// Bytes kept on each side of the right answer.
const AROUND: usize = 220;

/// Excerpts of the examples whose ids have the smallest hashes: a sample that is independent of the answers and the
/// same for every method, seed and machine.
pub fn excerpts(examples: &[Example]) -> Vec<Excerpt> {
    let mut drawn: Vec<(String, &Example)> = (examples.iter())
        .map(|example| (sha256(example.id.as_bytes()), example))
        .collect();
    drawn.sort_by(|one, other| one.0.cmp(&other.0));
    drawn.truncate(EXAMPLES);
    (drawn.into_iter())
        .map(|(_, example)| Excerpt {
            id: example.id.clone(),
            input: shortened(&example.input, example.answer_location),
        })
        .collect()
}

/// The start of an input and the text around the right answer; the whole input if it is not much longer.
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
    fn an_excerpt_has_the_start_of_the_input_and_its_answer() {
        let input = format!(
            "question: who? context: {}ANSWER{}",
            "ä ".repeat(900),
            "z ".repeat(900)
        );
        let end = input.find("ANSWER").expect("there") + 6;
        let short = shortened(&input, AnswerLocation::EndsAt(end));
        assert!(short.starts_with("question: who?"), "{short}");
        let holds = short.contains(" … ") && short.contains("ANSWERz z");
        assert!(holds, "{short}");
        assert!(short.ends_with(" …") && short.len() < 720, "{short}");
        let start = shortened(&input, AnswerLocation::Absent);
        assert!(start.ends_with(" …") && start.len() <= START + 4, "{start}");
        assert_eq!(shortened("short", AnswerLocation::NotExpected), "short");
        let last = shortened(&input, AnswerLocation::EndsAt(input.len()));
        assert!(last.ends_with("z "), "{last}");
    }
}
