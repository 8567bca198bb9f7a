//! What a reader of a report needs to know about its rows: how much of them the model reads, and whether their texts
//! occur in source training.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use promptshift_text::domain::{AnswerLocation, Example, Split};

/// Counts over one split of one domain, as a record has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leakage {
    pub domain: String,
    /// The split that its rows serve as.
    pub split: Split,
    /// Examples used.
    pub examples: usize,
    /// Examples whose input was longer than the limit.
    pub cut_inputs: usize,
    /// Where the right answers are; absent for tasks whose answers are class strings.
    pub answers: Option<AnswerPlaces>,
    /// Texts that also occur in source training; absent for source training itself.
    pub shared: Option<Shared>,
    /// Lengths of the inputs before the cut, end of sequence included.
    pub input_tokens: Lengths,
}

/// Examples by where their right answers are, as written in the input.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerPlaces {
    /// Examples with no right answer in the passage.
    pub absent: usize,
    /// Examples with a right answer in the passage, but none in the part of it that remains after truncation.
    pub behind_cut: usize,
}

/// Distinct texts, and those that also occur in source training. Texts are equal if they are equal in lower case with
/// white space collapsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shared {
    /// Distinct passages; for pairs, distinct pairs.
    pub contexts: usize,
    /// Those that occur in source training.
    pub shared_contexts: usize,
    /// Distinct questions; for pairs, distinct single texts.
    pub questions: usize,
    /// Those that occur in source training.
    pub shared_questions: usize,
}

/// Percentiles of lengths in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lengths {
    /// The median by nearest rank: the least length that half of the inputs do not exceed.
    pub median: usize,
    /// The 95th percentile, likewise.
    pub percentile_95: usize,
    /// The greatest length.
    pub longest: usize,
}

/// What the model reads of one input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Tokens of the whole input, end of sequence included.
    pub tokens: usize,
    /// Bytes of the input's text before the cut; `None` if nothing is cut.
    pub cut_at: Option<usize>,
}

/// The texts of source training, as hashes.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    contexts: HashSet<u64>,
    questions: HashSet<u64>,
}

impl Seen {
    /// The texts of these examples.
    pub fn of(examples: &[Example]) -> Seen {
        Seen {
            contexts: contexts(examples).collect(),
            questions: questions(examples).collect(),
        }
    }

    /// Whether an example's passage or one of its questions occurs in source training.
    pub fn has_any_of(&self, example: &Example) -> bool {
        let mut questions = example.texts.questions.iter();
        self.contexts.contains(&example.texts.context)
            || questions.any(|question| self.questions.contains(question))
    }
}

fn contexts(examples: &[Example]) -> impl Iterator<Item = u64> {
    examples.iter().map(|example| example.texts.context)
}

fn questions(examples: &[Example]) -> impl Iterator<Item = u64> {
    let lists = examples.iter().map(|example| &example.texts.questions);
    lists.flatten().copied()
}

/// Counts one split's rows. `readings` has one entry for each example; `seen` has the texts of source training and is
/// absent for source training itself.
pub fn count(
    domain: &str,
    split: Split,
    examples: &[Example],
    readings: &[Reading],
    seen: Option<&Seen>,
) -> Leakage {
    Leakage {
        domain: domain.to_string(),
        split,
        examples: examples.len(),
        cut_inputs: readings.iter().filter(|r| r.cut_at.is_some()).count(),
        answers: answers(examples, readings),
        shared: seen.map(|seen| shared(examples, seen)),
        input_tokens: lengths(readings),
    }
}

fn answers(examples: &[Example], readings: &[Reading]) -> Option<AnswerPlaces> {
    let mut places = AnswerPlaces::default();
    let mut expected = false;
    for (example, reading) in examples.iter().zip(readings) {
        match (example.answer_location, reading.cut_at) {
            (AnswerLocation::NotExpected, _) => continue,
            (AnswerLocation::Absent, _) => places.absent += 1,
            (AnswerLocation::EndsAt(end), Some(cut)) if end > cut => places.behind_cut += 1,
            (AnswerLocation::EndsAt(_), _) => {}
        }
        expected = true;
    }
    expected.then_some(places)
}

fn shared(examples: &[Example], seen: &Seen) -> Shared {
    let contexts: HashSet<u64> = contexts(examples).collect();
    let questions: HashSet<u64> = questions(examples).collect();
    Shared {
        contexts: contexts.len(),
        shared_contexts: contexts.intersection(&seen.contexts).count(),
        questions: questions.len(),
        shared_questions: questions.intersection(&seen.questions).count(),
    }
}

fn lengths(readings: &[Reading]) -> Lengths {
    let mut tokens: Vec<usize> = readings.iter().map(|reading| reading.tokens).collect();
    tokens.sort_unstable();
    // The nearest rank: the least length that this percentage of lengths does not exceed.
    let at = |percent: usize| {
        let rank = (percent * tokens.len()).div_ceil(100).max(1);
        tokens.get(rank - 1).copied().unwrap_or(0)
    };
    Lengths {
        median: at(50),
        percentile_95: at(95),
        longest: at(100),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use promptshift_text::domain::{Gold, TextNames};

    fn example(answer_location: AnswerLocation, context: u64, questions: &[u64]) -> Example {
        Example {
            group: None,
            pair: Default::default(),
            id: String::new(),
            passage: String::new(),
            input: String::new(),
            soft: Vec::new(),
            target: String::new(),
            gold: Gold::Label(0),
            facts: Vec::new(),
            answer_location,
            texts: TextNames {
                context,
                questions: questions.to_vec(),
            },
        }
    }

    fn reading(tokens: usize, cut_at: Option<usize>) -> Reading {
        Reading { tokens, cut_at }
    }

    #[test]
    fn answers_are_counted_as_present_cut_off_or_absent() {
        let examples = [
            example(AnswerLocation::EndsAt(10), 1, &[1]),
            example(AnswerLocation::EndsAt(10), 1, &[2]),
            example(AnswerLocation::EndsAt(11), 2, &[3]),
            example(AnswerLocation::Absent, 2, &[4]),
            example(AnswerLocation::EndsAt(99), 3, &[5]),
        ];
        let readings = [
            reading(5, None),
            reading(9, Some(10)),
            reading(9, Some(10)),
            reading(9, Some(10)),
            reading(5, None),
        ];
        let found = count("race", Split::Test, &examples, &readings, None);
        assert_eq!((found.examples, found.cut_inputs), (5, 3));
        let places = AnswerPlaces {
            absent: 1,
            behind_cut: 1,
        };
        assert_eq!((found.answers, found.shared), (Some(places), None));
    }

    #[test]
    fn class_strings_are_not_looked_for_in_passages() {
        let examples = [example(AnswerLocation::NotExpected, 1, &[1])];
        let found = count("qqp", Split::Test, &examples, &[reading(3, Some(1))], None);
        assert_eq!((found.answers, found.cut_inputs), (None, 1));
    }

    #[test]
    fn shared_texts_are_counted_once_each() {
        let train = [
            example(AnswerLocation::Absent, 1, &[10, 11]),
            example(AnswerLocation::Absent, 2, &[12]),
        ];
        let test = [
            example(AnswerLocation::Absent, 2, &[11, 20]),
            example(AnswerLocation::Absent, 2, &[11]),
            example(AnswerLocation::Absent, 3, &[21]),
        ];
        let readings = [reading(1, None); 3];
        let seen = Seen::of(&train);
        let found = count("race", Split::Test, &test, &readings, Some(&seen));
        let wanted = Shared {
            contexts: 2,
            shared_contexts: 1,
            questions: 3,
            shared_questions: 1,
        };
        assert_eq!(found.shared, Some(wanted));
    }

    #[test]
    fn an_example_counts_as_seen_by_its_passage_or_one_of_its_questions() {
        let seen = Seen::of(&[example(AnswerLocation::Absent, 1, &[10, 11])]);
        for (context, questions, wanted) in [
            (1, [20, 21], true),
            (2, [20, 11], true),
            (2, [20, 21], false),
        ] {
            let one = example(AnswerLocation::Absent, context, &questions);
            assert_eq!(seen.has_any_of(&one), wanted, "{context}, {questions:?}");
        }
    }

    #[test]
    fn percentiles_use_the_nearest_rank() {
        let of = |tokens: &mut dyn Iterator<Item = usize>| {
            let readings: Vec<Reading> = tokens.map(|tokens| reading(tokens, None)).collect();
            let found = lengths(&readings);
            (found.median, found.percentile_95, found.longest)
        };
        assert_eq!(of(&mut (1..=100).rev()), (50, 95, 100));
        assert_eq!(of(&mut [3, 1, 2].into_iter()), (2, 3, 3));
        assert_eq!(of(&mut [7].into_iter()), (7, 7, 7));
        assert_eq!(of(&mut std::iter::empty()), (0, 0, 0));
    }
}
