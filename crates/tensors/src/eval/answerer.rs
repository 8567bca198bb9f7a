//! Produces a model's answers as a [`Wording`] specifies: by generation, or by the most probable class words.

use super::predict::{Answer, generated, log_likelihoods, of_classes};
use super::{Answering, NotFinite, POSITIONS};
use crate::batch::{Encoding, encode};
use crate::tokenizer::Tokenizer;
use crate::tuning::Tuned;
use promptshift_numbers::recipe::Limits;
use promptshift_text::domain::card::Card;
use promptshift_text::domain::format::without_content;
use promptshift_text::domain::wording::{Aggregate, ScoreBy, Wording};

/// The settings shared by all questions to a model.
pub struct Answerer<'a> {
    /// The training domain, whose class words the model answers with.
    pub source: &'a Card,
    /// The wording of inputs and answers.
    pub wording: &'a Wording,
    /// The model's tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// Sequence lengths.
    pub limits: &'a Limits,
}

/// A word that stands for a class.
struct Word {
    class: usize,
    /// Token ids, with the end of sequence if the word is generated.
    ids: Vec<u32>,
}

impl Answerer<'_> {
    /// Answers to the encodings of a domain's examples.
    ///
    /// `tuned` must not require gradients ([`Module::valid`](burn::module::Module::valid)).
    ///
    /// # Errors
    /// For calibrated scores, the network's output for inputs without content is not finite.
    pub fn answering<'b>(
        &'b self,
        tuned: &'b Tuned,
        card: &Card,
        encodings: &'b [Encoding],
    ) -> Result<Answering<'b, Answer>, NotFinite> {
        Ok(match self.wording.score_by {
            ScoreBy::Generation => self.generating(tuned, encodings),
            ScoreBy::Likelihood => self.ranking(tuned, encodings, None),
            ScoreBy::Calibrated => {
                let empty = without_content(card, self.wording);
                let empty = encode(&empty, self.tokenizer, self.limits);
                let answers = self.ranking(tuned, &empty, None).finish()?;
                let shares = answers.into_iter().map(|answer| answer.class_log_probs);
                let prior = log_mean(&shares.flatten().collect::<Vec<_>>());
                self.ranking(tuned, encodings, Some(prior))
            }
        })
    }

    fn generating<'b>(
        &'b self,
        tuned: &'b Tuned,
        encodings: &'b [Encoding],
    ) -> Answering<'b, Answer> {
        Answering::new(encodings, POSITIONS, move |batch| {
            let labels = &self.source.labels;
            let mut answers = generated(tuned, batch, self.tokenizer, labels, self.limits)?;
            for answer in &mut answers {
                answer.text = self.wording.read(&answer.text, self.source).to_string();
            }
            Ok(answers)
        })
    }

    /// Chooses the class with the largest share, the first one on ties; with a prior, the largest share
    /// divided by it.
    fn ranking<'b>(
        &'b self,
        tuned: &'b Tuned,
        encodings: &'b [Encoding],
        prior: Option<Vec<f64>>,
    ) -> Answering<'b, Answer> {
        let words = self.words();
        Answering::new(encodings, POSITIONS, move |batch| {
            let likelihoods = self.likelihoods(tuned, batch, &words)?;
            let answers = batch.iter().zip(likelihoods).map(|(encoding, words_log)| {
                let mut shares = self.of_classes(&words, &words_log);
                if let Some(prior) = &prior {
                    divide(&mut shares, prior);
                }
                let class = first_largest(&shares);
                let of_class = (0..words.len()).filter(|&word| words[word].class == class);
                let word = of_class.reduce(|best, word| match words_log[word] > words_log[best] {
                    true => word,
                    false => best,
                });
                Answer {
                    text: self.source.labels[class].clone(),
                    token_ids: word.map_or_else(Vec::new, |word| words[word].ids.clone()),
                    log_prob: shares[class],
                    class_log_probs: Some(shares),
                    input_tokens: encoding.input.len(),
                    cut: encoding.cut,
                }
            });
            Ok(answers.collect())
        })
    }

    fn likelihoods(
        &self,
        tuned: &Tuned,
        batch: &[&Encoding],
        words: &[Word],
    ) -> Result<Vec<Vec<f64>>, NotFinite> {
        if self.tokenizer.pair().is_some() {
            return of_classes(tuned, batch, self.tokenizer.pad());
        }
        let ids: Vec<Vec<u32>> = words.iter().map(|word| word.ids.clone()).collect();
        log_likelihoods(tuned, batch, &ids, self.tokenizer.pad())
    }

    /// The words of every class, class by class. A BERT has one word for each class, that of the head,
    /// without an end of sequence.
    fn words(&self) -> Vec<Word> {
        let is_of_pairs = self.tokenizer.pair().is_some();
        let of_class = |(class, words): (usize, Vec<&str>)| {
            let ids = |word: &str| {
                let mut ids = self.tokenizer.encode_output(word);
                if !is_of_pairs {
                    ids.push(self.tokenizer.end());
                }
                Word { class, ids }
            };
            let count = if is_of_pairs { 1 } else { words.len() };
            words.into_iter().take(count).map(ids).collect::<Vec<_>>()
        };
        let classes = self.wording.words(self.source);
        classes.into_iter().enumerate().flat_map(of_class).collect()
    }

    /// Turns log-probabilities of words into the log of each class's share among all classes.
    fn of_classes(&self, words: &[Word], log_probs: &[f64]) -> Vec<f64> {
        let aggregate = self.wording.verbalizer.as_ref().map(|v| v.aggregate);
        let mut shares: Vec<f64> = (0..self.source.labels.len())
            .map(|class| {
                let own: Vec<f64> = (words.iter().zip(log_probs))
                    .filter(|(word, _)| word.class == class)
                    .map(|(_, log_prob)| *log_prob)
                    .collect();
                let sum = log_sum(&own);
                match aggregate {
                    Some(Aggregate::Mean) => sum - (own.len() as f64).ln(),
                    Some(Aggregate::Sum) | None => sum,
                }
            })
            .collect();
        normalise(&mut shares);
        shares
    }
}

/// `ln Σ exp`.
fn log_sum(logs: &[f64]) -> f64 {
    let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if largest == f64::NEG_INFINITY {
        return largest;
    }
    largest
        + logs
            .iter()
            .map(|log| (log - largest).exp())
            .sum::<f64>()
            .ln()
}

/// Normalises logs so that their exponentials sum to 1.
fn normalise(logs: &mut [f64]) {
    let whole = log_sum(logs);
    logs.iter_mut().for_each(|log| *log -= whole);
}

/// Divides shares by a prior and normalises them; all are logs.
fn divide(shares: &mut [f64], prior: &[f64]) {
    (shares.iter_mut().zip(prior)).for_each(|(share, prior)| *share -= prior);
    normalise(shares);
}

/// The log of the mean of each column's exponentials.
fn log_mean(rows: &[Vec<f64>]) -> Vec<f64> {
    let columns = rows.first().map_or(0, Vec::len);
    let mean = |column: usize| {
        let logs: Vec<f64> = rows.iter().map(|row| row[column]).collect();
        log_sum(&logs) - (rows.len() as f64).ln()
    };
    (0..columns).map(mean).collect()
}

fn first_largest(values: &[f64]) -> usize {
    (0..values.len())
        .reduce(|best, at| if values[at] > values[best] { at } else { best })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: &[f64], wanted: &[f64]) {
        for (found, wanted) in found.iter().zip(wanted) {
            assert!((found.exp() - wanted).abs() < 1e-12, "{found} {wanted}");
        }
    }

    #[test]
    fn shares_add_up_to_one() {
        let mut logs = [0.2_f64.ln(), 0.1_f64.ln(), 0.1_f64.ln()];
        normalise(&mut logs);
        close(&logs, &[0.5, 0.25, 0.25]);
        assert_eq!(first_largest(&logs), 0);
        assert_eq!(first_largest(&[-1.0, -0.5, -0.5]), 1);
        // Far below the smallest positive f64.
        let mut tiny = [-2_000.0, -2_000.0 - 3.0_f64.ln()];
        normalise(&mut tiny);
        close(&tiny, &[0.75, 0.25]);
    }

    /// Zhao et al. 2021, §5: p = (0.6, 0.4) divided by the content-free (0.8, 0.2) is (0.75, 2): the second
    /// class.
    #[test]
    fn a_prior_is_divided_out() {
        let prior = log_mean(&[
            vec![0.9_f64.ln(), 0.1_f64.ln()],
            vec![0.7_f64.ln(), 0.3_f64.ln()],
        ]);
        close(&prior, &[0.8, 0.2]);
        let mut shares: Vec<f64> = [0.6_f64, 0.4].map(f64::ln).to_vec();
        divide(&mut shares, &prior);
        close(&shares, &[0.75 / 2.75, 2.0 / 2.75]);
        assert_eq!(first_largest(&shares), 1);
    }
}
