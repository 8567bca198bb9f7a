//! How often a run of one method beats a run of another.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::bootstrap::Draws;
use super::estimate::{Estimate, Interval, percentile_interval};

/// The share of pairs of runs, one of each method, in which the first has the higher score; half
/// of those that tie (the probability of improvement of Agarwal et al. 2021, without its
/// stratification).
pub fn share_of_wins(first: &[f64], second: &[f64]) -> Option<f64> {
    let pairs = first.len() * second.len();
    let wins: f64 = first
        .iter()
        .flat_map(|a| second.iter().map(move |b| (a, b)))
        .map(|(a, b)| match a.total_cmp(b) {
            std::cmp::Ordering::Greater => 1.0,
            std::cmp::Ordering::Equal => 0.5,
            std::cmp::Ordering::Less => 0.0,
        })
        .sum();
    (pairs > 0).then(|| wins / pairs as f64)
}

/// The share of wins with a 95 % percentile interval: each resample draws the passages, the same
/// for both methods, and each method's runs. With few runs it is coarse and too narrow, and where
/// one method won every time it is a point: five runs of each say little about the sixth.
///
/// `None` for quantities that are not one method's score.
pub fn probability(first: &Draws, second: &Draws) -> Option<Estimate> {
    let (first, second) = (first.runs()?, second.runs()?);
    let value = share_of_wins(first.values, second.values)?;
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut drawn = |runs: &[Vec<f64>], resample: usize| -> Vec<f64> {
        (0..runs.len())
            .map(|_| {
                let run = (u64::from(rng.next_u32()) * runs.len() as u64) >> 32;
                runs[run as usize][resample]
            })
            .collect()
    };
    let resamples = first.resampled.first()?.len();
    let shares: Vec<f64> = (0..resamples)
        .filter_map(|r| share_of_wins(&drawn(first.resampled, r), &drawn(second.resampled, r)))
        .collect();
    let point = Interval {
        low: value,
        high: value,
    };
    Some(Estimate {
        value,
        interval: percentile_interval(&shares).unwrap_or(point),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wins_by_hand() {
        // 3 beats 1 and 2; 2 beats 1 and ties 2: (2 + 1.5) / 4.
        assert_eq!(share_of_wins(&[3.0, 2.0], &[1.0, 2.0]), Some(0.875));
        assert_eq!(share_of_wins(&[1.0], &[2.0]), Some(0.0));
        assert_eq!(share_of_wins(&[], &[2.0]), None);
    }
}
