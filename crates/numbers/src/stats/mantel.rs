//! The Mantel test: the rank correlation of two square matrices over the same items, and its permutation test (Mantel
//! 1967, *The detection of disease clustering and a generalized regression approach*), which permutes whole items,
//! because the entries of a row depend on each other.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::ranking::ranks;

/// The correlation of similarity with outcome.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mantel {
    /// Spearman's ρ over ordered pairs of different items, in [-1, 1].
    pub rho: f64,
    /// The two-sided p value of the hypothesis that items are exchangeable, in (0, 1].
    pub p_value: f64,
    /// The ordered pairs that have an outcome.
    pub pairs: usize,
}

/// Up to this number of items all permutations are enumerated: 7! = 5,040.
const ALL_ORDERS: usize = 7;

/// The number of random permutations of more items.
const DRAWN: usize = 10_000;

const SEED: u64 = 20_210_418;

/// `likeness[i][j]` against `outcome[i][j]`, which may be missing and is ignored for `i = j`. `None` for fewer than
/// three items, or if either is the same for all pairs.
///
/// p is the share of permutations of the items whose |ρ| is at least the observed one, including the observed order.
pub fn mantel(likeness: &[Vec<f64>], outcome: &[Vec<Option<f64>>]) -> Option<Mantel> {
    let things = likeness.len();
    let mut places = Vec::new();
    let mut outcomes = Vec::new();
    for (one, row) in outcome.iter().enumerate() {
        for (other, found) in row.iter().enumerate() {
            if let (Some(found), true) = (found, one != other) {
                places.push((one, other));
                outcomes.push(*found);
            }
        }
    }
    if things < 3 {
        return None;
    }
    let outcomes = ranks(&outcomes);
    let rho = |order: &[usize]| {
        let liken = |&(one, other): &(usize, usize)| likeness[order[one]][order[other]];
        correlation(
            &ranks(&places.iter().map(liken).collect::<Vec<_>>()),
            &outcomes,
        )
    };
    let mut order: Vec<usize> = (0..things).collect();
    let observed = rho(&order)?;
    let (mut extreme, mut all) = (0_usize, 0_usize);
    let mut see = |order: &[usize]| {
        all += 1;
        // Equal correlations must count as equal despite rounding.
        let found = rho(order).unwrap_or(0.0).abs();
        extreme += usize::from(found >= observed.abs() - 1e-12);
    };
    if things <= ALL_ORDERS {
        each_order(&mut order, things, &mut see);
    } else {
        see(&order);
        let mut rng = ChaCha8Rng::seed_from_u64(SEED);
        for _ in 0..DRAWN {
            for last in (1..things).rev() {
                order.swap(last, (rng.next_u64() % (last as u64 + 1)) as usize);
            }
            see(&order);
        }
    }
    Some(Mantel {
        rho: observed,
        p_value: extreme as f64 / all as f64,
        pairs: places.len(),
    })
}

/// Visits every permutation of the first `count` items once (Heap 1963).
fn each_order(order: &mut [usize], count: usize, see: &mut impl FnMut(&[usize])) {
    if count <= 1 {
        return see(order);
    }
    for at in 0..count {
        each_order(order, count - 1, see);
        let other = if count.is_multiple_of(2) { at } else { 0 };
        order.swap(other, count - 1);
    }
}

/// Pearson's correlation; `None` if either is constant.
fn correlation(one: &[f64], other: &[f64]) -> Option<f64> {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (one_mean, other_mean) = (mean(one), mean(other));
    let (mut both, mut first, mut second) = (0.0, 0.0, 0.0);
    for (a, b) in one.iter().zip(other) {
        let (a, b) = (a - one_mean, b - other_mean);
        both += a * b;
        first += a * a;
        second += b * b;
    }
    (first > 0.0 && second > 0.0).then(|| both / (first * second).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Items on a line: the nearer, the more similar.
    fn line(places: &[f64]) -> Vec<Vec<f64>> {
        let row = |one: &f64| places.iter().map(|other| -(one - other).abs()).collect();
        places.iter().map(row).collect()
    }

    fn outcomes(likeness: &[Vec<f64>], of: impl Fn(f64) -> f64) -> Vec<Vec<Option<f64>>> {
        let row = |row: &Vec<f64>| row.iter().map(|like| Some(of(*like))).collect();
        likeness.iter().map(row).collect()
    }

    #[test]
    fn an_outcome_that_increases_with_similarity_has_a_rank_correlation_of_one() {
        let likeness = line(&[0.0, 1.0, 3.0, 7.0]);
        let found = mantel(&likeness, &outcomes(&likeness, f64::exp)).expect("four things");
        assert!((found.rho - 1.0).abs() < 1e-12);
        // All six distances differ, so no other of the 24 permutations leaves them in place.
        assert_eq!((found.p_value, found.pairs), (1.0 / 24.0, 12));
        let falls = mantel(&likeness, &outcomes(&likeness, |like| -like)).expect("four things");
        assert!((falls.rho + 1.0).abs() < 1e-12);
    }

    #[test]
    fn every_permutation_is_visited_once() {
        let mut seen = std::collections::BTreeSet::new();
        let mut times = 0;
        each_order(&mut [0, 1, 2, 3], 4, &mut |order| {
            times += 1;
            seen.insert(order.to_vec());
        });
        assert_eq!((times, seen.len()), (24, 24));
    }

    #[test]
    fn an_unrelated_outcome_is_rarely_significant() {
        // Outcomes of many studies of six items, drawn independently of similarity.
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut uniform = || rng.next_u64() as f64 / u64::MAX as f64;
        let found = (0..60).filter(|_| {
            let places: Vec<f64> = (0..6).map(|_| uniform()).collect();
            let by_row: Vec<f64> = (0..6).map(|_| uniform()).collect();
            let row = |row: &f64| (0..6).map(|_| Some(row + 0.1 * uniform())).collect();
            let outcome: Vec<Vec<Option<f64>>> = by_row.iter().map(row).collect();
            mantel(&line(&places), &outcome)
                .expect("six things")
                .p_value
                <= 0.05
        });
        assert!(found.count() <= 8);
    }

    #[test]
    fn too_few_items_have_no_result() {
        let likeness = line(&[0.0, 1.0]);
        assert_eq!(mantel(&likeness, &outcomes(&likeness, f64::exp)), None);
        let likeness = line(&[0.0, 1.0, 3.0]);
        assert_eq!(mantel(&likeness, &outcomes(&likeness, |_| 1.0)), None);
        assert_eq!(mantel(&likeness, &vec![vec![None; 3]; 3]), None);
    }
}
