//! What each method cost, over its seeds, and on what hardware: times and memory compare only on the same kind of
//! hardware.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::number::list;
use promptshift_numbers::record::folder::StoredRecord;
use promptshift_numbers::record::{Evaluation, Training};
use promptshift_numbers::record::{PeakParts, Provenance};

/// The cost of one method over its seeds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cost {
    /// Sizes; absent for the untuned backbone.
    pub sizes: Option<Sizes>,
    /// The cost of training; absent for the untuned backbone and for methods tuned elsewhere.
    pub training: Option<TrainingCost>,
    /// Examples scored per second: all examples divided by all seconds.
    pub evaluation_examples_per_second: Option<f64>,
    /// The highest number of bytes allocated on the host during an evaluation, over all seeds and domains.
    pub evaluation_peak_bytes: u64,
}

/// Numbers of parameters and the size of the saved file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Sizes {
    /// Trainable parameters; for a method tuned elsewhere, its own parameters.
    pub trainable_parameters: usize,
    /// All parameters of backbone and prompt.
    pub total_parameters: usize,
    /// The size of the largest run's files.
    pub saved_bytes: u64,
}

/// The cost of training one method.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrainingCost {
    /// Trainable parameters.
    pub trainable_parameters: usize,
    /// All parameters of backbone and prompt.
    pub total_parameters: usize,
    /// Rows in the training set.
    pub examples: usize,
    /// Mean number of steps taken.
    pub steps: f64,
    /// Mean tokens seen in training.
    pub tokens: f64,
    /// Input and target tokens per second of training: all tokens divided by all seconds.
    pub tokens_per_second: Option<f64>,
    /// Mean seconds spent in training steps.
    pub train_seconds: f64,
    /// Mean seconds spent scoring source validation.
    pub validation_seconds: f64,
    /// The highest number of bytes allocated on the host during training, over seeds.
    pub peak_bytes: u64,
    /// The parts of that peak, from the run with the highest peak; absent if its record does not have them.
    pub peak_parts: Option<PeakParts>,
    /// The highest number of bytes that the device's memory pools had reserved during training, over seeds; absent if
    /// any record does not have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reserved_peak_bytes: Option<u64>,
    /// The size of the largest saved file.
    pub saved_bytes: u64,
}

/// The cost of a method's records; `None` without records.
pub fn cost(records: &[&StoredRecord]) -> Option<Cost> {
    let evaluations: Vec<&Evaluation> = (records.iter())
        .flat_map(|stored| &stored.record.evaluations)
        .collect();
    let examples: f64 = (evaluations.iter())
        .map(|evaluation| evaluation.examples as f64)
        .sum();
    let seconds: f64 = (evaluations.iter())
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
        evaluation_peak_bytes: (evaluations.iter())
            .map(|evaluation| evaluation.peak_bytes)
            .max()?,
    })
}

/// The sizes of a method tuned elsewhere: those of the largest run.
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
    let all: Vec<&Training> = (records.iter())
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
        reserved_peak_bytes: (all.iter())
            .map(|training| training.reserved_peak_bytes)
            .reduce(|one, other| Some(one?.max(other?)))?,
        saved_bytes: all.iter().map(|training| training.saved.bytes).max()?,
    })
}

fn rate(amount: f64, seconds: f64) -> Option<f64> {
    (seconds > 0.0).then(|| amount / seconds)
}

/// The provenance of everything in some records: trainings, and answers computed by other commands.
fn origins<'a>(
    records: impl IntoIterator<Item = &'a StoredRecord>,
) -> impl Iterator<Item = &'a Provenance> {
    records.into_iter().flat_map(|stored| {
        std::iter::once(&stored.record.provenance).chain(&stored.record.answered)
    })
}

/// The kinds of hardware that records were computed on, in words, sorted.
pub fn hardware<'a>(records: impl IntoIterator<Item = &'a StoredRecord>) -> Vec<String> {
    let kinds: BTreeSet<String> = origins(records).map(Provenance::hardware).collect();
    kinds.into_iter().collect()
}

/// Why times and memory of these records are left out; `None` if all have the same kind of hardware.
pub fn unlike_hardware<'a>(records: impl IntoIterator<Item = &'a StoredRecord>) -> Option<String> {
    let kinds = hardware(records);
    (kinds.len() > 1).then(|| {
        format!(
            "Times, rates and memory are left out because they are not comparable: the runs were computed on \
             different hardware ({}). They are in the records.",
            kinds.join("; ")
        )
    })
}

/// A note on times of runs that shared a machine; empty if none did.
pub fn shared_machines<'a>(records: impl IntoIterator<Item = &'a StoredRecord>) -> String {
    let counts: BTreeSet<usize> = origins(records).map(|origin| origin.side_by_side).collect();
    match counts.iter().copied().collect::<Vec<_>>()[..] {
        [] | [1] => String::new(),
        [runs] => format!(
            " Up to {runs} runs shared the machine, each with its own threads: times and rates are comparable with \
             each other, and slower than those of a single run."
        ),
        _ => format!(
            " Different numbers of runs shared the machine ({} at a time), each with its own threads: times and \
             rates are not strictly comparable, since fewer runs are faster.",
            list(counts.iter().map(usize::to_string))
        ),
    }
}
