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
    let card = cards.find(|card| card.name == name);
    card.expect("a bundled card")
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
