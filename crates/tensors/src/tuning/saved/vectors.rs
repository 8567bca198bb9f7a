//! A soft prompt as plain numbers.

use std::path::Path;

use super::error::SavedError;
use crate::checkpoint::Weights;
use promptshift_text::hash::sha256;

/// A soft prompt `[P, D]` that is not on any device.
#[derive(Debug, Clone, PartialEq)]
pub struct Vectors {
    length: usize,
    width: usize,
    values: Vec<f32>,
}

impl Vectors {
    /// Row-major `values` of `shape` `[P, D]`, read from `path`: at least one row, all values finite.
    ///
    /// # Errors
    /// Not two dimensions, empty, not as many values as the shape implies, or a value that is not finite.
    pub fn new(shape: &[usize], values: Vec<f32>, path: &Path) -> Result<Self, SavedError> {
        let wrong = |wanted: &str, found: String| SavedError::wrong(path, wanted, found);
        let &[length, width] = shape else {
            return Err(wrong(
                "a prompt of shape [P, D]",
                format!("shape {shape:?}"),
            ));
        };
        if length == 0 || width == 0 {
            return Err(wrong("at least one vector", format!("shape {shape:?}")));
        }
        if length.checked_mul(width) != Some(values.len()) {
            let found = format!("{} values", values.len());
            return Err(wrong(
                &format!("the values of a {length} × {width} prompt"),
                found,
            ));
        }
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            let (row, column) = (at / width, at % width);
            let found = format!("{} in row {row}, column {column}", values[at]);
            return Err(wrong("finite numbers", found));
        }
        Ok(Vectors {
            length,
            width,
            values,
        })
    }

    /// The rows of a prompt from a device.
    pub(in crate::tuning) fn of_rows([length, width]: [usize; 2], values: Vec<f32>) -> Self {
        debug_assert_eq!(values.len(), length * width);
        Vectors {
            length,
            width,
            values,
        }
    }

    /// `P`.
    pub fn length(&self) -> usize {
        self.length
    }

    /// `D`.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Row-major.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The prompt as the only tensor of a file.
    pub(super) fn weights(&self, name: &str) -> Weights {
        let mut weights = Weights::empty("");
        weights.put(name, vec![self.length, self.width], self.values.clone());
        weights
    }

    /// SHA-256 of the values as row-major little-endian f32: independent of the file's format.
    pub fn sha256(&self) -> String {
        let bytes: Vec<u8> = self.values.iter().flat_map(|v| v.to_le_bytes()).collect();
        sha256(&bytes)
    }

    /// The first `length` rows, or all if there are fewer.
    pub(super) fn first(mut self, length: usize) -> Self {
        self.length = self.length.min(length);
        self.values.truncate(self.length * self.width);
        self
    }
}
