//! How probable given words are as answers: one pass of the encoder for each example, one of the
//! decoder for each word; or one of a head that has a logit for each class.

use std::ops::ControlFlow;

use super::predict::POSITIONS;
use super::{EvalError, NotFinite, go_on};
use crate::batch::{Encoding, buckets, inputs};
use crate::parts::{Dropout, Tokens};
use crate::tuning::Tuned;

/// The log-probability (natural) of each of `words`, token ids with the end of sequence, as the
/// answer to each encoding's input: `[encoding][word]`. `watch` is told how many encodings are done
/// and may break the work off.
///
/// `tuned` must be off the tape.
///
/// # Errors
/// `watch` breaks it off, or the network gives no numbers.
pub(super) fn log_likelihoods(
    tuned: &Tuned,
    encodings: &[Encoding],
    words: &[Vec<u32>],
    pad: u32,
    watch: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> Result<Vec<Vec<f64>>, EvalError> {
    let lengths: Vec<usize> = encodings.iter().map(|e| e.input.len()).collect();
    let mut found = vec![Vec::with_capacity(words.len()); encodings.len()];
    let mut done = 0;
    for group in buckets(&lengths, POSITIONS) {
        let chosen: Vec<&Encoding> = group.iter().map(|&i| &encodings[i]).collect();
        let off = &mut Dropout::off();
        let encoded = tuned.encode(&inputs(&chosen, pad), off);
        for word in words {
            let targets = Tokens::padded(&vec![word.as_slice(); group.len()], pad);
            let losses = tuned.backbone.token_losses(&encoded, &targets, 0.0, off);
            let losses: Vec<f32> = losses.into_data().try_to_vec().expect("losses are f32");
            for (&i, losses) in group.iter().zip(losses.chunks(word.len())) {
                found[i].push(-losses.iter().map(|&loss| f64::from(loss)).sum::<f64>());
            }
        }
        done += group.len();
        NotFinite::check(group.iter().map(|&i| found[i].iter().copied()))?;
        go_on(watch(done))?;
    }
    Ok(found)
}

/// The logit of each class under a head of classes, `[encoding][class]`: log-probabilities but for what is
/// the same for all classes. The rest as [`log_likelihoods`].
pub(super) fn of_classes(
    tuned: &Tuned,
    encodings: &[Encoding],
    pad: u32,
    watch: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> Result<Vec<Vec<f64>>, EvalError> {
    let lengths: Vec<usize> = encodings.iter().map(|e| e.input.len()).collect();
    let mut found = vec![Vec::new(); encodings.len()];
    let mut done = 0;
    for group in buckets(&lengths, POSITIONS) {
        let chosen: Vec<&Encoding> = group.iter().map(|&i| &encodings[i]).collect();
        let encoded = tuned.encode(&inputs(&chosen, pad), &mut Dropout::off());
        // A target of each, whichever: what is asked for is every class's logit.
        let targets = Tokens::padded(&vec![[0_u32]; group.len()], pad);
        let logits = tuned.backbone.logits(&encoded, &targets);
        let [_, classes] = logits.dims();
        let logits: Vec<f32> = logits.into_data().try_to_vec().expect("logits are f32");
        for (&i, logits) in group.iter().zip(logits.chunks(classes)) {
            found[i] = logits.iter().map(|&logit| f64::from(logit)).collect();
        }
        done += group.len();
        NotFinite::check(group.iter().map(|&i| found[i].iter().copied()))?;
        go_on(watch(done))?;
    }
    Ok(found)
}
