//! Parses a template's text into words, slots and soft-prompt positions, and fills it.

use std::ops::Range;

use crate::domain::example::Pair;

/// The maximum number of vectors in one position.
const MOST_VECTORS: usize = 1_000;

/// A text with its slots filled.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filled {
    /// The text.
    pub text: String,
    /// For each soft-prompt vector inside the text, the byte offset it precedes.
    pub soft: Vec<usize>,
    /// Each slot's name and range in the text, in the order of the text.
    pub places: Vec<(String, Range<usize>)>,
}

impl Filled {
    /// The first occurrence of a slot.
    pub fn place(&self, slot: &str) -> Option<&Range<usize>> {
        let place = self.places.iter().find(|(name, _)| name == slot);
        place.map(|(_, place)| place)
    }

    /// Two slots as a pair; a missing slot is an empty range at the end of the text.
    pub fn pair(&self, first: &str, second: &str) -> Pair {
        let end = self.text.len();
        let place = |slot| self.place(slot).cloned().unwrap_or(end..end);
        Pair {
            first: place(first),
            second: place(second),
            answer: None,
        }
    }

    /// Labelled texts of these names as a pair: the first one, and the others in order.
    pub fn texts(&self, names: &[String]) -> Pair {
        let place = |at: usize| {
            let named = names.get(at).and_then(|name| self.place(name));
            self.place(&format!("text{}", at + 1)).or(named).cloned()
        };
        let end = self.text.len();
        let first = place(0).unwrap_or(0..end);
        let second = place(1).unwrap_or(end..end);
        let last = (1..names.len())
            .filter_map(place)
            .map(|place| place.end)
            .max();
        Pair {
            second: match last {
                Some(last) if first.start < second.start => second.start..last,
                _ => second,
            },
            first,
            answer: None,
        }
    }
}

/// A piece of a template's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    Words(String),
    Slot(&'a str),
    Soft(usize),
}

/// The slots of a template's text, in order; empty if it does not parse.
pub(super) fn slots(text: &str) -> Vec<&str> {
    let pieces = pieces(text).unwrap_or_default().into_iter();
    let slots = pieces.filter_map(|piece| match piece {
        Piece::Slot(name) => Some(name),
        Piece::Words(_) | Piece::Soft(_) => None,
    });
    slots.collect()
}

/// Escapes braces for a template.
pub(super) fn escaped(text: &str) -> String {
    text.replace('{', "{{").replace('}', "}}")
}

/// Parses a text; the error is what was wanted and what was found.
pub(super) fn pieces(text: &str) -> Result<Vec<Piece<'_>>, (String, String)> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut rest = text;
    let mut words = String::new();
    while let Some(at) = rest.find(['{', '}']) {
        words.push_str(&rest[..at]);
        let from = &rest[at..];
        if from.starts_with("{{") || from.starts_with("}}") {
            words.push_str(&from[..1]);
            rest = &from[2..];
            continue;
        }
        let end = from.find('}').filter(|_| from.starts_with('{'));
        let Some(end) = end else {
            let wanted = "slots in braces, {question}, and doubled braces for literal ones";
            return Err((wanted.to_string(), shown(from)));
        };
        if !words.is_empty() {
            pieces.push(Piece::Words(std::mem::take(&mut words)));
        }
        pieces.push(slot(&from[1..end])?);
        rest = &from[end + 1..];
    }
    words.push_str(rest);
    if !words.is_empty() {
        pieces.push(Piece::Words(words));
    }
    Ok(pieces)
}

/// Parses the text between braces.
fn slot(name: &str) -> Result<Piece<'_>, (String, String)> {
    let wanted = |what: String| (what, format!("{{{name}}}"));
    if let Some(count) = name.strip_prefix("soft:") {
        return match count.parse() {
            Ok(count) if (1..=MOST_VECTORS).contains(&count) => Ok(Piece::Soft(count)),
            _ => Err(wanted(format!(
                "a number of vectors from 1 to {MOST_VECTORS}, as in {{soft:5}}"
            ))),
        };
    }
    let plain = |c: char| c.is_alphanumeric() || "_-".contains(c);
    match !name.is_empty() && name.chars().all(plain) {
        true => Ok(Piece::Slot(name)),
        false => Err(wanted("a field's name, or soft:N".to_string())),
    }
}

/// The beginning of a text, for error messages.
fn shown(text: &str) -> String {
    let short: String = text.chars().take(30).collect();
    format!("'{short}'")
}

/// Fills the slots with `value`. White space before soft-prompt vectors is dropped, because the text around
/// them is tokenized separately.
pub(super) fn fill<'a>(pieces: &[Piece], value: impl Fn(&str) -> Option<&'a str>) -> Filled {
    let mut filled = Filled::default();
    for piece in pieces {
        match piece {
            Piece::Words(words) if filled.text.is_empty() => {
                filled.text.push_str(words.trim_start());
            }
            Piece::Words(words) => filled.text.push_str(words),
            Piece::Soft(count) => {
                let kept = filled.text.trim_end().len();
                filled.text.truncate(kept);
                filled.soft.extend(std::iter::repeat_n(kept, *count));
            }
            Piece::Slot(name) => {
                let start = filled.text.len();
                filled.text.push_str(value(name).unwrap_or_default());
                filled
                    .places
                    .push((name.to_string(), start..filled.text.len()));
            }
        }
    }
    filled
}
