//! THE BORDER back from tensors to text, for several prompts at once: examples → every member's
//! answer, and what it gives each class label.

use super::predict::Answer;
use super::{Answering, NotFinite, POSITIONS};
use crate::batch::Encoding;
use crate::layers::{Dropout, Generated, Tokens};
use crate::t5::Encoded;
use crate::tokenizer::Tokenizer;
use crate::tuning::bank::PromptBank;
use promptshift_numbers::recipe::Limits;

/// What one member says to one example.
#[derive(Debug, Clone, PartialEq)]
pub struct MemberAnswer {
    /// Its greedy answer.
    pub answer: Answer,
    /// The natural log-probability of each class label's string, end of sequence included; empty for
    /// tasks without labels.
    pub label_log_probs: Vec<f64>,
}

/// Every member's answer to every encoding, `[example][member]`, each batch through the backbone
/// once, all members' rows together. `labels` are the class strings' tokens, without end of sequence.
pub fn answering<'a>(
    bank: &'a PromptBank,
    encodings: &'a [Encoding],
    labels: &'a [Vec<u32>],
    tokenizer: &'a Tokenizer,
    limits: &'a Limits,
) -> Answering<'a, Vec<MemberAnswer>> {
    Answering::new(encodings, POSITIONS / bank.size(), move |batch| {
        let inputs: Vec<&[u32]> = batch.iter().map(|e| e.input.as_slice()).collect();
        let encoded = bank.encode(&Tokens::padded(&inputs, tokenizer.pad()));
        let ends = [tokenizer.end()];
        let outputs = bank.backbone.generate(&encoded, &ends, limits.answer);
        let rows = bank.size() * batch.len();
        let given: Vec<Vec<f64>> = labels
            .iter()
            .map(|label| label_log_probs(bank, &encoded, rows, label, tokenizer))
            .collect();
        let of_row = |(row, output): (usize, &Generated)| {
            let given = given.iter().map(move |of_rows| of_rows[row]);
            given.chain([output.log_prob])
        };
        NotFinite::check(outputs.iter().enumerate().map(of_row))?;
        let mut found = vec![Vec::with_capacity(bank.size()); batch.len()];
        // Rows are member by member, and within a member in the batch's order.
        for (row, Generated { ids, log_prob }) in outputs.into_iter().enumerate() {
            let i = row % batch.len();
            found[i].push(MemberAnswer {
                answer: Answer {
                    text: tokenizer.decode(&ids),
                    log_prob,
                    class_log_probs: None,
                    input_tokens: batch[i].input.len(),
                    token_ids: ids,
                    cut: batch[i].cut,
                },
                label_log_probs: given.iter().map(|of_rows| of_rows[row]).collect(),
            });
        }
        Ok(found)
    })
}

/// The log-probability of one label's string in every row.
fn label_log_probs(
    bank: &PromptBank,
    encoded: &Encoded,
    rows: usize,
    label: &[u32],
    tokenizer: &Tokenizer,
) -> Vec<f64> {
    let ended: Vec<u32> = label.iter().copied().chain([tokenizer.end()]).collect();
    let targets = Tokens::padded(&vec![ended.as_slice(); rows], tokenizer.pad());
    let losses: Vec<f32> = bank
        .backbone
        .token_losses(encoded, &targets, 0.0, &mut Dropout::off())
        .into_data()
        .try_to_vec()
        .expect("losses are f32");
    losses
        .chunks(ended.len())
        .map(|tokens| -tokens.iter().copied().map(f64::from).sum::<f64>())
        .collect()
}
