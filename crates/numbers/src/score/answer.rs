//! Exact match and F1 of generated answers, as SQuAD v1.1's official script defines them
//! (`evaluate-v1.1.py`, Rajpurkar et al. 2016; the same in T5's `t5/evaluation/qa_utils.py` and in
//! `mrqa_official_eval.py`).
//!
//! Where a domain's card names a language, texts are normalised as MLQA's official script does
//! (`mlqa_evaluation_v1.py`, Lewis et al. 2020, github.com/facebookresearch/MLQA): articles and division into words by
//! language, and no punctuation of Unicode's.
//!
//! The right answers are compared as the template padded them, as T5 does: both sides of
//! `U . S .` become `u s`.

use std::collections::HashMap;

use super::python_chars::is_word;
use promptshift_text::domain::Language;
use promptshift_text::punctuation::is_punctuation;

/// The articles of a language: MLQA's, and none where it has none. Arabic's is a prefix.
fn articles(language: Language) -> &'static [&'static str] {
    match language {
        Language::En => &ARTICLES,
        Language::Es => &["un", "una", "unos", "unas", "el", "la", "los", "las"],
        Language::Vi => &["của", "là", "cái", "chiếc", "những"],
        Language::De => &[
            "ein", "eine", "einen", "einem", "eines", "einer", "der", "die", "das", "den", "dem",
            "des",
        ],
        _ => &[],
    }
}

const ARTICLES: [&str; 3] = ["a", "an", "the"];
/// Arabic's article, which MLQA's script replaces wherever its letters stand, also within a word. The other alternative
/// of its pattern, `\\sال^`, matches nothing.
const ARABIC_ARTICLE: &str = "ال";

/// Lower case, no punctuation, no articles, single spaces: as SQuAD's script, or in a language as MLQA's.
pub fn normalize(text: &str, language: Option<Language>) -> String {
    let text = text.to_lowercase();
    let Some(language) = language else {
        let text: String = text.chars().filter(|c| !c.is_ascii_punctuation()).collect();
        return joined(&without_articles(&text, &ARTICLES));
    };
    let text: String = text.chars().filter(|c| !is_punctuation(*c)).collect();
    match language {
        Language::Ar => joined(&text.replace(ARABIC_ARTICLE, " ")),
        Language::Zh => joined(&between_han(&text)),
        _ => joined(&without_articles(&text, articles(language))),
    }
}

/// The words, divided by single spaces.
fn joined(text: &str) -> String {
    let words = text.split(is_space).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

/// Spaces around each Chinese character, which is a word of its own (MLQA's `mixed_segmentation`).
fn between_han(text: &str) -> String {
    let mut spaced = String::with_capacity(2 * text.len());
    for c in text.chars() {
        if ('\u{4e00}'..='\u{9fa5}').contains(&c) {
            spaced.extend([' ', c, ' ']);
        } else {
            spaced.push(c);
        }
    }
    spaced
}

/// 1 if the prediction equals a right answer after [`normalize`], else 0.
pub fn exact_match(prediction: &str, golds: &[String], language: Option<Language>) -> f64 {
    let prediction = normalize(prediction, language);
    let equal = golds
        .iter()
        .any(|gold| normalize(gold, language) == prediction);
    f64::from(u8::from(equal))
}

/// The greatest F1 with a right answer: the harmonic mean of precision and recall of the words,
/// repeats counted, after [`normalize`]; 0 without a common word, even if both are empty.
pub fn f1(prediction: &str, golds: &[String], language: Option<Language>) -> f64 {
    let prediction = normalize(prediction, language);
    golds
        .iter()
        .map(|gold| word_f1(&prediction, &normalize(gold, language)))
        .fold(0.0, f64::max)
}

fn word_f1(prediction: &str, gold: &str) -> f64 {
    let (predicted, right) = (count_words(prediction), count_words(gold));
    let common: usize = predicted
        .iter()
        .map(|(word, count)| right.get(word).map_or(0, |other| *count.min(other)))
        .sum();
    if common == 0 {
        return 0.0;
    }
    let share = |all: HashMap<&str, usize>| common as f64 / all.values().sum::<usize>() as f64;
    let (precision, recall) = (share(predicted), share(right));
    2.0 * precision * recall / (precision + recall)
}

fn count_words(text: &str) -> HashMap<&str, usize> {
    let mut counts = HashMap::new();
    for word in text.split(is_space).filter(|word| !word.is_empty()) {
        *counts.entry(word).or_default() += 1;
    }
    counts
}

/// Replaces each article by a space, as `\b(a|an|the)\b`: one that is all of a run of word characters.
fn without_articles(text: &str, articles: &[&str]) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let word = &rest[..rest.find(|c| !is_word(c)).unwrap_or(rest.len())];
        kept.push_str(if articles.contains(&word) { " " } else { word });
        rest = &rest[word.len()..];
        let gap = &rest[..rest.find(is_word).unwrap_or(rest.len())];
        kept.push_str(gap);
        rest = &rest[gap.len()..];
    }
    kept
}

/// What Python's `str.split()` splits at: white space and the separators U+001C to U+001F.
fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn golds(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| text.to_string()).collect()
    }

    #[test]
    fn normalisation_goes_case_punctuation_articles_space() {
        for (text, normal) in [
            ("The Old  Mill.", "old mill"),
            ("U . S .", "u s"),
            ("U.S.", "us"),
            ("a-n apple", "apple"),
            ("theatre of another", "theatre of another"),
            ("don ' t", "don t"),
            ("the", ""),
            ("", ""),
        ] {
            assert_eq!(normalize(text, None), normal, "{text:?}");
        }
    }

    #[test]
    fn f1_is_of_word_multisets_and_the_best_gold() {
        for (prediction, right, em, score) in [
            ("red barn", &["red barn"][..], 1.0, 1.0),
            ("red barn", &["barn red"], 0.0, 1.0),
            ("red", &["red barn"], 0.0, 2.0 / 3.0),
            ("dig dig dig", &["dig"], 0.0, 0.5),
            ("red barn", &["door", "the red barn"], 1.0, 1.0),
            ("", &[""], 1.0, 0.0),
            ("red", &[""], 0.0, 0.0),
        ] {
            assert_eq!(
                exact_match(prediction, &golds(right), None),
                em,
                "{prediction}"
            );
            assert!(
                (f1(prediction, &golds(right), None) - score).abs() < 1e-12,
                "{prediction}"
            );
        }
    }

    #[test]
    fn agrees_with_the_official_definition_in_python() {
        #[derive(serde::Deserialize)]
        struct File {
            pairs: Vec<Pair>,
        }
        #[derive(serde::Deserialize)]
        struct Pair {
            prediction: String,
            golds: Vec<String>,
            normalized_prediction: String,
            normalized_golds: Vec<String>,
            em: f64,
            f1: f64,
        }
        let text = include_str!("../../../../tests/golden/squad_scores.json");
        let file: File = serde_json::from_str(text).expect("the golden file's schema");
        assert!(file.pairs.len() > 50);
        for pair in file.pairs {
            let name = &pair.prediction;
            assert_eq!(normalize(name, None), pair.normalized_prediction);
            let normal: Vec<String> = pair
                .golds
                .iter()
                .map(|gold| normalize(gold, None))
                .collect();
            assert_eq!(normal, pair.normalized_golds);
            assert_eq!(exact_match(name, &pair.golds, None), pair.em, "{name:?}");
            assert!(
                (f1(name, &pair.golds, None) - pair.f1).abs() < 1e-12,
                "{name:?}"
            );
        }
    }

    #[test]
    fn agrees_with_mlqa_s_script_in_every_language() {
        #[derive(serde::Deserialize)]
        struct File {
            pairs: Vec<Pair>,
        }
        #[derive(serde::Deserialize)]
        struct Pair {
            language: String,
            prediction: String,
            golds: Vec<String>,
            normalized_prediction: String,
            normalized_golds: Vec<String>,
            em: f64,
            f1: f64,
        }
        let text = include_str!("../../../../tests/golden/mlqa_scores.json");
        let file: File = serde_json::from_str(text).expect("the golden file's schema");
        assert!(file.pairs.len() > 60);
        for pair in file.pairs {
            let language = Some(pair.language.parse().expect("a language"));
            let name = format!("{} {:?}", pair.language, pair.prediction);
            let found = normalize(&pair.prediction, language);
            assert_eq!(found, pair.normalized_prediction, "{name}");
            let golds = pair.golds.iter().map(|gold| normalize(gold, language));
            assert_eq!(golds.collect::<Vec<_>>(), pair.normalized_golds, "{name}");
            let found = exact_match(&pair.prediction, &pair.golds, language);
            assert_eq!(found, pair.em, "{name}");
            let found = f1(&pair.prediction, &pair.golds, language);
            assert!((found - pair.f1).abs() < 1e-12, "{name}: {found}");
        }
    }

    proptest! {
        #[test]
        fn scores_are_in_range_and_symmetric(a in ".{0,24}", b in "[a-e ]{0,12}") {
            let (one, other) = (f1(&a, &golds(&[&b]), None), f1(&b, &golds(&[&a]), None));
            prop_assert!((0.0..=1.0).contains(&one) && (one - other).abs() < 1e-12);
            prop_assert_eq!(exact_match(&a, &golds(&[&a]), None), 1.0);
        }
    }
}
