//! Where the rows of a batch are: packed, one example behind the other, for all that looks at a row by
//! itself, and filled up to the longest example for attention alone.
//!
//! Short examples beside one long one are mostly filling; batches of like length, as in training, have some of it
//! too.

use burn::tensor::{Int, Tensor, TensorData};

/// The rows of a batch.
pub(crate) struct Layout {
    /// The rows of each example.
    lengths: Vec<usize>,
    /// `T`, to which each example is filled up.
    width: usize,
    /// The packed row at every place of the filled-up batch, `[B·T]`; none where nothing is filled up.
    filled: Option<Vec<usize>>,
}

impl Layout {
    /// Of examples of so many rows each, filled up to the longest; none has none.
    pub(crate) fn new(lengths: Vec<usize>) -> Self {
        let longest = lengths.iter().copied().max().unwrap_or(0);
        Layout::of_width(lengths, longest)
    }

    /// The same, filled up to `width` rows each.
    pub(crate) fn of_width(lengths: Vec<usize>, width: usize) -> Self {
        let filled = lengths.iter().any(|&length| length < width).then(|| {
            let mut filled = Vec::with_capacity(lengths.len() * width);
            let mut first = 0;
            for length in &lengths {
                // What fills an example up is seen by nothing before it.
                filled.extend((0..width).map(|at| first + at.min(length - 1)));
                first += length;
            }
            filled
        });
        Layout {
            lengths,
            width,
            filled,
        }
    }

    /// Examples, `B`.
    pub(crate) fn batch(&self) -> usize {
        self.lengths.len()
    }

    /// `T`, the rows of each example where it is filled up.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// The rows of each example.
    pub(crate) fn lengths(&self) -> &[usize] {
        &self.lengths
    }

    /// The place in its example of every packed row.
    pub(crate) fn places(&self) -> Vec<usize> {
        self.lengths.iter().flat_map(|&length| 0..length).collect()
    }

    /// The packed rows of these places, which are of each example in turn.
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

/// These rows of a table.
pub(crate) fn pick(table: Tensor<2>, rows: &[usize]) -> Tensor<2> {
    let ids: Vec<i32> = rows.iter().map(|&row| row as i32).collect();
    let device = table.device();
    let ids = Tensor::<1, Int>::from_data(TensorData::new(ids, [rows.len()]), &device);
    table.select(0, ids)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn what_is_filled_up_is_packed_again() {
        let layout = Layout::new(vec![2, 3, 1]);
        let data = TensorData::new((0..6).map(|row| row as f32).collect(), [6, 1]);
        let rows = Tensor::<2>::from_data(data.clone(), &Device::flex());
        let filled = layout.fill(rows);
        let values: Vec<f32> = filled.to_data().try_to_vec().expect("f32");
        assert_eq!(values, [0.0, 1.0, 1.0, 2.0, 3.0, 4.0, 5.0, 5.0, 5.0]);
        layout.pack(filled).to_data().assert_eq(&data, true);
        assert_eq!(layout.places(), [0, 1, 0, 1, 2, 0]);
        assert_eq!(
            layout.rows_at(&[vec![1], vec![0, 2], vec![0]]),
            [1, 2, 4, 5]
        );
    }
}
