//! Variants: shifts of wording alone. A target's rows with another surface, `squad@typos`, or in another
//! template, `squad@question-first`.
//!
//! The rows, their names, passages and right answers are those of the domain, so a loss between `squad` and
//! `squad@typos` is due to the surface alone. The kinds of changes follow HELM's robustness perturbations
//! (Liang et al. 2022, arXiv 2211.09110); the code is not a port. A change depends on the text alone: it is
//! the same in every run and for every method.
//!
//! Answers stay valid:
//!
//! - `typos`: in about one of five words of four letters or more, two letters are swapped, or one is dropped,
//!   doubled or replaced by its neighbour on the keyboard. Right answers and their occurrences in the passage
//!   are unchanged.
//! - `lowercase`: all letters become lower-case, in right answers too.
//! - `no-punctuation`: punctuation is removed, except between two letters or digits (`3.5`, `don't`). A right
//!   answer becomes what its occurrence in the passage becomes; one of punctuation alone is unchanged.
//!
//! Hashes of passages and questions, which identify equal texts of two domains, are computed from the
//! unchanged row.

use std::fmt;
use std::ops::Range;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

use super::card::{Card, Schema};
use super::row::{LabelledRow, QuestionRow, Row};
use super::wording::{self, Template};
use crate::punctuation::is_punctuation;

/// Separates a domain's name from its variant's.
pub const AT: char = '@';

/// How a variant differs from its domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Variant {
    /// A changed surface.
    Surface(Surface),
    /// Another template; used by T5 models only.
    Template(Box<Template>),
}

/// A change of a text's surface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surface {
    /// Typing mistakes.
    Typos,
    /// No capital letters.
    Lowercase,
    /// No punctuation.
    NoPunctuation,
}

impl Surface {
    /// Every surface, in display order.
    pub const ALL: [Surface; 3] = [Surface::Typos, Surface::Lowercase, Surface::NoPunctuation];

    /// The name after the `@`.
    pub fn name(self) -> &'static str {
        match self {
            Surface::Typos => "typos",
            Surface::Lowercase => "lowercase",
            Surface::NoPunctuation => "no-punctuation",
        }
    }

    /// A short description.
    pub fn about(self) -> &'static str {
        match self {
            Surface::Typos => {
                "a mistake of a typist in about one of five longer words; answers stay as they are"
            }
            Surface::Lowercase => "no capitals, in answers neither",
            Surface::NoPunctuation => {
                "no punctuation but within words and numbers, in answers neither"
            }
        }
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Variant::Surface(surface) => surface.name(),
            Variant::Template(template) => &template.name,
        })
    }
}

impl Variant {
    /// The variant with this name of a domain's rows; `None` if there is none.
    pub fn find(name: &str, card: &Card) -> Option<Variant> {
        Variant::all(card)
            .into_iter()
            .find(|variant| variant.to_string() == name)
    }

    /// Every variant of a domain: surfaces for questions on passages and texts with classes, and the bundled
    /// templates for its task without soft-prompt positions.
    pub fn all(card: &Card) -> Vec<Variant> {
        let surfaces = match card.schema {
            Schema::Squad | Schema::Mrqa | Schema::Glue => &Surface::ALL[..],
            Schema::Multirc | Schema::Record | Schema::Wsc => &[],
        };
        let templates = wording::bundled().into_iter();
        let templates = templates.filter(|one| one.vectors() == 0 && one.check(card).is_ok());
        (surfaces.iter().copied().map(Variant::Surface))
            .chain(templates.map(|template| Variant::Template(Box::new(template))))
            .collect()
    }

    /// A row with its surface changed; templates change no row.
    pub fn applied(&self, row: Row) -> Row {
        match (self, row) {
            (Variant::Surface(surface), Row::Question(row)) => Row::Question(surface.question(row)),
            (Variant::Surface(surface), Row::Labelled(row)) => Row::Labelled(LabelledRow {
                texts: row
                    .texts
                    .iter()
                    .map(|text| surface.changed(text, &[]).text())
                    .collect(),
                ..row
            }),
            // Cards of other schemas have no surfaces.
            (_, row) => row,
        }
    }
}

/// A changed text: the replacement of each character, with the character's original byte offset.
struct Changed {
    pieces: Vec<(usize, String)>,
}

impl Changed {
    fn text(&self) -> String {
        self.pieces
            .iter()
            .map(|(_, piece)| piece.as_str())
            .collect()
    }

    /// The replacement of these bytes of the original text, trimmed.
    fn part(&self, bytes: &Range<usize>) -> String {
        let inside = self.pieces.iter().filter(|(at, _)| bytes.contains(at));
        let part: String = inside.map(|(_, piece)| piece.as_str()).collect();
        part.trim().to_string()
    }

    /// The new offset of this byte of the original text.
    fn place(&self, byte: usize) -> usize {
        let before = self.pieces.iter().take_while(|(at, _)| *at < byte);
        before.map(|(_, piece)| piece.len()).sum()
    }
}

impl Surface {
    fn question(self, row: QuestionRow) -> QuestionRow {
        let said: Vec<&String> = row.answers.iter().chain(&row.facts).collect();
        let kept: Vec<Range<usize>> = said
            .iter()
            .filter(|text| match self {
                Surface::Typos => true,
                Surface::Lowercase => false,
                Surface::NoPunctuation => self.changed(text, &[]).text().trim().is_empty(),
            })
            .flat_map(|text| places(&row.context, text))
            .collect();
        let context = self.changed(&row.context, &kept);
        let answer = |text: &String| {
            let place = places(&row.context, text).next();
            match place
                .map(|place| context.part(&place))
                .filter(|part| !part.is_empty())
            {
                Some(part) => part,
                None if self == Surface::Typos => text.clone(),
                None => Some(self.changed(text, &[]).text().trim().to_string())
                    .filter(|changed| !changed.is_empty())
                    .unwrap_or_else(|| text.clone()),
            }
        };
        QuestionRow {
            group: row.group,
            answers: row.answers.iter().map(answer).collect(),
            facts: row.facts.iter().map(answer).collect(),
            answer_start: row.answer_start.map(|byte| context.place(byte)),
            question: self.changed(&row.question, &[]).text(),
            context: context.text(),
            id: row.id,
        }
    }

    /// The changed text; the bytes in `kept` are preserved.
    fn changed(self, text: &str, kept: &[Range<usize>]) -> Changed {
        let stays = |at: usize| kept.iter().any(|range| range.contains(&at));
        let pieces = match self {
            Surface::Typos => typos(text, stays),
            Surface::Lowercase => (text.char_indices())
                .map(|(at, c)| (at, c.to_lowercase().collect()))
                .collect(),
            Surface::NoPunctuation => without_punctuation(text, stays),
        };
        Changed { pieces }
    }
}

/// The byte range of every occurrence of a text.
fn places<'a>(context: &'a str, text: &'a str) -> impl Iterator<Item = Range<usize>> + 'a {
    let found = context.match_indices(text).filter(|_| !text.is_empty());
    found.map(|(at, text)| at..at + text.len())
}

/// One in this many words gets a typo.
const WORDS_A_TYPO: u32 = 5;
/// Minimum length of a word with a typo.
const FEWEST_LETTERS: usize = 4;
/// The rows of a keyboard.
const KEYBOARD: [&str; 3] = ["qwertyuiop", "asdfghjkl", "zxcvbnm"];

fn typos(text: &str, stays: impl Fn(usize) -> bool) -> Vec<(usize, String)> {
    let mut rng = ChaCha8Rng::from_seed(Sha256::digest(text.as_bytes()).into());
    let mut pieces: Vec<(usize, String)> = (text.char_indices())
        .map(|(at, c)| (at, c.to_string()))
        .collect();
    let letters: Vec<bool> = text.chars().map(char::is_alphabetic).collect();
    let mut start = 0;
    while start < letters.len() {
        let end = (start..letters.len())
            .find(|&at| !letters[at])
            .unwrap_or(letters.len());
        // The random draws do not depend on what is preserved.
        let (drawn, kind) = (
            rng.random_range(0..WORDS_A_TYPO),
            rng.random_range(0..4_u32),
        );
        let (place, side) = (rng.random::<u32>() as usize, rng.random_range(0..2_usize));
        if drawn == 0
            && end - start >= FEWEST_LETTERS
            && !(start..end).any(|at| stays(pieces[at].0))
        {
            // The first letter is preserved, since typists rarely mistype it.
            let at = start + 1 + place % (end - start - 2);
            match kind {
                0 => {
                    let next = std::mem::take(&mut pieces[at + 1].1);
                    pieces[at].1.insert_str(0, &next);
                }
                1 => pieces[at].1.clear(),
                2 => pieces[at].1 = pieces[at].1.repeat(2),
                _ => {
                    if let Some(key) = neighbour(&pieces[at].1, side) {
                        pieces[at].1 = key;
                    }
                }
            }
        }
        start = end + 1;
    }
    pieces
}

/// The neighbouring key of a letter, in the letter's case.
fn neighbour(letter: &str, side: usize) -> Option<String> {
    let small = letter.to_lowercase();
    let row = KEYBOARD.iter().find(|row| row.contains(&small))?;
    let at = row.find(&small)?;
    let before = at.checked_sub(1).and_then(|at| row.get(at..=at));
    let after = row.get(at + 1..at + 2);
    let key = [before, after][side].or(before).or(after)?;
    Some(match small == letter {
        true => key.to_string(),
        false => key.to_uppercase(),
    })
}

fn without_punctuation(text: &str, stays: impl Fn(usize) -> bool) -> Vec<(usize, String)> {
    let letters: Vec<(usize, char)> = text.char_indices().collect();
    let is_word = |place: Option<usize>| {
        let letter = place.and_then(|place| letters.get(place));
        letter.is_some_and(|(_, c)| c.is_alphanumeric())
    };
    let mut pieces = Vec::with_capacity(letters.len());
    // Whether something was removed since the last character, and whether that character was white space.
    let (mut gap, mut space) = (false, true);
    for (place, &(at, c)) in letters.iter().enumerate() {
        let within = is_word(place.checked_sub(1)) && is_word(Some(place + 1));
        let left_out = match is_punctuation(c) {
            true => !within && !stays(at),
            // No double space where punctuation between two spaces was removed.
            false => c.is_whitespace() && gap && space,
        };
        if left_out {
            gap = true;
            pieces.push((at, String::new()));
        } else {
            (gap, space) = (false, c.is_whitespace());
            pieces.push((at, c.to_string()));
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sample::card;
    use proptest::prelude::*;

    fn row(context: &str, question: &str, answers: &[&str], start: Option<usize>) -> QuestionRow {
        QuestionRow {
            group: None,
            id: "1".to_string(),
            context: context.to_string(),
            question: question.to_string(),
            answers: answers.iter().map(|answer| answer.to_string()).collect(),
            answer_start: start,
            facts: vec!["1902".to_string()],
        }
    }

    #[test]
    fn a_text_s_mistakes_are_always_the_same() {
        let text = "The miller bought seventeen wooden barrels before winter, because strangers promised silver.";
        let changed = Surface::Typos.changed(text, &[]).text();
        assert_eq!(
            changed,
            "The miller bougth seventeen wooden barrels before winter, beccause strangers promised siver."
        );
        assert_eq!(Surface::Typos.changed(text, &[]).text(), changed);
        // Preserved words do not shift the typos of others.
        let kept = 0..text.find("winter").expect("there");
        let rest = Surface::Typos
            .changed(text, std::slice::from_ref(&kept))
            .text();
        assert!(rest.starts_with(&text[kept]), "{rest}");
        assert!(changed.ends_with(&rest[rest.len() - 30..]), "{rest}");
    }

    #[test]
    fn a_keyboard_s_neighbours_keep_their_case() {
        assert_eq!(neighbour("a", 0).as_deref(), Some("s"));
        assert_eq!(neighbour("S", 0).as_deref(), Some("A"));
        assert_eq!(neighbour("p", 1).as_deref(), Some("o"));
        assert_eq!(neighbour("é", 0), None);
    }

    #[test]
    fn typos_leave_answers_where_they_stand() {
        let context = "Wooden barrels were bought by Orlanda Fermin in 1902; Orlanda Fermin sold wooden barrels.";
        let start = context.rfind("Orlanda");
        let found = Surface::Typos.question(row(
            context,
            "Which person bought barrels?",
            &["Orlanda Fermin"],
            start,
        ));
        assert_eq!(found.answers, ["Orlanda Fermin"]);
        assert_eq!(found.facts, ["1902"]);
        assert_eq!(found.context.matches("Orlanda Fermin").count(), 2);
        let start = found.answer_start.expect("a place");
        assert!(found.context[start..].starts_with("Orlanda Fermin"));
        assert_eq!(found.context.rfind("Orlanda"), Some(start));
    }

    #[test]
    fn case_and_punctuation_change_in_answers_as_in_the_passage() {
        let context =
            "Orla's mill (the \"Old Mill\") cost $3.50 - or more - in 1902, Mr. Fermin said.";
        let asked = |surface: Surface, answer: &str| {
            let start = context.find(answer);
            surface.question(row(
                context,
                "What did it cost?",
                &[answer, "Not There."],
                start,
            ))
        };
        let found = asked(Surface::Lowercase, "Old Mill");
        assert_eq!(found.context, context.to_lowercase());
        assert_eq!(found.answers, ["old mill", "not there."]);
        let plain = "Orla's mill the Old Mill cost 3.50 or more in 1902 Mr Fermin said";
        for (answer, wanted) in [
            ("the \"Old Mill\")", "the Old Mill"),
            ("$3.50", "3.50"),
            ("Mr. Fermin", "Mr Fermin"),
            ("$3.50 - or more -", "3.50 or more"),
        ] {
            let found = asked(Surface::NoPunctuation, answer);
            assert_eq!(found.context, plain);
            assert_eq!(found.question, "What did it cost");
            assert_eq!(found.answers, [wanted, "Not There"]);
            let start = found.answer_start.expect("a place");
            assert!(
                found.context[start..].trim_start().starts_with(wanted),
                "{answer}"
            );
        }
        // An answer of punctuation is preserved, or no prediction would be right.
        let found = Surface::NoPunctuation.question(row("Is it - or +?", "Which?", &["+"], None));
        assert_eq!(
            (found.context.as_str(), &*found.answers[0]),
            ("Is it or +", "+")
        );
    }

    #[test]
    fn variants_of_a_domain_are_surfaces_and_templates_without_a_prompt() {
        let names = |name: &str| -> Vec<String> {
            Variant::all(&card(name))
                .iter()
                .map(Variant::to_string)
                .collect()
        };
        assert_eq!(
            names("squad"),
            ["typos", "lowercase", "no-punctuation", "question-first",]
        );
        assert_eq!(names("imdb"), ["typos", "lowercase", "no-punctuation"]);
        assert!(!names("record").contains(&"typos".to_string()));
        let found = Variant::find("lowercase", &card("imdb")).expect("a surface");
        let of = |text: &str| {
            Row::Labelled(LabelledRow {
                group: None,
                id: "1".to_string(),
                question: None,
                texts: vec![text.to_string()],
                passage: None,
                label: 1,
            })
        };
        assert_eq!(found.applied(of("A GOOD Film.")), of("a good film."));
        assert_eq!(Variant::find("uppercase", &card("imdb")), None);
    }

    proptest! {
        #[test]
        fn answers_stay_in_the_passage(
            context in "[a-zA-Zé ,.()'\"-]{0,80}",
            from in 0_usize..80,
            length in 1_usize..12,
        ) {
            let letters: Vec<char> = context.chars().collect();
            let answer: String = letters.iter().skip(from).take(length).collect();
            prop_assume!(!answer.trim().is_empty());
            for surface in Surface::ALL {
                let found = surface.question(row(&context, "", &[&answer], None));
                prop_assert!(found.context.contains(found.answers[0].trim()), "{surface:?}: {found:?}");
                prop_assert!(!found.answers[0].trim().is_empty());
            }
        }
    }
}
