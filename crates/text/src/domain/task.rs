//! Tasks: what the model is asked to do.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The task, which determines template, metrics and the use of labels. Transfers stay within one task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", try_from = "String")]
pub enum Task {
    /// A question answered by a span of its context (SQuAD, MRQA): exact match and F1.
    ExtractiveQa,
    /// Do two sentences or questions mean the same (MRPC, QQP): accuracy and F1.
    Paraphrase,
    /// A question about a passage answered by yes or no (BoolQ): accuracy.
    YesNoQa,
    /// Does a text entail another (RTE, CB): accuracy, macro F1.
    Entailment,
    /// Which of two sentences is the cause or the effect of a third (COPA): accuracy.
    CauseOrEffect,
    /// Is this one of the right answers (MultiRC): F1 over answers, exact match over questions.
    AnswerJudging,
    /// Which entity fills the gap (ReCoRD): F1 and exact match.
    ClozeQa,
    /// Does a word mean the same in two sentences (WiC): accuracy.
    WordSense,
    /// Which noun a pronoun refers to (WSC): accuracy.
    Coreference,
    /// Is a text's opinion positive (SST-2, IMDb, Amazon, Yelp): accuracy.
    Sentiment,
    /// Is a text toxic (Civil Comments): accuracy, macro F1.
    Toxicity,
}

impl Task {
    /// Every task, in display order.
    pub const ALL: [Task; 11] = [
        Task::ExtractiveQa,
        Task::Paraphrase,
        Task::YesNoQa,
        Task::Entailment,
        Task::CauseOrEffect,
        Task::AnswerJudging,
        Task::ClozeQa,
        Task::WordSense,
        Task::Coreference,
        Task::Sentiment,
        Task::Toxicity,
    ];
}

impl Task {
    /// The names of its metrics, the main one first.
    pub fn metrics(self) -> [&'static str; 2] {
        match self {
            Task::ExtractiveQa | Task::ClozeQa | Task::AnswerJudging => ["f1", "exact_match"],
            Task::Paraphrase => ["accuracy", "f1"],
            Task::YesNoQa
            | Task::Entailment
            | Task::CauseOrEffect
            | Task::WordSense
            | Task::Coreference
            | Task::Sentiment
            | Task::Toxicity => ["accuracy", "macro_f1"],
        }
    }
}

/// The wording of a task: its name in cards and records, its other common names, and what it asks.
struct Words {
    name: &'static str,
    others: &'static [&'static str],
    asks: &'static str,
}

impl Task {
    fn words(self) -> Words {
        let (name, others, asks): (_, &'static [_], _) = match self {
            Task::ExtractiveQa => (
                "extractive_qa",
                &[
                    "qa",
                    "question_answering",
                    "extractive_question_answering",
                    "reading_comprehension",
                ],
                "a question answered by a span of its context",
            ),
            Task::Paraphrase => (
                "paraphrase",
                &[
                    "paraphrase_detection",
                    "paraphrase_identification",
                    "duplicate_detection",
                ],
                "do two texts mean the same",
            ),
            Task::YesNoQa => (
                "yes_no_qa",
                &[
                    "yes_no",
                    "yes_no_question_answering",
                    "boolean_qa",
                    "boolean_question_answering",
                ],
                "a question on a passage answered by yes or no",
            ),
            Task::Entailment => (
                "entailment",
                &["nli", "natural_language_inference", "textual_entailment"],
                "does a text entail another",
            ),
            Task::CauseOrEffect => (
                "cause_or_effect",
                &["causal_reasoning"],
                "which of two texts is the cause or the effect of a third",
            ),
            Task::AnswerJudging => (
                "answer_judging",
                &["answer_selection"],
                "is this one of the right answers",
            ),
            Task::ClozeQa => (
                "cloze_qa",
                &["cloze", "cloze_question_answering"],
                "which entity fills the gap",
            ),
            Task::WordSense => (
                "word_sense",
                &["word_in_context", "word_sense_disambiguation"],
                "does a word mean the same in two sentences",
            ),
            Task::Coreference => (
                "coreference",
                &["coreference_resolution", "pronoun_resolution"],
                "what a pronoun stands for",
            ),
            Task::Sentiment => (
                "sentiment",
                &["sentiment_analysis", "sentiment_classification", "polarity"],
                "is a text's opinion negative or positive",
            ),
            Task::Toxicity => (
                "toxicity",
                &["toxicity_detection", "toxic_comments", "hate_speech"],
                "is a text toxic",
            ),
        };
        Words { name, others, asks }
    }
}

/// The name is not a task's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("wanted a task of {}, found '{found}'", known())]
pub struct UnknownTask {
    /// The name.
    pub found: String,
}

/// Every task, with its question and its other names.
fn known() -> String {
    let told = |task: Task| {
        let Words { name, others, asks } = task.words();
        format!("{name} ({asks}; also {})", others.join(", "))
    };
    Task::ALL.map(told).join(", ")
}

/// Any of its names, in any case; spaces and hyphens are accepted.
impl FromStr for Task {
    type Err = UnknownTask;

    fn from_str(text: &str) -> Result<Self, UnknownTask> {
        let plain = text.trim().to_lowercase().replace([' ', '-', '/'], "_");
        let named = |task: &Task| {
            let words = task.words();
            words.name == plain || words.others.contains(&plain.as_str())
        };
        let unknown = || UnknownTask {
            found: text.to_string(),
        };
        Task::ALL.into_iter().find(named).ok_or_else(unknown)
    }
}

impl TryFrom<String> for Task {
    type Error = UnknownTask;

    fn try_from(text: String) -> Result<Self, UnknownTask> {
        text.parse()
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Task::ExtractiveQa => "question answering",
            Task::Paraphrase => "paraphrase detection",
            Task::YesNoQa => "yes/no question answering",
            Task::Entailment => "entailment",
            Task::CauseOrEffect => "cause or effect",
            Task::AnswerJudging => "answer judging",
            Task::ClozeQa => "cloze question answering",
            Task::WordSense => "word sense",
            Task::Coreference => "coreference",
            Task::Sentiment => "sentiment",
            Task::Toxicity => "toxicity",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_task_names_are_accepted() {
        for (typed, task) in [
            ("qa", Task::ExtractiveQa),
            ("question-answering", Task::ExtractiveQa),
            ("Question Answering", Task::ExtractiveQa),
            ("extractive_qa", Task::ExtractiveQa),
            ("NLI", Task::Entailment),
            ("yes/no", Task::YesNoQa),
            ("paraphrase-identification", Task::Paraphrase),
        ] {
            assert_eq!(typed.parse(), Ok(task), "{typed}");
        }
        let error = "summarization".parse::<Task>().expect_err("no task");
        let message = error.to_string();
        assert!(message.ends_with("found 'summarization'"), "{message}");
        for task in Task::ALL {
            assert!(message.contains(task.words().asks), "{task}");
        }
    }

    #[test]
    fn names_are_read_back_and_no_name_means_two_tasks() {
        let mut names = Vec::new();
        for task in Task::ALL {
            let text = serde_json::to_string(&task).expect("plain data");
            assert_eq!(text, format!("\"{}\"", task.words().name));
            assert_eq!(serde_json::from_str::<Task>(&text).ok(), Some(task));
            assert_eq!(task.to_string().parse(), Ok(task));
            names.push(task.words().name);
            names.extend(task.words().others);
        }
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
