//! Words for a template, proposed by a backbone: what it fills in where spans of its input are missing, after
//! LM-BFF (Gao, Fisch & Chen 2021, arXiv 2012.15723, §5.2), which asks a T5 for the same.
//!
//! Deviations: the paper's beam search maximises the sum over all training examples at every token; here each
//! example is filled in greedily by itself, and the fillings of all are then ranked by that sum, so that no
//! filling is found that no single example leads to. The paper's inputs have the label's word where a masked
//! model's mask would be; here the answer stands at the end, where a T5 writes it.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::EvalError;
use super::likelihood::log_likelihoods;
use super::predict::predict;
use crate::batch::{Encoding, encode};
use crate::tokenizer::Tokenizer;
use crate::tuning::Tuned;
use promptshift_numbers::recipe::Limits;
use promptshift_text::domain::Example;

/// What stands in the missing spans.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    /// One text a span, in their order; some may be empty.
    pub spans: Vec<String>,
    /// Its mean log-probability (natural) over the examples.
    pub log_likelihood: f64,
    /// The examples that lead to it by themselves.
    pub examples: usize,
}

/// What the backbone fills into `spans` missing spans of the examples' inputs, each with its answer
/// behind it; the most probable for all of them first. Examples that would be cut are left out. `None`
/// where the tokenizer has no names for missing spans.
///
/// `tuned` must be off the tape.
///
/// # Errors
/// `watch` breaks it off, or the network gives no numbers.
pub fn proposals(
    tuned: &Tuned,
    examples: &[Example],
    spans: usize,
    tokenizer: &Tokenizer,
    limits: &Limits,
    watch: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> Result<Option<Vec<Proposal>>, EvalError> {
    let sentinels: Option<Vec<u32>> = (0..=spans).map(|k| tokenizer.sentinel(k)).collect();
    let Some(sentinels) = sentinels else {
        return Ok(None);
    };
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
    let answers = predict(tuned, &encodings, tokenizer, &[], limits, watch)?;
    let mut fillings: BTreeMap<Vec<Vec<u32>>, usize> = BTreeMap::new();
    for answer in &answers {
        if let Some(filling) = filling(&answer.token_ids, &sentinels, tokenizer.end()) {
            *fillings.entry(filling).or_default() += 1;
        }
    }
    // What says the same is one, however it is cut into tokens.
    let mut texts: BTreeMap<Vec<String>, (Vec<Vec<u32>>, usize)> = BTreeMap::new();
    for (filling, count) in fillings {
        let spans: Vec<String> = filling.iter().map(|ids| tokenizer.decode(ids)).collect();
        let spans: Vec<String> = spans.iter().map(|text| text.trim().to_owned()).collect();
        if spans.iter().any(|text| !text.is_empty()) {
            texts.entry(spans).or_insert((filling, 0)).1 += count;
        }
    }
    let words: Vec<Vec<u32>> = (texts.values())
        .map(|(filling, _)| written(filling, &sentinels, tokenizer.end()))
        .collect();
    let found = log_likelihoods(tuned, &encodings, &words, tokenizer.pad(), watch)?;
    let mean = |word: usize| {
        let sum: f64 = found.iter().map(|of_words| of_words[word]).sum();
        sum / found.len() as f64
    };
    let mut proposals: Vec<Proposal> = (texts.into_iter().enumerate())
        .map(|(word, (spans, (_, examples)))| Proposal {
            spans,
            log_likelihood: mean(word),
            examples,
        })
        .collect();
    proposals.sort_by(|one, other| other.log_likelihood.total_cmp(&one.log_likelihood));
    Ok(Some(proposals))
}

/// What an answer fills into each span, as span corruption writes it: each sentinel, then its words; `None`
/// where a span is not answered.
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

/// The answer that fills the spans so.
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
