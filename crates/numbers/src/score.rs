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
mod tests {
    use super::*;
    use promptshift_text::domain::{AnswerLocation, TextNames, card};
    use proptest::prelude::*;

    fn label(gold: usize, predicted: Option<usize>) -> Score {
        Score::Label { gold, predicted }
    }

    fn strings(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| text.to_string()).collect()
    }

    fn bundled(name: &str) -> Card {
        let mut cards = card::bundled().into_iter();
        cards
            .find(|card| card.name == name)
            .expect("a bundled card")
    }

    fn example(gold: Gold, facts: &[&str]) -> Example {
        Example {
            group: None,
            pair: Default::default(),
            id: String::new(),
            passage: String::new(),
            input: String::new(),
            soft: Vec::new(),
            target: String::new(),
            gold,
            facts: strings(facts),
            answer_location: AnswerLocation::NotExpected,
            texts: TextNames::default(),
        }
    }

    #[test]
    fn a_prediction_is_scored_against_its_gold_answer() {
        let golds = Gold::Answers(strings(&["the red barn", "barn"]));
        let span = |exact_match, f1| Score::Span { exact_match, f1 };
        assert_eq!(score("Red barn", &golds, &bundled("squad")), span(1.0, 1.0));
        assert_eq!(score("cow", &golds, &bundled("squad")), span(0.0, 0.0));
        let labels = bundled("mrpc");
        let gold = Gold::Label(0);
        assert_eq!(score("equivalent", &gold, &labels), label(0, Some(1)));
        assert_eq!(score("not_equivalent", &gold, &labels), label(0, Some(0)));
        assert_eq!(score("Equivalent", &gold, &labels), label(0, None));
        assert_eq!(score("", &gold, &labels), label(0, None));
    }

    #[test]
    fn pair_f1_is_of_class_one_with_invalid_predictions_counted_wrong() {
        // TP 2, FP 1 + 1 invalid, FN 1 + 1 invalid, TN 1: F1 = 4 / (4 + 2 + 2).
        let scores = [
            label(1, Some(1)),
            label(1, Some(1)),
            label(0, Some(1)),
            label(0, None),
            label(1, Some(0)),
            label(1, None),
            label(0, Some(0)),
        ];
        let found = metrics(Task::Paraphrase, &scores);
        assert_eq!(found["f1"], 0.5);
        assert_eq!(found["accuracy"], 3.0 / 7.0);
        assert_eq!(Metric::PairF1.value(&[label(0, Some(0))]), 0.0);
    }

    #[test]
    fn scores_of_answers_are_averaged() {
        let span = |exact_match, f1| Score::Span { exact_match, f1 };
        let found = metrics(Task::ExtractiveQa, &[span(1.0, 1.0), span(0.0, 0.5)]);
        assert_eq!(found["exact_match"], 0.5);
        assert_eq!(found["f1"], 0.75);
        let of_other_task = Metric::Accuracy.contribution(&span(1.0, 1.0));
        assert_eq!(of_other_task, Sum::default());
    }

    fn option(question: u64, gold: usize, predicted: Option<usize>) -> Score {
        Score::Option {
            question,
            gold,
            predicted,
        }
    }

    #[test]
    fn multirc_has_f1_over_answers_and_exact_match_over_questions() {
        // TP 2, FP 1, FN 1 (an answer that is no label); question 1 is right as a whole.
        let scores = [
            option(1, 1, Some(1)),
            option(1, 0, Some(0)),
            option(2, 1, Some(1)),
            option(2, 0, Some(1)),
            option(3, 1, None),
        ];
        let found = metrics(Task::AnswerJudging, &scores);
        assert_eq!(found["f1"], 4.0 / 6.0);
        assert_eq!(found["exact_match"], 1.0 / 3.0);
        let labels = bundled("multirc");
        let (question, label) = (7, 1);
        let gold = Gold::Option { question, label };
        assert_eq!(score("True", &gold, &labels), option(7, 1, Some(1)));
        assert_eq!(score("true", &gold, &labels), option(7, 1, None));
    }

    #[test]
    fn macro_f1_is_the_mean_over_classes() {
        // Class 0: TP 2, FP 1 → 4/5; class 1: FN 1 (predicted 0) + TP 1 → 2/3; class 2: FN 1 → 0.
        let scores = [
            label(0, Some(0)),
            label(0, Some(0)),
            label(1, Some(0)),
            label(1, Some(1)),
            label(2, None),
        ];
        let found = metrics(Task::Entailment, &scores);
        assert!((found["macro_f1"] - (4.0 / 5.0 + 2.0 / 3.0) / 3.0).abs() < 1e-12);
        assert_eq!(found["accuracy"], 0.6);
        assert_eq!(Metric::MacroF1.value(&[]), 0.0);
    }

    #[test]
    fn a_referent_is_scored_by_whether_it_was_named() {
        let gold = |right| Gold::Referent {
            text: "the old mill".to_string(),
            label: right,
        };
        let wsc = bundled("wsc");
        assert_eq!(score("Mill", &gold(true), &wsc), label(1, Some(1)));
        assert_eq!(score("Mill", &gold(false), &wsc), label(0, Some(1)));
        assert_eq!(score("barn", &gold(false), &wsc), label(0, Some(0)));
        assert_eq!(score("", &gold(false), &wsc), label(0, None));
    }

    #[test]
    fn every_main_metric_is_a_sum_over_examples() {
        let (exact_match, f1) = (1.0, 1.0);
        let span = Score::Span { exact_match, f1 };
        let scores = [span, label(1, Some(1)), option(0, 1, Some(1))];
        for task in Task::ALL {
            let main = Metric::main(task);
            let is_defined = |score: &Score| main.contribution(score).denominator > 0.0;
            assert!(scores.iter().any(is_defined), "{task}");
        }
    }

    #[test]
    fn the_cards_name_these_metrics() {
        for card in card::bundled() {
            let names = Metric::of(card.task).map(Metric::name);
            assert_eq!(card.metrics, names, "{}", card.name);
        }
        for task in Task::ALL {
            assert_eq!(task.metrics(), Metric::of(task).map(Metric::name), "{task}");
        }
    }

    #[test]
    fn the_floor_of_questions_is_a_random_fact() {
        let squad = bundled("squad");
        let same = LabelMap::same(&squad);
        let golds = || Gold::Answers(strings(&["red barn"]));
        let one = example(golds(), &["red barn", "cow", "red", "mill"]);
        let two = example(golds(), &["cow", "red barn"]);
        let wanted = ((1.0 + 2.0 / 3.0) / 4.0 + 0.5) / 2.0;
        let found = floor(&[], &[one.clone(), two], &same).expect("has facts");
        assert!((found - wanted).abs() < 1e-12);
        assert_eq!(floor(&[], &[one, example(golds(), &[])], &same), None);
        assert_eq!(floor(&[], &[], &same), None);
    }

    #[test]
    fn the_floor_of_pairs_is_the_training_majority() {
        let pair = |label: &usize| example(Gold::Label(*label), &[]);
        let pairs = |labels: &[usize]| -> Vec<Example> { labels.iter().map(pair).collect() };
        let (mnli, hans) = (bundled("mnli"), bundled("hans"));
        let same = LabelMap::same(&mnli);
        let found = floor(&pairs(&[0, 0, 1]), &pairs(&[0, 1, 1, 1]), &same);
        assert_eq!(found, Some(0.25));
        assert_eq!(floor(&pairs(&[1, 0]), &pairs(&[0]), &same), Some(1.0));
        assert_eq!(floor(&[], &pairs(&[0]), &same), None);
        // Always MNLI's contradiction is always HANS's non-entailment.
        let map = LabelMap::between(&mnli, &hans).expect("the card's map");
        let found = floor(&pairs(&[2, 2, 0]), &pairs(&[1, 1, 1, 0]), &map);
        assert_eq!(found, Some(0.75));
    }

    proptest! {
        #[test]
        fn pair_f1_equals_precision_and_recall(
            pairs in proptest::collection::vec((0..2_usize, proptest::option::of(0..2_usize)), 1..40),
        ) {
            let scores: Vec<Score> = pairs.iter().map(|(g, p)| label(*g, *p)).collect();
            let flipped: Vec<(usize, usize)> =
                pairs.iter().map(|(g, p)| (*g, p.unwrap_or(1 - g))).collect();
            let count = |g, p| flipped.iter().filter(|pair| **pair == (g, p)).count() as f64;
            let (tp, fp, fne) = (count(1, 1), count(0, 1), count(1, 0));
            let wanted = if tp == 0.0 {
                0.0
            } else {
                let (precision, recall) = (tp / (tp + fp), tp / (tp + fne));
                2.0 * precision * recall / (precision + recall)
            };
            prop_assert!((Metric::PairF1.value(&scores) - wanted).abs() < 1e-12);
        }
    }
}
