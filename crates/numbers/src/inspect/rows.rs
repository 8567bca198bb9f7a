//! Rows of numbers of one width.

/// `[P, D]`, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows {
    values: Vec<f32>,
    width: usize,
}

impl Rows {
    /// Rows of `width` each.
    ///
    /// # Panics
    /// The values are not a whole number of rows.
    pub fn new(values: Vec<f32>, width: usize) -> Self {
        assert!(
            width > 0 && values.len().is_multiple_of(width),
            "whole rows"
        );
        Rows { values, width }
    }

    /// `P`.
    pub fn count(&self) -> usize {
        self.values.len() / self.width
    }

    /// One of them.
    pub fn row(&self, at: usize) -> &[f32] {
        &self.values[at * self.width..(at + 1) * self.width]
    }

    /// All of them, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks(self.width)
    }

    /// The mean row.
    pub fn mean(&self) -> Vec<f32> {
        let mut sums = vec![0.0_f32; self.width];
        for row in self.iter() {
            sums.iter_mut().zip(row).for_each(|(sum, v)| *sum += v);
        }
        let count = self.count() as f32;
        sums.into_iter().map(|sum| sum / count).collect()
    }
}
