//! The output heads of an encoder: classes from the first token or from a mask, or answer spans in the second
//! text.

use burn::module::{Module, Param};
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use rayon::prelude::*;

use crate::layers::{Generated, HeadForm, Linear, Norm, Tokens};
use promptshift_kernels::{self as kernels, log_sum_exp};

/// The special tokens around and within texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marks {
    /// The id that ends each of two texts: `[SEP]`, or `</s>`.
    pub separator: u32,
    /// The number of separators between two texts: one in a BERT, two in a RoBERTa.
    pub between: usize,
    /// The id of a masked word, if there is one.
    pub mask: Option<u32>,
}

impl Marks {
    /// The special tokens of BERT's published vocabularies.
    pub(super) const PUBLISHED: Marks = Marks {
        separator: 102,
        between: 1,
        mask: Some(103),
    };
}

/// The maximum length in tokens of a predicted span (30, as in google-research/bert, `run_squad.py`,
/// `max_answer_length`).
pub const LONGEST_ANSWER: usize = 30;

/// The logit of positions that cannot be in an answer.
const NOWHERE: f64 = -1e9;

/// The encoder's output for a batch, with what a head needs to read it.
#[derive(Debug, Clone)]
pub struct Encoded {
    /// `[B·(T+P), D]`, after the last block; a prompt's `P` positions follow the first token. States at
    /// padding are meaningless.
    pub hidden: Tensor<2>,
    /// The states that a span head reads: `hidden`, in a ModernBERT passed through the pooler.
    pub(super) spans: Tensor<2>,
    /// `P`.
    pub prompt: usize,
    /// `[B, D]`, one state for each example: the first token's, passed through the pooler or the head's first
    /// layer if there is one; for the masked-word head, the masked token's, passed through the head's
    /// transform.
    pub(super) pooled: Tensor<2>,
    /// The input tokens.
    pub(super) tokens: Tokens,
    /// The special tokens around the texts.
    pub(super) marks: Marks,
}

/// A linear layer from states to logits.
#[derive(Module, Debug)]
pub struct Head {
    /// The linear layer before the output layer, which a new RoBERTa or DistilBERT classifier has in
    /// Transformers.
    pub(super) dense: Option<Linear>,
    pub(super) map: Linear,
    #[module(skip)]
    pub(super) form: HeadForm,
}

impl Head {
    /// A head with this weight `[D, outputs]` and bias `[outputs]`.
    ///
    /// # Panics
    /// The sizes do not match the form.
    pub fn new(form: HeadForm, weight: Param<Tensor<2>>, bias: Param<Tensor<1>>) -> Self {
        assert_eq!(weight.val().dims()[1], form.outputs(), "one column a logit");
        Head {
            dense: None,
            map: Linear::new(weight.val()).with_bias(bias.val()),
            form,
        }
    }

    /// Adds a linear layer before the head, with this weight `[D, D]` and bias `[D]`.
    pub fn behind(self, weight: Param<Tensor<2>>, bias: Param<Tensor<1>>) -> Self {
        let dense = Linear::new(weight.val()).with_bias(bias.val());
        Head {
            dense: Some(dense),
            ..self
        }
    }

    /// The form of its answers.
    pub fn form(&self) -> HeadForm {
        self.form
    }

    /// Logits `[B, classes]` of a classifier. For a span head, logits `[2·B, T]` over input positions without
    /// the prompt: the rows for first positions, then the rows for last positions.
    pub(super) fn logits(&self, encoded: &Encoded) -> Tensor<2> {
        match self.form {
            HeadForm::Classes(_) | HeadForm::Words(_) => self.map.forward(encoded.pooled.clone()),
            HeadForm::Span => {
                let (batch, length) = (encoded.tokens.batch(), encoded.tokens.width);
                let rows = length + encoded.prompt;
                let logits = self
                    .map
                    .forward(encoded.spans.clone())
                    .reshape([batch, rows, 2]);
                // The first token, which can't be in an answer, and the positions after the prompt.
                let first = logits.clone().slice([0..batch, 0..1, 0..2]);
                let rest = logits.slice([0..batch, 1 + encoded.prompt..rows, 0..2]);
                let logits = Tensor::cat(vec![first, rest], 1).permute([2, 0, 1]);
                logits.reshape([2 * batch, length]) + outside(encoded).repeat_dim(0, 2)
            }
        }
    }

    /// The logits of every real target, `[N, classes]` or `[N, T]`, and the targets. An example whose answer
    /// was truncated has no target.
    pub(super) fn target_logits(
        &self,
        encoded: &Encoded,
        targets: &Tokens,
    ) -> (Tensor<2>, Vec<u32>) {
        let logits = self.logits(encoded);
        let batch = targets.batch();
        let mut rows = Vec::new();
        let mut wanted = Vec::new();
        for (row, &length) in targets.lengths.iter().enumerate() {
            for at in 0..length {
                // The rows for last positions follow those for first positions.
                rows.push((at * batch + row) as i32);
                wanted.push(targets.ids[row * targets.width + at]);
            }
        }
        let count = rows.len();
        let rows = Tensor::from_data(TensorData::new(rows, [count]), &logits.device());
        (logits.select(0, rows), wanted)
    }

    /// The loss of every real target, `[N]`.
    pub(super) fn losses(&self, encoded: &Encoded, targets: &Tokens, z_loss: f64) -> Tensor<1> {
        let (logits, wanted) = self.target_logits(encoded, targets);
        kernels::cross_entropy(logits, &wanted, z_loss)
    }

    /// The most probable answer to each example.
    pub(super) fn answers(&self, encoded: &Encoded) -> Vec<Generated> {
        let batch = encoded.tokens.batch();
        let data = self.logits(encoded).into_data();
        let logits = data.as_slice::<f32>().expect("logits are f32");
        let width = logits.len() / (batch * if self.form == HeadForm::Span { 2 } else { 1 });
        match self.form {
            HeadForm::Classes(_) | HeadForm::Words(_) => {
                logits.par_chunks(width).map(best_class).collect()
            }
            HeadForm::Span => {
                let (first, last) = logits.split_at(batch * width);
                (first.par_chunks(width).zip(last.par_chunks(width)))
                    .map(|(first, last)| best_span(first, last))
                    .collect()
            }
        }
    }
}

/// The masked-word head of pre-training (Devlin et al. 2018, §3.1, task 1), which predicts the word at a
/// mask: `norm(gelu(h W + b))` is multiplied by the word embeddings, and a bias is added for each word.
///
/// Here classes are words (Schick & Schütze 2021, "Exploiting Cloze Questions for Few Shot Text
/// Classification and Natural Language Inference", arXiv 2001.07676): a class's probability is that of its
/// word at the mask, normalised over the words of all classes.
///
/// The vectors and biases of the classes' words become the head that every method trains and counts
/// ([`Bert::head_of_words`](super::Bert::head_of_words)). `W`, `b` and the norm stay frozen with every
/// method, model tuning included, and no parameter count (trained, stored or total) includes them.
/// Fine-tuning a `BertForMaskedLM` with Transformers does change them. In a ModernBERT they belong to the
/// network, so model tuning trains and counts them.
#[derive(Debug, Clone)]
pub(super) struct MaskedWords {
    /// Its linear layer and norm; `None` in a ModernBERT, which uses the pooler's.
    pub(super) transform: Option<(Linear, Norm)>,
    /// `[V]`.
    pub(super) bias: Tensor<1>,
    /// The token id of each class's word, once known.
    pub(super) classes: Vec<u32>,
}

impl MaskedWords {
    /// The same on a device.
    pub(super) fn on(self, device: &Device) -> Self {
        let transform = self.transform;
        MaskedWords {
            transform: transform.map(|(map, norm)| (map.to_device(device), norm.to_device(device))),
            bias: self.bias.to_device(device),
            classes: self.classes,
        }
    }

    /// The vectors `[D, C]` and biases `[C]` of the classes' words.
    pub(super) fn of_classes(&self, embedding: Tensor<2>) -> (Tensor<2>, Tensor<1>) {
        let ids: Vec<i32> = self.classes.iter().map(|&id| id as i32).collect();
        let ids = TensorData::new(ids, [self.classes.len()]);
        let ids = Tensor::<1, Int>::from_data(ids, &embedding.device());
        let vectors = (embedding.select(0, ids.clone()).cast(DType::F32)).transpose();
        (vectors, self.bias.clone().select(0, ids))
    }
}

/// `[B, T]`: 0 at tokens of the second segment, [`NOWHERE`] elsewhere.
fn outside(encoded: &Encoded) -> Tensor<2> {
    let tokens = &encoded.tokens;
    let rows = tokens.ids.chunks(tokens.width).zip(&tokens.lengths);
    let values: Vec<f32> = rows
        .flat_map(|(row, &length)| {
            let separator = (row.iter()).position(|&id| id == encoded.marks.separator);
            let first = separator.map_or(length, |at| at + encoded.marks.between);
            // The last real token is the second separator.
            let inside = first..length.saturating_sub(1);
            (0..row.len()).map(move |at| match inside.contains(&at) {
                true => 0.0,
                false => NOWHERE as f32,
            })
        })
        .collect();
    let shape = [tokens.batch(), tokens.width];
    Tensor::from_data(
        TensorData::new(values, shape),
        &encoded.hidden.device().without_autodiff(),
    )
}

/// The class with the highest logit (the first one on ties) and its log-probability.
fn best_class(logits: &[f32]) -> Generated {
    let mut best = 0;
    for (class, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            best = class;
        }
    }
    Generated {
        ids: vec![best as u32],
        log_prob: f64::from(logits[best] - log_sum_exp(logits)),
    }
}

/// The span with the highest sum of first and last logit, where last is not before first and the span has at
/// most [`LONGEST_ANSWER`] tokens; empty if the second segment has no tokens. The log-probability is that of
/// both positions.
fn best_span(first: &[f32], last: &[f32]) -> Generated {
    let inside = |logit: f32| f64::from(logit) > NOWHERE / 2.0;
    let mut best: Option<(f32, usize, usize)> = None;
    for (start, &from) in first
        .iter()
        .enumerate()
        .filter(|(_, logit)| inside(**logit))
    {
        let ends = last.iter().enumerate().skip(start).take(LONGEST_ANSWER);
        for (end, &to) in ends.filter(|(_, logit)| inside(**logit)) {
            if best.is_none_or(|(sum, _, _)| from + to > sum) {
                best = Some((from + to, start, end));
            }
        }
    }
    let whole = f64::from(log_sum_exp(first) + log_sum_exp(last));
    match best {
        Some((sum, start, end)) => Generated {
            ids: vec![start as u32, end as u32],
            log_prob: f64::from(sum - log_sum_exp(first) - log_sum_exp(last)),
        },
        // NaN logits select no span.
        None if !whole.is_finite() => Generated {
            ids: Vec::new(),
            log_prob: f64::NAN,
        },
        None => Generated::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_span_is_valid_even_where_the_best_places_are_not() {
        let far = NOWHERE as f32;
        // The best start (3) is after the best end (1); the best valid pair is 1 to 1, with 2 + 3.
        let first = [far, 2.0, 0.0, 4.0, far];
        let last = [far, 3.0, 1.0, 0.5, far];
        let found = best_span(&first, &last);
        assert_eq!(found.ids, [1, 1]);
        let log_sum = |logits: &[f32]| logits.iter().map(|x| f64::from(*x).exp()).sum::<f64>().ln();
        let wanted = 5.0 - log_sum(&first) - log_sum(&last);
        assert!((found.log_prob - wanted).abs() < 1e-5);
    }

    #[test]
    fn an_answer_has_at_most_thirty_tokens() {
        let mut first = vec![0.0; 60];
        let mut last = vec![0.0; 60];
        (first[5], last[34]) = (10.0, 9.0);
        assert_eq!(best_span(&first, &last).ids, [5, 34]);
        (last[34], last[35]) = (0.0, 9.0);
        // 5..=35 would be 31 tokens.
        assert_eq!(best_span(&first, &last).ids, [5, 5]);
    }

    #[test]
    fn nan_logits_give_no_log_probability() {
        let (nan, far) = (f32::NAN, NOWHERE as f32);
        for (first, last) in [
            ([far, nan, nan], [far, nan, nan]),
            ([far, 1.0, nan], [far, 1.0, 2.0]),
            ([far, 1.0, 2.0], [nan, 1.0, 2.0]),
        ] {
            let found = best_span(&first, &last);
            assert!(found.log_prob.is_nan(), "{first:?} {last:?} {found:?}");
        }
        assert!(best_class(&[1.0, nan]).log_prob.is_nan());
        assert!(best_class(&[f32::INFINITY, 1.0]).log_prob.is_nan());
    }

    #[test]
    fn without_a_second_text_there_is_no_answer() {
        let nothing = [NOWHERE as f32; 4];
        assert_eq!(best_span(&nothing, &nothing), Generated::default());
    }

    #[test]
    fn the_class_is_the_highest_with_its_probability() {
        let found = best_class(&[1.0, 3.0, 3.0]);
        assert_eq!(found.ids, [1]);
        let wanted = (3f64.exp() / (1f64.exp() + 2.0 * 3f64.exp())).ln();
        assert!((found.log_prob - wanted).abs() < 1e-6);
    }
}
