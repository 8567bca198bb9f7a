//! Hashes of rows as read by a model. A result computed for one row is valid for every row with the same
//! hash.

use sha2::{Digest, Sha256};

use super::example::{Example, Gold};
use crate::hash::hexadecimal;

/// An incremental SHA-256 of length-separated parts.
struct Parts(Sha256);

impl Parts {
    fn new() -> Self {
        Parts(Sha256::new())
    }

    fn add(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    fn add_number(&mut self, number: usize) {
        self.add(&(number as u64).to_le_bytes());
    }

    fn add_input(&mut self, example: &Example) {
        self.add(example.input.as_bytes());
        for &at in &example.soft {
            self.add_number(at);
        }
        for range in [&example.pair.first, &example.pair.second] {
            self.add_number(range.start);
            self.add_number(range.end);
        }
    }

    fn add_target(&mut self, example: &Example) {
        self.add_input(example);
        self.add(example.target.as_bytes());
        self.add_number(example.pair.answer.map_or(0, |at| at + 1));
    }

    fn hex(self) -> String {
        hexadecimal(&self.0.finalize())
    }
}

/// Identifies an example's input: 32 hexadecimal digits.
pub fn of_input(example: &Example) -> String {
    let mut parts = Parts::new();
    parts.add_input(example);
    let mut hex = parts.hex();
    hex.truncate(32);
    hex
}

/// SHA-256 of rows as used in training, in order: inputs and targets.
pub fn of_training(rows: &[Example]) -> String {
    let mut parts = Parts::new();
    rows.iter().for_each(|row| parts.add_target(row));
    parts.hex()
}

/// SHA-256 of rows as used in scoring, in order: inputs and right answers.
pub fn of_scoring(rows: &[Example]) -> String {
    let mut parts = Parts::new();
    for row in rows {
        parts.add_input(row);
        let gold: &Gold = &row.gold;
        parts.add(&serde_json::to_vec(gold).expect("right answers are plain data"));
    }
    parts.hex()
}
