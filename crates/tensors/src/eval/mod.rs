//! From tensors back to text: predictions.

use crate::batch::{Encoding, buckets};

pub mod answerer;
pub mod predict;
pub mod propose;

/// Padded input positions in a batch: enough to keep two cores busy, few enough that the attention scores of
/// a T5-base fit into memory beside its weights.
const POSITIONS: usize = 8_192;

/// Answers encodings in batches of similar length: an iterator that yields the number done after each batch.
/// To stop early, stop iterating.
#[must_use = "nothing is answered until the iterator is advanced"]
pub struct Answering<'a, T> {
    encodings: &'a [Encoding],
    batches: std::vec::IntoIter<Vec<usize>>,
    answer: Box<AnswerBatch<'a, T>>,
    found: Vec<Option<T>>,
    done: usize,
}

/// Answers one batch, preserving its order.
type AnswerBatch<'a, T> = dyn FnMut(&[&Encoding]) -> Result<Vec<T>, NotFinite> + 'a;

impl<'a, T> Answering<'a, T> {
    /// Makes batches of at most this many padded input positions.
    fn new(
        encodings: &'a [Encoding],
        positions: usize,
        answer: impl FnMut(&[&Encoding]) -> Result<Vec<T>, NotFinite> + 'a,
    ) -> Self {
        let lengths: Vec<usize> = encodings.iter().map(|e| e.input.len()).collect();
        Answering {
            encodings,
            batches: buckets(&lengths, positions).into_iter(),
            answer: Box::new(answer),
            found: encodings.iter().map(|_| None).collect(),
            done: 0,
        }
    }

    /// Answers the remaining encodings and returns all answers in the encodings' order.
    ///
    /// # Errors
    /// The network's output is not finite.
    ///
    /// # Panics
    /// The iterator has already returned an error.
    pub fn finish(mut self) -> Result<Vec<T>, NotFinite> {
        self.try_for_each(|done| done.map(drop))?;
        let found = (self.found.into_iter())
            .map(|answer| answer.expect("every encoding is in exactly one batch"));
        Ok(found.collect())
    }
}

impl<T> Iterator for Answering<'_, T> {
    type Item = Result<usize, NotFinite>;

    fn next(&mut self) -> Option<Self::Item> {
        let places = self.batches.next()?;
        let batch: Vec<&Encoding> = places.iter().map(|&i| &self.encodings[i]).collect();
        let answers = match (self.answer)(&batch) {
            Ok(answers) => answers,
            Err(error) => return Some(Err(error)),
        };
        for (&i, answer) in places.iter().zip(answers) {
            self.found[i] = Some(answer);
        }
        self.done += places.len();
        Some(Ok(self.done))
    }
}

/// Some log-probabilities are NaN or infinite, as after an overflow of weights or states. Answers computed
/// from them would be meaningless, so none is scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the log-probabilities of {bad} of {of} inputs are NaN or infinite: no answer can be read from them, and none is \
     scored"
)]
pub struct NotFinite {
    /// The number of inputs in the batch with such a log-probability.
    pub bad: usize,
    /// The number of inputs in the batch.
    pub of: usize,
}

impl NotFinite {
    /// Checks that the log-probabilities of some inputs are finite.
    ///
    /// # Errors
    /// Some are not.
    fn check(inputs: impl ExactSizeIterator<Item: IntoIterator<Item = f64>>) -> Result<(), Self> {
        let of = inputs.len();
        let are_bad = inputs.map(|input| input.into_iter().any(|log_prob| !log_prob.is_finite()));
        match are_bad.filter(|is_bad| *is_bad).count() {
            0 => Ok(()),
            bad => Err(NotFinite { bad, of }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn non_finite_values_are_counted() {
        let check = |rows: &[&[f64]]| {
            let rows: Vec<Vec<f64>> = rows.iter().map(|row| row.to_vec()).collect();
            NotFinite::check(rows.into_iter())
        };
        assert_eq!(check(&[&[-1.0], &[], &[-2.0, -3.0]]), Ok(()));
        let rows: [&[f64]; 4] = [
            &[-1.0],
            &[-1.0, f64::NAN],
            &[f64::NEG_INFINITY],
            &[f64::INFINITY, f64::NAN],
        ];
        assert_eq!(check(&rows), Err(NotFinite { bad: 3, of: 4 }));
    }
}
