//! Linear subspaces of soft prompts.

use super::saved::error::SavedError;
use super::saved::vectors::Vectors;
use promptshift_numbers::inspect::principal::principal;

/// A linear subspace of soft prompts, as plain numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Subspace {
    /// `[P, D]`.
    pub(super) shape: [usize; 2],
    pub(super) mean: Vec<f32>,
    /// `[d, P·D]`, row-major; the length of each direction is the prompts' standard deviation along it.
    pub(super) directions: Vec<f32>,
    pub(super) dimension: usize,
}

/// Why no subspace can be found.
#[derive(Debug, thiserror::Error)]
pub enum SubspaceError {
    /// There are too few prompts, or they are too similar.
    #[error(
        "a subspace of {wanted} dimensions: {prompts} prompts span {found}; wanted more prompts or \
         fewer dimensions, at least one"
    )]
    Few {
        /// The dimensions requested.
        wanted: usize,
        /// Prompts.
        prompts: usize,
        /// The dimensions that they span, fewer than there are prompts.
        found: usize,
    },
    /// One can't be combined with the first.
    #[error(transparent)]
    Prompt(#[from] SavedError),
}

impl Subspace {
    /// The `dimension` directions along which some prompts of one shape vary most, with the share of the prompts'
    /// variance that they explain, in [0, 1].
    ///
    /// # Errors
    /// They span fewer dimensions.
    ///
    /// # Panics
    /// Their shapes differ.
    pub fn of(prompts: &[&Vectors], dimension: usize) -> Result<(Self, f64), SubspaceError> {
        let few = |found| SubspaceError::Few {
            wanted: dimension,
            prompts: prompts.len(),
            found,
        };
        let first = prompts.first().ok_or_else(|| few(0))?;
        let points: Vec<&[f32]> = prompts.iter().map(|prompt| prompt.values()).collect();
        let found = principal(&points, dimension);
        if dimension == 0 || found.directions.len() < dimension {
            return Err(few(found.directions.len()));
        }
        let subspace = Subspace {
            shape: [first.length(), first.width()],
            mean: found.mean,
            directions: found.directions.concat(),
            dimension,
        };
        Ok((subspace, found.explained.iter().sum()))
    }

    /// `P`.
    pub fn length(&self) -> usize {
        self.shape[0]
    }

    /// `D`.
    pub(super) fn width(&self) -> usize {
        self.shape[1]
    }

    /// `d`.
    pub fn dimension(&self) -> usize {
        self.dimension
    }
}
