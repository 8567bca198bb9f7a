//! The sums of all methods on one domain, by seed and passage.

use std::collections::{BTreeMap, BTreeSet};

/// One example's part in a metric, with the run and the passage that it belongs to.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The run's seed.
    pub seed: u64,
    /// The passage; examples of one passage are not independent.
    pub cluster: String,
    /// What the example adds to the metric's numerator.
    pub numerator: f64,
    /// What the example adds to the metric's denominator.
    pub denominator: f64,
}

/// `Σ numerator / Σ denominator`; 0 where the denominator is (F1 without any positive).
pub fn ratio(numerator: f64, denominator: f64) -> f64 {
    if denominator == 0.0 {
        0.0
    } else {
        numerator / denominator
    }
}

/// The runs of one method on one domain.
#[derive(Debug, Clone, PartialEq)]
pub struct Runs {
    seeds: Vec<u64>,
    /// `[seed][passage]`.
    sums: Vec<Vec<Sum>>,
}

/// A numerator and a denominator.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Sum {
    numerator: f64,
    denominator: f64,
}

impl Runs {
    /// The seeds, ascending.
    pub fn seeds(&self) -> &[u64] {
        &self.seeds
    }

    /// The metric of each seed on all passages.
    pub fn scores(&self) -> Vec<f64> {
        let once = vec![1.0; self.sums.first().map_or(0, Vec::len)];
        self.weighted(&once)
    }

    /// The metric of each seed where passage `c` is counted `weights[c]` times.
    pub(super) fn weighted(&self, weights: &[f64]) -> Vec<f64> {
        self.sums
            .iter()
            .map(|passages| {
                let mut total = Sum::default();
                for (sum, weight) in passages.iter().zip(weights) {
                    total.numerator += weight * sum.numerator;
                    total.denominator += weight * sum.denominator;
                }
                ratio(total.numerator, total.denominator)
            })
            .collect()
    }
}

/// All methods on one domain, over the same passages.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    clusters: usize,
    methods: Vec<Option<Runs>>,
}

impl Panel {
    /// Sums the samples of each method; a method without samples is missing from the panel.
    pub fn new(methods: &[Vec<Sample>]) -> Panel {
        let names: BTreeSet<&str> = methods
            .iter()
            .flatten()
            .map(|sample| sample.cluster.as_str())
            .collect();
        let places: BTreeMap<&str, usize> = names
            .iter()
            .enumerate()
            .map(|(place, name)| (*name, place))
            .collect();
        let methods = methods
            .iter()
            .map(|samples| (!samples.is_empty()).then(|| runs(samples, &places)))
            .collect();
        Panel {
            clusters: names.len(),
            methods,
        }
    }

    /// The number of passages.
    pub fn clusters(&self) -> usize {
        self.clusters
    }

    /// The methods in the order given; `None` where one is missing.
    pub fn methods(&self) -> &[Option<Runs>] {
        &self.methods
    }
}

fn runs(samples: &[Sample], places: &BTreeMap<&str, usize>) -> Runs {
    let mut by_seed: BTreeMap<u64, Vec<Sum>> = BTreeMap::new();
    for sample in samples {
        let passages = by_seed
            .entry(sample.seed)
            .or_insert_with(|| vec![Sum::default(); places.len()]);
        let sum = &mut passages[places[sample.cluster.as_str()]];
        sum.numerator += sample.numerator;
        sum.denominator += sample.denominator;
    }
    let (seeds, sums) = by_seed.into_iter().unzip();
    Runs { seeds, sums }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(seed: u64, cluster: &str, numerator: f64, denominator: f64) -> Sample {
        Sample {
            seed,
            cluster: cluster.to_owned(),
            numerator,
            denominator,
        }
    }

    #[test]
    fn scores_are_ratios_of_sums_by_seed() {
        // Seed 1: (1 + 0 + 1)/3; seed 2: (0 + 0 + 1)/3. The mean of passage means would differ.
        let samples = [
            sample(2, "a", 0.0, 1.0),
            sample(2, "a", 0.0, 1.0),
            sample(2, "b", 1.0, 1.0),
            sample(1, "a", 1.0, 1.0),
            sample(1, "a", 0.0, 1.0),
            sample(1, "b", 1.0, 1.0),
        ];
        let panel = Panel::new(&[samples.to_vec(), Vec::new()]);
        assert_eq!(panel.clusters(), 2);
        let runs = panel.methods()[0]
            .as_ref()
            .expect("the first method has samples");
        assert_eq!(runs.seeds(), [1, 2]);
        assert_eq!(runs.scores(), [2.0 / 3.0, 1.0 / 3.0]);
        assert_eq!(runs.weighted(&[0.0, 2.0]), [1.0, 1.0]);
        assert_eq!(panel.methods()[1], None);
    }

    #[test]
    fn nothing_over_nothing_is_zero() {
        assert_eq!(ratio(0.0, 0.0), 0.0);
    }
}
