use proptest::prelude::*;

use super::*;
use crate::domain::format::examples;
use crate::domain::row::Row;
use crate::domain::sample::card;
use crate::domain::wording::Wording;

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| text.to_string()).collect()
}

fn apply(name: &str, row: Row, split: Split) -> Vec<Example> {
    let wording = Wording::default();
    examples(&card(name), row, split, AnswerForm::Padded, &wording)
}

fn mill() -> Row {
    Row::Question(QuestionRow {
        group: None,
        id: "q7".to_string(),
        context: "Orla's mill (built c. 1902)\nstands.".to_string(),
        question: "When was it built?".to_string(),
        answers: strings(&["c. 1902", "1902"]),
        answer_start: None,
        facts: strings(&["Orla's"]),
    })
}

#[test]
fn a_question_becomes_text_to_text() {
    let row = mill();
    let passage = row.passage();
    for name in ["squad", "textbookqa", "newsqa"] {
        let [example] = &apply(name, row.clone(), Split::Train)[..] else {
            panic!("one example");
        };
        assert_eq!(
            example.input,
            "question: When was it built ? context: Orla ' s mill ( built c . 1902 ) stands ."
        );
        assert_eq!(example.target, "c . 1902");
        assert_eq!(example.gold, Gold::Answers(strings(&["c . 1902", "1902"])));
        assert_eq!(example.facts, ["Orla ' s"]);
        assert_eq!((example.id.as_str(), &example.passage), ("q7", &passage));
        let AnswerLocation::EndsAt(end) = example.answer_location else {
            panic!("the answer is there");
        };
        assert!(example.input[..end].ends_with("built c . 1902"));
    }
}

#[test]
fn raw_answers_are_raw_only_in_scoring() {
    let wording = Wording::default();
    let found = examples(
        &card("squad"),
        mill(),
        Split::Test,
        AnswerForm::Raw,
        &wording,
    );
    let padded = apply("squad", mill(), Split::Test);
    assert_eq!(found[0].gold, Gold::Answers(strings(&["c. 1902", "1902"])));
    assert_eq!(
        (&found[0].target, &found[0].input),
        (&padded[0].target, &padded[0].input)
    );
    assert_eq!(found[0].answer_location, padded[0].answer_location);
}

fn texts(texts: &[&str], label: usize) -> Row {
    Row::Labelled(LabelledRow {
        group: None,
        id: "3".to_string(),
        question: None,
        texts: strings(texts),
        passage: None,
        label,
    })
}

/// Labelled texts: one case for each task and label that T5 words differently.
#[test]
fn labelled_texts_become_text_to_text() {
    for (name, columns, label, input, target) in [
        (
            "qqp",
            &["It's on.", "It is on."][..],
            0,
            "question1: It's on. question2: It is on.",
            "not_duplicate",
        ),
        (
            "qqp",
            &["a", "b"],
            1,
            "question1: a question2: b",
            "duplicate",
        ),
        (
            "mrpc",
            &["a", "b"],
            0,
            "sentence1: a sentence2: b",
            "not_equivalent",
        ),
        (
            "mrpc",
            &["a", "b"],
            1,
            "sentence1: a sentence2: b",
            "equivalent",
        ),
        (
            "boolq",
            &["A mill grinds.", "does a mill grind"],
            1,
            "passage: A mill grinds. question: does a mill grind",
            "True",
        ),
        ("boolq", &["p", "q"], 0, "passage: p question: q", "False"),
        (
            "cb",
            &["h", "p"],
            0,
            "hypothesis: h premise: p",
            "entailment",
        ),
        (
            "cb",
            &["h", "p"],
            1,
            "hypothesis: h premise: p",
            "contradiction",
        ),
        ("cb", &["h", "p"], 2, "hypothesis: h premise: p", "neutral"),
        (
            "rte",
            &["h", "p"],
            0,
            "hypothesis: h premise: p",
            "entailment",
        ),
        (
            "rte",
            &["h", "p"],
            1,
            "hypothesis: h premise: p",
            "not_entailment",
        ),
        (
            "sst2",
            &["a dull film "],
            0,
            "sentence: a dull film ",
            "negative",
        ),
        ("imdb", &["Good."], 1, "text: Good.", "positive"),
        (
            "amazon_polarity",
            &["It works.", "Good"],
            1,
            "content: It works. title: Good",
            "positive",
        ),
        ("civil_comments", &["a"], 1, "text: a", "toxic"),
        (
            "mnli",
            &["h", "p"],
            1,
            "hypothesis: h premise: p",
            "neutral",
        ),
        (
            "hans",
            &["h", "p"],
            1,
            "hypothesis: h premise: p",
            "non-entailment",
        ),
        (
            "copa",
            &["It rained.", "It snowed.", "The road was wet.", "cause"],
            0,
            "choice1: It rained. choice2: It snowed. premise: The road was wet. question: cause",
            "choice1",
        ),
        (
            "wic",
            &["He ran a mill.", "He ran home.", "run"],
            0,
            "sentence1: He ran a mill. sentence2: He ran home. word: run",
            "False",
        ),
    ] {
        let found = apply(name, texts(columns, label), Split::Train);
        assert_eq!(
            (found[0].input.as_str(), found[0].target.as_str()),
            (input, target)
        );
        assert_eq!(found[0].gold, Gold::Label(label));
        assert_eq!(found[0].answer_location, AnswerLocation::NotExpected);
    }
}

#[test]
fn multirc_loses_its_markup() {
    let row = Row::Labelled(LabelledRow {
        group: None,
        id: "0-1-2".to_string(),
        question: Some(9),
        texts: strings(&[
            "Who <b>came</b>?",
            "Ola",
            "<b>Sent 1: </b>Ola came.<br>Per left.",
        ]),
        passage: Some(2),
        label: 1,
    });
    let found = apply("multirc", row, Split::Test);
    assert_eq!(
        found[0].input,
        "question: Who came? answer: Ola paragraph: Sent 1: Ola came. Per left."
    );
    let gold = Gold::Option {
        question: 9,
        label: 1,
    };
    assert_eq!((found[0].target.as_str(), &found[0].gold), ("True", &gold));
    // GLUE's texts retain their markup.
    let found = apply("mrpc", texts(&["a<br>b", "c"], 0), Split::Test);
    assert_eq!(found[0].input, "sentence1: a<br>b sentence2: c");
}

fn gap() -> Row {
    Row::Cloze(ClozeRow {
        id: "0-4".to_string(),
        passage: "Ola met Per\n@highlight\nPer left.\n@highlight\nAll slept".to_string(),
        query: "@placeholder was met.".to_string(),
        entities: strings(&["Ola", "Per", "P."]),
        answers: strings(&["Per", "P."]),
    })
}

#[test]
fn a_cloze_row_is_one_example_per_answer_in_training_and_one_in_scoring() {
    let input = "query: @placeholder was met. entities: Ola, Per, P. \
                 passage: Ola met Per. Per left. All slept";
    let train = apply("record", gap(), Split::Train);
    let found: Vec<(&str, &str)> = train
        .iter()
        .map(|example| (example.id.as_str(), example.target.as_str()))
        .collect();
    assert_eq!(found, [("0-4-0", "Per"), ("0-4-1", "P.")]);
    let [scored] = &apply("record", gap(), Split::Validation)[..] else {
        panic!("one example");
    };
    assert_eq!((scored.id.as_str(), scored.input.as_str()), ("0-4", input));
    assert_eq!(scored.gold, Gold::Answers(strings(&["Per", "P."])));
    assert_eq!(scored.facts, ["Ola", "Per", "P."]);
    assert_eq!(train[1].input, input);
    let AnswerLocation::EndsAt(end) = scored.answer_location else {
        panic!("the answer is there");
    };
    assert!(scored.input[..end].ends_with("Ola met Per"));
}

#[test]
fn highlights_become_sentences_as_in_t5() {
    for (passage, wanted) in [
        ("a.\n@highlight\nb", "a. b"),
        ("a\n@highlight\nb", "a. b"),
        ("a?\n@highlight\nb!\n@highlight\nc", "a? b! c"),
        ("\"a\"\n@highlight\nb'\n@highlight\nc", "\"a\" b' c"),
        ("a\n@highlight\n\n@highlight\nb", "a. . b"),
        ("a @highlight b", "a @highlight b"),
    ] {
        assert_eq!(without_highlights(passage), wanted, "{passage:?}");
    }
}

#[test]
fn only_true_referents_are_trained_on() {
    let row = |label| {
        Row::Pronoun(PronounRow {
            id: "5".to_string(),
            text: "Ola asked Per if *he* could help.".to_string(),
            referent: "Per".to_string(),
            label,
        })
    };
    let [train] = &apply("wsc", row(true), Split::Train)[..] else {
        panic!("one example");
    };
    assert_eq!(train.input, "Ola asked Per if *he* could help.");
    assert_eq!(train.target, "Per");
    assert_eq!(apply("wsc", row(false), Split::Train), []);
    let scored = apply("wsc", row(false), Split::Test);
    let gold = Gold::Referent {
        text: "Per".to_string(),
        label: false,
    };
    assert_eq!((scored.len(), &scored[0].gold), (1, &gold));
}

#[test]
fn an_answer_s_position_refers_to_the_padded_context() {
    let context = "In 1902, (1902!) it was\nbuilt: 1902.";
    for (nth, (start, _)) in context.match_indices("1902").enumerate() {
        let row = Row::Question(QuestionRow {
            group: None,
            id: "1".to_string(),
            context: context.to_string(),
            question: "When?".to_string(),
            answers: strings(&["1902"]),
            answer_start: Some(start),
            facts: Vec::new(),
        });
        let example = &apply("squad", row, Split::Train)[0];
        let second = &example.input[example.pair.second.clone()];
        let places: Vec<usize> = second.match_indices("1902").map(|(at, _)| at).collect();
        assert_eq!(example.pair.answer, Some(places[nth]), "{second}");
    }
}

#[test]
fn an_answer_outside_the_passage_is_absent() {
    let row = |answer: &str| {
        Row::Question(QuestionRow {
            group: None,
            id: "1".to_string(),
            context: "The mill stands.".to_string(),
            question: "Is there a barn?".to_string(),
            answers: strings(&[answer]),
            answer_start: None,
            facts: Vec::new(),
        })
    };
    let of = |answer| apply("squad", row(answer), Split::Test)[0].answer_location;
    assert_eq!(of("barn"), AnswerLocation::Absent);
    assert_eq!(of(""), AnswerLocation::Absent);
    assert!(matches!(of("mill"), AnswerLocation::EndsAt(_)));
}

#[test]
fn equal_texts_have_equal_names() {
    let of = |name, row| apply(name, row, Split::Test)[0].texts.clone();
    let one = of("mrpc", texts(&["A  mill.", "A barn."], 0));
    let other = of("qqp", texts(&["a barn.", "a\nmill."], 1));
    assert_eq!(one.context, other.context);
    assert_eq!(one.questions, [other.questions[1], other.questions[0]]);
    assert_ne!(one.questions[0], one.questions[1]);
    assert_ne!(
        of("mrpc", texts(&["A mill.", "A mill"], 0)).context,
        one.context
    );
}

#[test]
fn punctuation_is_padded_as_in_t5() {
    for (text, padded) in [
        ("U.S.", "U . S ."),
        ("don't", "don ' t"),
        ("[PAR] one_two", "[ PAR ] one _ two"),
        ("a\n\n b\tc", "a b c"),
        ("3.50%", "3 . 50 %"),
        ("  ", ""),
        ("", ""),
        (
            "caf\u{e9} \u{2013} \u{201c}x\u{201d}",
            "caf\u{e9} \u{2013} \u{201c}x\u{201d}",
        ),
        ("no\u{a0}break", "no\u{a0}break"),
        ("!!", "! !"),
    ] {
        assert_eq!(pad_punctuation(text), padded, "{text:?}");
    }
}

proptest! {
    #[test]
    fn padding_twice_is_padding_once(text in ".{0,40}") {
        let once = pad_punctuation(&text);
        prop_assert_eq!(pad_punctuation(&once), once);
    }
}
