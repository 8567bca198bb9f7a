//! Runs that did not learn, recognised by their loss, validation scores, trained parameters and
//! predictions, and the knob to turn.

use std::collections::BTreeMap;

use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::folder::StoredRecord;
use promptshift_numbers::record::{Prediction, Training};

/// A loss that ends above this share of its first value has not moved.
const LOSS_STANDS: f64 = 0.97;

/// A validation score that rises less than this, in [0, 1], has not moved either.
const SCORE_STANDS: f64 = 0.01;

/// What was trained and moved by less than this share of its norm is where it started.
const NORM_STANDS: f64 = 1e-3;

/// One answer given to at least this share of the examples is constant.
const CONSTANT: f64 = 0.95;

/// Why a run looks as if it had not learned.
#[derive(Debug, Clone, PartialEq)]
pub enum Stall {
    /// No step scored above the start on source validation.
    NeverBetter,
    /// Neither loss nor validation score moved: the loss at the first point and at the last.
    LossStands {
        /// Mean training loss a target token up to the curve's first point after the start.
        first: f64,
        /// That before its last.
        last: f64,
    },
    /// What was trained is where it started, and the validation score did not move.
    NormStands {
        /// The norm of its change over the norm of its start; absent where it starts at zero and stays
        /// there.
        change: Option<f64>,
    },
    /// (Nearly) every source example got the same answer, though the right ones differ.
    Constant {
        /// The answer.
        answer: String,
        /// The share of examples that got it, in [0, 1].
        share: f64,
    },
}

/// What is wrong with a run; nothing where no step was taken, which is not meant to learn.
pub fn stalls(stored: &StoredRecord) -> Vec<Stall> {
    let training = match &stored.record.training {
        Some(training) if training.steps > 0 => training,
        _ => return Vec::new(),
    };
    let mut stalls = Vec::new();
    if training.best_step == 0 {
        stalls.push(Stall::NeverBetter);
    } else {
        stalls.extend(loss_stands(training));
    }
    stalls.extend(norm_stands(training));
    stalls.extend(
        stored
            .predictions
            .first()
            .and_then(|source| constant(source)),
    );
    stalls
}

fn loss_stands(training: &Training) -> Option<Stall> {
    let mut losses = training.curve.iter().filter_map(|point| point.train_loss);
    let first = losses.next()?;
    let last = losses.next_back()?;
    // A run that learns before its first point has a flat loss, but not a flat score.
    (last > LOSS_STANDS * first && score_stands(training))
        .then_some(Stall::LossStands { first, last })
}

fn norm_stands(training: &Training) -> Option<Stall> {
    let movement = training.movement.filter(|_| training.steps > 0)?;
    let change = movement.relative();
    let unmoved = match change {
        Some(change) => change < NORM_STANDS,
        None => movement.change_norm == 0.0,
    };
    // Of many parameters a small change may do much.
    (unmoved && score_stands(training)).then_some(Stall::NormStands { change })
}

/// Whether no step scored clearly above the start on source validation.
fn score_stands(training: &Training) -> bool {
    let scores = training.curve.iter().map(|point| point.validation_score);
    let start = scores.clone().next().unwrap_or_default();
    scores.fold(start, f64::max) - start < SCORE_STANDS
}

fn constant(predictions: &[Prediction]) -> Option<Stall> {
    let (answer, share) = commonest(predictions.iter().map(|p| p.prediction.as_str()))?;
    let right = predictions.iter().filter_map(|p| p.answers.first());
    let (_, rightly) = commonest(right.map(String::as_str))?;
    (share >= CONSTANT && rightly < CONSTANT).then(|| Stall::Constant {
        answer: answer.to_owned(),
        share,
    })
}

/// The commonest of texts, the first in order where several are, and its share.
fn commonest<'a>(texts: impl Iterator<Item = &'a str>) -> Option<(&'a str, f64)> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for text in texts {
        *counts.entry(text).or_default() += 1;
    }
    let all: usize = counts.values().sum();
    let (text, count) = counts
        .into_iter()
        .max_by(|one, other| one.1.cmp(&other.1).then(other.0.cmp(one.0)))?;
    Some((text, count as f64 / all as f64))
}

/// What to change first for a method that did not learn.
pub fn knob(method: Method) -> &'static str {
    match method {
        Method::Untuned | Method::Elsewhere => "",
        Method::Prompt => {
            "a higher `--learning-rate prompt=…` (the paper takes 0.3), more `--steps`, a start from \
             the vocabulary (`--init vocab`), or a longer prompt (`--prompt-length`)"
        }
        Method::Model => {
            "another `--learning-rate model=…`: higher where the loss stands, lower where it jumps; \
             then more `--steps`"
        }
        _ => {
            "another rate for it with `--learning-rate`: higher where the loss stands, lower where it \
             jumps; then more `--steps`"
        }
    }
}

/// Whether a backbone's name is that of a T5 v1.1 without further training as a language model.
/// Prompt tuning needs that (Lester et al. 2021, 3.3): after span corruption alone, a frozen model
/// has only ever ended its answers in sentinels. Names tell; a renamed folder does not.
pub fn span_corruption_alone(model: &str) -> bool {
    let name = model.rsplit('/').next().unwrap_or(model).to_lowercase();
    let version = [
        "t5-v1_1", "t5-v1.1", "t5_v1_1", "t5-1.1", "t5_1_1", "t5.1.1",
    ]
    .iter()
    .any(|version| name.contains(version));
    let adapted = ["lm-adapt", "lm_adapt", "lm100k", "lm-100k", "lm_100k"]
        .iter()
        .any(|adapted| name.contains(adapted));
    version && !adapted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Fixture;
    use promptshift_numbers::record::Movement;

    /// A run of prompt tuning that learned.
    fn run() -> StoredRecord {
        let mut run = Fixture::one_target().records().remove(1);
        for (index, prediction) in run.predictions[0].iter_mut().enumerate() {
            prediction.prediction = format!("answer {}", index % 7);
            prediction.answers = vec![format!("answer {}", index % 5)];
        }
        run
    }

    fn training(run: &mut StoredRecord) -> &mut Training {
        run.record.training.as_mut().expect("a tuned run")
    }

    #[test]
    fn a_run_that_learned_has_no_stall() {
        assert_eq!(stalls(&run()), []);
        assert_eq!(stalls(&Fixture::one_target().records()[0]), []);
    }

    #[test]
    fn a_flat_loss_is_a_stall_only_with_a_flat_score() {
        let mut run = run();
        for point in &mut training(&mut run).curve[1..] {
            point.train_loss = Some(2.0);
        }
        assert_eq!(stalls(&run), []);
        for point in &mut training(&mut run).curve {
            point.validation_score = 0.1;
        }
        let (first, last) = (2.0, 2.0);
        assert_eq!(stalls(&run), [Stall::LossStands { first, last }]);
        training(&mut run).best_step = 0;
        assert_eq!(stalls(&run), [Stall::NeverBetter]);
    }

    #[test]
    fn what_was_trained_and_did_not_move_is_a_stall_with_its_share() {
        let mut run = run();
        let movement = |run: &mut StoredRecord, start_norm, change_norm| {
            training(run).movement = Some(Movement {
                start_norm,
                end_norm: start_norm,
                change_norm,
            });
        };
        movement(&mut run, 40.0, 0.02);
        assert_eq!(stalls(&run), [], "the score moved");
        for point in &mut training(&mut run).curve {
            point.validation_score = 0.1;
        }
        let change = Some(0.02 / 40.0);
        assert_eq!(stalls(&run), [Stall::NormStands { change }]);
        movement(&mut run, 0.0, 0.0);
        assert_eq!(stalls(&run), [Stall::NormStands { change: None }]);
        movement(&mut run, 0.0, 1.0);
        assert_eq!(stalls(&run), []);
        movement(&mut run, 40.0, 4.0);
        assert_eq!(stalls(&run), []);
        training(&mut run).movement = None;
        assert_eq!(stalls(&run), [], "an older record does not tell");
    }

    #[test]
    fn one_answer_to_everything_is_a_stall_unless_it_is_right() {
        let mut run = run();
        for prediction in &mut run.predictions[0] {
            prediction.prediction = "yes".to_owned();
        }
        let stall = Stall::Constant {
            answer: "yes".to_owned(),
            share: 1.0,
        };
        assert_eq!(stalls(&run), [stall]);
        for prediction in &mut run.predictions[0] {
            prediction.answers = vec!["yes".to_owned()];
        }
        assert_eq!(stalls(&run), []);
    }

    #[test]
    fn names_tell_what_a_backbone_has_read() {
        for name in ["google/t5-v1_1-small", "t5.1.1.base", "my/T5-v1_1-XL"] {
            assert!(span_corruption_alone(name), "{name}");
        }
        for name in [
            "nano",
            "google/t5-small-lm-adapt",
            "t5_1_1_lm100k_base",
            "t5-small",
        ] {
            assert!(!span_corruption_alone(name), "{name}");
        }
    }
}
