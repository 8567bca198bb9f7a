//! Inference: does a passage of a reading domain entail a sentence?
//!
//! | class | hypothesis |
//! |---|---|
//! | entailment | a fact of the passage, paraphrased |
//! | neutral | something about a subject of the passage that the passage does not state |
//! | contradiction | a fact of the passage with another answer, paraphrased |
//!
//! With two classes (HANS), hypotheses are made of the passage's own sentences, so that word overlap does not
//! predict the label. Not entailed are
//!
//! - `lexical_overlap`: a fact about one subject, stated about the other subject in the other's words;
//! - `constituent`: a sentence that the passage only quotes, after `Nobody believes that`; entailed after
//!   `It is true that`.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::grammar::{Fact, Passage, Reader, Reading};
use super::names::capitalise;
use crate::domain::Split;

/// The classes of inference in a miniature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Classes {
    /// Entailment, neutral, contradiction.
    Three,
    /// Entailment, non-entailment.
    Two,
}

/// A domain of inference on another domain's passages.
#[derive(Debug)]
pub struct Inferring {
    /// How the domain differs from the others.
    pub about: &'static str,
    /// The reading domain.
    pub world: &'static str,
    /// The classes.
    pub classes: Classes,
}

/// A premise and a hypothesis, with the separators of [`names`](super::names).
#[derive(Debug)]
pub struct Inference {
    pub premise: String,
    pub hypothesis: String,
    /// The class.
    pub label: usize,
    /// With two classes, how the hypothesis was made.
    pub heuristic: Option<&'static str>,
}

/// The minimum and maximum number of facts of a premise.
const FACTS: (usize, usize) = (2, 4);
/// How a premise quotes a sentence, by label: entailed, not entailed.
const QUOTES: [&str; 2] = ["It is true that", "Nobody believes that"];

impl Inferring {
    /// A pair of a random class, on passages of its reading domain.
    pub fn pair(&self, rng: &mut ChaCha8Rng, reading: &Reading, split: Split) -> Inference {
        match self.classes {
            Classes::Three => three(rng, reading, split),
            Classes::Two => two(rng, reading, split),
        }
    }
}

fn three(rng: &mut ChaCha8Rng, reading: &Reading, split: Split) -> Inference {
    let label = rng.random_range(0..3);
    loop {
        let passage = reading.passage(rng, split, Reader::DataSet, FACTS);
        let fact = &passage.facts[rng.random_range(0..passage.facts.len())];
        let hypothesis = match label {
            0 => Some(fact.retold(rng, Reader::DataSet)),
            1 => reading.unstated(rng, split, &passage, &fact.subject),
            _ => Some(reading.denied(rng, split, fact)),
        };
        if let Some(hypothesis) = hypothesis {
            return Inference {
                premise: passage.text,
                hypothesis,
                label,
                heuristic: None,
            };
        }
    }
}

fn two(rng: &mut ChaCha8Rng, reading: &Reading, split: Split) -> Inference {
    let (label, quoted) = (rng.random_range(0..2), rng.random_bool(0.5));
    loop {
        let passage = reading.passage(rng, split, Reader::DataSet, FACTS);
        if quoted {
            let Passage { text, mut facts } = passage;
            let last = facts.remove(facts.len() - 1);
            // The sentence of the last fact is replaced by a quotation of it.
            let (sentence, hypothesis) = (last.stated(), capitalise(last.stated()));
            if !text.contains(&hypothesis) {
                continue;
            }
            let quotation = format!("{} {sentence}", QUOTES[label]);
            return Inference {
                premise: text.replacen(&hypothesis, &quotation, 1),
                hypothesis,
                label,
                heuristic: Some("constituent"),
            };
        }
        if let Some([one, other]) = of_one_relation(&passage) {
            let hypothesis = match label {
                0 => one.stated(),
                _ => one.stated_of(other),
            };
            return Inference {
                hypothesis: capitalise(hypothesis),
                premise: passage.text,
                label,
                heuristic: Some("lexical_overlap"),
            };
        }
    }
}

/// Two facts of one relation about different subjects.
fn of_one_relation<'a, 'b>(passage: &'a Passage<'b>) -> Option<[&'a Fact<'b>; 2]> {
    passage.facts.iter().find_map(|one| {
        let same = |other: &&Fact| {
            std::ptr::eq(one.relation, other.relation) && one.subject != other.subject
        };
        Some([one, passage.facts.iter().find(same)?])
    })
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::synthetic::domains::{Task, domains, reading};
    use crate::synthetic::names::strip;

    /// Pairs of the domains with these classes.
    fn pairs(classes: Classes) -> Vec<Inference> {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let mut pairs = Vec::new();
        for domain in domains() {
            if let Task::Inference(inferring) = &domain.task
                && inferring.classes == classes
            {
                let reading = reading(inferring.world);
                pairs.extend((0..300).map(|_| inferring.pair(&mut rng, reading, Split::Test)));
            }
        }
        assert!(pairs.len() >= 300);
        pairs
    }

    #[test]
    fn classes_are_balanced_and_texts_are_sentences() {
        for (classes, count) in [(Classes::Three, 3), (Classes::Two, 2)] {
            let pairs = pairs(classes);
            for label in 0..count {
                let share = pairs.iter().filter(|pair| pair.label == label).count() as f64;
                let share = share / pairs.len() as f64;
                assert!(
                    (share - 1.0 / f64::from(count as u32)).abs() < 0.08,
                    "{label}: {share}"
                );
            }
            for pair in &pairs {
                assert!(pair.hypothesis.ends_with('.') && pair.premise.ends_with(['.', '?']));
                assert!(strip(&pair.premise).is_ascii());
            }
        }
    }

    #[test]
    fn overlap_of_words_does_not_give_two_classes_away() {
        for pair in pairs(Classes::Two) {
            let premise = strip(&pair.premise).to_lowercase();
            let words = strip(&pair.hypothesis).to_lowercase();
            let word = |word: &str| {
                word.trim_matches(|c: char| !c.is_alphanumeric())
                    .to_string()
            };
            let missing = words
                .split(' ')
                .map(word)
                .filter(|word| !premise.contains(word));
            assert_eq!(missing.count(), 0, "{pair:?}");
            let quoted = premise.contains("nobody believes that");
            match pair.heuristic {
                Some("constituent") => assert_eq!(quoted, pair.label == 1, "{pair:?}"),
                _ => assert_eq!(premise.contains(&words), pair.label == 0, "{pair:?}"),
            }
        }
    }

    #[test]
    fn a_contradiction_has_another_answer_and_a_neutral_sentence_another_relation() {
        for pair in pairs(Classes::Three).iter().filter(|pair| pair.label > 0) {
            assert!(!pair.premise.contains(&pair.hypothesis), "{pair:?}");
        }
    }
}
