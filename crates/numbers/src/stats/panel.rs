//! The sums of all methods on one domain, by seed and passage.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Add, AddAssign, Mul};

/// One example's contribution to a metric, with its run and passage.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The run's seed.
    pub seed: u64,
    /// The passage; examples of one passage are not independent.
    pub cluster: String,
    /// The contribution to the metric.
    pub sum: Sum,
}

impl Sample {
    /// A contribution of a run on a passage.
    pub fn new(seed: u64, cluster: impl Into<String>, sum: Sum) -> Sample {
        let cluster = cluster.into();
        Sample { seed, cluster, sum }
    }
}

/// The runs of one method on one domain.
#[derive(Debug, Clone, PartialEq)]
pub struct Runs {
    seeds: Vec<u64>,
    /// `[seed][passage]`.
    sums: Vec<Vec<Sum>>,
}

/// The contribution of one example to a metric, or of several: the metric is Σ numerator / Σ denominator.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sum {
    pub numerator: f64,
    pub denominator: f64,
}

impl Sum {
    /// A numerator and a denominator.
    pub const fn new(numerator: f64, denominator: f64) -> Sum {
        Sum {
            numerator,
            denominator,
        }
    }

    /// An example in a mean over examples.
    pub const fn once(value: f64) -> Sum {
        Sum::new(value, 1.0)
    }

    /// The metric; 0 if the denominator is 0, as in scikit-learn for F1 without positives.
    pub fn ratio(self) -> f64 {
        match self.denominator == 0.0 {
            true => 0.0,
            false => self.numerator / self.denominator,
        }
    }
}

impl Add for Sum {
    type Output = Sum;

    fn add(self, other: Sum) -> Sum {
        Sum::new(
            self.numerator + other.numerator,
            self.denominator + other.denominator,
        )
    }
}

impl AddAssign for Sum {
    fn add_assign(&mut self, other: Sum) {
        *self = *self + other;
    }
}

impl Mul<Sum> for f64 {
    type Output = Sum;

    fn mul(self, sum: Sum) -> Sum {
        Sum::new(self * sum.numerator, self * sum.denominator)
    }
}

impl std::iter::Sum for Sum {
    fn sum<I: Iterator<Item = Sum>>(sums: I) -> Sum {
        sums.fold(Sum::default(), Add::add)
    }
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

    /// The sums of each passage, averaged over seeds.
    pub fn by_passage(&self) -> Vec<Sum> {
        let share = 1.0 / self.seeds.len() as f64;
        let passages = self.sums.first().map_or(0, Vec::len);
        (0..passages)
            .map(|passage| share * self.sums.iter().map(|run| run[passage]).sum::<Sum>())
            .collect()
    }

    /// Whether every sum is a share, with 0 ≤ numerator ≤ denominator.
    pub(super) fn is_share(&self) -> bool {
        let sums = self.sums.iter().flatten();
        // Sums of decimals may be off by a last bit.
        sums.into_iter()
            .all(|sum| sum.numerator >= 0.0 && sum.numerator <= sum.denominator * (1.0 + 1e-12))
    }

    /// The sums of each passage, by seed.
    pub(super) fn sums(&self) -> impl Iterator<Item = &[Sum]> {
        self.sums.iter().map(Vec::as_slice)
    }

    /// The metric of each seed with passage `c` counted `weights[c]` times.
    fn weighted(&self, weights: &[f64]) -> Vec<f64> {
        let score = |passages: &Vec<Sum>| {
            let weighted = passages.iter().zip(weights);
            weighted
                .map(|(sum, weight)| *weight * *sum)
                .sum::<Sum>()
                .ratio()
        };
        self.sums.iter().map(score).collect()
    }
}

/// All methods on one domain, over the same passages.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    clusters: usize,
    methods: Vec<Option<Runs>>,
}

impl Panel {
    /// Adds up the samples of each method; a method without samples is missing from the panel.
    pub fn new(methods: &[Vec<Sample>]) -> Panel {
        let names = (methods.iter().flatten()).map(|sample| sample.cluster.as_str());
        let names: BTreeSet<&str> = names.collect();
        let places: BTreeMap<&str, usize> = names.into_iter().zip(0..).collect();
        let runs = |samples: &Vec<Sample>| (!samples.is_empty()).then(|| runs(samples, &places));
        Panel {
            clusters: places.len(),
            methods: methods.iter().map(runs).collect(),
        }
    }

    /// The number of passages.
    pub fn clusters(&self) -> usize {
        self.clusters
    }

    /// The effective number of passages: `(Σ d)² / Σ d²` over their denominators d (Kish 1965). It is the number of
    /// passages if all are of equal size or have a denominator of 0.
    pub(super) fn alike(&self) -> f64 {
        let runs = self.methods.iter().flatten().flat_map(Runs::sums);
        let mut sizes = vec![0.0; self.clusters];
        for run in runs {
            for (size, sum) in sizes.iter_mut().zip(run) {
                *size += sum.denominator;
            }
        }
        let (sum, squares) = (sizes.iter()).fold((0.0, 0.0), |(sum, squares), size| {
            (sum + size, squares + size * size)
        });
        match squares > 0.0 {
            true => sum * sum / squares,
            false => self.clusters as f64,
        }
    }

    /// The sums of two methods on each passage, averaged over their seeds; `None` if one is missing.
    pub fn pairs(&self, first: usize, second: usize) -> Option<Vec<[Sum; 2]>> {
        let sums = |method: usize| Some(self.methods.get(method)?.as_ref()?.by_passage());
        let pairs = sums(first)?.into_iter().zip(sums(second)?);
        Some(pairs.map(|(first, second)| [first, second]).collect())
    }

    /// The methods in the given order; `None` for a missing one.
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
        passages[places[sample.cluster.as_str()]] += sample.sum;
    }
    let (seeds, sums) = by_seed.into_iter().unzip();
    Runs { seeds, sums }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_ratios_of_sums_by_seed() {
        // Seed 1: (1 + 0 + 1)/3; seed 2: (0 + 0 + 1)/3. The mean of passage means would differ.
        let samples = [
            (2, "a", 0.0),
            (2, "a", 0.0),
            (2, "b", 1.0),
            (1, "a", 1.0),
            (1, "a", 0.0),
            (1, "b", 1.0),
        ];
        let samples =
            samples.map(|(seed, passage, right)| Sample::new(seed, passage, Sum::once(right)));
        let panel = Panel::new(&[samples.to_vec(), Vec::new()]);
        assert_eq!(panel.clusters(), 2);
        let runs = panel.methods()[0].as_ref().expect("it has samples");
        assert_eq!(runs.seeds(), [1, 2]);
        assert_eq!(runs.scores(), [2.0 / 3.0, 1.0 / 3.0]);
        assert_eq!(runs.weighted(&[0.0, 2.0]), [1.0, 1.0]);
        assert_eq!(panel.methods()[1], None);
        let by_passage = runs.by_passage();
        assert_eq!(by_passage[0], Sum::new(0.5, 2.0));
        assert_eq!(panel.pairs(0, 1), None);
        let twice: Vec<_> = by_passage.iter().map(|sum| [*sum; 2]).collect();
        assert_eq!(panel.pairs(0, 0), Some(twice));
    }

    #[test]
    fn nothing_over_nothing_is_zero() {
        assert_eq!(Sum::default().ratio(), 0.0);
    }
}
