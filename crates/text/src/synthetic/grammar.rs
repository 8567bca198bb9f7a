//! The grammar of a passage: subjects, relations, answers and the sentences that state them.
//!
//! A [`Relation`] states one fact about a subject in several ways: statements with the placeholders `{S}`
//! (subject) and `{A}` (answer), and questions with the placeholder `{S}`. `{a S}` and `{a A}` add the right
//! article, `a` or `an`. Statements begin in lower case, since an opener may precede them.
//!
//! # What pre-training may see
//!
//! Questions come in two sets: `notes` for the pre-training documents and `asked` for the data sets, so pre-training
//! never contains a phrasing of a data set's question. Statements in `told` serve both; those in `held` serve only the
//! data sets.

use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;

use super::answers::{Answer, Lists};
use super::names::{NameKind, Namer, Pool, capitalise, pick, strip, takes_an};
use crate::domain::Split;

/// The reader of a text, which decides the phrasings that it may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// The model at the start of pre-training: the first of `told` and of `notes`, so that a question and its
    /// statement share words.
    Beginner,
    /// The model in pre-training: `told` and `notes`.
    PreTraining,
    /// A data set of a domain: `told`, `held` and `asked`.
    DataSet,
}

/// One thing that can be stated and asked about a subject.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relation {
    pub answer: Answer,
    pub told: Vec<String>,
    pub held: Vec<String>,
    pub notes: Vec<String>,
    pub asked: Vec<String>,
}

impl Relation {
    fn statement(&self, rng: &mut ChaCha8Rng, reader: Reader) -> &str {
        let (told, held): (&[String], &[String]) = match reader {
            Reader::Beginner => (&self.told[..1], &[]),
            Reader::PreTraining => (&self.told, &[]),
            Reader::DataSet => (&self.told, &self.held),
        };
        let index = rng.random_range(0..told.len() + held.len());
        if index < told.len() {
            &told[index]
        } else {
            &held[index - told.len()]
        }
    }

    /// A question about this relation of the subject.
    pub fn question(&self, rng: &mut ChaCha8Rng, reader: Reader, subject: &str) -> String {
        let templates = match reader {
            Reader::Beginner => &self.notes[..1],
            Reader::PreTraining => &self.notes,
            Reader::DataSet => &self.asked,
        };
        let template = pick(rng, templates);
        capitalise(fill(template, subject, "").text)
    }
}

/// A kind of subject and its possible facts, in narrative order.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubjectType {
    pub name: NameKind,
    pub relations: Vec<Relation>,
}

/// A reading domain: the topics of its passages and their style.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    /// How the domain differs from the others.
    pub about: String,
    /// The syllables of its names.
    pub syllables: Pool,
    /// The minimum and maximum number of facts of a passage.
    pub facts: (usize, usize),
    /// Phrases that may precede a statement, with their comma.
    pub openers: Vec<String>,
    /// Sentences that state no fact.
    pub asides: Vec<String>,
    /// The minimum and maximum number of asides of a passage.
    pub asides_of_passage: (usize, usize),
    /// Lists for the answers.
    #[serde(default)]
    pub lists: Lists,
    /// What passages are about.
    pub subjects: Vec<SubjectType>,
}

/// One fact that a passage states.
#[derive(Debug)]
pub struct Fact<'a> {
    pub subject: String,
    pub relation: &'a Relation,
    /// The answer as the passage spells it.
    pub answer: String,
    /// The answer as in mid-sentence, without a sentence-initial capital.
    value: String,
    statement: &'a str,
}

impl Fact<'_> {
    /// A paraphrase of the fact, different from the passage.
    pub fn retold(&self, rng: &mut ChaCha8Rng, reader: Reader) -> String {
        let statement = (0..8)
            .map(|_| self.relation.statement(rng, reader))
            .find(|&statement| statement != self.statement)
            .unwrap_or(self.statement);
        capitalise(fill(statement, &self.subject, &self.value).text)
    }

    /// The fact as in the passage, starting in lower case.
    pub fn stated(&self) -> String {
        fill(self.statement, &self.subject, &self.value).text
    }

    /// The fact as in the passage, with the answer of another fact.
    pub fn stated_of(&self, other: &Fact) -> String {
        fill(self.statement, &self.subject, &other.value).text
    }
}

/// A text and its facts. All strings still contain the separators of [`names`](super::names).
#[derive(Debug)]
pub struct Passage<'a> {
    pub text: String,
    pub facts: Vec<Fact<'a>>,
}

/// The share of passages about two subjects of one type, so that a question must be matched to the right one.
const TWO_SUBJECTS: f64 = 0.6;
/// The share of statements that follow an opener.
const OPENERS: f64 = 0.15;

impl Reading {
    /// All relations of its subjects.
    pub fn relations(&self) -> impl Iterator<Item = &Relation> {
        self.subjects.iter().flat_map(|kind| &kind.relations)
    }

    /// Writes a passage in which every answer occurs exactly once.
    pub fn passage(
        &self,
        rng: &mut ChaCha8Rng,
        split: Split,
        reader: Reader,
        facts: (usize, usize),
    ) -> Passage<'_> {
        loop {
            let passage = self.attempt(rng, split, reader, facts);
            if let Some(passage) = passage.filter(Passage::is_unambiguous) {
                return passage;
            }
        }
    }

    /// A paraphrased fact of a passage with another answer.
    pub fn denied(&self, rng: &mut ChaCha8Rng, split: Split, fact: &Fact) -> String {
        let namer = Namer {
            pool: self.syllables,
            split,
        };
        let (relation, subject) = (fact.relation, fact.subject.clone());
        let value = loop {
            let epoch = rng.random_range(1640..=1880);
            let value = relation.answer.draw(rng, &namer, &self.lists, epoch);
            if !value.eq_ignore_ascii_case(&fact.value) {
                break value;
            }
        };
        let other = Fact {
            subject,
            relation,
            answer: value.clone(),
            value,
            statement: fact.statement,
        };
        other.retold(rng, Reader::DataSet)
    }

    /// Something about a subject of a passage that the passage does not state; `None` if it states everything.
    pub fn unstated(
        &self,
        rng: &mut ChaCha8Rng,
        split: Split,
        passage: &Passage,
        subject: &str,
    ) -> Option<String> {
        let stated = |relation: &Relation| {
            let about = passage.facts.iter().filter(|fact| fact.subject == subject);
            about
                .map(|fact| fact.relation)
                .any(|known| std::ptr::eq(known, relation))
        };
        let kind = (self.subjects.iter()).find(|kind| kind.relations.iter().any(stated))?;
        let others: Vec<&Relation> = (kind.relations.iter())
            .filter(|relation| !stated(relation))
            .collect();
        if others.is_empty() {
            return None;
        }
        let relation = others[rng.random_range(0..others.len())];
        let namer = Namer {
            pool: self.syllables,
            split,
        };
        let epoch = rng.random_range(1640..=1880);
        let value = relation.answer.draw(rng, &namer, &self.lists, epoch);
        Some(capitalise(
            fill(relation.statement(rng, Reader::DataSet), subject, &value).text,
        ))
    }

    fn attempt(
        &self,
        rng: &mut ChaCha8Rng,
        split: Split,
        reader: Reader,
        (least, most): (usize, usize),
    ) -> Option<Passage<'_>> {
        let namer = Namer {
            pool: self.syllables,
            split,
        };
        let kind = &self.subjects[rng.random_range(0..self.subjects.len())];
        let count = rng.random_range(least..=most).min(2 * kind.relations.len());
        let two = count > kind.relations.len() || count >= 3 && rng.random_bool(TWO_SUBJECTS);
        let counts: &[usize] = if two {
            &[count.div_ceil(2), count / 2]
        } else {
            &[count]
        };

        let mut facts: Vec<Fact> = Vec::with_capacity(count);
        let mut sentences: Vec<String> = Vec::with_capacity(count + self.asides_of_passage.1);
        let mut first_relations: Vec<usize> = Vec::new();
        let mut last_opener = "";
        for &count in counts {
            let subject = namer.draw(kind.name, rng);
            let epoch = rng.random_range(1640..=1880);
            let chosen = choose_relations(rng, kind.relations.len(), count, &first_relations);
            for &index in &chosen {
                let relation = &kind.relations[index];
                let value = relation.answer.draw(rng, &namer, &self.lists, epoch);
                let statement = relation.statement(rng, reader);
                let filled = fill(statement, &subject, &value);
                let opener = if takes_opener(statement) && rng.random_bool(OPENERS) {
                    pick(rng, &self.openers)
                } else {
                    ""
                };
                let (sentence, shift) = if opener.is_empty() || opener == last_opener {
                    (capitalise(filled.text), 0)
                } else {
                    last_opener = opener;
                    (format!("{opener} {}", filled.text), opener.len() + 1)
                };
                let start = filled.answer_start? + shift;
                let answer = sentence[start..start + value.len()].to_owned();
                let subject = subject.clone();
                facts.push(Fact {
                    subject,
                    relation,
                    answer,
                    value,
                    statement,
                });
                sentences.push(sentence);
            }
            first_relations = chosen;
        }
        let asides = rng.random_range(self.asides_of_passage.0..=self.asides_of_passage.1);
        let mut order: Vec<&str> = self.asides.iter().map(String::as_str).collect();
        let (drawn, _) = order.partial_shuffle(rng, asides);
        for aside in drawn {
            let place = rng.random_range(0..=sentences.len());
            sentences.insert(place, (*aside).to_owned());
        }
        Some(Passage {
            text: sentences.join(" "),
            facts,
        })
    }
}

/// Whether an opener fits: the statement begins with a noun, not with another adverbial.
fn takes_opener(statement: &str) -> bool {
    statement.starts_with('{') || statement.starts_with("the ")
}

/// `count` of `of` relations, in the order of the table. The first is shared with the passage's other
/// subject, if any: otherwise the question alone would often identify the sentence.
fn choose_relations(rng: &mut ChaCha8Rng, of: usize, count: usize, shared: &[usize]) -> Vec<usize> {
    let mut chosen: Vec<usize> = Vec::with_capacity(count);
    if !shared.is_empty() {
        chosen.push(shared[rng.random_range(0..shared.len())]);
    }
    while chosen.len() < count {
        let index = rng.random_range(0..of);
        if !chosen.contains(&index) {
            chosen.push(index);
        }
    }
    chosen.sort_unstable();
    chosen
}

impl Passage<'_> {
    fn is_unambiguous(&self) -> bool {
        let text = strip(&self.text).to_ascii_lowercase();
        self.facts.iter().all(|fact| {
            let answer = strip(&fact.answer).to_ascii_lowercase();
            mentions(&text, &answer).take(2).count() == 1
        })
    }
}

/// The byte offsets at which `needle` occurs in `text` as whole words.
pub fn mentions<'a>(text: &'a str, needle: &'a str) -> impl Iterator<Item = usize> + 'a {
    let bytes = text.as_bytes();
    let is_word = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_alphanumeric);
    text.match_indices(needle)
        .map(|(at, _)| at)
        .filter(move |&at| !(is_word(at + needle.len()) || at > 0 && is_word(at - 1)))
}

/// A template with its placeholders filled.
pub(super) struct Filled {
    pub text: String,
    pub answer_start: Option<usize>,
}

/// Fills a template with the subject and the answer.
pub(super) fn fill(template: &str, subject: &str, answer: &str) -> Filled {
    let mut text = String::with_capacity(template.len() + subject.len() + answer.len());
    let mut answer_start = None;
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        text.push_str(&rest[..open]);
        let close = open
            + rest[open..]
                .find('}')
                .expect("a place is closed in every template");
        let (article, place) = match &rest[open + 1..close] {
            "S" => ("", subject),
            "A" => ("", answer),
            "a S" => (if takes_an(subject) { "an " } else { "a " }, subject),
            "a A" => (if takes_an(answer) { "an " } else { "a " }, answer),
            other => unreachable!("`{{{other}}}` is not a place of the grammar"),
        };
        text.push_str(article);
        if rest[..close].ends_with('A') {
            answer_start = Some(text.len());
        }
        text.push_str(place);
        rest = &rest[close + 1..];
    }
    text.push_str(rest);
    Filled { text, answer_start }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use rand::SeedableRng;

    use super::*;
    use crate::synthetic::domains::{Task, domains};

    #[test]
    fn articles_follow_the_next_sound() {
        let filled = fill("{S} was {a A}.", "Belgre", "engineer");
        assert_eq!(filled.text, "Belgre was an engineer.");
        assert_eq!(filled.answer_start, Some(14));
        assert_eq!(fill("{a S} is {A}.", "toad", "wet").text, "a toad is wet.");
    }

    #[test]
    fn a_mention_is_a_whole_word() {
        assert_eq!(
            mentions("in 16 of 1612, 16.", "16").collect::<Vec<_>>(),
            [3, 15]
        );
    }

    fn readings() -> impl Iterator<Item = (&'static str, &'static Reading)> {
        domains().iter().filter_map(|domain| match &domain.task {
            Task::Reading(reading) => Some((domain.name, reading)),
            _ => None,
        })
    }

    #[test]
    fn the_readers_share_no_question_and_not_all_statements() {
        let relations = || readings().flat_map(|(_, reading)| reading.relations());
        let mut seen: HashSet<&str> = HashSet::new();
        for relation in relations() {
            seen.extend(
                relation
                    .told
                    .iter()
                    .chain(&relation.notes)
                    .map(String::as_str),
            );
            assert!(relation.told.len() >= 3 && !relation.held.is_empty());
            assert!(relation.notes.len() >= 3 && relation.asked.len() >= 3);
        }
        for relation in relations() {
            for template in relation.held.iter().chain(&relation.asked) {
                assert!(!seen.contains(template.as_str()), "{template}");
            }
        }
    }

    #[test]
    fn templates_have_their_places_and_their_stops() {
        for (_, reading) in readings() {
            for relation in reading.relations() {
                for statement in relation.told.iter().chain(&relation.held) {
                    assert_eq!(statement.matches("S}").count(), 1, "{statement}");
                    assert_eq!(statement.matches("A}").count(), 1, "{statement}");
                    assert!(
                        statement.ends_with('.') && !statement.contains("  "),
                        "{statement}"
                    );
                    assert!(!statement.starts_with(char::is_uppercase), "{statement}");
                }
                for question in relation.notes.iter().chain(&relation.asked) {
                    assert_eq!(question.matches("S}").count(), 1, "{question}");
                    assert!(question.ends_with('?'), "{question}");
                }
            }
        }
    }

    #[test]
    fn passages_read_like_english() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        for (name, reading) in readings() {
            for _ in 0..500 {
                let passage =
                    reading.passage(&mut rng, Split::Train, Reader::DataSet, reading.facts);
                let text = strip(&passage.text);
                assert!(text.is_ascii() && text.ends_with(['.', '?']));
                for sentence in text.split(". ") {
                    assert!(
                        sentence.starts_with(|c: char| !c.is_ascii_lowercase()),
                        "{sentence}"
                    );
                }
                let lower = text.to_ascii_lowercase();
                for wrong in [
                    "the the ", " a a ", " an an ", " a the ", "  ", " a an ", " the a ",
                ] {
                    assert!(!lower.contains(wrong), "{wrong:?} in {name}: {text}");
                }
                for vowel in ["a", "e", "i", "o", "u"] {
                    assert!(!lower.contains(&format!(" a {vowel}")), "{name}: {text}");
                }
            }
        }
    }

    #[test]
    fn the_number_of_facts_is_as_requested() {
        let mut rng = ChaCha8Rng::seed_from_u64(6);
        for (_, reading) in readings() {
            for _ in 0..200 {
                let passage = reading.passage(&mut rng, Split::Test, Reader::PreTraining, (2, 3));
                assert!((2..=3).contains(&passage.facts.len()));
            }
        }
    }
}
