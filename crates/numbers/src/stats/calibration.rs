//! Calibration: whether a model's confidence in its answers matches the share that is right.
//!
//! The confidence in a generated answer is the probability of its tokens, `exp(log_prob)`.

use serde::{Deserialize, Serialize};

/// The number of bins of the plain expected calibration error, and the greatest number in a reliability diagram.
pub const BINS: usize = 15;

/// The least number of answers in a bin, so that its mean is nearly normal.
pub const ANSWERS_A_BIN: usize = 25;

/// The number of bins for this number of answers.
pub fn bins_for(answers: usize) -> usize {
    (answers / ANSWERS_A_BIN).clamp(1, BINS)
}

/// Confidences are clipped to this distance from 0 and 1, where the loss of a wrong answer would be infinite.
const MARGIN: f64 = 1e-7;

/// One answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// The natural logarithm of its probability; at most 0.
    pub log_prob: f64,
    /// Whether it is right.
    pub right: bool,
}

impl Outcome {
    fn log_confidence(self) -> f64 {
        self.log_prob.clamp(MARGIN.ln(), -MARGIN)
    }

    pub(super) fn confidence(self) -> f64 {
        self.log_confidence().exp()
    }

    pub(super) fn worth(self) -> f64 {
        f64::from(u8::from(self.right))
    }
}

/// One bin of a reliability diagram.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bin {
    /// Answers in it.
    pub count: usize,
    /// Their mean confidence.
    pub confidence: f64,
    /// The share of them that is right.
    pub accuracy: f64,
}

/// The calibration of answers to one domain's examples; all values except `nll` are in [0, 1].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Calibration {
    /// Answers.
    pub examples: usize,
    /// The share that is right.
    pub accuracy: f64,
    /// The mean confidence.
    pub confidence: f64,
    /// Expected calibration error over [`BINS`] bins with equal numbers of answers, `Σ n_b/n |accuracy_b -
    /// confidence_b|` (Nixon et al. 2019). Chance alone makes it positive: see
    /// [`calibration_error`](super::calibration_error).
    pub ece: f64,
    /// The mean squared difference between confidence and outcome (Brier 1950).
    pub brier: f64,
    /// Mean negative logarithm of the probability given to the outcome, in nats.
    pub nll: f64,
    /// The area under the risk-coverage curve: the share of wrong answers among the most confident ones, averaged
    /// over all coverages (Geifman & El-Yaniv 2017).
    pub risk_coverage: f64,
    /// The bins of a reliability diagram, [`bins_for`] this number of answers; equal confidences are in one bin.
    pub bins: Vec<Bin>,
}

/// A temperature T: confidences become `confidence^(1/T)`. This is temperature scaling (Guo et al. 2017) of whole
/// answers, without renormalisation, since the alternatives are unknown.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Temperature(pub f64);

impl Temperature {
    /// The outcome with its confidence at this temperature.
    pub fn apply(self, outcome: Outcome) -> Outcome {
        Outcome {
            log_prob: outcome.log_prob / self.0,
            ..outcome
        }
    }
}

/// The temperature with the lowest negative log-likelihood. `None` if all answers are right or all wrong, for which
/// the best temperature is 0 or infinite.
///
/// It is fitted on source validation only and then applied to targets.
pub fn fit_temperature(outcomes: &[Outcome]) -> Option<Temperature> {
    let right = outcomes.iter().filter(|outcome| outcome.right).count();
    if right == 0 || right == outcomes.len() {
        return None;
    }
    // The likelihood is convex in the inverse temperature: bisection of its slope.
    let slope = |inverse: f64| -> f64 {
        (outcomes.iter())
            .map(|outcome| {
                let log = outcome.log_confidence();
                match outcome.right {
                    true => -log,
                    false => log * (inverse * log).exp() / -(inverse * log).exp_m1(),
                }
            })
            .sum()
    };
    let (mut low, mut high) = (-12.0_f64, 12.0_f64);
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        if slope(middle.exp()) > 0.0 {
            high = middle;
        } else {
            low = middle;
        }
    }
    Some(Temperature((-0.5 * (low + high)).exp()))
}

/// Measures calibration; `None` without answers.
pub fn calibration(outcomes: &[Outcome]) -> Option<Calibration> {
    let count = outcomes.len();
    if count == 0 {
        return None;
    }
    let mut sorted: Vec<(f64, f64)> = (outcomes.iter())
        .map(|outcome| (outcome.confidence(), outcome.worth()))
        .collect();
    // Equal confidences are ordered by outcome, so that the order is unique.
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.total_cmp(&a.1)));
    let over = |of: &dyn Fn(f64, f64) -> f64| {
        sorted.iter().map(|(p, right)| of(*p, *right)).sum::<f64>() / count as f64
    };
    let plain = bins(&sorted);
    Some(Calibration {
        examples: count,
        accuracy: over(&|_, right| right),
        confidence: over(&|p, _| p),
        ece: (plain.iter())
            .map(|bin| bin.count as f64 / count as f64 * (bin.accuracy - bin.confidence).abs())
            .sum(),
        brier: over(&|p, right| (p - right).powi(2)),
        nll: over(&|p, right| -(right * p.ln() + (1.0 - right) * (-p).ln_1p())),
        risk_coverage: risk_coverage(&sorted),
        bins: groups(&sorted, bins_for(count), |one| one.0)
            .map(bin)
            .collect(),
    })
}

/// At most [`BINS`] bins whose sizes differ by at most one.
fn bins(sorted: &[(f64, f64)]) -> Vec<Bin> {
    let wanted = BINS.min(sorted.len());
    (0..wanted)
        .map(|bin| &sorted[bin * sorted.len() / wanted..(bin + 1) * sorted.len() / wanted])
        .map(bin)
        .collect()
}

fn bin(answers: &[(f64, f64)]) -> Bin {
    let count = answers.len() as f64;
    Bin {
        count: answers.len(),
        confidence: answers.iter().map(|(p, _)| p).sum::<f64>() / count,
        accuracy: answers.iter().map(|(_, right)| right).sum::<f64>() / count,
    }
}

/// Splits sorted items into at most so many groups of nearly equal size; items with equal keys stay in one group.
pub(super) fn groups<T>(
    sorted: &[T],
    wanted: usize,
    key: impl Fn(&T) -> f64,
) -> impl Iterator<Item = &[T]> {
    let mut ends: Vec<usize> = (1..=wanted)
        .map(|group| {
            let mut end = group * sorted.len() / wanted;
            while end > 0 && end < sorted.len() && key(&sorted[end]) == key(&sorted[end - 1]) {
                end += 1;
            }
            end
        })
        .collect();
    ends.dedup();
    let starts = std::iter::once(0).chain(ends.clone());
    let groups = starts.zip(ends).filter(|(start, end)| start < end);
    groups.map(|(start, end)| &sorted[start..end])
}

/// The mean of the risks at coverage 1/n, 2/n, ..., 1. Among answers with equal confidence, the expectation over
/// their orders is taken.
fn risk_coverage(sorted: &[(f64, f64)]) -> f64 {
    let (mut area, mut wrong, mut taken) = (0.0, 0.0, 0.0);
    for ties in sorted.chunk_by(|a, b| a.0 == b.0) {
        let rate = ties.iter().map(|(_, right)| 1.0 - right).sum::<f64>() / ties.len() as f64;
        for _ in ties {
            wrong += rate;
            taken += 1.0;
            area += wrong / taken;
        }
    }
    area / sorted.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(confidence: f64, right: bool) -> Outcome {
        Outcome {
            log_prob: confidence.ln(),
            right,
        }
    }

    #[test]
    fn four_answers_by_hand() {
        let answers = [
            outcome(0.9, true),
            outcome(0.8, false),
            outcome(0.6, true),
            outcome(0.5, false),
        ];
        let found = calibration(&answers).expect("four answers");
        // A bin for each: .1 + .8 + .4 + .5 over 4.
        assert!((found.ece - 0.45).abs() < 1e-9);
        assert!((found.brier - (0.01 + 0.64 + 0.16 + 0.25) / 4.0).abs() < 1e-9);
        let nll = -(0.9_f64.ln() + 0.2_f64.ln() + 0.6_f64.ln() + 0.5_f64.ln()) / 4.0;
        assert!((found.nll - nll).abs() < 1e-6);
        // Risks 0/1, 1/2, 1/3, 2/4.
        assert!((found.risk_coverage - (0.5 + 1.0 / 3.0 + 0.5) / 4.0).abs() < 1e-9);
        assert!((found.accuracy - 0.5).abs() < 1e-12 && (found.confidence - 0.7).abs() < 1e-9);
        assert_eq!(calibration(&[]), None);
    }

    #[test]
    fn the_order_of_equal_confidences_does_not_matter() {
        let (right, wrong) = (outcome(0.7, true), outcome(0.7, false));
        let one = calibration(&[right, wrong, wrong, right]).expect("answers");
        let other = calibration(&[wrong, wrong, right, right]).expect("answers");
        assert_eq!(one, other);
        assert!((one.risk_coverage - 0.5).abs() < 1e-12);
    }

    #[test]
    fn a_wrong_certain_answer_has_a_finite_loss() {
        let found = calibration(&[outcome(1.0, false), outcome(1.0, true)]).expect("answers");
        assert!(found.nll.is_finite() && found.nll > 5.0);
    }

    #[test]
    fn the_temperature_of_one_confidence_by_hand() {
        // Confidence 0.81 and half right: 0.81^(1/T) = 0.5.
        let answers = [outcome(0.81, true), outcome(0.81, false)];
        let Temperature(found) = fit_temperature(&answers).expect("both kinds");
        let holds = (found - 0.81_f64.ln() / 0.5_f64.ln()).abs() < 1e-6;
        assert!(holds, "{found}");
        let scaled = answers.map(|answer| Temperature(found).apply(answer));
        let after = calibration(&scaled).expect("answers");
        assert!((after.confidence - 0.5).abs() < 1e-6);
        assert_eq!(fit_temperature(&answers[..1]), None);
    }
}
