//! The rows of the data sets.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::domains::{self, Domain, Task};
use super::grammar::{Passage, Reader, Reading, mentions};
use super::names::{fnv1a, strip};
use super::pairs::Sense;
use crate::domain::Split;

/// A question about a passage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QaRow {
    pub id: String,
    pub title: String,
    pub context: String,
    pub question: String,
    pub answer: String,
    /// The first code point of the answer in the context.
    pub answer_start: usize,
    /// The answer to every fact of the passage, this one included: the candidates of a model that copies a
    /// random fact.
    pub facts: Vec<String>,
}

/// Texts with a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelledRow {
    pub idx: i32,
    /// In the order of the data set's columns.
    pub texts: Vec<String>,
    /// The class.
    pub label: i64,
    /// HANS's `heuristic`.
    pub heuristic: Option<&'static str>,
}

/// The rows of one domain and split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rows {
    Qa(Vec<QaRow>),
    Labelled(Vec<LabelledRow>),
}

impl Rows {
    /// The number of rows.
    pub fn len(&self) -> usize {
        match self {
            Rows::Qa(rows) => rows.len(),
            Rows::Labelled(rows) => rows.len(),
        }
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The number of rows of a domain and a split.
///
/// Domains that serve as sources have more training rows: `squad`, the two pair domains (each is the other's
/// source), and the first domains of reviews and of inference.
pub fn sizes(domain: &Domain, split: Split) -> usize {
    match split {
        Split::Train if matches!(domain.name, "squad" | "qqp" | "mrpc") => 6000,
        Split::Train if matches!(domain.name, "imdb" | "mnli") => 3000,
        Split::Train if matches!(domain.task, Task::Reviews(_) | Task::Inference(_)) => 600,
        Split::Train => 1200,
        Split::Validation => 300,
        Split::Test => 500,
    }
}

/// Generates the first `count` rows: the same seed gives the same rows, and a longer sequence starts with a
/// shorter one.
///
/// A passage has one to three questions, two on average, so rows are not independent. The clusters are the
/// passages: their rows share the identifier up to its last dash.
pub fn rows(domain: &Domain, split: Split, seed: u64, count: usize) -> Rows {
    let stream = fnv1a(domain.name.bytes().chain(split.name().bytes()));
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ stream);
    match &domain.task {
        Task::Reading(reading) => Rows::Qa(qa_rows(&mut rng, reading, domain.name, split, count)),
        Task::Pairs(pairing) => labelled(count, || {
            let same = rng.random_bool(pairing.positives);
            let sense = if same { Sense::Same } else { Sense::Different };
            let pair = pairing.pair(&mut rng, split, Reader::DataSet, sense);
            (vec![pair.first, pair.second], usize::from(same), None)
        }),
        Task::Reviews(reviewing) => labelled(count, || {
            let label = rng.random_range(0..2);
            (vec![reviewing.review(&mut rng, split, label)], label, None)
        }),
        Task::Inference(inferring) => labelled(count, || {
            let pair = inferring.pair(&mut rng, domains::reading(inferring.world), split);
            (
                vec![pair.premise, pair.hypothesis],
                pair.label,
                pair.heuristic,
            )
        }),
    }
}

/// Rows of texts with their class and heuristic.
fn labelled(
    count: usize,
    mut write: impl FnMut() -> (Vec<String>, usize, Option<&'static str>),
) -> Rows {
    let row = |idx| {
        let (texts, label, heuristic) = write();
        LabelledRow {
            idx,
            texts: texts.iter().map(|text| strip(text)).collect(),
            label: label as i64,
            heuristic,
        }
    };
    Rows::Labelled((0..).take(count).map(row).collect())
}

fn qa_rows(
    rng: &mut ChaCha8Rng,
    reading: &Reading,
    name: &str,
    split: Split,
    count: usize,
) -> Vec<QaRow> {
    let mut rows = Vec::with_capacity(count);
    let mut number = 0;
    while rows.len() < count {
        let Passage { text, facts } = reading.passage(rng, split, Reader::DataSet, reading.facts);
        let context = strip(&text);
        let answers: Vec<String> = facts.iter().map(|fact| strip(&fact.answer)).collect();
        let mut order: Vec<usize> = (0..facts.len()).collect();
        let questions = rng.random_range(1..=3);
        let (chosen, _) = rand::seq::SliceRandom::partial_shuffle(&mut order[..], rng, questions);
        for (place, &index) in chosen.iter().enumerate() {
            let fact = &facts[index];
            let answer = answers[index].clone();
            let byte = mentions(&context, &answer)
                .next()
                .expect("a passage states its facts");
            rows.push(QaRow {
                id: format!("{name}-{}-{number:05}-{}", split.name(), place + 1),
                title: strip(&facts[0].subject),
                question: strip(&fact.relation.question(rng, Reader::DataSet, &fact.subject)),
                answer_start: context[..byte].chars().count(),
                context: context.clone(),
                answer,
                facts: answers.clone(),
            });
        }
        number += 1;
    }
    rows.truncate(count);
    rows
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::synthetic::domains::domains;
    use crate::synthetic::names::SEPARATOR;
    use crate::synthetic::split_of_word;
    use crate::synthetic::{DocumentMix, tokenizer_document};

    fn qa(name: &str, split: Split, count: usize) -> Vec<QaRow> {
        let domain = domains()
            .iter()
            .find(|domain| domain.name == name)
            .expect("a domain");
        match rows(domain, split, 9, count) {
            Rows::Qa(rows) => rows,
            Rows::Labelled(_) => panic!("`{name}` has no questions"),
        }
    }

    #[test]
    fn a_seed_fixes_the_rows_and_more_rows_begin_with_fewer() {
        for domain in domains() {
            let some = rows(domain, Split::Test, 4, 40);
            assert_eq!(some, rows(domain, Split::Test, 4, 40));
            assert_ne!(some, rows(domain, Split::Test, 5, 40));
            assert_eq!(some.len(), 40);
            match (some, rows(domain, Split::Test, 4, 90)) {
                (Rows::Qa(some), Rows::Qa(more)) => assert_eq!(some[..], more[..40]),
                (Rows::Labelled(some), Rows::Labelled(more)) => assert_eq!(some[..], more[..40]),
                _ => panic!("a domain has one kind of rows"),
            }
        }
    }

    #[test]
    fn answers_are_found_exactly_at_their_stated_positions() {
        for domain in domains().iter().filter(|domain| domain.facts().is_some()) {
            for row in qa(domain.name, Split::Train, 600) {
                let answer: String = row
                    .context
                    .chars()
                    .skip(row.answer_start)
                    .take(row.answer.len())
                    .collect();
                assert_eq!(answer, row.answer);
                assert!(row.facts.contains(&row.answer));
                let context = row.context.to_ascii_lowercase();
                let mut lower: Vec<String> = row
                    .facts
                    .iter()
                    .map(|fact| fact.to_ascii_lowercase())
                    .collect();
                for fact in &lower {
                    assert_eq!(
                        mentions(&context, fact).count(),
                        1,
                        "{fact}: {}",
                        row.context
                    );
                }
                let facts = lower.len();
                lower.sort();
                lower.dedup();
                assert_eq!(lower.len(), facts);
                assert!(
                    !mentions(&row.question, &row.answer).any(|_| true),
                    "{}",
                    row.question
                );
            }
        }
    }

    #[test]
    fn passages_have_two_questions_on_average() {
        let rows = qa("squad", Split::Train, 3000);
        let passages: HashSet<&str> = rows.iter().map(|row| row.context.as_str()).collect();
        assert!((1400..1600).contains(&passages.len()), "{}", passages.len());
        let questions: HashSet<&str> = rows.iter().map(|row| row.id.as_str()).collect();
        assert_eq!(questions.len(), rows.len());
    }

    /// The share of positive pairs matches the original data sets.
    #[test]
    fn labels_have_the_balance_of_the_originals() {
        for (name, share) in [("qqp", 0.4), ("mrpc", 0.6)] {
            let domain = domains()
                .iter()
                .find(|domain| domain.name == name)
                .expect("a domain");
            let Rows::Labelled(rows) = rows(domain, Split::Train, 1, 3000) else {
                panic!()
            };
            let positives: i64 = rows.iter().map(|row| row.label).sum();
            assert!((positives as f64 / 3000.0 - share).abs() < 0.03);
        }
    }

    fn words(text: &str) -> impl Iterator<Item = String> + '_ {
        text.split(|c: char| !c.is_ascii_alphanumeric())
            .map(str::to_ascii_lowercase)
    }

    #[test]
    fn invented_words_of_validation_and_test_never_occur_elsewhere() {
        let mut seen: [HashSet<String>; 3] = Default::default();
        for domain in domains() {
            for (split, seen) in Split::ALL.into_iter().zip(&mut seen) {
                match rows(domain, split, 7, 1500) {
                    Rows::Qa(rows) => seen.extend(
                        rows.iter()
                            .flat_map(|row| [&row.title, &row.context, &row.question])
                            .flat_map(|text| words(text)),
                    ),
                    Rows::Labelled(rows) => seen.extend(
                        rows.iter()
                            .flat_map(|row| &row.texts)
                            .flat_map(|text| words(text)),
                    ),
                }
            }
        }
        // Words with separators in the tokenizer's text are invented; its names belong to training.
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let mut invented = 0;
        for _ in 0..3000 {
            let text = tokenizer_document(&mut rng, &DocumentMix::default());
            for word in text.split(|c: char| !c.is_ascii_alphanumeric() && c != SEPARATOR) {
                if word.contains(SEPARATOR) {
                    assert_eq!(split_of_word(&strip(word)), Split::Train);
                    invented += 1;
                }
                seen[0].insert(strip(word).to_ascii_lowercase());
            }
        }
        assert!(invented > 10_000);
        // Closed lists contain English words and occur in training. Any other word that is new in a held-out
        // split is a name, and its class must belong to that split.
        for (seen_here, split) in seen.iter().zip(Split::ALL).skip(1) {
            let names: Vec<&String> = seen_here
                .iter()
                .filter(|word| split_of_word(word) == split && !seen[0].contains(*word))
                .collect();
            assert!(names.len() > 5000, "{}", names.len());
            for word in seen_here.difference(&seen[0]) {
                let number = word.bytes().all(|byte| byte.is_ascii_digit());
                assert!(number || split_of_word(word) == split, "{word}");
            }
        }
        let held_out: Vec<&String> = seen[1]
            .intersection(&seen[2])
            .filter(|word| !seen[0].contains(*word))
            .collect();
        assert!(
            held_out
                .iter()
                .all(|word| word.bytes().all(|b| b.is_ascii_digit()))
        );
    }
}
