//! Greedy decoding.

use burn::tensor::Tensor;
use rayon::prelude::*;

use promptshift_kernels::{largest, log_sum_exp};

/// One generated output.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Generated {
    /// The tokens, the end token included if it came.
    pub ids: Vec<u32>,
    /// The sum of their log-probabilities (natural).
    pub log_prob: f64,
}

/// A network in the middle of an output, with a cache of what each example has read.
pub trait Decoding {
    /// Logits `[B, V]` of the tokens that follow `last`, which has one token for each row kept.
    fn next_logits(&mut self, last: &[u32]) -> Tensor<2>;

    /// Keeps only these rows of the batch.
    fn keep(&mut self, rows: &[usize]);
}

/// Appends the most probable token until every example has ended (with one of `ends`) or has `limit` tokens. `first`
/// are the logits `[B, V]` of the first tokens. Ties go to the lower id.
pub fn greedy(
    first: Tensor<2>,
    decoding: &mut dyn Decoding,
    ends: &[u32],
    limit: usize,
) -> Vec<Generated> {
    let [batch, _] = first.dims();
    let ended = |id: Option<&u32>| id.is_some_and(|id| ends.contains(id));
    let mut outputs = vec![Generated::default(); batch];
    // The example that each row decodes.
    let mut rows: Vec<usize> = (0..batch).collect();
    let mut last = vec![0; batch];
    let mut first = Some(first);
    for _ in 0..limit {
        let logits = first.take();
        let next = most_probable(logits.unwrap_or_else(|| decoding.next_logits(&last)));
        for ((&example, last), (id, log_prob)) in rows.iter().zip(&mut last).zip(next) {
            let output = &mut outputs[example];
            if !ended(output.ids.last()) {
                output.ids.push(id);
                output.log_prob += log_prob;
                *last = id;
            }
        }
        let unfinished: Vec<usize> = (0..rows.len())
            .filter(|&row| !ended(Some(&last[row])))
            .collect();
        if unfinished.is_empty() {
            break;
        }
        if unfinished.len() * SHRINK.1 <= rows.len() * SHRINK.0 {
            decoding.keep(&unfinished);
            rows = unfinished.iter().map(|&row| rows[row]).collect();
            last = unfinished.iter().map(|&row| last[row]).collect();
        }
    }
    outputs
}

/// Finished rows are dropped once at most this fraction of rows is left: dropping copies the cache.
const SHRINK: (usize, usize) = (3, 4);

/// The id of each row's highest logit and its log-probability.
fn most_probable(logits: Tensor<2>) -> Vec<(u32, f64)> {
    let [_, width] = logits.dims();
    let data = logits.into_data();
    let logits = data.as_slice::<f32>().expect("logits are f32");
    logits.par_chunks(width).map(best).collect()
}

fn best(logits: &[f32]) -> (u32, f64) {
    let highest = largest(logits);
    // NaN logits give id 0 with a non-finite log-probability, which is rejected before an answer is read.
    let id = logits.iter().position(|&logit| logit == highest);
    (
        id.unwrap_or(0) as u32,
        f64::from(highest - log_sum_exp(logits)),
    )
}
