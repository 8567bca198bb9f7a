//! What a soft prompt learned, as plain numbers: which vocabulary entries are nearest to its vectors (Lester et al.
//! 2021, §7), how far the vectors moved from their initialisation, how redundant they are, and how similar two
//! prompts are.

pub mod principal;
mod rows;

pub use rows::{Rows, effective_rank};

/// A vocabulary entry near a vector.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neighbour {
    /// Its row in the embedding.
    pub id: usize,
    /// The cosine with the vector, in [-1, 1].
    pub cosine: f64,
}

/// The `count` rows of `table` with the highest cosine with `vector`, nearest first; among equals the lower row
/// first.
pub fn nearest(vector: &[f32], table: &Rows, count: usize) -> Vec<Neighbour> {
    let mut all: Vec<Neighbour> = (table.iter().enumerate())
        .map(|(id, row)| Neighbour {
            id,
            cosine: cosine(vector, row),
        })
        .collect();
    all.sort_by(|one, other| {
        other
            .cosine
            .total_cmp(&one.cosine)
            .then(one.id.cmp(&other.id))
    });
    all.truncate(count);
    all
}

/// The cosine of two vectors, in [-1, 1]; 0 if one of them is all zeros.
pub fn cosine<A, B>(one: &[A], other: &[B]) -> f64
where
    A: Into<f64> + Copy,
    B: Into<f64> + Copy,
{
    let pairs = || {
        one.iter()
            .zip(other)
            .map(|(a, b)| ((*a).into(), (*b).into()))
    };
    let product: f64 = pairs().map(|(a, b): (f64, f64)| a * b).sum();
    let squares = pairs().fold((0.0, 0.0), |(s, t), (a, b): (f64, f64)| {
        (s + a * a, t + b * b)
    });
    let length = (squares.0 * squares.1).sqrt();
    match length > 0.0 {
        true => product / length,
        false => 0.0,
    }
}

/// The cosines of all pairs of rows, `[P][P]`.
pub fn similarities(rows: &Rows) -> Vec<Vec<f64>> {
    rows.iter()
        .map(|one| rows.iter().map(|other| cosine(one, other)).collect())
        .collect()
}

/// How close the neighbours of a vector are to each other: the mean cosine over pairs of them. `None` for fewer than
/// two neighbours.
pub fn tightness(neighbours: &[Neighbour], table: &Rows) -> Option<f64> {
    let mut pairs = Vec::new();
    for (at, one) in neighbours.iter().enumerate() {
        for other in &neighbours[at + 1..] {
            pairs.push(cosine(table.row(one.id), table.row(other.id)));
        }
    }
    crate::stats::estimate::mean(&pairs)
}

/// Clusters of rows by single linkage: rows whose cosine is at least `least` are in one cluster, and so are rows
/// connected through others. In the order of their first rows.
pub fn clusters(similarities: &[Vec<f64>], least: f64) -> Vec<Vec<usize>> {
    let mut group: Vec<usize> = (0..similarities.len()).collect();
    for (one, row) in similarities.iter().enumerate() {
        for (other, alike) in row[..one].iter().enumerate() {
            if *alike >= least && group[one] != group[other] {
                let (from, to) = (group[one].max(group[other]), group[one].min(group[other]));
                for member in &mut group {
                    if *member == from {
                        *member = to;
                    }
                }
            }
        }
    }
    let mut clusters: Vec<(usize, Vec<usize>)> = Vec::new();
    for (row, name) in group.into_iter().enumerate() {
        match clusters.iter_mut().find(|(known, _)| *known == name) {
            Some((_, rows)) => rows.push(row),
            None => clusters.push((name, vec![row])),
        }
    }
    clusters.into_iter().map(|(_, rows)| rows).collect()
}

/// The similarity of two prompts, whatever the order of their vectors: the mean over the vectors of both prompts of
/// the highest cosine with a vector of the other prompt. 1 if each vector has an equal in the other prompt.
pub fn likeness(one: &Rows, other: &Rows) -> f64 {
    let best = |from: &Rows, to: &Rows| -> f64 {
        let highest = |vector: &[f32]| {
            let cosines = to.iter().map(|row| cosine(vector, row));
            cosines.fold(f64::NEG_INFINITY, f64::max)
        };
        from.iter().map(highest).sum::<f64>() / from.count() as f64
    };
    0.5 * (best(one, other) + best(other, one))
}

/// How far each row moved: the distance from its start divided by the start's norm. For a start at zero it is
/// infinity, or 0 if the row did not move.
pub fn drift(start: &Rows, end: &Rows) -> Vec<f64> {
    let size = |row: &[f32]| {
        row.iter()
            .map(|v| f64::from(*v).powi(2))
            .sum::<f64>()
            .sqrt()
    };
    (start.iter().zip(end.iter()))
        .map(|(start, end)| {
            let steps: Vec<f32> = start.iter().zip(end).map(|(a, b)| b - a).collect();
            match size(&steps) {
                0.0 => 0.0,
                went => went / size(start),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rows(values: &[[f32; 2]]) -> Rows {
        Rows::new(values.as_flattened().to_vec(), 2)
    }

    #[test]
    fn neighbours_go_by_angle_and_not_by_length() {
        let table = rows(&[[10.0, 0.0], [0.0, 0.1], [1.0, 1.0], [-1.0, 0.0]]);
        let found = nearest(&[0.0, 3.0], &table, 3);
        let ids: Vec<usize> = found.iter().map(|n| n.id).collect();
        assert_eq!(ids, [1, 2, 0]);
        assert!((found[1].cosine - 0.5_f64.sqrt()).abs() < 1e-12);
        let tight = tightness(&found[..2], &table).expect("two");
        assert!((tight - 0.5_f64.sqrt()).abs() < 1e-12);
        assert_eq!(tightness(&found[..1], &table), None);
    }

    #[test]
    fn clusters_are_joined_through_others() {
        // 0 – 1 – 2 at 30° each: 0 and 2 are 60° apart and still together.
        let turned = |degrees: f32| [degrees.to_radians().cos(), degrees.to_radians().sin()];
        let four = rows(&[turned(0.0), turned(60.0), turned(30.0), turned(180.0)]);
        let like = similarities(&four);
        assert_eq!(clusters(&like, 0.8), [vec![0, 1, 2], vec![3]]);
        assert_eq!(clusters(&like, 0.9).len(), 4);
    }

    #[test]
    fn drift_is_relative_to_the_start() {
        let start = rows(&[[3.0, 4.0], [1.0, 0.0], [0.0, 0.0]]);
        let end = rows(&[[3.0, 4.0], [1.0, 2.0], [0.0, 0.0]]);
        assert_eq!(drift(&start, &end), [0.0, 2.0, 0.0]);
    }

    proptest! {
        #[test]
        fn a_prompt_is_like_itself_in_any_order(
            values in prop::collection::vec([-1.0f32..1.0, 0.5f32..1.0], 1..6),
            turn in 0_usize..6,
        ) {
            let one = rows(&values);
            let mut turned = values.clone();
            turned.rotate_left(turn % values.len());
            let other = rows(&turned);
            prop_assert!((likeness(&one, &other) - 1.0).abs() < 1e-6);
            prop_assert!((likeness(&one, &one) - likeness(&other, &one)).abs() < 1e-9);
        }
    }
}
