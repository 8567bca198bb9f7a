//! How probable given words are as answers: one pass of the encoder for each example, one of the
//! decoder for each word; or one of a head that has a logit for each class.

use super::NotFinite;
use crate::batch::{Encoding, inputs};
use crate::layers::{Dropout, Tokens};
use crate::tuning::Tuned;

/// The log-probability (natural) of each of `words`, token ids with the end of sequence, as the
/// answer to each input of a batch: `[encoding][word]`.
///
/// `tuned` must be off the tape.
///
/// # Errors
/// The network gives no numbers.
pub(super) fn log_likelihoods(
    tuned: &Tuned,
    batch: &[&Encoding],
    words: &[Vec<u32>],
    pad: u32,
) -> Result<Vec<Vec<f64>>, NotFinite> {
    let mut found = vec![Vec::with_capacity(words.len()); batch.len()];
    let off = &mut Dropout::off();
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

/// The logit of each class under a head of classes, `[encoding][class]`: log-probabilities but for what is
/// the same for all classes. The rest as [`log_likelihoods`].
pub(super) fn of_classes(
    tuned: &Tuned,
    batch: &[&Encoding],
    pad: u32,
) -> Result<Vec<Vec<f64>>, NotFinite> {
    let encoded = tuned.encode(&inputs(batch, pad), &mut Dropout::off());
    // A target of each, whichever: what is asked for is every class's logit.
    let targets = Tokens::padded(&vec![[0_u32]; batch.len()], pad);
    let logits = tuned.backbone.logits(&encoded, &targets);
    let [_, classes] = logits.dims();
    let logits: Vec<f32> = logits.into_data().try_to_vec().expect("logits are f32");
    let of_encoding = |logits: &[f32]| logits.iter().map(|&logit| f64::from(logit)).collect();
    let found: Vec<Vec<f64>> = logits.chunks(classes).map(of_encoding).collect();
    NotFinite::check(found.iter().map(|found| found.iter().copied()))?;
    Ok(found)
}
