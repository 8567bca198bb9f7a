//! What each method cost, over its seeds, and on what hardware: times and memory compare only on the same kind of
//! hardware.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::number::list;
use promptshift_numbers::record::PeakParts;
use promptshift_numbers::record::Provenance;
use promptshift_numbers::record::folder::StoredRecord;
use promptshift_numbers::record::{Evaluation, Training};

/// The cost of one method over its seeds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cost {
    /// What was tuned; absent for the untuned backbone.
    pub sizes: Option<Sizes>,
    /// What training cost; absent for the untuned backbone and for what was tuned elsewhere.
    pub training: Option<TrainingCost>,
    /// Examples scored a second: all examples over all seconds.
    pub evaluation_examples_per_second: Option<f64>,
    /// The highest number of bytes allocated during an evaluation, over seeds and domains.
    pub evaluation_peak_bytes: u64,
}

/// How much is tuned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Sizes {
    /// Numbers that the optimiser may move; of what was tuned elsewhere, those that it has of its own.
    pub trainable_parameters: usize,
    /// All numbers of backbone and prompt.
    pub total_parameters: usize,
    /// The size of its files, of the largest run's.
    pub saved_bytes: u64,
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
    /// What these were, in the run that they are of; absent where its record does not tell.
    pub peak_parts: Option<PeakParts>,
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
    let training = training(records);
    Some(Cost {
        sizes: match &training {
            Some(training) => Some(Sizes {
                trainable_parameters: training.trainable_parameters,
                total_parameters: training.total_parameters,
                saved_bytes: training.saved_bytes,
            }),
            None => elsewhere(records),
        },
        training,
        evaluation_examples_per_second: rate(examples, seconds),
        evaluation_peak_bytes: evaluations
            .iter()
            .map(|evaluation| evaluation.peak_bytes)
            .max()?,
    })
}

/// The sizes of what was tuned elsewhere: of its runs, the largest.
fn elsewhere(records: &[&StoredRecord]) -> Option<Sizes> {
    let found = records.iter().filter_map(|stored| {
        let elsewhere = stored.record.cell.elsewhere.as_ref()?;
        elsewhere.found.as_ref()
    });
    let largest = found.max_by_key(|found| found.parameters)?;
    Some(Sizes {
        trainable_parameters: largest.parameters,
        total_parameters: largest.total_parameters,
        saved_bytes: largest.bytes,
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
    let highest = *(all.iter()).max_by_key(|training| training.peak_bytes)?;
    Some(TrainingCost {
        trainable_parameters: first.trainable_parameters,
        total_parameters: first.total_parameters,
        examples: first.examples,
        steps: sum(|training| training.steps as f64) / count,
        tokens: tokens / count,
        tokens_per_second: rate(tokens, seconds),
        train_seconds: seconds / count,
        validation_seconds: sum(|training| training.validation_seconds) / count,
        peak_bytes: highest.peak_bytes,
        peak_parts: highest.peak_parts,
        saved_bytes: all.iter().map(|training| training.saved.bytes).max()?,
    })
}

fn rate(amount: f64, seconds: f64) -> Option<f64> {
    (seconds > 0.0).then(|| amount / seconds)
}

/// Where everything in some records was computed: trainings, and answers that are another command's.
fn origins<'a>(
    records: impl IntoIterator<Item = &'a StoredRecord>,
) -> impl Iterator<Item = &'a Provenance> {
    records.into_iter().flat_map(|stored| {
        std::iter::once(&stored.record.provenance).chain(&stored.record.answered)
    })
}

/// The kinds of hardware that records were computed on, in words and in order.
pub fn hardware<'a>(records: impl IntoIterator<Item = &'a StoredRecord>) -> Vec<String> {
    let kinds: BTreeSet<String> = origins(records).map(Provenance::hardware).collect();
    kinds.into_iter().collect()
}

/// Why times and memory of these records are left out; `None` where all are of like hardware.
pub fn unlike_hardware<'a>(records: impl IntoIterator<Item = &'a StoredRecord>) -> Option<String> {
    let kinds = hardware(records);
    (kinds.len() > 1).then(|| {
        format!(
            "Times, rates and memory are left out: they do not compare, since the runs were computed on unlike \
             hardware ({}). Each record has its own.",
            kinds.join("; ")
        )
    })
}

/// What is to be known of times where runs shared a machine; empty where each had it alone.
pub fn shared_machines<'a>(records: impl IntoIterator<Item = &'a StoredRecord>) -> String {
    let counts: BTreeSet<usize> = origins(records).map(|origin| origin.side_by_side).collect();
    match counts.iter().copied().collect::<Vec<_>>()[..] {
        [] | [1] => String::new(),
        [runs] => format!(
            " Up to {runs} runs shared the machine, each on its own threads: times and rates compare with each \
             other, and are slower than those of a run alone."
        ),
        _ => format!(
            " Runs shared the machine with different numbers of others ({} at a time), each on its own threads: \
             their times and rates do not compare strictly, since a run alone is faster.",
            list(&counts.iter().map(usize::to_string).collect::<Vec<_>>())
        ),
    }
}
