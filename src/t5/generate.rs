//! Greedy decoding with a key/value cache.

use burn::tensor::Tensor;
use rayon::prelude::*;

use super::encoder::Encoded;
use super::model::T5;
use crate::kernels::{largest, log_sum_exp};

/// One generated output.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Generated {
    /// The tokens after the start token, end of sequence included where it came.
    pub ids: Vec<u32>,
    /// The sum of their log-probabilities (natural).
    pub log_prob: f64,
}

/// The most probable next token, again and again, until every example has ended or has `limit`
/// tokens. Ties go to the lower id.
pub fn greedy(model: &T5, encoded: &Encoded, end: u32, limit: usize) -> Vec<Generated> {
    let batch = encoded.lengths.len();
    let mut outputs = vec![Generated::default(); batch];
    // The example that each row decodes.
    let mut rows: Vec<usize> = (0..batch).collect();
    let mut last = model.start_tokens(batch);
    let mut cache = model.start(encoded);
    for _ in 0..limit {
        let next = most_probable(model.next_logits(&last, &mut cache));
        for ((&example, last), (id, log_prob)) in rows.iter().zip(&mut last).zip(next) {
            let output = &mut outputs[example];
            if output.ids.last() != Some(&end) {
                output.ids.push(id);
                output.log_prob += log_prob;
                *last = id;
            }
        }
        let unfinished: Vec<usize> = (0..rows.len()).filter(|&row| last[row] != end).collect();
        if unfinished.is_empty() {
            break;
        }
        if unfinished.len() * SHRINK.1 <= rows.len() * SHRINK.0 {
            cache.keep(&unfinished);
            rows = unfinished.iter().map(|&row| rows[row]).collect();
            last = unfinished.iter().map(|&row| last[row]).collect();
        }
    }
    outputs
}

/// Finished rows are dropped when so many of so many are left: dropping copies the cache.
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
    // Damaged weights give logits that are no numbers: the first id, and no log-probability.
    let id = logits.iter().position(|&logit| logit == highest);
    (
        id.unwrap_or(0) as u32,
        f64::from(highest - log_sum_exp(logits)),
    )
}
