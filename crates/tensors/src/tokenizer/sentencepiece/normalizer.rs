//! SentencePiece's normalisation before tokenization: apply rules, collapse runs of spaces, make spaces visible.
//!
//! `Normalizer::Normalize` in `src/normalizer.cc` of google/sentencepiece, with the settings of every T5: a space
//! before the text, none at its ends, no two in a row.

use super::charsmap::CharsMap;
use super::trie::Trie;

/// What a space becomes: U+2581, lower one eighth block.
pub const SPACE: char = '▁';

/// The rules, and the pieces that they do not change.
#[derive(Debug, Clone)]
pub struct Normalizer {
    /// Rules.
    pub rules: CharsMap,
    /// User-defined pieces, copied verbatim.
    pub verbatim: Trie,
}

/// A normalised text with the origin of its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Normalized {
    /// The text, with [`SPACE`] for each space.
    pub text: String,
    /// For each byte of `text`, and for its end, the byte of the original it came from.
    pub origin: Vec<usize>,
}

impl Normalizer {
    /// Normalises a text.
    pub fn normalize(&self, text: &str) -> Normalized {
        let mut at = 0;
        while let Some((used, " ")) = self.prefix(&text[at..]) {
            at += used;
        }
        let mut normalized = Normalized {
            text: String::with_capacity(text.len() + text.len() / 2),
            origin: Vec::with_capacity(text.len() + text.len() / 2),
        };
        if at < text.len() {
            normalized.push(SPACE, at);
        }
        let mut after_space = true;
        while let Some((used, replacement)) = self.prefix(&text[at..]) {
            let new = match after_space {
                true => replacement.trim_start_matches(' '),
                false => replacement,
            };
            for character in new.chars() {
                normalized.push(if character == ' ' { SPACE } else { character }, at);
            }
            // When a rule deletes a character, the spaces on both sides become neighbours.
            if !new.is_empty() {
                after_space = new.ends_with(' ');
            }
            at += used;
        }
        normalized.origin.push(at);
        let kept = normalized.text.trim_end_matches(SPACE).len();
        normalized.text.truncate(kept);
        normalized.origin.truncate(kept + 1);
        normalized
    }

    /// The first unit of `text`: the number of bytes of one rule, verbatim piece or character, and its replacement.
    fn prefix<'a>(&'a self, text: &'a str) -> Option<(usize, &'a str)> {
        let first = text.chars().next()?.len_utf8();
        if let Some((length, _)) = self.verbatim.prefixes(text).last() {
            return Some((length, &text[..length]));
        }
        Some(self.rules.longest(text).unwrap_or((first, &text[..first])))
    }
}

impl Normalized {
    fn push(&mut self, character: char, origin: usize) {
        self.text.push(character);
        self.origin.resize(self.text.len(), origin);
    }
}
