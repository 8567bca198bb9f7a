//! What a method cost.

use serde::Serialize;

use crate::record::store::StoredRecord;
use crate::record::{Evaluation, Training};

/// The cost of one method over its seeds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cost {
    /// What training cost; absent for the untuned backbone.
    pub training: Option<TrainingCost>,
    /// Examples scored a second: all examples over all seconds.
    pub evaluation_examples_per_second: Option<f64>,
    /// The highest number of bytes allocated during an evaluation, over seeds and domains.
    pub evaluation_peak_bytes: u64,
}

/// The cost of training one method.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrainingCost {
    /// Numbers that the optimiser may move.
    pub trainable_parameters: usize,
    /// All numbers of backbone and prompt.
    pub total_parameters: usize,
    /// Rows in the training set.
    pub examples: usize,
    /// Mean number of steps taken.
    pub steps: f64,
    /// Mean tokens seen in training.
    pub tokens: f64,
    /// Input and target tokens a second of training: all tokens over all seconds.
    pub tokens_per_second: Option<f64>,
    /// Mean seconds in training steps.
    pub train_seconds: f64,
    /// Mean seconds in scoring source validation.
    pub validation_seconds: f64,
    /// The highest number of bytes allocated during training, over seeds.
    pub peak_bytes: u64,
    /// The largest saved delta.
    pub saved_bytes: u64,
}

/// The cost of a method's records; `None` of no records.
pub fn cost(records: &[&StoredRecord]) -> Option<Cost> {
    let evaluations: Vec<&Evaluation> = records
        .iter()
        .flat_map(|stored| &stored.record.evaluations)
        .collect();
    let examples: f64 = evaluations
        .iter()
        .map(|evaluation| evaluation.examples as f64)
        .sum();
    let seconds: f64 = evaluations
        .iter()
        .map(|evaluation| evaluation.seconds)
        .sum();
    Some(Cost {
        training: training(records),
        evaluation_examples_per_second: rate(examples, seconds),
        evaluation_peak_bytes: evaluations
            .iter()
            .map(|evaluation| evaluation.peak_bytes)
            .max()?,
    })
}

fn training(records: &[&StoredRecord]) -> Option<TrainingCost> {
    let all: Vec<&Training> = records
        .iter()
        .filter_map(|stored| stored.record.training.as_ref())
        .collect();
    let first = *all.first()?;
    let sum = |of: fn(&Training) -> f64| all.iter().map(|training| of(training)).sum::<f64>();
    let count = all.len() as f64;
    let (tokens, seconds) = (
        sum(|training| training.tokens as f64),
        sum(|t| t.train_seconds),
    );
    Some(TrainingCost {
        trainable_parameters: first.trainable_parameters,
        total_parameters: first.total_parameters,
        examples: first.examples,
        steps: sum(|training| training.steps as f64) / count,
        tokens: tokens / count,
        tokens_per_second: rate(tokens, seconds),
        train_seconds: seconds / count,
        validation_seconds: sum(|training| training.validation_seconds) / count,
        peak_bytes: all.iter().map(|training| training.peak_bytes).max()?,
        saved_bytes: all.iter().map(|training| training.saved.bytes).max()?,
    })
}

fn rate(amount: f64, seconds: f64) -> Option<f64> {
    (seconds > 0.0).then(|| amount / seconds)
}
