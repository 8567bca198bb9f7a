//! Invented names, built from syllables.
//!
//! The source domain and its neighbours use the first 64 of 96 syllables, the shifted domains the last 64, so
//! the two worlds share a third of the syllables. Names keep a [`SEPARATOR`] between syllables until the
//! public functions strip it. A tokenizer trained on the separated text learns the syllables as pieces, so an
//! unseen name still splits into known pieces.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;

use crate::domain::Split;

/// The split of an invented word.
///
/// A data set with invented people can leak in a way that rows do not show: training and test may ask about
/// the same person. Here a hash of its letters assigns every *invented word* (given name, surname, town,
/// drug) to a class from 0 to 9, and a split uses only words of its own classes. So a name of the test split
/// occurs nowhere else: not in training, validation or pre-training text, whatever the seeds.
///
/// All splits share the closed lists (foods, feelings, trades, units, numbers, years, mascots) on purpose:
/// they are the worlds' common vocabulary.
///
/// Classes 0 to 5 are training (and pre-training), 6 and 7 validation, 8 and 9 test. Case is ignored.
pub fn split_of_word(word: &str) -> Split {
    match fnv1a(word.bytes().map(|byte| byte.to_ascii_lowercase())) % 10 {
        0..=5 => Split::Train,
        6 | 7 => Split::Validation,
        _ => Split::Test,
    }
}

/// 64-bit FNV-1a: stable across platforms and versions, unlike the hasher of `std`.
pub(super) fn fnv1a(bytes: impl IntoIterator<Item = u8>) -> u64 {
    bytes.into_iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Separates the syllables of a name inside this module and in
/// [`tokenizer_document`](super::tokenizer_document); absent from other public text.
pub const SEPARATOR: char = '\u{1}';

const SYLLABLES: [&str; 96] = [
    "ba", "bel", "bri", "cal", "cor", "da", "del", "dor", "fa", "fen", "gal", "gre", "ha", "hol",
    "jo", "jun", "ka", "kel", "la", "lem", "lor", "ma", "mer", "mo", "na", "nel", "no", "pa",
    "pim", "quil", "ra", "ren", // the source only
    "ri", "ros", "sa", "sel", "so", "sur", "ta", "tel", "tor", "tri", "va", "vel", "vin", "wa",
    "wen", "wil", "ya", "zan", "zo", "be", "bor", "ci", "dra", "fo", "gar", "gin", "hes", "lan",
    "lis", "lu", "mar", "mil", // both
    "mun", "ni", "nor", "nu", "pel", "pri", "ran", "ro", "rus", "san", "sho", "sil", "sta", "sun",
    "tal", "ten", "tha", "ti", "tum", "vas", "ver", "vo", "wes", "xan", "yel", "yo", "zar", "ze",
    "kir", "kos", "dun", "fer", // the shifted domains only
];

/// The syllables from which a domain builds its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pool {
    /// The first 64 syllables.
    Source,
    /// The last 64 syllables.
    Shifted,
}

impl Pool {
    fn syllables(self) -> &'static [&'static str] {
        match self {
            Pool::Source => &SYLLABLES[..64],
            Pool::Shifted => &SYLLABLES[32..],
        }
    }
}

/// What a name refers to; determines its form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NameKind {
    /// `Belgre Dormerka`
    Person,
    /// `Tavin`: a given name, as in a school story.
    Child,
    /// `Mrs Talyo`
    Teacher,
    /// `Baron Sunvel` or only `Sunvel`
    Character,
    /// `Cormo`
    Town,
    /// `Galrenshire`
    Province,
    /// `the Holfen River`
    River,
    /// `Mount Kelpa`
    Mountain,
    /// `the Lorna Institute`
    Institution,
    /// `Borsel Airways`
    Company,
    /// `the Vasti Hawks`
    Team,
    /// `the Marlu Queen`
    Ship,
    /// `Marwil United`
    Club,
    /// `KRT 4` without the space
    Gene,
    /// `tumrocillin`
    Drug,
    /// `kosvapathy`
    Disease,
    /// `nusunlith`
    Mineral,
    /// `zarti toad`
    Creature,
    /// `Wesfer kettle`
    Device,
}

const MASCOTS: &[&str] = &[
    "Hawks", "Bears", "Comets", "Rams", "Foxes", "Wolves", "Giants", "Pilots", "Knights", "Sharks",
    "Bulls", "Eagles", "Badgers", "Royals", "Miners", "Herons",
];
const INSTITUTIONS: &[&str] = &[
    "Society",
    "Institute",
    "College",
    "Guild",
    "Foundation",
    "Museum",
    "Library",
    "Academy",
];
const COMPANIES: &[&str] = &[
    "Airways", "Foods", "Motors", "Steel", "Bank", "Press", "Mills", "Works",
];
const CLUBS: &[&str] = &["United", "Rovers", "City", "Athletic", "Wanderers"];
const SHIPS: &[&str] = &["Queen", "Star", "Rose", "Spirit", "Dolphin", "Duchess"];
const CREATURES: &[&str] = &[
    "toad", "finch", "beetle", "lizard", "otter", "moth", "crab", "shrew",
];
const DEVICES: &[&str] = &[
    "kettle", "printer", "phone", "camera", "heater", "radio", "laptop", "blender",
];
const CHARACTERS: &[&str] = &[
    "Baron",
    "Captain",
    "Aunt",
    "Doctor",
    "Inspector",
    "Countess",
];
const LETTERS: &[u8] = b"ABCDEFGHKLMNPRSTVX";

/// Draws names for one domain and one split.
#[derive(Clone, Copy, Debug)]
pub struct Namer {
    pub pool: Pool,
    pub split: Split,
}

impl Namer {
    /// A new name. Every invented word in it belongs to the split.
    pub fn draw(&self, kind: NameKind, rng: &mut ChaCha8Rng) -> String {
        match kind {
            NameKind::Person => {
                let given = self.capital(rng, 2, "");
                let syllables = two_or_three(rng);
                format!("{given} {}", self.capital(rng, syllables, ""))
            }
            NameKind::Child => self.capital(rng, 2, ""),
            NameKind::Teacher => {
                let title = pick(rng, &["Mrs", "Mr", "Miss"]);
                format!("{title} {}", self.capital(rng, 2, ""))
            }
            NameKind::Character => {
                let name = self.capital(rng, 2, "");
                if rng.random_bool(0.5) {
                    format!("{} {name}", pick(rng, CHARACTERS))
                } else {
                    name
                }
            }
            NameKind::Town => {
                let syllables = two_or_three(rng);
                self.capital(rng, syllables, "")
            }
            NameKind::Province => {
                let ending = pick(rng, &["shire", "land", "mark"]);
                self.capital(rng, 2, ending)
            }
            NameKind::River => format!("the {} River", self.capital(rng, 2, "")),
            NameKind::Mountain => format!("Mount {}", self.capital(rng, 2, "")),
            NameKind::Institution => self.with_noun(rng, "the ", INSTITUTIONS),
            NameKind::Company => self.with_noun(rng, "", COMPANIES),
            NameKind::Team => self.with_noun(rng, "the ", MASCOTS),
            NameKind::Ship => self.with_noun(rng, "the ", SHIPS),
            NameKind::Club => self.with_noun(rng, "", CLUBS),
            NameKind::Device => self.with_noun(rng, "", DEVICES),
            NameKind::Gene => self.gene(rng),
            NameKind::Drug => {
                let ending = pick(rng, &["mab", "dine", "lol", "fil", "statin", "cillin"]);
                self.word(rng, 2, ending)
            }
            NameKind::Disease => {
                let ending = pick(rng, &["ritis", "nosis", "lemia", "pathy"]);
                self.word(rng, 2, ending)
            }
            NameKind::Mineral => {
                let ending = pick(rng, &["nite", "lith", "dium"]);
                self.word(rng, 2, ending)
            }
            NameKind::Creature => {
                let word = self.word(rng, 2, "");
                format!("{word} {}", pick(rng, CREATURES))
            }
        }
    }

    fn with_noun(&self, rng: &mut ChaCha8Rng, article: &str, nouns: &[&str]) -> String {
        let word = self.capital(rng, 2, "");
        format!("{article}{word} {}", pick(rng, nouns))
    }

    fn capital(&self, rng: &mut ChaCha8Rng, syllables: usize, ending: &str) -> String {
        capitalise(self.word(rng, syllables, ending))
    }

    /// A word of the split, by rejection sampling: at most five draws on average.
    fn word(&self, rng: &mut ChaCha8Rng, syllables: usize, ending: &str) -> String {
        loop {
            let mut word = String::with_capacity(16);
            let mut last = "";
            for _ in 0..syllables {
                let syllable = loop {
                    let syllable = pick(rng, self.pool.syllables());
                    if syllable != last {
                        break syllable;
                    }
                };
                if !word.is_empty() {
                    word.push(SEPARATOR);
                }
                word.push_str(syllable);
                last = syllable;
            }
            if !ending.is_empty() {
                word.push(SEPARATOR);
                word.push_str(ending);
            }
            if split_of_word(&strip(&word)) == self.split {
                return word;
            }
        }
    }

    fn gene(&self, rng: &mut ChaCha8Rng) -> String {
        loop {
            let mut gene = String::with_capacity(8);
            for _ in 0..3 {
                gene.push(char::from(LETTERS[rng.random_range(0..LETTERS.len())]));
                gene.push(SEPARATOR);
            }
            gene.push(char::from(b'0' + rng.random_range(1..=9u8)));
            if split_of_word(&strip(&gene)) == self.split {
                return gene;
            }
        }
    }
}

fn two_or_three(rng: &mut ChaCha8Rng) -> usize {
    if rng.random_bool(2.0 / 3.0) { 2 } else { 3 }
}

/// A uniformly random entry of a list.
pub fn pick<'a, S: AsRef<str>>(rng: &mut ChaCha8Rng, list: &'a [S]) -> &'a str {
    list[rng.random_range(0..list.len())].as_ref()
}

/// The text as a reader sees it, without the separators.
pub fn strip(text: &str) -> String {
    text.chars().filter(|&c| c != SEPARATOR).collect()
}

/// The first letter in upper case.
pub fn capitalise(mut text: String) -> String {
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}

/// Whether English wants `an` before this text.
pub fn takes_an(text: &str) -> bool {
    text.starts_with(['a', 'e', 'i', 'o', 'u', 'A', 'E', 'I', 'O', 'U'])
        || text.starts_with("8")
        || ["11 ", "18 "].iter().any(|number| text.starts_with(number))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use rand::SeedableRng;

    use super::*;

    #[test]
    fn the_hash_is_the_published_one() {
        assert_eq!(fnv1a(*b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(*b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(*b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn case_does_not_change_the_split() {
        assert_eq!(split_of_word("Belgre"), split_of_word("bELGRE"));
    }

    #[test]
    fn syllables_are_distinct_and_begin_with_a_consonant() {
        assert_eq!(SYLLABLES.iter().collect::<HashSet<_>>().len(), 96);
        assert!(SYLLABLES.iter().all(|syllable| !takes_an(syllable)));
    }

    #[test]
    fn every_invented_word_belongs_to_the_requested_split() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for split in Split::ALL {
            let namer = Namer {
                pool: Pool::Source,
                split,
            };
            for _ in 0..500 {
                for word in strip(&namer.draw(NameKind::Person, &mut rng)).split(' ') {
                    assert_eq!(split_of_word(word), split);
                }
            }
        }
    }

    #[test]
    fn the_two_pools_share_a_third_of_all_syllables() {
        let shared = Pool::Source.syllables().iter();
        let shared = shared
            .filter(|s| Pool::Shifted.syllables().contains(s))
            .count();
        assert_eq!(shared, 32);
    }
}
