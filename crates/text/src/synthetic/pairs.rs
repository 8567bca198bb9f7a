//! Pairs of sentences with the same or nearly the same meaning.
//!
//! A sentence renders a *meaning*: a subject and one or two intents with their details. A positive pair
//! renders one meaning twice in different words. A negative pair changes one element of the meaning (the
//! subject, a detail or an intent) and renders it in the same way, so that word overlap does not reveal the
//! label. As with questions, `notes` phrasings are for pre-training and `asked` phrasings for the data sets.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;

use super::answers::{Answer, Lists};
use super::grammar::{Reader, fill};
use super::names::{NameKind, Namer, Pool, capitalise, pick};
use crate::domain::Split;

/// Something to ask or report about `{S}`, with the detail `{A}` if it has one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Intent {
    pub detail: Option<Answer>,
    pub notes: Vec<String>,
    pub asked: Vec<String>,
}

/// A kind of subject with its intents.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topic {
    pub name: NameKind,
    pub intents: Vec<Intent>,
}

/// Sentences that join two intents, whose templates replace `{1}` and `{2}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frames {
    pub notes: Vec<String>,
    pub asked: Vec<String>,
}

/// A domain of sentence pairs.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pairing {
    /// How the domain differs from the others.
    pub about: String,
    /// The syllables of its names.
    pub syllables: Pool,
    /// The share of positive pairs in the data set.
    pub positives: f64,
    /// The names of the two columns of text in the data set.
    pub columns: (String, String),
    /// Lists for the details.
    #[serde(default)]
    pub lists: Lists,
    /// Frames for sentences with two intents; without frames, a sentence is the template of one intent.
    pub frames: Option<Frames>,
    /// The subjects of the sentences.
    pub topics: Vec<Topic>,
}

#[derive(Clone)]
struct Clause<'a> {
    intent: &'a Intent,
    detail: String,
}

#[derive(Clone)]
struct Meaning<'a> {
    subject: String,
    clauses: Vec<Clause<'a>>,
}

/// Two sentences, with the separators of [`names`](super::names), and the names in the first.
#[derive(Debug)]
pub struct Pair {
    pub first: String,
    pub second: String,
    pub salient: Vec<String>,
}

/// Whether the two sentences of a pair mean the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sense {
    Same,
    Different,
}

impl Pairing {
    /// The intents of all its topics.
    pub fn intents(&self) -> impl Iterator<Item = &Intent> {
        self.topics.iter().flat_map(|topic| &topic.intents)
    }

    /// Writes a pair.
    pub fn pair(&self, rng: &mut ChaCha8Rng, split: Split, reader: Reader, sense: Sense) -> Pair {
        let namer = Namer {
            pool: self.syllables,
            split,
        };
        let topic = &self.topics[rng.random_range(0..self.topics.len())];
        let meaning = self.meaning(rng, &namer, topic);
        let other = match sense {
            Sense::Same => meaning.clone(),
            Sense::Different => self.altered(rng, &namer, topic, &meaning),
        };
        let first = self.sentence(rng, reader, &meaning);
        let second = loop {
            let second = self.sentence(rng, reader, &other);
            if second != first {
                break second;
            }
        };
        let mut salient = vec![meaning.subject];
        let details = meaning.clauses.into_iter().map(|clause| clause.detail);
        salient.extend(details.filter(|detail| !detail.is_empty()));
        Pair {
            first,
            second,
            salient,
        }
    }

    fn meaning<'a>(&self, rng: &mut ChaCha8Rng, namer: &Namer, topic: &'a Topic) -> Meaning<'a> {
        let subject = namer.draw(topic.name, rng);
        let count = match self.frames {
            None => 1,
            Some(_) => 2,
        };
        let mut clauses: Vec<Clause> = Vec::with_capacity(count);
        while clauses.len() < count {
            let clause = self.unused_clause(rng, namer, topic, &clauses);
            clauses.push(clause);
        }
        Meaning { subject, clauses }
    }

    fn sentence(&self, rng: &mut ChaCha8Rng, reader: Reader, meaning: &Meaning) -> String {
        let mut phrases = meaning.clauses.iter().map(|clause| {
            let templates = match reader {
                Reader::Beginner | Reader::PreTraining => &clause.intent.notes,
                Reader::DataSet => &clause.intent.asked,
            };
            fill(pick(rng, templates), &meaning.subject, &clause.detail).text
        });
        let mut one = phrases.next().expect("a meaning has a clause");
        let two = phrases.next();
        let (Some(Frames { notes, asked }), Some(mut two)) = (&self.frames, two) else {
            return capitalise(one);
        };
        if rng.random_bool(0.5) {
            std::mem::swap(&mut one, &mut two);
        }
        let frame = match reader {
            Reader::Beginner | Reader::PreTraining => pick(rng, notes),
            Reader::DataSet => pick(rng, asked),
        };
        let sentence = frame.replace("{S}", &meaning.subject).replace("{1}", &one);
        capitalise(sentence.replace("{2}", &two))
    }

    fn unused_clause<'a>(
        &self,
        rng: &mut ChaCha8Rng,
        namer: &Namer,
        topic: &'a Topic,
        used: &[Clause<'a>],
    ) -> Clause<'a> {
        loop {
            let intent = &topic.intents[rng.random_range(0..topic.intents.len())];
            if used
                .iter()
                .all(|clause| !std::ptr::eq(clause.intent, intent))
            {
                return Clause {
                    intent,
                    detail: self.detail(rng, namer, intent),
                };
            }
        }
    }

    /// No detail is a year, so the epoch does not matter.
    fn detail(&self, rng: &mut ChaCha8Rng, namer: &Namer, intent: &Intent) -> String {
        (intent.detail.as_ref()).map_or_else(String::new, |answer| {
            answer.draw(rng, namer, &self.lists, 1900)
        })
    }

    /// The meaning with one element changed.
    fn altered<'a>(
        &self,
        rng: &mut ChaCha8Rng,
        namer: &Namer,
        topic: &'a Topic,
        meaning: &Meaning<'a>,
    ) -> Meaning<'a> {
        let mut other = meaning.clone();
        let place = rng.random_range(0..other.clauses.len());
        let has_detail = other.clauses[place].intent.detail.is_some();
        match rng.random_range(0..if has_detail { 3 } else { 2 }) {
            0 => {
                while other.subject == meaning.subject {
                    other.subject = namer.draw(topic.name, rng);
                }
            }
            1 => other.clauses[place] = self.unused_clause(rng, namer, topic, &meaning.clauses),
            _ => {
                while other.clauses[place].detail == meaning.clauses[place].detail {
                    let intent = other.clauses[place].intent;
                    other.clauses[place].detail = self.detail(rng, namer, intent);
                }
            }
        }
        other
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::synthetic::domains::{Task, domains};

    #[test]
    fn a_positive_pair_has_the_same_names_and_a_negative_one_is_another_text() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for domain in domains() {
            let Task::Pairs(pairing) = &domain.task else {
                continue;
            };
            for _ in 0..500 {
                let pair = pairing.pair(&mut rng, Split::Train, Reader::DataSet, Sense::Same);
                let second = pair.second.to_ascii_lowercase();
                for name in &pair.salient {
                    assert!(
                        second.contains(&name.to_ascii_lowercase()),
                        "{name}: {second}"
                    );
                }
                assert_ne!(pair.first, pair.second);
            }
        }
    }
}
