//! What is asked of the model.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What is asked of the model, which decides template, metrics and how labels are read. Transfers
/// stay within one task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
    /// What a pronoun stands for (WSC): accuracy.
    Coreference,
}

impl Task {
    /// Every task, in the order of lists.
    pub const ALL: [Task; 9] = [
        Task::ExtractiveQa,
        Task::Paraphrase,
        Task::YesNoQa,
        Task::Entailment,
        Task::CauseOrEffect,
        Task::AnswerJudging,
        Task::ClozeQa,
        Task::WordSense,
        Task::Coreference,
    ];
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
        })
    }
}
