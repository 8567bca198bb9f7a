//! T5's punctuation padding of questions, contexts and answers.

/// Puts spaces around every ASCII punctuation character and makes each run of white space one
/// space: T5's `_pad_punctuation`, `([[:punct:]])` → ` \1 `, then `\s+` → one space (RE2, so
/// ASCII white space). Spaces at the ends, which T5's SentencePiece drops, are dropped here, so
/// that every tokenizer sees the same.
pub fn pad_punctuation(text: &str) -> String {
    let mut padded = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if c.is_ascii_punctuation() {
            padded.extend([' ', c, ' ']);
        } else {
            padded.push(c);
        }
    }
    padded
        .split([' ', '\t', '\n', '\r', '\x0c'])
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
}
