//! Statistics of a domain's rows for `list`: lengths, vocabulary, beginnings of questions.
//!
//! A word is a run of characters between white space, in lower case, without punctuation at its ends.

use std::collections::{BTreeMap, HashSet};

use super::row::Row;

/// Statistics of some rows. Means are over rows, in the form read by the model.
#[derive(Debug, Clone, PartialEq)]
pub struct Description {
    /// Number of rows.
    pub rows: usize,
    /// Number of distinct passages.
    pub passages: usize,
    /// Mean words of a context; absent for labelled texts.
    pub context_words: Option<f64>,
    /// Mean words of a question; absent for labelled texts and WSC.
    pub question_words: Option<f64>,
    /// Mean words of a first answer; absent for labelled texts.
    pub answer_words: Option<f64>,
    /// Mean words of a labelled text; absent for other rows.
    pub text_words: Option<f64>,
    /// The first words of the questions (or of the first labelled texts) with their share of the rows, the most common
    /// first.
    pub openings: Vec<(String, f64)>,
}

impl Description {
    /// Computes the statistics.
    pub fn of(rows: &[Row]) -> Description {
        let mut lengths = Lengths::default();
        let mut openings: BTreeMap<String, usize> = BTreeMap::new();
        for row in rows {
            lengths.add(row);
            if let Some(word) = words(row.opening()).next() {
                *openings.entry(word).or_default() += 1;
            }
        }
        let passages: HashSet<String> = rows.iter().map(Row::passage).collect();
        let mut openings: Vec<(String, f64)> = openings
            .into_iter()
            .map(|(word, count)| (word, count as f64 / rows.len() as f64))
            .collect();
        openings.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        Description {
            rows: rows.len(),
            passages: passages.len(),
            context_words: lengths.context.mean(),
            question_words: lengths.question.mean(),
            answer_words: lengths.answer.mean(),
            text_words: lengths.text.mean(),
            openings,
        }
    }
}

/// The distinct words of some rows' texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vocabulary {
    words: HashSet<String>,
}

impl Vocabulary {
    /// The words of contexts and questions, or of the labelled texts.
    pub fn of(rows: &[Row]) -> Vocabulary {
        Vocabulary {
            words: rows.iter().flat_map(Row::texts).flat_map(words).collect(),
        }
    }

    /// The share of the rows' words (tokens, not types) in this vocabulary; `None` if there are no words.
    pub fn overlap(&self, rows: &[Row]) -> Option<f64> {
        let (mut known, mut all) = (0_usize, 0_usize);
        for word in rows.iter().flat_map(Row::texts).flat_map(words) {
            all += 1;
            known += usize::from(self.words.contains(&word));
        }
        (all > 0).then(|| known as f64 / all as f64)
    }
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split_whitespace()
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()))
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
}

#[derive(Default)]
struct Lengths {
    context: Mean,
    question: Mean,
    answer: Mean,
    text: Mean,
}

impl Lengths {
    fn add(&mut self, row: &Row) {
        match row {
            Row::Question(row) => {
                self.context.add(&row.context);
                self.question.add(&row.question);
                row.answers
                    .iter()
                    .take(1)
                    .for_each(|answer| self.answer.add(answer));
            }
            Row::Cloze(row) => {
                self.context.add(&row.passage);
                self.question.add(&row.query);
                row.answers
                    .iter()
                    .take(1)
                    .for_each(|answer| self.answer.add(answer));
            }
            Row::Pronoun(row) => {
                self.context.add(&row.text);
                self.answer.add(&row.referent);
            }
            Row::Labelled(row) => row.texts.iter().for_each(|text| self.text.add(text)),
        }
    }
}

/// Word and text counts.
#[derive(Default)]
struct Mean {
    words: usize,
    texts: usize,
}

impl Mean {
    fn add(&mut self, text: &str) {
        self.words += words(text).count();
        self.texts += 1;
    }

    fn mean(&self) -> Option<f64> {
        (self.texts > 0).then(|| self.words as f64 / self.texts as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::row::{LabelledRow, QuestionRow};

    fn question(context: &str, question: &str, answer: &str) -> Row {
        Row::Question(QuestionRow {
            group: None,
            id: question.to_string(),
            context: context.to_string(),
            question: question.to_string(),
            answers: vec![answer.to_string()],
            answer_start: None,
            facts: Vec::new(),
        })
    }

    #[test]
    fn lengths_and_openings_are_measured() {
        let rows = [
            question("The mill (of Orla) stands.", "Where is it?", "Orla"),
            question(
                "The mill (of Orla) stands.",
                "\"What\" stands - there?",
                "The mill",
            ),
            question("Two words.", "What?", "Two words"),
        ];
        let found = Description::of(&rows);
        assert_eq!((found.rows, found.passages), (3, 2));
        assert_eq!(found.context_words, Some(12.0 / 3.0));
        assert_eq!(found.question_words, Some(7.0 / 3.0));
        assert_eq!(found.answer_words, Some(5.0 / 3.0));
        assert_eq!(found.text_words, None);
        assert_eq!(
            found.openings,
            [
                ("what".to_string(), 2.0 / 3.0),
                ("where".to_string(), 1.0 / 3.0)
            ]
        );
    }

    #[test]
    fn pairs_have_texts_only() {
        let found = Description::of(&[Row::Labelled(LabelledRow {
            group: None,
            id: "1".to_string(),
            question: None,
            texts: vec!["Is it so?".to_string(), "So".to_string()],
            passage: None,
            label: 1,
        })]);
        assert_eq!((found.text_words, found.context_words), (Some(2.0), None));
        assert_eq!(found.openings, [("is".to_string(), 1.0)]);
    }

    #[test]
    fn overlap_counts_repeats() {
        let source = Vocabulary::of(&[question("The mill stands.", "What?", "mill")]);
        let target = [question("MILL, mill; barn", "Who?", "barn")];
        assert_eq!(source.overlap(&target), Some(2.0 / 4.0));
        assert_eq!(source.overlap(&[]), None);
        assert_eq!(Vocabulary::of(&target).overlap(&target), Some(1.0));
    }
}
