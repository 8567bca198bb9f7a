//! Reviews: is the writer's opinion of a thing positive or negative?
//!
//! A review states the writer's own opinion and the opposite opinion of somebody else, so that neither
//! opinion word alone reveals the label: the model must recognise whose opinion is whose. The pre-training
//! documents contain no reviews.

use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;

use super::answers::{Answer, Lists};
use super::grammar::fill;
use super::names::{Namer, Pool, capitalise, pick};
use crate::domain::Split;

/// The opinions, in the order of the labels.
const OPINIONS: [&str; 2] = ["negative", "positive"];

/// A domain of reviews. In its statements `{A}` is an opinion.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reviewing {
    /// How the domain differs from the others.
    pub about: String,
    /// The syllables of its names.
    pub syllables: Pool,
    /// The name of the column of text in the data set.
    pub column: String,
    /// What is reviewed.
    pub thing: Answer,
    /// Who else has an opinion.
    pub other: Answer,
    /// Lists for the things.
    #[serde(default)]
    pub lists: Lists,
    /// The writer's opinions of the thing, `{S}`.
    pub own: Vec<String>,
    /// The opinions of somebody else, `{S}`.
    pub others: Vec<String>,
    /// Sentences without an opinion.
    pub asides: Vec<String>,
    /// The least and the most asides of a review.
    pub asides_of_review: (usize, usize),
}

impl Reviewing {
    /// All its answer kinds.
    pub fn answers(&self) -> impl Iterator<Item = &Answer> {
        [&self.thing, &self.other].into_iter()
    }

    /// A review with this label, with the separators of [`names`](super::names).
    pub fn review(&self, rng: &mut ChaCha8Rng, split: Split, label: usize) -> String {
        let namer = Namer {
            pool: self.syllables,
            split,
        };
        // No thing is a year, so the epoch does not matter.
        let mut draw = |answer: &Answer| answer.draw(rng, &namer, &self.lists, 1900);
        let (thing, other) = (draw(&self.thing), draw(&self.other));
        let own = fill(pick(rng, &self.own), &thing, OPINIONS[label]).text;
        let others = fill(pick(rng, &self.others), &other, OPINIONS[1 - label]).text;
        let (least, most) = self.asides_of_review;
        let asides = rng.random_range(least..=most);
        let mut order: Vec<&String> = self.asides.iter().collect();
        let (drawn, _) = order.partial_shuffle(rng, asides);
        let mut sentences: Vec<String> = vec![own, others];
        sentences.extend(drawn.iter().map(|aside| aside.to_string()));
        sentences.shuffle(rng);
        let sentences: Vec<String> = sentences.into_iter().map(capitalise).collect();
        sentences.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::synthetic::domains::{Task, domains};

    fn reviewings() -> impl Iterator<Item = &'static Reviewing> {
        domains().iter().filter_map(|domain| match &domain.task {
            Task::Reviews(reviewing) => Some(reviewing),
            _ => None,
        })
    }

    #[test]
    fn a_review_states_both_opinions_and_the_writer_s_is_the_label() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for reviewing in reviewings() {
            for label in [0, 1].repeat(200) {
                let review = reviewing.review(&mut rng, Split::Train, label);
                let [at, other] = [label, 1 - label].map(|label| {
                    assert_eq!(review.matches(OPINIONS[label]).count(), 1, "{review}");
                    review.find(OPINIONS[label]).expect("an opinion")
                });
                let sentence = |at: usize| {
                    let from = review[..at].rfind(". ").map_or(0, |end| end + 2);
                    let to = review[at..].find('.').map_or(review.len(), |end| at + end);
                    review[from..to].to_lowercase()
                };
                let is_own = |text: &str| {
                    text.split([' ', ','])
                        .any(|word| ["i", "my", "me", "we", "our"].contains(&word))
                };
                assert!(is_own(&sentence(at)), "{review}");
                assert_ne!(sentence(at), sentence(other));
            }
        }
    }

    #[test]
    fn statements_have_one_opinion_and_a_stop() {
        for reviewing in reviewings() {
            for statement in reviewing.own.iter().chain(&reviewing.others) {
                assert_eq!(statement.matches("A}").count(), 1, "{statement}");
                assert!(
                    statement.ends_with('.') && !statement.contains("{a A}"),
                    "{statement}"
                );
            }
            for aside in &reviewing.asides {
                assert!(aside.ends_with('.') && !aside.contains('{'), "{aside}");
                assert!(
                    OPINIONS.iter().all(|opinion| !aside.contains(opinion)),
                    "{aside}"
                );
            }
        }
    }
}
