//! From tensors back to text: predictions.

use std::ops::ControlFlow;

pub mod ask;
pub mod ensemble;
mod likelihood;
pub mod predict;
pub mod propose;

/// Questions that came to no answers.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    /// The watcher broke it off.
    #[error("interrupted")]
    Interrupted,
    /// The network gave something else than numbers.
    #[error(transparent)]
    NotFinite(#[from] NotFinite),
}

/// Log-probabilities that are no finite numbers: what a network makes of weights or states that overflowed. An
/// answer read from them says nothing, and to score it would be to score the damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the log-probabilities of {bad} of {of} inputs are NaN or infinite: no answer can be read from them, and none is \
     scored"
)]
pub struct NotFinite {
    /// Inputs, of those that were read together, for which one is no finite number.
    pub bad: usize,
    /// Inputs that were read together.
    pub of: usize,
}

impl NotFinite {
    /// Whether the log-probabilities of some inputs are numbers.
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

/// Whether to go on.
fn go_on(flow: ControlFlow<()>) -> Result<(), EvalError> {
    match flow {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(EvalError::Interrupted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_is_counted() {
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
