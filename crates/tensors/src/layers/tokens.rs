//! Batches of token ids, padded and packed.
//!
//! In a packed batch the rows of all examples follow each other without padding. This suffices for all
//! operations that treat rows independently; only attention pads each example to the longest. A batch of
//! short examples and one long one is mostly padding; batches of similar lengths, as in training, still
//! contain some.

use burn::tensor::{DType, Int, Tensor, TensorData};

use std::ops::Range;

/// Token ids of a batch, padded on the right to a common width.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens {
    /// `[B·T]`, row by row.
    pub ids: Vec<u32>,
    /// The number of real tokens of each row.
    pub lengths: Vec<usize>,
    /// `T`.
    pub width: usize,
    /// For each row, the number of tokens before each of a soft prompt's `P` vectors; empty if the prompt
    /// precedes the input.
    pub soft: Vec<Vec<usize>>,
}

impl Tokens {
    /// Pads `rows` with `pad` to the longest one.
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

    /// Adds soft-prompt positions, `P` for each row; if all rows of `soft` are empty, the prompt precedes the
    /// input.
    ///
    /// # Panics
    /// `soft` does not have one list for each row, or their lengths differ.
    pub fn with_soft(self, soft: Vec<Vec<usize>>) -> Self {
        assert_eq!(soft.len(), self.batch(), "prompt positions for every row");
        let vectors = soft.first().map_or(0, Vec::len);
        assert!(
            soft.iter().all(|row| row.len() == vectors),
            "every row has the same prompt"
        );
        let soft = if vectors == 0 { Vec::new() } else { soft };
        Tokens { soft, ..self }
    }

    /// A range of rows, padded to the longest of them.
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

/// Maps between the packed and the padded rows of a batch.
#[derive(Clone)]
pub(crate) struct Packing {
    /// The number of rows of each example.
    lengths: Vec<usize>,
    /// `T`, the padded length of each example.
    width: usize,
    /// The packed row for every padded position, `[B·T]`; `None` if no example needs padding.
    filled: Option<Vec<usize>>,
}

impl Packing {
    /// Examples of these lengths, padded to the longest; none is empty.
    pub(crate) fn new(lengths: Vec<usize>) -> Self {
        let longest = lengths.iter().copied().max().unwrap_or(0);
        Packing::of_width(lengths, longest)
    }

    /// Examples of these lengths, each padded to `width`.
    pub(crate) fn of_width(lengths: Vec<usize>, width: usize) -> Self {
        let filled = lengths.iter().any(|&length| length < width).then(|| {
            let mut filled = Vec::with_capacity(lengths.len() * width);
            let mut first = 0;
            for length in &lengths {
                // No real row attends to padding, so any row may fill it.
                filled.extend((0..width).map(|at| first + at.min(length - 1)));
                first += length;
            }
            filled
        });
        Packing {
            lengths,
            width,
            filled,
        }
    }

    /// `B`.
    pub(crate) fn batch(&self) -> usize {
        self.lengths.len()
    }

    /// `T`, the padded length of each example.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// The number of rows of each example.
    pub(crate) fn lengths(&self) -> &[usize] {
        &self.lengths
    }

    /// The position of every packed row within its example.
    pub(crate) fn places(&self) -> Vec<usize> {
        self.lengths.iter().flat_map(|&length| 0..length).collect()
    }

    /// The packed rows at these positions, one list per example.
    pub(crate) fn rows_at(&self, places: &[Vec<usize>]) -> Vec<usize> {
        let mut first = 0;
        let mut rows = Vec::new();
        for (length, places) in self.lengths.iter().zip(places) {
            rows.extend(places.iter().map(|at| first + at));
            first += length;
        }
        rows
    }

    /// Packed rows → `[B·T, W]`.
    pub(crate) fn fill(&self, rows: Tensor<2>) -> Tensor<2> {
        match &self.filled {
            Some(filled) => pick(rows, filled),
            None => rows,
        }
    }

    /// `[B·T, W]` → packed rows.
    pub(crate) fn pack(&self, filled: Tensor<2>) -> Tensor<2> {
        if self.filled.is_none() {
            return filled;
        }
        let real: Vec<usize> = (self.lengths.iter().enumerate())
            .flat_map(|(example, length)| (0..*length).map(move |at| example * self.width + at))
            .collect();
        pick(filled, &real)
    }
}

/// The rows of a tensor's first dimension at these indices, in f32.
pub(crate) fn pick<const D: usize>(table: Tensor<D>, rows: &[usize]) -> Tensor<D> {
    let ids: Vec<i32> = rows.iter().map(|&row| row as i32).collect();
    let device = table.device();
    let ids = Tensor::<1, Int>::from_data(TensorData::new(ids, [rows.len()]), &device);
    table.select(0, ids).cast(DType::F32)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn packing_inverts_padding() {
        let packing = Packing::new(vec![2, 3, 1]);
        let data = TensorData::new((0..6).map(|row| row as f32).collect(), [6, 1]);
        let rows = Tensor::<2>::from_data(data.clone(), &Device::flex());
        let filled = packing.fill(rows);
        let values: Vec<f32> = filled.to_data().try_to_vec().expect("f32");
        assert_eq!(values, [0.0, 1.0, 1.0, 2.0, 3.0, 4.0, 5.0, 5.0, 5.0]);
        packing.pack(filled).to_data().assert_eq(&data, true);
        assert_eq!(packing.places(), [0, 1, 0, 1, 2, 0]);
        assert_eq!(
            packing.rows_at(&[vec![1], vec![0, 2], vec![0]]),
            [1, 2, 4, 5]
        );
    }
}
