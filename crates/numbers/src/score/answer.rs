//! How a generated answer is compared with the right ones.
//!
//! Exact match and F1 are those of SQuAD v1.1's official script (`evaluate-v1.1.py`, Rajpurkar et al. 2016; the same in
//! T5's `t5/evaluation/qa_utils.py` and in `mrqa_official_eval.py`). Where a domain's card names a language, texts are
//! normalised as MLQA's official script does (`mlqa_evaluation_v1.py`, Lewis et al. 2020,
//! github.com/facebookresearch/MLQA): articles and division into words by language, and no punctuation of Unicode's.
//! A referent is compared as T5 does for WSC (`wsc_simple` in google-research/text-to-text-transfer-transformer,
//! `t5/data/postprocessors.py`).
//!
//! Right answers are compared in the form that the template padded them to, as in T5: `U . S .` becomes `u s` on both
//! sides.

use std::collections::{HashMap, HashSet};

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

/// 1 if the prediction equals a right answer after [`normalize`], otherwise 0.
pub fn exact_match(prediction: &str, golds: &[String], language: Option<Language>) -> f64 {
    let prediction = normalize(prediction, language);
    let equal = (golds.iter()).any(|gold| normalize(gold, language) == prediction);
    f64::from(u8::from(equal))
}

/// The highest F1 with any right answer: the harmonic mean of precision and recall over the multisets of words after
/// [`normalize`]; 0 without a common word, even if both are empty.
pub fn f1(prediction: &str, golds: &[String], language: Option<Language>) -> f64 {
    let prediction = normalize(prediction, language);
    (golds.iter())
        .map(|gold| word_f1(&prediction, &normalize(gold, language)))
        .fold(0.0, f64::max)
}

fn word_f1(prediction: &str, gold: &str) -> f64 {
    let (predicted, right) = (count_words(prediction), count_words(gold));
    let common: usize = (predicted.iter())
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

/// Replaces each article by a space, as `\b(a|an|the)\b`: one that is a whole run of word characters.
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

/// The characters at which Python's `str.split()` splits: white space and the separators U+001C to U+001F.
fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// Words that are ignored when referents are compared.
const DETERMINERS: [&str; 21] = [
    "a", "an", "few", "her", "his", "each", "every", "many", "much", "my", "our", "some", "that",
    "the", "their", "these", "this", "those", "which", "whose", "your",
];

/// Whether the prediction names the referent: the words of one are a subset of those of the other, ignoring case and
/// determiners. "Ola" does not name "Ola's hat": both or neither must have an apostrophe. `None` if the prediction
/// has no words.
pub fn names_referent(prediction: &str, referent: &str) -> Option<bool> {
    let (prediction, referent) = (clean(prediction), clean(referent));
    if prediction.is_empty() {
        return None;
    }
    if prediction.contains('\'') != referent.contains('\'') {
        return Some(false);
    }
    let words = |text| -> HashSet<&str> { str::split(text, ' ').collect() };
    let (predicted, right) = (words(&prediction), words(&referent));
    Some(predicted.is_subset(&right) || right.is_subset(&predicted))
}

fn clean(text: &str) -> String {
    let text = text.trim().to_lowercase();
    let words = text.split(' ').filter(|word| !DETERMINERS.contains(word));
    words.collect::<Vec<_>>().join(" ")
}

/// Whether `c` is matched by Python's `\w`: `str.isalnum()` or `_`.
///
/// Python decides by the general category; Rust's [`char::is_alphanumeric`] by the property Alphabetic, which some
/// combining marks and circled letters have as well.
fn is_word(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric() || c == '_';
    }
    let code = u32::from(c);
    let at = MARKS.partition_point(|(_, last)| *last < code);
    let is_mark = MARKS.get(at).is_some_and(|(first, _)| *first <= code);
    c.is_alphanumeric() && !is_mark
}

/// Ranges that contain every character that is alphanumeric in Rust but not in CPython 3.11 (Unicode 14.0), and none
/// that is in both: marks (Mn, Mc) and symbols (So) with the property Alphabetic. Obtained by comparing both for all
/// characters.
#[rustfmt::skip]
const MARKS: &[(u32, u32)] = &[
    (0x0345, 0x036f), (0x05b0, 0x05c7), (0x0610, 0x061a), (0x064b, 0x065f),
    (0x0670, 0x0670), (0x06d6, 0x06e4), (0x06e7, 0x06ed), (0x0711, 0x0711),
    (0x0730, 0x073f), (0x07a6, 0x07b0), (0x0816, 0x0817), (0x081b, 0x0823),
    (0x0825, 0x0827), (0x0829, 0x082c), (0x08d4, 0x0903), (0x093a, 0x093b),
    (0x093e, 0x094f), (0x0955, 0x0957), (0x0962, 0x0963), (0x0981, 0x0983),
    (0x09be, 0x09cc), (0x09d7, 0x09d7), (0x09e2, 0x09e3), (0x0a01, 0x0a03),
    (0x0a3e, 0x0a51), (0x0a70, 0x0a71), (0x0a75, 0x0a83), (0x0abe, 0x0acc),
    (0x0ae2, 0x0ae3), (0x0afa, 0x0b03), (0x0b3e, 0x0b57), (0x0b62, 0x0b63),
    (0x0b82, 0x0b82), (0x0bbe, 0x0bcc), (0x0bd7, 0x0bd7), (0x0c00, 0x0c04),
    (0x0c3e, 0x0c56), (0x0c62, 0x0c63), (0x0c81, 0x0c83), (0x0cbe, 0x0cd6),
    (0x0ce2, 0x0ce3), (0x0d00, 0x0d03), (0x0d3e, 0x0d4c), (0x0d57, 0x0d57),
    (0x0d62, 0x0d63), (0x0d81, 0x0d83), (0x0dcf, 0x0ddf), (0x0df2, 0x0df3),
    (0x0e31, 0x0e31), (0x0e34, 0x0e3a), (0x0e4d, 0x0e4d), (0x0eb1, 0x0eb1),
    (0x0eb4, 0x0ebc), (0x0ecd, 0x0ecd), (0x0f71, 0x0f83), (0x0f8d, 0x0fbc),
    (0x102b, 0x103e), (0x1056, 0x1059), (0x105e, 0x1060), (0x1062, 0x1064),
    (0x1067, 0x106d), (0x1071, 0x1074), (0x1082, 0x108d), (0x108f, 0x108f),
    (0x109a, 0x109d), (0x1712, 0x1713), (0x1732, 0x1733), (0x1752, 0x1753),
    (0x1772, 0x1773), (0x17b6, 0x17c8), (0x1885, 0x1886), (0x18a9, 0x18a9),
    (0x1920, 0x1938), (0x1a17, 0x1a1b), (0x1a55, 0x1a74), (0x1abf, 0x1b04),
    (0x1b35, 0x1b43), (0x1b80, 0x1b82), (0x1ba1, 0x1bad), (0x1be7, 0x1bf1),
    (0x1c24, 0x1c36), (0x1dd3, 0x1df4), (0x24b6, 0x24e9), (0x2de0, 0x2dff),
    (0xa674, 0xa67b), (0xa69e, 0xa69f), (0xa802, 0xa802), (0xa80b, 0xa80b),
    (0xa823, 0xa827), (0xa880, 0xa881), (0xa8b4, 0xa8c5), (0xa8ff, 0xa8ff),
    (0xa926, 0xa92a), (0xa947, 0xa952), (0xa980, 0xa983), (0xa9b4, 0xa9bf),
    (0xa9e5, 0xa9e5), (0xaa29, 0xaa36), (0xaa43, 0xaa43), (0xaa4c, 0xaa4d),
    (0xaa7b, 0xaa7d), (0xaab0, 0xaab0), (0xaab2, 0xaab4), (0xaab7, 0xaab8),
    (0xaabe, 0xaabe), (0xaaeb, 0xaaef), (0xaaf5, 0xaaf5), (0xabe3, 0xabea),
    (0xfb1e, 0xfb1e), (0x10376, 0x1037a), (0x10a01, 0x10a0f), (0x10d24, 0x10d27),
    (0x10eab, 0x10eac), (0x11000, 0x11002), (0x11038, 0x11045), (0x11073, 0x11074),
    (0x11080, 0x11082), (0x110b0, 0x110c2), (0x11100, 0x11102), (0x11127, 0x11132),
    (0x11145, 0x11146), (0x11180, 0x11182), (0x111b3, 0x111bf), (0x111ce, 0x111cf),
    (0x1122c, 0x1123e), (0x112df, 0x112e8), (0x11300, 0x11303), (0x1133e, 0x1134c),
    (0x11357, 0x11357), (0x11362, 0x11363), (0x11435, 0x11445), (0x114b0, 0x114c1),
    (0x115af, 0x115be), (0x115dc, 0x115dd), (0x11630, 0x11640), (0x116ab, 0x116b5),
    (0x1171d, 0x1172a), (0x1182c, 0x11838), (0x11930, 0x1193c), (0x11940, 0x11940),
    (0x11942, 0x11942), (0x119d1, 0x119df), (0x119e4, 0x119e4), (0x11a01, 0x11a0a),
    (0x11a35, 0x11a39), (0x11a3b, 0x11a3e), (0x11a51, 0x11a5b), (0x11a8a, 0x11a97),
    (0x11c2f, 0x11c3e), (0x11c92, 0x11cb6), (0x11d31, 0x11d43), (0x11d47, 0x11d47),
    (0x11d8a, 0x11d96), (0x11ef3, 0x11ef6), (0x16f4f, 0x16f4f), (0x16f51, 0x16f92),
    (0x16ff0, 0x16ff1), (0x1bc9e, 0x1bc9e), (0x1e000, 0x1e02a), (0x1e947, 0x1e947),
    (0x1f130, 0x1f189),
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn golds(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| text.to_string()).collect()
    }

    #[test]
    fn normalisation_handles_case_punctuation_articles_and_space_in_this_order() {
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
    fn f1_compares_word_multisets_with_the_best_gold_answer() {
        for (prediction, right, em, score) in [
            ("red barn", &["red barn"][..], 1.0, 1.0),
            ("red barn", &["barn red"], 0.0, 1.0),
            ("red", &["red barn"], 0.0, 2.0 / 3.0),
            ("dig dig dig", &["dig"], 0.0, 0.5),
            ("red barn", &["door", "the red barn"], 1.0, 1.0),
            ("", &[""], 1.0, 0.0),
            ("red", &[""], 0.0, 0.0),
        ] {
            let right = golds(right);
            assert_eq!(exact_match(prediction, &right, None), em, "{prediction}");
            let off = f1(prediction, &right, None) - score;
            assert!(off.abs() < 1e-12, "{prediction}");
        }
    }

    #[derive(serde::Deserialize)]
    struct File {
        pairs: Vec<Pair>,
    }

    #[derive(serde::Deserialize)]
    struct Pair {
        /// Of MLQA's script; SQuAD's has none.
        language: Option<String>,
        prediction: String,
        golds: Vec<String>,
        normalized_prediction: String,
        normalized_golds: Vec<String>,
        em: f64,
        f1: f64,
    }

    #[test]
    fn agrees_with_the_scripts_of_squad_and_mlqa_in_python() {
        let squad = include_str!("../../../../tests/golden/squad_scores.json");
        let mlqa = include_str!("../../../../tests/golden/mlqa_scores.json");
        for (text, more_than, has_language) in [(squad, 50, false), (mlqa, 60, true)] {
            let file: File = serde_json::from_str(text).expect("the golden file's schema");
            assert!(file.pairs.len() > more_than);
            for pair in file.pairs {
                assert_eq!(pair.language.is_some(), has_language);
                let name = format!("{:?} {:?}", pair.language, pair.prediction);
                let language = pair.language.map(|name| name.parse().expect("a language"));
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
    }

    proptest! {
        #[test]
        fn scores_are_in_range_and_symmetric(a in ".{0,24}", b in "[a-e ]{0,12}") {
            let (one, other) = (f1(&a, &golds(&[&b]), None), f1(&b, &golds(&[&a]), None));
            prop_assert!((0.0..=1.0).contains(&one) && (one - other).abs() < 1e-12);
            prop_assert_eq!(exact_match(&a, &golds(&[&a]), None), 1.0);
        }
    }

    #[test]
    fn ranges_ascend() {
        assert!(MARKS.iter().all(|(first, last)| first <= last));
        assert!(MARKS.windows(2).all(|pair| pair[0].1 < pair[1].0));
    }

    #[test]
    fn word_characters_are_those_of_python() {
        for c in [
            'a', 'Z', '0', '_', 'é', 'я', '山', '\u{b2}', '\u{bd}', '\u{663}', 'ª', 'Ⅷ',
        ] {
            assert!(is_word(c), "{c:?}");
        }
        for c in [
            ' ', '-', '\'', '\u{300}', '\u{903}', '\u{24d0}', '\u{203f}', '–', '🐦',
        ] {
            assert!(!is_word(c), "{c:?}");
        }
    }

    #[test]
    fn a_prediction_names_the_referent_by_its_words() {
        for (prediction, referent, wanted) in [
            ("Per", "Per", Some(true)),
            ("per", "The Per", Some(true)),
            ("the old mill", "mill", Some(true)),
            ("mill", "The old mill", Some(true)),
            ("old barn", "the old mill", Some(false)),
            ("Ola", "Ola's hat", Some(false)),
            ("Ola's hat", "his hat", Some(false)),
            ("Ola's hat", "Ola's old hat", Some(true)),
            ("", "Per", None),
            (" the ", "Per", None),
        ] {
            let found = names_referent(prediction, referent);
            assert_eq!(found, wanted, "{prediction} / {referent}");
        }
    }
}
