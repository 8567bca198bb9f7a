//! The border from tensors back to text: generated answers to examples, and the probability of given words as
//! answers. The latter takes one encoder pass per example and one decoder pass per word, or one pass of a
//! head with a logit for each class.

use super::{Answering, NotFinite, POSITIONS};
use crate::batch::{Encoding, inputs};
use crate::layers::{Generated, Pass, Tokens};
use crate::tokenizer::Tokenizer;
use crate::tuning::Tuned;
use promptshift_numbers::recipe::Limits;

/// One answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The text; the class's label if classes were ranked, or if one of its words was generated.
    pub text: String,
    /// The generated tokens, including the end of sequence if it was generated within the limit; if classes
    /// were ranked, the tokens of the class's most probable word.
    pub token_ids: Vec<u32>,
    /// The sum of the generated tokens' log-probabilities (natural); if classes were ranked, the log of the
    /// class's share among all classes.
    pub log_prob: f64,
    /// If classes were ranked, the log of each one's share.
    pub class_log_probs: Option<Vec<f64>>,
    /// Input tokens after truncation, end of sequence included.
    pub input_tokens: usize,
    /// Whether the input was truncated.
    pub cut: bool,
}

/// Greedy answers to the encodings' inputs; a classifier answers with one of `labels`.
///
/// `tuned` must not require gradients ([`Module::valid`](burn::module::Module::valid)).
pub fn predict<'a>(
    tuned: &'a Tuned,
    encodings: &'a [Encoding],
    tokenizer: &'a Tokenizer,
    labels: &'a [String],
    limits: &'a Limits,
) -> Answering<'a, Answer> {
    Answering::new(encodings, POSITIONS, move |batch| {
        generated(tuned, batch, tokenizer, labels, limits)
    })
}

/// The answers of [`predict`] to one batch.
pub(super) fn generated(
    tuned: &Tuned,
    batch: &[&Encoding],
    tokenizer: &Tokenizer,
    labels: &[String],
    limits: &Limits,
) -> Result<Vec<Answer>, NotFinite> {
    let encoded = tuned.encode(&inputs(batch, tokenizer.pad()), &mut Pass::evaluation());
    let outputs = (tuned.backbone).generate(&encoded, tokenizer.ends(), limits.answer);
    NotFinite::check(outputs.iter().map(|output| [output.log_prob]))?;
    let answers =
        (batch.iter().zip(outputs)).map(|(encoding, Generated { ids, log_prob })| Answer {
            text: text(&ids, encoding, tokenizer, labels),
            log_prob,
            class_log_probs: None,
            input_tokens: encoding.input.len(),
            token_ids: ids,
            cut: encoding.cut,
        });
    Ok(answers.collect())
}

/// The text of an answer's ids, which are vocabulary tokens, positions in a pair's second text, or a class if
/// the pair has no text to answer from.
fn text(ids: &[u32], encoding: &Encoding, tokenizer: &Tokenizer, labels: &[String]) -> String {
    match (tokenizer.pair(), &encoding.second, ids) {
        (None, _, ids) => tokenizer.decode(ids),
        (Some(_), Some(second), [first, last]) => second.between(*first, *last).to_string(),
        (Some(_), None, [class]) => labels.get(*class as usize).cloned().unwrap_or_default(),
        (Some(_), _, _) => String::new(),
    }
}

/// The log-probability (natural) of each of `words` (token ids with the end of sequence) as the answer to
/// each input of a batch: `[encoding][word]`.
///
/// `tuned` must not require gradients.
///
/// # Errors
/// The network's output is not finite.
pub(super) fn log_likelihoods(
    tuned: &Tuned,
    batch: &[&Encoding],
    words: &[Vec<u32>],
    pad: u32,
) -> Result<Vec<Vec<f64>>, NotFinite> {
    let mut found = vec![Vec::with_capacity(words.len()); batch.len()];
    let off = &mut Pass::evaluation();
    let encoded = tuned.encode(&inputs(batch, pad), off);
    for word in words {
        let targets = Tokens::padded(&vec![word.as_slice(); batch.len()], pad);
        let losses = tuned.backbone.token_losses(&encoded, &targets, 0.0, off);
        let losses: Vec<f32> = losses.into_data().try_to_vec().expect("losses are f32");
        for (found, losses) in found.iter_mut().zip(losses.chunks(word.len())) {
            found.push(-losses.iter().map(|&loss| f64::from(loss)).sum::<f64>());
        }
    }
    NotFinite::check(found.iter().map(|found| found.iter().copied()))?;
    Ok(found)
}

/// The logit of each class under a classification head, `[encoding][class]`: its log-probability up to a
/// constant shared by all classes. Otherwise as [`log_likelihoods`].
pub(super) fn of_classes(
    tuned: &Tuned,
    batch: &[&Encoding],
    pad: u32,
) -> Result<Vec<Vec<f64>>, NotFinite> {
    let encoded = tuned.encode(&inputs(batch, pad), &mut Pass::evaluation());
    // The target does not matter, since the logits of all classes are returned.
    let targets = Tokens::padded(&vec![[0_u32]; batch.len()], pad);
    let logits = tuned.backbone.logits(&encoded, &targets);
    let [_, classes] = logits.dims();
    let logits: Vec<f32> = logits.into_data().try_to_vec().expect("logits are f32");
    let of_encoding = |logits: &[f32]| logits.iter().map(|&logit| f64::from(logit)).collect();
    let found: Vec<Vec<f64>> = logits.chunks(classes).map(of_encoding).collect();
    NotFinite::check(found.iter().map(|found| found.iter().copied()))?;
    Ok(found)
}
