//! SentencePiece's normalisation before tokenization: applies rules, collapses runs of spaces, makes spaces
//! visible.
//!
//! Follows `Normalizer::Normalize` in `src/normalizer.cc` of google/sentencepiece, with the settings of every
//! T5: a space before the text, none at its ends, no two in a row.

use super::unigram::Trie;

/// The replacement of a space: U+2581, lower one eighth block.
pub const SPACE: char = '▁';

/// The normalisation rules, and the pieces that they do not change.
#[derive(Debug, Clone)]
pub struct Normalizer {
    /// Rules.
    pub rules: CharsMap,
    /// User-defined pieces, copied verbatim.
    pub verbatim: Trie,
}

/// A normalised text with the origin of each byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Normalized {
    /// The text, with [`SPACE`] for each space.
    pub text: String,
    /// For each byte of `text`, and for its end, the index of the original byte.
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
            // If a rule deletes a character, the spaces on both sides become adjacent.
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

    /// The first unit of `text`, which is a rule's match, a verbatim piece or a character: its length in
    /// bytes and its replacement.
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

/// Why the rules can't be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CharsMapError {
    /// The bytes end before the trie does.
    #[error("wanted a trie of {wanted} bytes and the replacements, found {found} bytes")]
    Short {
        /// The trie's size, from the first four bytes.
        wanted: usize,
        /// The number of bytes after them.
        found: usize,
    },
    /// The replacements are not text.
    #[error("the replacements are not UTF-8")]
    NotText,
    /// A rule points outside the replacements.
    #[error("a rule's replacement begins at byte {found} of {size}")]
    Astray {
        /// The byte that it points to.
        found: usize,
        /// The size of all replacements in bytes.
        size: usize,
    },
}

/// A normaliser's rules ("ﬁ" is "fi", "Ａ" is "A", a tab is a space) in SentencePiece's precompiled form: a
/// double-array trie of the strings to replace, and the replacements.
///
/// Layout: the size of the trie in bytes (u32, little-endian), the trie (u32 units as packed by Darts-clone),
/// the replacements, each terminated by a zero byte; see `Normalizer::DecodePrecompiledCharsMap` in
/// `src/normalizer.cc` of google/sentencepiece.
#[derive(Debug, Clone, Default)]
pub struct CharsMap {
    units: Vec<u32>,
    replacements: String,
}

/// The flag of a unit that holds a value (the start of the replacement) instead of an edge.
const VALUE: u32 = 1 << 31;

impl CharsMap {
    /// Parses `precompiled_charsmap`; an empty one has no rules.
    ///
    /// # Errors
    /// It is truncated, or a replacement is not text.
    pub fn parse(bytes: &[u8]) -> Result<Self, CharsMapError> {
        if bytes.is_empty() {
            return Ok(CharsMap::default());
        }
        let (size, rest) = match bytes.split_first_chunk() {
            Some((size, rest)) => (u32::from_le_bytes(*size) as usize, rest),
            None => (0, bytes),
        };
        if size == 0 || size % 4 != 0 || rest.len() <= size {
            return Err(CharsMapError::Short {
                wanted: size,
                found: rest.len(),
            });
        }
        let (trie, replacements) = rest.split_at(size);
        let units: Vec<u32> = trie
            .chunks_exact(4)
            .map(|unit| u32::from_le_bytes([unit[0], unit[1], unit[2], unit[3]]))
            .collect();
        let replacements =
            String::from_utf8(replacements.to_vec()).map_err(|_| CharsMapError::NotText)?;
        for unit in units.iter().filter(|&unit| unit & VALUE != 0) {
            let found = (unit & !VALUE) as usize;
            if found >= replacements.len() || !replacements.is_char_boundary(found) {
                return Err(CharsMapError::Astray {
                    found,
                    size: replacements.len(),
                });
            }
        }
        Ok(CharsMap {
            units,
            replacements,
        })
    }

    /// The longest rule that matches a prefix of `text`: the number of bytes it replaces, and the
    /// replacement.
    pub fn longest(&self, text: &str) -> Option<(usize, &str)> {
        let mut found = None;
        let mut place = offset(*self.units.first()?);
        for (at, &byte) in text.as_bytes().iter().enumerate() {
            place ^= usize::from(byte);
            let Some(&unit) = self.units.get(place) else {
                break;
            };
            if unit & (VALUE | 0xff) != u32::from(byte) {
                break;
            }
            place ^= offset(unit);
            let has_value = unit & (1 << 8) != 0;
            // A rule that ends within a character is ignored; no trainer makes one.
            if has_value && text.is_char_boundary(at + 1) {
                let value = self.units.get(place).filter(|&unit| unit & VALUE != 0);
                found = value
                    .map(|unit| (at + 1, (unit & !VALUE) as usize))
                    .or(found);
            }
        }
        let (length, start) = found?;
        let replacement = &self.replacements[start..];
        Some((length, replacement.split('\0').next().unwrap_or_default()))
    }
}

/// The offset of a unit's children, as packed by Darts-clone.
fn offset(unit: u32) -> usize {
    ((unit >> 10) << ((unit & (1 << 9)) >> 6)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_map_has_no_rules() {
        let map = CharsMap::parse(&[]).expect("no rules");
        assert_eq!(map.longest("text"), None);
    }

    #[test]
    fn damage_is_named() {
        let parse = |bytes: &[u8]| CharsMap::parse(bytes).expect_err("damaged");
        let short = |wanted, found| CharsMapError::Short { wanted, found };
        assert_eq!(parse(&[1, 0]), short(0, 2));
        assert_eq!(parse(&[8, 0, 0, 0, 1, 2, 3, 4]), short(8, 4));
        assert_eq!(parse(&[4, 0, 0, 0, 0, 0, 0, 0]), short(4, 4));
        let not_text = [4, 0, 0, 0, 0, 0, 0, 0, 0xff, 0];
        assert_eq!(parse(&not_text), CharsMapError::NotText);
        let astray = [4, 0, 0, 0, 9, 0, 0, 0x80, b'a', 0];
        assert_eq!(parse(&astray), CharsMapError::Astray { found: 9, size: 2 });
    }
}
