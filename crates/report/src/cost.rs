//! What a method cost.

use serde::Serialize;

use super::number::{bytes, whole};
use promptshift_numbers::record::folder::StoredRecord;
use promptshift_numbers::record::memory::PeakParts;
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

/// What training is paid in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// Numbers that the optimiser may move.
    Parameters,
    /// Time in training steps.
    Time,
    /// The highest number of bytes allocated during training.
    Memory,
}

impl Resource {
    /// Every resource, in the order of a figure's panels.
    pub const ALL: [Resource; 3] = [Resource::Parameters, Resource::Time, Resource::Memory];

    /// How much of it a method took: parameters, seconds, bytes.
    pub fn amount(self, cost: &TrainingCost) -> f64 {
        match self {
            Resource::Parameters => cost.trainable_parameters as f64,
            Resource::Time => cost.train_seconds,
            Resource::Memory => cost.peak_bytes as f64,
        }
    }

    /// What an axis up to `most` divides amounts by, and its name with the unit.
    pub fn axis(self, most: f64) -> (f64, &'static str) {
        match self {
            Resource::Parameters => (1.0, "trainable parameters"),
            Resource::Time if most >= 7_200.0 => (3_600.0, "training time [h]"),
            Resource::Time if most >= 600.0 => (60.0, "training time [min]"),
            Resource::Time => (1.0, "training time [s]"),
            Resource::Memory if most >= 1e9 => (1e9, "peak memory in training [GB]"),
            Resource::Memory => (1e6, "peak memory in training [MB]"),
        }
    }

    /// The amount in words.
    pub fn words(self, cost: &TrainingCost) -> String {
        let amount = self.amount(cost);
        match self {
            Resource::Parameters => format!("{} trainable parameters", whole(amount)),
            Resource::Time => format!("{amount:.1} s of training"),
            Resource::Memory => format!("{} at the peak", bytes(cost.peak_bytes)),
        }
    }
}

/// The Pareto front of `(cost, score)`: the places of those that nothing costs less than (or as
/// little) and scores as high (or higher), unless it is equal in both; by rising cost.
pub fn front(points: &[(f64, f64)]) -> Vec<usize> {
    let beaten = |(cost, score): (f64, f64)| {
        points
            .iter()
            .any(|other| other.0 <= cost && other.1 >= score && (other.0 < cost || other.1 > score))
    };
    let mut front: Vec<usize> = (0..points.len())
        .filter(|index| !beaten(points[*index]))
        .collect();
    front.sort_by(|one, other| points[*one].0.total_cmp(&points[*other].0));
    front
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_front_is_what_nothing_beats() {
        assert_eq!(front(&[(10.0, 0.5), (1.0, 0.4)]), [1, 0]);
        assert_eq!(front(&[(10.0, 0.4), (1.0, 0.5)]), [1]);
        assert_eq!(front(&[(1.0, 0.5), (1.0, 0.5), (1.0, 0.4)]), [0, 1]);
        assert_eq!(front(&[(3.0, 0.9), (2.0, 0.5), (1.0, 0.6)]), [2, 0]);
        assert!(front(&[]).is_empty());
    }

    #[test]
    fn an_axis_has_a_unit_that_fits() {
        assert_eq!(Resource::Time.axis(60.0).1, "training time [s]");
        assert_eq!(Resource::Time.axis(1e5), (3_600.0, "training time [h]"));
        assert_eq!(Resource::Memory.axis(2e9).0, 1e9);
    }
}
