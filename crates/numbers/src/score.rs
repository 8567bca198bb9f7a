//! Scores of predictions, as sums that can be added and resampled.

pub mod answer;
pub mod vote;

use std::collections::BTreeMap;

use crate::record::Score;
use crate::stats::panel::Sum;
use promptshift_text::domain::card::Card;
use promptshift_text::domain::labels::LabelMap;
use promptshift_text::domain::{Example, Gold, Language, Task};

/// The score of one prediction: exact match and F1 for answers; for labels the class whose string was generated
/// exactly (T5's `string_label_to_class_id`); for a referent whether the prediction names it. `target` is the domain
/// whose labels and language they are in.
pub fn score(prediction: &str, gold: &Gold, target: &Card) -> Score {
    let language = target.language;
    let class = || target.labels.iter().position(|label| label == prediction);
    match gold {
        Gold::Answers(golds) => Score::Span {
            exact_match: answer::exact_match(prediction, golds, language),
            f1: answer::f1(prediction, golds, language),
        },
        Gold::Label(gold) => Score::Label {
            gold: *gold,
            predicted: class(),
        },
        Gold::Option { question, label } => Score::Option {
            question: *question,
            gold: *label,
            predicted: class(),
        },
        Gold::Referent { text, label } => Score::Label {
            gold: usize::from(*label),
            predicted: answer::names_referent(prediction, text).map(usize::from),
        },
    }
}

/// A metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Metric {
    /// Share of predictions that equal a right answer.
    ExactMatch,
    /// Mean word F1 of the predictions.
    F1,
    /// Share of right labels; strings that are not a label are wrong.
    Accuracy,
    /// F1 of class 1 over all pairs, with invalid predictions counted as the wrong class (T5's
    /// `f1_score_with_invalid`, the metric of GLUE's QQP and MRPC).
    /// It is also MultiRC's F1 over all answers (T5's `multirc_f1_over_all_answers`).
    PairF1,
    /// Mean over the classes of their F1 (T5's `mean_multiclass_f1`, a metric of CB). The classes are those that
    /// occur among right or predicted ones, as in scikit-learn; T5 takes all classes of the data set, which differs
    /// only if one does not occur at all.
    MacroF1,
    /// Share of questions with all answers judged correctly (MultiRC).
    QuestionExactMatch,
}

impl Metric {
    /// A task's metrics, the main one first.
    pub fn of(task: Task) -> [Metric; 2] {
        match task {
            Task::ExtractiveQa | Task::ClozeQa => [Metric::F1, Metric::ExactMatch],
            Task::Paraphrase => [Metric::Accuracy, Metric::PairF1],
            Task::AnswerJudging => [Metric::PairF1, Metric::QuestionExactMatch],
            Task::YesNoQa
            | Task::Entailment
            | Task::CauseOrEffect
            | Task::WordSense
            | Task::Coreference
            | Task::Sentiment
            | Task::Toxicity => [Metric::Accuracy, Metric::MacroF1],
        }
    }

    /// The metric of gaps and of the selection of steps.
    pub fn main(task: Task) -> Metric {
        Metric::of(task)[0]
    }

    /// The name in records.
    pub fn name(self) -> &'static str {
        match self {
            Metric::ExactMatch | Metric::QuestionExactMatch => "exact_match",
            Metric::F1 | Metric::PairF1 => "f1",
            Metric::Accuracy => "accuracy",
            Metric::MacroF1 => "macro_f1",
        }
    }

    /// The contribution of one example. It is zero for metrics of another task and for those that are not sums over
    /// examples, [`Metric::MacroF1`] and [`Metric::QuestionExactMatch`], which are not the main metric of any task.
    pub fn contribution(self, score: &Score) -> Sum {
        match (self, *score, score.classes()) {
            (Metric::ExactMatch, Score::Span { exact_match, .. }, _) => Sum::once(exact_match),
            (Metric::F1, Score::Span { f1, .. }, _) => Sum::once(f1),
            (Metric::Accuracy, _, Some((gold, predicted))) => {
                Sum::once(f64::from(u8::from(predicted == Some(gold))))
            }
            (Metric::PairF1, _, Some((gold, predicted))) => pair_f1(gold, predicted),
            _ => Sum::default(),
        }
    }

    /// The metric over these scores.
    pub fn value(self, scores: &[Score]) -> f64 {
        match self {
            Metric::MacroF1 => macro_f1(scores),
            Metric::QuestionExactMatch => question_exact_match(scores),
            _ => scores
                .iter()
                .map(|score| self.contribution(score))
                .sum::<Sum>()
                .ratio(),
        }
    }
}

/// The mean of 2 TP / (2 TP + FP + FN) over classes; a string that is not a label counts against the right class
/// only.
fn macro_f1(scores: &[Score]) -> f64 {
    let mut sums: BTreeMap<usize, Sum> = BTreeMap::new();
    let mut add = |class, numerator, denominator| {
        *sums.entry(class).or_default() += Sum::new(numerator, denominator);
    };
    for (gold, predicted) in scores.iter().filter_map(Score::classes) {
        match predicted {
            Some(class) if class == gold => add(gold, 2.0, 2.0),
            Some(class) => {
                add(gold, 0.0, 1.0);
                add(class, 0.0, 1.0);
            }
            None => add(gold, 0.0, 1.0),
        }
    }
    sums.values()
        .map(|sum| Sum::once(sum.ratio()))
        .sum::<Sum>()
        .ratio()
}

/// The share of questions without a wrong answer.
fn question_exact_match(scores: &[Score]) -> f64 {
    let mut right: BTreeMap<u64, bool> = BTreeMap::new();
    for score in scores {
        if let Score::Option {
            question,
            gold,
            predicted,
        } = *score
        {
            *right.entry(question).or_insert(true) &= predicted == Some(gold);
        }
    }
    let share = (right.values()).map(|right| Sum::once(f64::from(u8::from(*right))));
    share.sum::<Sum>().ratio()
}

/// One pair's contribution to F1 = 2 TP / (2 TP + FP + FN).
fn pair_f1(gold: usize, predicted: Option<usize>) -> Sum {
    let wrong = usize::from(gold != 1);
    match (gold, predicted.unwrap_or(wrong)) {
        (1, 1) => Sum::new(2.0, 2.0),
        (1, _) | (_, 1) => Sum::once(0.0),
        (_, _) => Sum::default(),
    }
}

/// Every metric of a task over its scores, by name.
pub fn metrics(task: Task, scores: &[Score]) -> BTreeMap<String, f64> {
    (Metric::of(task).into_iter())
        .map(|metric| (metric.name().to_string(), metric.value(scores)))
        .collect()
}

/// The main metric of answers that do not depend on the question: for questions the expected F1 of a fact of the
/// passage drawn at random, for labels the accuracy of always predicting the label that is most common in the
/// source's training rows, read as one of the evaluated domain's. `None` without examples or facts, and for tasks
/// without such a constant answer (MultiRC's F1, WSC's referents).
pub fn floor(train: &[Example], evaluated: &[Example], labels: &LabelMap) -> Option<f64> {
    let constant = most_common_label(train).map(|label| labels.class(label));
    let sum = (evaluated.iter())
        .map(|example| match &example.gold {
            Gold::Answers(golds) => expected_f1(&example.facts, golds, labels.target().language),
            Gold::Label(gold) => constant.map(|label| f64::from(u8::from(label == *gold))),
            Gold::Option { .. } | Gold::Referent { .. } => None,
        })
        .sum::<Option<f64>>()?;
    (!evaluated.is_empty()).then(|| sum / evaluated.len() as f64)
}

fn expected_f1(facts: &[String], golds: &[String], language: Option<Language>) -> Option<f64> {
    let sum: f64 = (facts.iter())
        .map(|fact| answer::f1(fact, golds, language))
        .sum();
    (!facts.is_empty()).then(|| sum / facts.len() as f64)
}

/// The most common class; the first among equals.
fn most_common_label(train: &[Example]) -> Option<usize> {
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    for example in train {
        if let Gold::Label(label) = example.gold {
            *counts.entry(label).or_default() += 1;
        }
    }
    (counts.into_iter())
        .min_by_key(|(label, count)| (std::cmp::Reverse(*count), *label))
        .map(|(label, _)| label)
}

#[cfg(test)]
mod tests;
