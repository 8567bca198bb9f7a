//! A batch of token ids.

use std::ops::Range;

/// Token ids of a batch, padded on the right to one width.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens {
    /// `[B·T]`, row by row.
    pub ids: Vec<u32>,
    /// The real tokens of each row.
    pub lengths: Vec<usize>,
    /// `T`.
    pub width: usize,
    /// For each row, the number of tokens before each of a soft prompt's `P` vectors; empty if the prompt precedes the
    /// input.
    pub soft: Vec<Vec<usize>>,
}

impl Tokens {
    /// Pads `rows` with `pad` to the longest of them.
    pub fn padded<R: AsRef<[u32]>>(rows: &[R], pad: u32) -> Self {
        let lengths: Vec<usize> = rows.iter().map(|row| row.as_ref().len()).collect();
        let width = lengths.iter().copied().max().unwrap_or(0);
        let mut ids = Vec::with_capacity(rows.len() * width);
        for row in rows {
            ids.extend_from_slice(row.as_ref());
            ids.resize(ids.len() + width - row.as_ref().len(), pad);
        }
        Tokens {
            ids,
            lengths,
            width,
            soft: Vec::new(),
        }
    }

    /// Adds soft-prompt positions, `P` for each row; if the rows of `soft` are all empty, the prompt precedes the
    /// input.
    ///
    /// # Panics
    /// `soft` does not have one list for each row, or their lengths differ.
    pub fn with_soft(self, soft: Vec<Vec<usize>>) -> Self {
        assert_eq!(soft.len(), self.batch(), "places of a prompt for every row");
        let vectors = soft.first().map_or(0, Vec::len);
        assert!(
            soft.iter().all(|row| row.len() == vectors),
            "every row has the same prompt"
        );
        let soft = if vectors == 0 { Vec::new() } else { soft };
        Tokens { soft, ..self }
    }

    /// Some of the rows, padded to the longest of them.
    pub(crate) fn rows(&self, rows: Range<usize>) -> Self {
        let lengths = self.lengths[rows.clone()].to_vec();
        let width = lengths.iter().copied().max().unwrap_or(0);
        let of_row = |row: usize| &self.ids[row * self.width..row * self.width + width];
        Tokens {
            ids: rows.clone().flat_map(of_row).copied().collect(),
            lengths,
            width,
            soft: (self.soft.get(rows)).map_or_else(Vec::new, <[_]>::to_vec),
        }
    }

    /// `B`.
    pub fn batch(&self) -> usize {
        self.lengths.len()
    }

    /// The number of real tokens in all rows.
    pub fn count(&self) -> usize {
        self.lengths.iter().sum()
    }

    /// Flat positions of the real tokens.
    pub(crate) fn real_positions(&self) -> impl Iterator<Item = usize> + '_ {
        (self.lengths.iter().enumerate())
            .flat_map(move |(row, &length)| row * self.width..row * self.width + length)
    }

    /// The decoder's input that predicts these tokens: `start`, then the tokens shifted right.
    pub(crate) fn shifted_right(&self, start: u32) -> Vec<u32> {
        self.ids
            .chunks(self.width)
            .flat_map(|row| std::iter::once(start).chain(row[..self.width - 1].iter().copied()))
            .collect()
    }
}
