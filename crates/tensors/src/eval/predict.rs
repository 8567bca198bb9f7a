//! THE BORDER back from tensors to text: examples → generated answers.

use super::{Answering, NotFinite, POSITIONS};
use crate::batch::{Encoding, inputs};
use crate::layers::{Dropout, Generated};
use crate::tokenizer::Tokenizer;
use crate::tuning::Tuned;
use promptshift_numbers::recipe::Limits;

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

/// Greedy answers to the encodings' inputs; a classifier's in the words of `labels`.
///
/// `tuned` must be off the tape ([`Module::valid`](burn::module::Module::valid)).
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

/// The answers to one batch, as [`predict`] gives them.
pub(super) fn generated(
    tuned: &Tuned,
    batch: &[&Encoding],
    tokenizer: &Tokenizer,
    labels: &[String],
    limits: &Limits,
) -> Result<Vec<Answer>, NotFinite> {
    let encoded = tuned.encode(&inputs(batch, tokenizer.pad()), &mut Dropout::off());
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
