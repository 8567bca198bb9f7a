//! Diagnosis of runs that did not learn, by their loss, validation scores, trained parameters and predictions, and
//! the setting to change.

use std::collections::BTreeMap;

use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::folder::StoredRecord;
use promptshift_numbers::record::{Prediction, Setting, Training};

/// A loss that ends above this share of its first value did not change.
const LOSS_STANDS: f64 = 0.97;

/// A validation score that rises less than this, in [0, 1], did not change.
const SCORE_STANDS: f64 = 0.01;

/// Trained parameters that moved by less than this share of their norm did not change.
const NORM_STANDS: f64 = 1e-3;

/// A run is constant if it gives one answer to at least this share of the examples.
const CONSTANT: f64 = 0.95;

/// A symptom of a run that did not learn.
#[derive(Debug, Clone, PartialEq)]
pub enum Stall {
    /// No step scored higher than the initial one on source validation.
    NeverBetter,
    /// Neither the loss nor the validation score changed.
    LossStands {
        /// Mean training loss per target token up to the curve's first point after the start.
        first: f64,
        /// Mean training loss before the curve's last point.
        last: f64,
    },
    /// Neither the trained parameters nor the validation score changed.
    NormStands {
        /// The norm of the change divided by the initial norm; absent if the parameters started at zero and stayed
        /// there.
        change: Option<f64>,
    },
    /// Almost all source examples got the same answer, although the right answers differ.
    Constant {
        answer: String,
        /// The share of examples that got it, in [0, 1].
        share: f64,
    },
}

/// The symptoms of a run; none if it took no steps.
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
    // A run that learned before its first point has a flat loss, but not a flat score.
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
    // A small change of many parameters may have a large effect.
    (unmoved && score_stands(training)).then_some(Stall::NormStands { change })
}

/// Whether no step scored clearly higher than the initial one on source validation.
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

/// The most common text, the first in order among equals, and its share.
fn commonest<'a>(texts: impl Iterator<Item = &'a str>) -> Option<(&'a str, f64)> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for text in texts {
        *counts.entry(text).or_default() += 1;
    }
    let all: usize = counts.values().sum();
    let (text, count) =
        (counts.into_iter()).max_by(|one, other| one.1.cmp(&other.1).then(other.0.cmp(one.0)))?;
    Some((text, count as f64 / all as f64))
}

/// The settings to change first if a method did not learn.
pub fn knob(method: Method) -> &'static str {
    match method {
        Method::Untuned | Method::Elsewhere => "",
        Method::Prompt => {
            "a higher `--learning-rate prompt=…` (0.3 in the paper), more `--steps`, initialisation from the \
             vocabulary (`--init vocab`), or a longer prompt (`--prompt-length`)"
        }
        Method::Model => {
            "another `--learning-rate model=…`: higher if the loss is flat, lower if it jumps; then more `--steps`"
        }
        _ => {
            "another rate for it with `--learning-rate`: higher if the loss is flat, lower if it jumps; then more \
             `--steps`"
        }
    }
}

/// The command that finds out which initialisation and rate let a method learn a source; `None` for methods that it does
/// not train. A model or data of the user's own are selected by flags whose values records do not have.
pub fn probe(method: Method, setting: &Setting) -> Option<String> {
    if let Method::Untuned
    | Method::Elsewhere
    | Method::Intrinsic
    | Method::Instruction
    | Method::FewShot = method
    {
        return None;
    }
    let mut command = format!("promptshift probe {}", setting.source);
    if method != Method::Prompt {
        command.push_str(&format!(" --methods {}", method.name()));
    }
    if setting.model.contains('/') {
        command.push_str(&format!(" --model {}", setting.model));
    }
    let own = match (setting.model.as_str(), setting.suite.as_str()) {
        ("nano", "mini") => "",
        (model, "mini") if model.contains('/') => "",
        _ => " with this study's flags for model and data",
    };
    let what = match method {
        Method::Prompt => "which initialisation and learning rate learn",
        _ => "which learning rate learns",
    };
    Some(format!("`{command}`{own} shows {what}"))
}

/// Whether a backbone's name is that of a T5 v1.1 without LM adaptation, which prompt tuning needs (Lester et al. 2021,
/// §3.3): after span corruption only, a frozen model has always generated sentinels. A renamed folder is not recognised.
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
    fn a_run_that_learned_has_no_symptoms() {
        assert_eq!(stalls(&run()), []);
        assert_eq!(stalls(&Fixture::one_target().records()[0]), []);
    }

    #[test]
    fn a_flat_loss_is_a_symptom_only_with_a_flat_score() {
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
    fn unchanged_parameters_are_a_symptom() {
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
        assert_eq!(stalls(&run), [], "older records do not have it");
    }

    #[test]
    fn a_constant_answer_is_a_symptom_unless_it_is_right() {
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
    fn a_method_that_trains_is_probed_by_a_command() {
        let mut setting = run().record.cell.setting;
        (setting.model, setting.suite) = ("nano".to_owned(), "mini".to_owned());
        let probe = |method, setting: &Setting| probe(method, setting).unwrap_or_default();
        assert!(probe(Method::Prompt, &setting).starts_with("`promptshift probe squad` shows"));
        setting.model = "t5/small".to_owned();
        let lora = probe(Method::Lora, &setting);
        let command = "`promptshift probe squad --methods lora --model t5/small` shows";
        assert!(lora.starts_with(command), "{lora}");
        setting.suite = "mine".to_owned();
        let own = "with this study's flags for model and data";
        assert!(probe(Method::Model, &setting).contains(own));
        assert_eq!(probe(Method::FewShot, &setting), "");
    }

    #[test]
    fn backbones_without_lm_adaptation_are_recognised_by_name() {
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
