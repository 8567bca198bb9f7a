//! THE BORDER back from tensors to text: examples → generated answers.

use std::ops::ControlFlow;

use super::{EvalError, NotFinite, go_on};
use crate::batch::{Encoding, buckets, inputs};
use crate::parts::{Dropout, Generated};
use crate::tokenizer::Tokenizer;
use crate::tuning::Tuned;
use promptshift_numbers::recipe::Limits;

/// Padded input positions of one batch: enough to keep two cores busy, little enough that scores
/// of a T5-base fit beside its weights.
pub(super) const POSITIONS: usize = 8_192;

/// One answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The text; the class's label where classes were ranked, or where one of its words was
    /// written.
    pub text: String,
    /// The generated tokens, end of sequence included where it came within the limit; where classes
    /// were ranked, those of the most probable word of the class.
    pub token_ids: Vec<u32>,
    /// Sum of the generated tokens' log-probabilities (natural); where classes were ranked, the
    /// logarithm of the class's share among all classes.
    pub log_prob: f64,
    /// Where classes were ranked, the logarithm of the share of each.
    pub class_log_probs: Option<Vec<f64>>,
    /// Input tokens, end of sequence included, after the cut.
    pub input_tokens: usize,
    /// Whether the input was cut.
    pub cut: bool,
}

/// Greedy answers to the encodings' inputs, in their order; a classifier's in the words of `labels`. `watch` is told how many are done and may break
/// the work off.
///
/// `tuned` must be off the tape ([`Module::valid`](burn::module::Module::valid)).
///
/// # Errors
/// `watch` breaks it off, or the network gives no numbers.
pub fn predict(
    tuned: &Tuned,
    encodings: &[Encoding],
    tokenizer: &Tokenizer,
    labels: &[String],
    limits: &Limits,
    watch: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> Result<Vec<Answer>, EvalError> {
    let lengths: Vec<usize> = encodings.iter().map(|e| e.input.len()).collect();
    let mut answers: Vec<Option<Answer>> = vec![None; encodings.len()];
    let mut done = 0;
    for group in buckets(&lengths, POSITIONS) {
        let chosen: Vec<&Encoding> = group.iter().map(|&i| &encodings[i]).collect();
        let tokens = inputs(&chosen, tokenizer.pad());
        let encoded = tuned.encode(&tokens, &mut Dropout::off());
        let outputs = (tuned.backbone).generate(&encoded, tokenizer.ends(), limits.answer);
        NotFinite::check(outputs.iter().map(|output| [output.log_prob]))?;
        for (&i, Generated { ids, log_prob }) in group.iter().zip(outputs) {
            answers[i] = Some(Answer {
                text: text(&ids, &encodings[i], tokenizer, labels),
                log_prob,
                class_log_probs: None,
                input_tokens: lengths[i],
                token_ids: ids,
                cut: encodings[i].cut,
            });
        }
        done += group.len();
        go_on(watch(done))?;
    }
    let answers = answers
        .into_iter()
        .map(|answer| answer.expect("every example is in exactly one group"));
    Ok(answers.collect())
}

/// What the ids of an answer say: tokens of the vocabulary, places in a pair's second text, or, of a
/// pair without one to answer from, a class.
fn text(ids: &[u32], encoding: &Encoding, tokenizer: &Tokenizer, labels: &[String]) -> String {
    match (tokenizer.pair(), &encoding.second, ids) {
        (None, _, ids) => tokenizer.decode(ids),
        (Some(_), Some(second), [first, last]) => second.between(*first, *last).to_string(),
        (Some(_), None, [class]) => labels.get(*class as usize).cloned().unwrap_or_default(),
        (Some(_), _, _) => String::new(),
    }
}
