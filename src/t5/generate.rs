//! Greedy decoding with a key/value cache.

use burn::tensor::Tensor;

use super::encoder::Encoded;
use super::model::T5;

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
    let mut last = model.start_tokens(batch);
    let mut cache = model.start(encoded);
    for _ in 0..limit {
        let logits = rows(model.next_logits(&last, &mut cache));
        for ((output, last), logits) in outputs.iter_mut().zip(&mut last).zip(logits) {
            if output.ids.last() == Some(&end) {
                continue;
            }
            let (id, log_prob) = best(&logits);
            output.ids.push(id);
            output.log_prob += log_prob;
            *last = id;
        }
        if outputs.iter().all(|output| output.ids.last() == Some(&end)) {
            break;
        }
    }
    outputs
}

/// The highest logit's id and its log-probability.
fn best(logits: &[f32]) -> (u32, f64) {
    let (id, &highest) = logits
        .iter()
        .enumerate()
        .reduce(|best, next| if next.1 > best.1 { next } else { best })
        .expect("a vocabulary is never empty");
    let total: f64 = logits.iter().map(|&l| f64::from(l - highest).exp()).sum();
    (id as u32, -total.ln())
}

/// `[B, V]` on the host, row by row.
fn rows(logits: Tensor<2>) -> Vec<Vec<f32>> {
    let [_, width] = logits.dims();
    logits
        .into_data()
        .try_to_vec::<f32>()
        .expect("logits are f32")
        .chunks(width)
        .map(<[f32]>::to_vec)
        .collect()
}
