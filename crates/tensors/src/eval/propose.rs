//! Lets a backbone propose wordings: words of a template and, for a verbalizer, vocabulary words near those
//! of the classes.
//!
//! For a template the backbone fills in missing spans of its input, after LM-BFF (Gao, Fisch & Chen 2021,
//! arXiv 2012.15723, §5.2), which also uses a T5. Deviations: the paper's beam search maximises the sum over
//! all training examples at every token. Here each example is filled in greedily on its own, and then all
//! fillings are ranked by that sum, so a filling that no single example produces is not found. The paper puts
//! the label's word where a masked language model's mask would be; here the answer is at the end, where a T5
//! writes it.

use std::collections::BTreeMap;

use super::predict::{Answer, log_likelihoods, predict};
use super::{Answering, NotFinite, POSITIONS};
use crate::backbone::Backbone;
use crate::batch::{Encoding, encode};
use crate::tokenizer::Tokenizer;
use crate::tuning::Tuned;
use promptshift_numbers::inspect::cosine;
use promptshift_numbers::recipe::Limits;
use promptshift_text::domain::Example;

/// Text proposed for the missing spans.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    /// One text for each span, in order; some may be empty.
    pub spans: Vec<String>,
    /// Its mean log-probability (natural) over the examples.
    pub log_likelihood: f64,
    /// How many examples produced it on their own.
    pub examples: usize,
}

/// Uses a backbone to fill missing spans in examples' inputs, each followed by its answer: first [each on its
/// own](Self::filling), then [ranked over all of them](Self::ranking).
pub struct Proposer<'a> {
    tuned: &'a Tuned,
    tokenizer: &'a Tokenizer,
    limits: &'a Limits,
    sentinels: Vec<u32>,
    encodings: Vec<Encoding>,
}

impl<'a> Proposer<'a> {
    /// For examples with this many missing spans; examples that would be truncated are skipped. `None` if the
    /// tokenizer has no sentinel tokens.
    ///
    /// `tuned` must not require gradients.
    pub fn new(
        tuned: &'a Tuned,
        examples: &[Example],
        spans: usize,
        tokenizer: &'a Tokenizer,
        limits: &'a Limits,
    ) -> Option<Self> {
        let sentinels: Vec<u32> = (0..=spans)
            .map(|k| tokenizer.sentinel(k))
            .collect::<Option<_>>()?;
        let answered: Vec<Example> = (examples.iter())
            .map(|example| Example {
                input: format!("{} {}", example.input, example.target),
                ..example.clone()
            })
            .collect();
        let missing = |encoding: &Encoding| {
            let found = encoding.input.iter().filter(|id| sentinels.contains(id));
            found.copied().eq(sentinels[..spans].iter().copied())
        };
        let mut encodings = encode(&answered, tokenizer, limits);
        encodings.retain(|encoding| !encoding.cut && missing(encoding));
        Some(Proposer {
            tuned,
            tokenizer,
            limits,
            sentinels,
            encodings,
        })
    }

    /// Fills in each example on its own.
    pub fn filling(&self) -> Answering<'_, Answer> {
        predict(
            self.tuned,
            &self.encodings,
            self.tokenizer,
            &[],
            self.limits,
        )
    }

    /// Ranks the fillings by their probability for all examples.
    pub fn ranking(&self, answers: &[Answer]) -> Ranking<'_> {
        let end = self.tokenizer.end();
        let mut fillings: BTreeMap<Vec<Vec<u32>>, usize> = BTreeMap::new();
        for answer in answers {
            if let Some(filling) = filling(&answer.token_ids, &self.sentinels, end) {
                *fillings.entry(filling).or_default() += 1;
            }
        }
        // Fillings with equal text count as one, however they are tokenized.
        let mut texts: BTreeMap<Vec<String>, (Vec<Vec<u32>>, usize)> = BTreeMap::new();
        for (filling, count) in fillings {
            let spans = filling.iter().map(|ids| self.tokenizer.decode(ids));
            let spans: Vec<String> = spans.map(|text| text.trim().to_owned()).collect();
            if spans.iter().any(|text| !text.is_empty()) {
                texts.entry(spans).or_insert((filling, 0)).1 += count;
            }
        }
        let words: Vec<Vec<u32>> = (texts.values())
            .map(|(filling, _)| written(filling, &self.sentinels, end))
            .collect();
        let (tuned, pad) = (self.tuned, self.tokenizer.pad());
        Ranking {
            texts: (texts.into_iter())
                .map(|(spans, (_, examples))| (spans, examples))
                .collect(),
            likelihoods: Answering::new(&self.encodings, POSITIONS, move |batch| {
                log_likelihoods(tuned, batch, &words, pad)
            }),
        }
    }
}

/// Ranks fillings by their probability for all examples: an iterator that yields the number of examples done
/// after each batch.
#[must_use = "nothing is ranked until the iterator is advanced"]
pub struct Ranking<'a> {
    /// The fillings, and how many examples produced each.
    texts: Vec<(Vec<String>, usize)>,
    likelihoods: Answering<'a, Vec<f64>>,
}

impl Iterator for Ranking<'_> {
    type Item = Result<usize, NotFinite>;

    fn next(&mut self) -> Option<Self::Item> {
        self.likelihoods.next()
    }
}

impl Ranking<'_> {
    /// Scores the remaining examples and returns all fillings, the most probable first.
    ///
    /// # Errors
    /// The network's output is not finite.
    ///
    /// # Panics
    /// The iterator has already returned an error.
    pub fn finish(self) -> Result<Vec<Proposal>, NotFinite> {
        let found = self.likelihoods.finish()?;
        let mean = |word: usize| {
            let sum: f64 = found.iter().map(|of_words| of_words[word]).sum();
            sum / found.len() as f64
        };
        let mut proposals: Vec<Proposal> = (self.texts.into_iter().enumerate())
            .map(|(word, (spans, examples))| Proposal {
                spans,
                log_likelihood: mean(word),
                examples,
            })
            .collect();
        proposals.sort_by(|one, other| other.log_likelihood.total_cmp(&one.log_likelihood));
        Ok(proposals)
    }
}

/// The text that an answer fills into each span, in the format of span corruption: each sentinel followed by
/// its words; `None` if a span is missing.
fn filling(ids: &[u32], sentinels: &[u32], end: u32) -> Option<Vec<Vec<u32>>> {
    let ids = ids.split(|&id| id == end).next().unwrap_or_default();
    let spans = sentinels.len() - 1;
    (0..spans)
        .map(|span| {
            let start = ids.iter().position(|&id| id == sentinels[span])? + 1;
            let rest = &ids[start..];
            let stop = rest.iter().position(|id| sentinels.contains(id));
            Some(rest[..stop.unwrap_or(rest.len())].to_vec())
        })
        .collect()
}

/// The target sequence that encodes this filling.
fn written(filling: &[Vec<u32>], sentinels: &[u32], end: u32) -> Vec<u32> {
    let mut ids = Vec::new();
    for (span, &sentinel) in filling.iter().zip(sentinels) {
        ids.push(sentinel);
        ids.extend(span);
    }
    ids.push(sentinels[filling.len()]);
    ids.push(end);
    ids
}

/// A word with its similarity to a class.
#[derive(Debug, Clone, PartialEq)]
pub struct Neighbour {
    /// One token of the vocabulary.
    pub word: String,
    /// Cosine of its embedding with the mean of the class's words', in [-1, 1].
    pub cosine: f64,
}

/// For each class, given by its words, the `count` nearest words, nearest first. Candidates are whole words
/// of letters only that the tokenizer has as single tokens. A word is assigned only to its nearest class, as
/// in Schick et al. 2020 (arXiv 2010.13641), who use likelihood; ties go to the first class and the lower id.
pub fn embedding_neighbours(
    backbone: &Backbone,
    classes: &[Vec<&str>],
    count: usize,
) -> Vec<Vec<Neighbour>> {
    let embedding = backbone.model.embedding();
    let [rows, width] = embedding.dims();
    let table: Vec<f32> = (embedding.into_data())
        .try_to_vec()
        .expect("embeddings are f32");
    let row = |id: u32| &table[id as usize * width..(id as usize + 1) * width];
    let tokenizer = &backbone.tokenizer;
    let centres: Vec<Vec<f64>> = classes
        .iter()
        .map(|words| {
            let mut centre = vec![0.0; width];
            for word in words {
                let ids = tokenizer.encode(word);
                for &id in &ids {
                    let of_word = row(id).iter().map(|&v| f64::from(v) / ids.len() as f64);
                    centre
                        .iter_mut()
                        .zip(of_word)
                        .for_each(|(sum, v)| *sum += v);
                }
            }
            centre
        })
        .collect();
    let mut found: Vec<Vec<Neighbour>> = vec![Vec::new(); classes.len()];
    for id in 0..rows.min(tokenizer.size()) as u32 {
        let word = tokenizer.decode(&[id]);
        let whole = !word.is_empty() && word.chars().all(char::is_alphabetic);
        if !whole || tokenizer.encode(&word) != [id] || is_known(&word, classes) {
            continue;
        }
        let cosines = centres.iter().map(|centre| cosine(centre, row(id)));
        let best = cosines
            .enumerate()
            .reduce(|best, other| if other.1 > best.1 { other } else { best });
        if let Some((class, cosine)) = best {
            found[class].push(Neighbour { word, cosine });
        }
    }
    for near in &mut found {
        near.sort_by(|one, other| other.cosine.total_cmp(&one.cosine));
        near.truncate(count);
    }
    found
}

fn is_known(word: &str, classes: &[Vec<&str>]) -> bool {
    classes.iter().flatten().any(|known| *known == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENTINELS: [u32; 3] = [90, 91, 92];

    #[test]
    fn spans_are_read_between_their_sentinels() {
        for (ids, wanted) in [
            (
                &[90, 5, 6, 91, 7, 92, 1][..],
                Some(vec![vec![5, 6], vec![7]]),
            ),
            (&[90, 91, 7, 1, 8], Some(vec![vec![], vec![7]])),
            (&[4, 90, 5, 91], Some(vec![vec![5], vec![]])),
            (&[90, 5, 6, 1], None),
            (&[5, 1], None),
            (&[], None),
        ] {
            assert_eq!(filling(ids, &SENTINELS, 1), wanted, "{ids:?}");
        }
        let ids = written(&[vec![5, 6], vec![]], &SENTINELS, 1);
        assert_eq!(ids, [90, 5, 6, 91, 92, 1]);
        assert_eq!(filling(&ids, &SENTINELS, 1), Some(vec![vec![5, 6], vec![]]));
    }
}
