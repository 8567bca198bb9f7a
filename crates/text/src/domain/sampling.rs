//! Selects rows of a split if fewer are requested than exist.
//!
//! Files are often sorted by article: the first thousand rows of SQuAD cover a handful of subjects. Rows are
//! therefore drawn by a hash of their names: the same rows in every run, for every method and seed, wherever
//! they are in the file. A smaller sample is a subset of every larger one.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use sha2::{Digest, Sha256};

use super::row::Row;

/// How many rows are used, and which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// All of them.
    All,
    /// The first rows; reading stops after this many.
    First(usize),
    /// Rows drawn by name. The whole file is read, but only this many rows are held in memory.
    Drawn(usize),
}

impl Limit {
    /// All, or at most `limit` drawn rows.
    pub fn at_most(limit: Option<usize>) -> Limit {
        limit.map_or(Limit::All, Limit::Drawn)
    }
}

/// Selects rows while reading a file.
pub(super) struct Sampler {
    limit: Limit,
    /// Rows seen, selected or not.
    pub(super) seen: usize,
    /// A heap with the last row in [`Limit::Drawn`]'s order at the top.
    rows: BinaryHeap<Placed>,
}

/// A row and its position in its domain and split.
struct Placed {
    /// Its key in the order of [`Limit::Drawn`]; 0 for other limits.
    draw: u64,
    at: usize,
    row: Row,
}

impl Sampler {
    /// Starts empty.
    pub(super) fn new(limit: Limit) -> Sampler {
        Sampler {
            limit,
            seen: 0,
            rows: BinaryHeap::new(),
        }
    }

    /// Whether it needs no further rows.
    pub(super) fn is_full(&self) -> bool {
        match self.limit {
            Limit::All | Limit::Drawn(_) => false,
            Limit::First(limit) => self.rows.len() >= limit,
        }
    }

    /// Adds the next row, if it is selected.
    pub(super) fn add(&mut self, row: Row) {
        if self.is_full() {
            return;
        }
        let draw = match self.limit {
            Limit::All | Limit::First(_) => 0,
            Limit::Drawn(_) => place(row.id()),
        };
        let at = self.seen;
        self.seen += 1;
        self.rows.push(Placed { draw, at, row });
        if let Limit::Drawn(limit) = self.limit
            && self.rows.len() > limit
        {
            self.rows.pop();
        }
    }

    /// The selected rows, in file order.
    pub(super) fn rows(self) -> Vec<Row> {
        let mut rows = self.rows.into_vec();
        rows.sort_unstable_by_key(|placed| placed.at);
        rows.into_iter().map(|placed| placed.row).collect()
    }
}

/// The indices selected by [`Limit::Drawn`] from these names, at most `limit`, ascending.
pub fn drawn<'a>(names: impl Iterator<Item = &'a str>, limit: usize) -> Vec<usize> {
    let mut order: Vec<(u64, usize)> = names.map(place).zip(0..).collect();
    order.sort_unstable();
    let mut places: Vec<usize> = order.into_iter().take(limit).map(|(_, at)| at).collect();
    places.sort_unstable();
    places
}

/// A name's key in the drawing order. A prefix separates it from other hashes of the same text.
fn place(name: &str) -> u64 {
    let digest = Sha256::new()
        .chain_update(b"promptshift draw\n")
        .chain_update(name)
        .finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(first)
}

impl Ord for Placed {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.draw, self.at).cmp(&(other.draw, other.at))
    }
}

impl PartialOrd for Placed {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Placed {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Placed {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::row::QuestionRow;
    use proptest::prelude::*;

    fn taken(limit: Limit, names: &[String]) -> Vec<String> {
        let mut sampler = Sampler::new(limit);
        for name in names {
            sampler.add(Row::Question(QuestionRow {
                group: None,
                id: name.clone(),
                context: String::new(),
                question: String::new(),
                answers: Vec::new(),
                answer_start: None,
                facts: Vec::new(),
            }));
        }
        let rows = sampler.rows();
        rows.iter().map(|row| row.id().to_string()).collect()
    }

    #[test]
    fn a_draw_covers_all_of_a_sorted_file() {
        let names: Vec<String> = (0..10_000).map(|row| format!("row {row:05}")).collect();
        let drawn = taken(Limit::Drawn(400), &names);
        let early = drawn.iter().filter(|name| **name < names[5_000]).count();
        // 400 fair coins deviate by more than 42 with a probability of 3 in 100,000.
        assert!(early.abs_diff(200) < 42, "{early} of 400 in the first half");
        assert_eq!(taken(Limit::First(2), &names), ["row 00000", "row 00001"]);
    }

    proptest! {
        #[test]
        fn a_draw_ignores_order_and_is_part_of_every_larger_one(
            names in prop::collection::btree_set("[a-d]{1,4}", 1..40),
            small in 0_usize..40,
            more in 0_usize..40,
            turn in 0_usize..40,
        ) {
            let names = Vec::from_iter(names);
            let drawn = taken(Limit::Drawn(small), &names);
            prop_assert_eq!(drawn.len(), small.min(names.len()));
            prop_assert!(drawn.is_sorted(), "in the file's order");
            let mut turned = names.clone();
            turned.rotate_left(turn % names.len());
            let mut again = taken(Limit::Drawn(small), &turned);
            again.sort_unstable();
            prop_assert_eq!(&again, &drawn);
            let places = super::drawn(names.iter().map(String::as_str), small);
            let named: Vec<&String> = places.iter().map(|at| &names[*at]).collect();
            prop_assert_eq!(named, Vec::from_iter(&drawn));
            let larger = taken(Limit::Drawn(small + more), &names);
            prop_assert!(drawn.iter().all(|name| larger.contains(name)));
            prop_assert_eq!(taken(Limit::All, &names), names);
        }
    }
}
